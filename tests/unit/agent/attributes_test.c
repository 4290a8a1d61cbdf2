/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/attributes/attributes.h"

#include "agent/attributes/acl.h"
#include "agent/attributes/identity.h"
#include "common/base/mem.h"
#include "proto/types.pb-c.h"
#include "tests/unit/agent/temp_root.h"

#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <cmocka.h>

#define NOBODY "no-such-user-in-this-world"

struct fixture {
    struct temp_root t;
    char *path;
    int fd;
    struct attributes_fallback fallback;
    struct buf bytes;
};

static int open_fixture(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);

    temp_root_open(&f->t);
    f->path = mem_format("%s/a", f->t.path);
    temp_write(&f->t, "a", "content");
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
    f->fallback = (struct attributes_fallback){.uid = geteuid(), .gid = getegid()};
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;

    close(f->fd);
    free(f->path);
    buf_fini(&f->bytes);
    temp_root_close(&f->t);
    free(f);
    return 0;
}

static void read_all(struct fixture *f, int fd, struct span recorded, struct buf *out)
{
    buf_clear(out);
    assert_int_equal(attributes_read(fd, &f->fallback, recorded, "a", &f->t.log, out), ST_OK);
    assert_null(attributes_problem(buf_span(out)));
}

static enum status apply(struct fixture *f, int fd, struct span bytes)
{
    return attributes_apply(fd, bytes, &f->fallback, "a", &f->t.log);
}

static Coterie__V1__Attributes a_message(void)
{
    Coterie__V1__Attributes m;
    static struct identity_name owner;
    static struct identity_name group;

    coterie__v1__attributes__init(&m);
    owner = identity_name(IDENTITY_USER, geteuid());
    group = identity_name(IDENTITY_GROUP, getegid());
    m.mode = 0644;
    m.owner = owner.text;
    m.group = group.text;
    m.modified_ns = 1234567890123456789;
    return m;
}

static struct span pack(const Coterie__V1__Attributes *m, struct buf *out)
{
    buf_clear(out);
    coterie__v1__attributes__pack(m, buf_extend(out, coterie__v1__attributes__get_packed_size(m)));
    return buf_span(out);
}

static ProtobufCBinaryData text(const char *s)
{
    /* protobuf-c has no const; packing does not write */
    return (ProtobufCBinaryData){.len = strlen(s), .data = (uint8_t *)(uintptr_t)s};
}

static void what_is_read_makes_another_object_alike(void **state)
{
    struct fixture *f = *state;
    struct buf again = {0};
    char *other = mem_format("%s/b", f->t.path);
    int fd;

    assert_int_equal(chmod(f->path, 04751), 0);
    assert_int_equal(setxattr(f->path, "user.colour", "red\0blue", 8, 0), 0);
    assert_int_equal(setxattr(f->path, "user.apple", "", 0, 0), 0);
    read_all(f, f->fd, (struct span){0}, &f->bytes);
    temp_write(&f->t, "b", "other");
    assert_int_equal(setxattr(other, "user.stale", "x", 1, 0), 0);
    fd = open(other, O_RDONLY | O_CLOEXEC);
    assert_int_equal(apply(f, fd, buf_span(&f->bytes)), ST_OK);
    read_all(f, fd, (struct span){0}, &again);

    assert_true(span_equal(buf_span(&f->bytes), buf_span(&again)));
    assert_int_equal(temp_look(&f->t, "b").mode, 04751);
    close(fd);
    free(other);
    buf_fini(&again);
}

static void an_acl_travels_by_name(void **state)
{
    struct fixture *f = *state;
    Coterie__V1__Attributes m = a_message();
    struct buf again = {0};
    struct passwd *daemon = getpwnam("daemon");

    if (!daemon)
        skip();
    m.mode = 0664;
    m.acl_access = text("user::rw-\nuser:daemon:r--\ngroup::r--\nmask::rw-\nother::r--\n");
    assert_int_equal(apply(f, f->fd, pack(&m, &f->bytes)), ST_OK);
    assert_true(getxattr(f->path, "system.posix_acl_access", NULL, 0) > 0);
    read_all(f, f->fd, (struct span){0}, &again);
    assert_true(span_equal(buf_span(&f->bytes), buf_span(&again)));

    m.acl_access = text("");
    assert_int_equal(apply(f, f->fd, pack(&m, &f->bytes)), ST_OK);
    assert_true(getxattr(f->path, "system.posix_acl_access", NULL, 0) < 0);
    buf_fini(&again);
}

static void a_default_acl_stays_on_its_directory(void **state)
{
    struct fixture *f = *state;
    Coterie__V1__Attributes m = a_message();
    char *path = mem_format("%s/d", f->t.path);
    struct buf again = {0};
    int fd;

    temp_make_dir(&f->t, "d");
    fd = open(path, O_PATH | O_CLOEXEC);
    m.mode = 0755;
    m.modified_ns = 0;
    m.acl_default = text("user::rwx\nuser:daemon:r-x\ngroup::r-x\nmask::r-x\nother::---\n");
    assert_int_equal(apply(f, fd, pack(&m, &f->bytes)), ST_OK);
    read_all(f, fd, (struct span){0}, &again);
    assert_true(span_equal(buf_span(&f->bytes), buf_span(&again)));
    close(fd);
    free(path);
    buf_fini(&again);
}

static void an_unknown_owner_never_gains_rights_and_comes_back_unchanged(void **state)
{
    struct fixture *f = *state;
    Coterie__V1__Attributes m = a_message();
    struct buf again = {0};

    m.mode = 06755;
    m.owner = (char *)(uintptr_t)NOBODY;
    assert_int_equal(apply(f, f->fd, pack(&m, &f->bytes)), ST_OK);
    assert_int_equal(temp_look(&f->t, "a").uid, f->fallback.uid);
    assert_int_equal(temp_look(&f->t, "a").mode, 0755);
    assert_non_null(strstr(temp_root_last_line, NOBODY "(unknown)"));

    read_all(f, f->fd, buf_span(&f->bytes), &again);
    assert_true(span_equal(buf_span(&f->bytes), buf_span(&again)));

    /* A change made here is told, with the owner that is still not known. */
    assert_int_equal(chmod(f->path, 0700), 0);
    read_all(f, f->fd, buf_span(&f->bytes), &again);
    m.mode = 0700;
    assert_true(span_equal(pack(&m, &f->bytes), buf_span(&again)));
    buf_fini(&again);
}

static void an_acl_entry_unknown_here_comes_back_unchanged(void **state)
{
    struct fixture *f = *state;
    Coterie__V1__Attributes m = a_message();
    struct buf again = {0};

    m.acl_access = text("user::rw-\nuser:daemon:r--\nuser:" NOBODY
                        ":rw-\ngroup::r--\nmask::r--\nother::r--\n");
    assert_int_equal(apply(f, f->fd, pack(&m, &f->bytes)), ST_OK);
    read_all(f, f->fd, buf_span(&f->bytes), &again);
    assert_true(span_equal(buf_span(&f->bytes), buf_span(&again)));
    read_all(f, f->fd, (struct span){0}, &again);
    assert_false(span_equal(buf_span(&f->bytes), buf_span(&again)));
    buf_fini(&again);
}

static void numbers_mean_only_who_has_no_name(void **state)
{
    uint32_t number = 5;

    (void)state;
    assert_false(identity_number(IDENTITY_USER, "#0", &number));
    assert_false(identity_number(IDENTITY_USER, "#1", &number)); /* daemon, everywhere */
    assert_false(identity_number(IDENTITY_USER, "#4294967295", &number));
    assert_false(identity_number(IDENTITY_USER, "#12x", &number));
    assert_false(identity_number(IDENTITY_USER, "#", &number));
    assert_int_equal(number, 5);
    assert_true(identity_number(IDENTITY_USER, "#3999999999", &number));
    assert_int_equal(number, 3999999999);
    assert_string_equal(identity_name(IDENTITY_USER, 3999999999).text, "#3999999999");
    assert_true(identity_number(IDENTITY_USER, "root", &number));
    assert_int_equal(number, 0);
}

static void a_links_own_attributes_are_meant(void **state)
{
    struct fixture *f = *state;
    char *path = mem_format("%s/link", f->t.path);
    Coterie__V1__Attributes m = a_message();
    struct buf again = {0};
    struct standing before = temp_look(&f->t, "a");
    int fd;

    assert_int_equal(symlink("a", path), 0);
    fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    m.mode = 0777;
    assert_int_equal(apply(f, fd, pack(&m, &f->bytes)), ST_OK);
    read_all(f, fd, (struct span){0}, &again);
    assert_true(span_equal(buf_span(&f->bytes), buf_span(&again)));
    assert_int_equal(temp_look(&f->t, "link").witness.modified_ns, m.modified_ns);
    struct standing after = temp_look(&f->t, "a");
    assert_true(witness_equal(&before.witness, &after.witness));
    close(fd);
    free(path);
    buf_fini(&again);
}

static void times_before_1970_and_far_away_are_kept(void **state)
{
    static const int64_t times[] = {-1, -1500000000, -1000000000, 0, 1, 4102444800123456789};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        Coterie__V1__Attributes m = a_message();
        struct buf again = {0};

        m.modified_ns = times[i];
        assert_int_equal(apply(f, f->fd, pack(&m, &f->bytes)), ST_OK);
        read_all(f, f->fd, (struct span){0}, &again);
        assert_true(span_equal(buf_span(&f->bytes), buf_span(&again)));
        buf_fini(&again);
    }
}

static void bytes_that_break_a_rule_are_refused(void **state)
{
    struct fixture *f = *state;
    Coterie__V1__Attributes m = a_message();
    Coterie__V1__ExtendedAttribute one = COTERIE__V1__EXTENDED_ATTRIBUTE__INIT;
    Coterie__V1__ExtendedAttribute two = COTERIE__V1__EXTENDED_ATTRIBUTE__INIT;
    Coterie__V1__ExtendedAttribute *both[] = {&one, &two};
    static const char *const bad_acls[] = {
        "user::rw-",
        "user::rw-\n",
        "user::rw-\ngroup::r--\nother::r--\nuser:x:r--\n",
        "user::rw-\nuser:x:r--\ngroup::r--\nother::r--\n",
        "user::rw-\nuser::rw-\ngroup::r--\nother::r--\n",
        "user::wr-\ngroup::r--\nother::r--\n",
        "user::rw-\ngroup::r--\nmask:x:r--\nother::r--\n",
        "boss::rw-\ngroup::r--\nother::r--\n",
    };

    assert_null(attributes_problem(pack(&m, &f->bytes)));
    m.mode = 010000;
    assert_non_null(attributes_problem(pack(&m, &f->bytes)));
    m = a_message();
    m.owner = (char *)(uintptr_t)"";
    assert_non_null(attributes_problem(pack(&m, &f->bytes)));
    m.owner = (char *)(uintptr_t)"a:b";
    assert_non_null(attributes_problem(pack(&m, &f->bytes)));
    m = a_message();
    for (size_t i = 0; i < sizeof bad_acls / sizeof *bad_acls; i++) {
        m.acl_access = text(bad_acls[i]);
        assert_non_null(attributes_problem(pack(&m, &f->bytes)));
    }
    m = a_message();
    m.xattrs = both;
    m.n_xattrs = 1;
    static const char *const bad_names[] = {"", "user.", "trusted.x", "security.selinux",
                                            "system.posix_acl_access", "user"};
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++) {
        one.name = text(bad_names[i]);
        assert_non_null(attributes_problem(pack(&m, &f->bytes)));
    }
    m.n_xattrs = 2;
    one.name = text("user.b");
    two.name = text("user.b");
    assert_non_null(attributes_problem(pack(&m, &f->bytes)));
    two.name = text("user.a");
    assert_non_null(attributes_problem(pack(&m, &f->bytes)));
    two.name = text("user.bb");
    assert_null(attributes_problem(pack(&m, &f->bytes)));
    assert_non_null(attributes_problem(span_of_string("\x0a\xff\xff\xff\xff\x0f")));
    assert_int_equal(apply(f, f->fd, span_of_string("\x0a\xff")), ST_BADDATA);
}

static void what_can_not_be_stored_fails_and_is_named(void **state)
{
    struct fixture *f = *state;
    Coterie__V1__Attributes m = a_message();
    Coterie__V1__ExtendedAttribute one = COTERIE__V1__EXTENDED_ATTRIBUTE__INIT;
    Coterie__V1__ExtendedAttribute *items[] = {&one};
    char *path = mem_format("%s/link", f->t.path);
    int fd;

    /* User attributes do not exist on symlinks. */
    assert_int_equal(symlink("a", path), 0);
    fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    one.name = text("user.a");
    one.value = text("x");
    m.xattrs = items;
    m.n_xattrs = 1;
    assert_int_equal(apply(f, fd, pack(&m, &f->bytes)), ST_REFUSED);
    assert_non_null(strstr(temp_root_last_line, "user.a"));
    close(fd);
    free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_read_makes_another_object_alike),
        TEST(an_acl_travels_by_name),
        TEST(a_default_acl_stays_on_its_directory),
        TEST(an_unknown_owner_never_gains_rights_and_comes_back_unchanged),
        TEST(an_acl_entry_unknown_here_comes_back_unchanged),
        TEST(numbers_mean_only_who_has_no_name),
        TEST(a_links_own_attributes_are_meant),
        TEST(times_before_1970_and_far_away_are_kept),
        TEST(bytes_that_break_a_rule_are_refused),
        TEST(what_can_not_be_stored_fails_and_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

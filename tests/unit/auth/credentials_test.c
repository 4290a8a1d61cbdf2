/* SPDX-License-Identifier: Apache-2.0 */
#include "common/auth/auth.h"
#include "tests/unit/auth/keytab_file.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct keytab_entry machine[] = {
    {"host", "a.test", ENCTYPE_RC4},
    {"host", "a.test", ENCTYPE_AES256},
    {"nfs", "a.test", ENCTYPE_AES256},
    {"old", "a.test", ENCTYPE_RC4},
    {0},
};

static unsigned error_count;

static void take_line(enum log_level level, const char *line, void *arg)
{
    if (level == LOG_ERROR)
        error_count++;
    buf_append_string(arg, line);
}

/* The status of opening, and every line it logged. */
static enum status try_open(const struct auth_options *options, struct buf *lines)
{
    struct auth_credentials *credentials = NULL;

    error_count = 0;
    log_capture(take_line, lines);
    enum status st = auth_credentials_open(options, &credentials);
    log_capture(NULL, NULL);
    if (st != ST_OK)
        assert_null(credentials);
    auth_credentials_close(credentials);
    return st;
}

static void the_first_principal_is_the_default(void **state)
{
    struct auth_credentials *credentials = NULL;
    char *path = keytab_file_make(machine);
    (void)state;

    assert_int_equal(auth_credentials_open(&(struct auth_options){.keytab = path}, &credentials),
                     ST_OK);

    assert_string_equal(auth_credentials_principal(credentials), "host/a.test@COTERIE.TEST");
    auth_credentials_close(credentials);
    keytab_file_remove(path);
}

static void a_principal_is_found_without_its_realm(void **state)
{
    struct auth_credentials *credentials = NULL;
    char *path = keytab_file_make(machine);
    const struct auth_options options = {
        .keytab = path, .principal = "nfs/a.test", .service = "host/a.test"};
    (void)state;

    assert_int_equal(auth_credentials_open(&options, &credentials), ST_OK);

    assert_string_equal(auth_credentials_principal(credentials), "nfs/a.test@COTERIE.TEST");
    auth_credentials_close(credentials);
    keytab_file_remove(path);
}

static void one_line_names_a_keytab_that_is_missing(void **state)
{
    scope(buf) struct buf lines = {0};
    (void)state;

    assert_int_equal(try_open(&(struct auth_options){.keytab = "/nowhere/a.keytab"}, &lines),
                     ST_GONE);

    assert_int_equal(error_count, 1);
    assert_non_null(strstr(buf_text(&lines), "keytab=/nowhere/a.keytab"));
    assert_non_null(strstr(buf_text(&lines), "join the machine"));
}

static void one_line_names_what_is_not_a_keytab(void **state)
{
    scope(buf) struct buf lines = {0};
    (void)state;

    assert_int_equal(try_open(&(struct auth_options){.keytab = "/proc/self/cmdline"}, &lines),
                     ST_BADDATA);
    assert_int_equal(error_count, 1);
    assert_int_equal(try_open(&(struct auth_options){.keytab = "/"}, &lines), ST_BADDATA);
    assert_int_equal(error_count, 1);
}

static void one_line_names_a_principal_that_is_not_there(void **state)
{
    char *path = keytab_file_make(machine);
    scope(buf) struct buf lines = {0};
    const struct auth_options options = {.keytab = path, .principal = "host/b.test"};
    (void)state;

    assert_int_equal(try_open(&options, &lines), ST_BADDATA);

    assert_int_equal(error_count, 1);
    assert_non_null(strstr(buf_text(&lines), "principal=host/b.test"));
    assert_non_null(strstr(buf_text(&lines), path));
    keytab_file_remove(path);
}

static void a_principal_of_another_realm_is_not_ours(void **state)
{
    char *path = keytab_file_make(machine);
    scope(buf) struct buf lines = {0};
    const struct auth_options options = {.keytab = path, .principal = "host/a.test@OTHER.TEST"};
    (void)state;

    assert_int_equal(try_open(&options, &lines), ST_BADDATA);

    keytab_file_remove(path);
}

static void a_principal_without_aes_key_is_refused(void **state)
{
    char *path = keytab_file_make(machine);
    scope(buf) struct buf lines = {0};
    const struct auth_options client = {.keytab = path, .principal = "old/a.test"};
    const struct auth_options acceptor = {.keytab = path, .service = "old/a.test"};
    (void)state;

    assert_int_equal(try_open(&client, &lines), ST_BADDATA);
    assert_int_equal(error_count, 1);
    assert_non_null(strstr(buf_text(&lines), "no AES key"));
    assert_int_equal(try_open(&acceptor, &lines), ST_BADDATA);
    assert_int_equal(error_count, 1);

    keytab_file_remove(path);
}

static void a_keytab_that_everybody_reads_is_warned_about(void **state)
{
    char *path = keytab_file_make(machine);
    scope(buf) struct buf lines = {0};
    (void)state;

    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(try_open(&(struct auth_options){.keytab = path}, &lines), ST_OK);

    assert_non_null(strstr(buf_text(&lines), "chmod 0600"));
    keytab_file_remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_principal_is_the_default),
        cmocka_unit_test(a_principal_is_found_without_its_realm),
        cmocka_unit_test(one_line_names_a_keytab_that_is_missing),
        cmocka_unit_test(one_line_names_what_is_not_a_keytab),
        cmocka_unit_test(one_line_names_a_principal_that_is_not_there),
        cmocka_unit_test(a_principal_of_another_realm_is_not_ours),
        cmocka_unit_test(a_principal_without_aes_key_is_refused),
        cmocka_unit_test(a_keytab_that_everybody_reads_is_warned_about),
    };

    /* whatever this machine's Kerberos is set to must not matter */
    setenv("KRB5_CONFIG", "/dev/null", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

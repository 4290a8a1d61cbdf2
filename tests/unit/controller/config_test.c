/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/config.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char path[] = "/tmp/coterie-config-XXXXXX";

static void write_file(const char *text, size_t size)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fclose(file);
}

static struct controller_config load(const char *text)
{
    struct controller_config config;
    char *problem = NULL;

    write_file(text, strlen(text));
    if (!controller_config_load(path, &config, &problem))
        fail_msg("refused: %s", problem);
    return config;
}

/* @words: what the one line must say, separated by '|'. */
static void assert_refused(const char *text, const char *words)
{
    struct controller_config config;
    scope_free char *problem = NULL;
    scope_free char *list = mem_copy_string(words);

    write_file(text, strlen(text));
    assert_false(controller_config_load(path, &config, &problem));
    assert_null(strchr(problem, '\n'));
    for (char *rest = list, *word; (word = strsep(&rest, "|")) != NULL;)
        if (!strstr(problem, word))
            fail_msg("\"%s\" does not say \"%s\"", problem, word);
}

static void the_directory_alone_is_enough(void **state)
{
    struct controller_config config = load("[controller]\ndirectory = ldap://dc1.example\n");
    (void)state;

    assert_string_equal(config.directory, "ldap://dc1.example");
    assert_string_equal(config.base, "");
    assert_string_equal(config.keytab, "/etc/krb5.keytab");
    assert_string_equal(config.listen, "0.0.0.0");
    assert_int_equal(config.port, 7721);
    assert_string_equal(config.http_listen, "127.0.0.1");
    assert_int_equal(config.http_port, 7720);
    assert_int_equal(config.poll_interval_s, 60);
    assert_int_equal(config.log_level, LOG_INFO);
    controller_config_fini(&config);
}

static void every_key_is_taken(void **state)
{
    struct controller_config config =
        load("# a comment\n[controller]\ndirectory = ldap://a ldap://b:3890 ; two\nbase=DC=x\n"
             "keytab = /k\nprincipal = host/a\nservice = host/b\nrealm = R\nlisten = ::1\n"
             "port = 1\nhttp_listen = 10.0.0.1\nhttp_port = 65535\npoll_interval = 86400\n"
             "log_level = debug\n");
    (void)state;

    assert_string_equal(config.directory, "ldap://a ldap://b:3890");
    assert_string_equal(config.base, "DC=x");
    assert_string_equal(config.keytab, "/k");
    assert_string_equal(config.principal, "host/a");
    assert_string_equal(config.service, "host/b");
    assert_string_equal(config.realm, "R");
    assert_string_equal(config.listen, "::1");
    assert_int_equal(config.port, 1);
    assert_string_equal(config.http_listen, "10.0.0.1");
    assert_int_equal(config.http_port, 65535);
    assert_int_equal(config.poll_interval_s, 86400);
    assert_int_equal(config.log_level, LOG_DEBUG);
    controller_config_fini(&config);
}

#define GOOD "[controller]\ndirectory = ldap://a\n"

static void a_mistake_is_named_by_line_key_and_remedy(void **state)
{
    (void)state;

    assert_refused(GOOD "prot = 1\n", ":3:|\"prot\"|controller.conf(5)");
    assert_refused("[agent]\nport = 1\n", ":2:|[agent]");
    assert_refused(GOOD "port = 0\n", ":3:|port|1 to 65535");
    assert_refused(GOOD "port = 65536\n", ":3:|1 to 65535");
    assert_refused(GOOD "port = 12x\n", "1 to 65535");
    assert_refused(GOOD "port = -1\n", "1 to 65535");
    assert_refused(GOOD "http_port = 99999999999999999999\n", "1 to 65535");
    assert_refused(GOOD "poll_interval = 86401\n", "1 to 86400");
    assert_refused(GOOD "listen = dc1.example\n", "numeric address");
    assert_refused(GOOD "log_level = loud\n", "error, warn, info or debug");
    assert_refused(GOOD "realm =\n", "leave the line out");
    assert_refused(GOOD "port = 1\nport = 2\n", ":4:|twice");
    assert_refused(GOOD "this is no line\n", "neither");
    assert_refused("[controller]\ndirectory = http://a\n", ":2:|directory");
    assert_refused("[controller]\nport = 1\n", "\"directory\" is missing");
    assert_refused("", "\"directory\" is missing");
}

static void an_indented_line_does_not_change_the_value_above_it(void **state)
{
    (void)state;

    assert_refused(GOOD "realm = R\n  port = 1\n", ":4:|\"realm\"|indented");
}

static void an_overlong_line_is_refused_whole(void **state)
{
    char text[4096] = GOOD "realm = ";
    size_t start = strlen(text);
    (void)state;

    memset(text + start, 'R', sizeof(text) - start - 1);
    assert_refused(text, ":3:|longer than");
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    struct controller_config config;
    char *problem = NULL;
    (void)state;

    assert_false(controller_config_load("/nonexistent/x.conf", &config, &problem));
    assert_non_null(strstr(problem, "/nonexistent/x.conf"));
    assert_non_null(strstr(problem, "--config"));
    free(problem);
    assert_false(controller_config_load("/tmp", &config, &problem));
    assert_non_null(strstr(problem, "/tmp"));
    free(problem);
}

static void any_bytes_give_a_config_or_one_line(void **state)
{
    const char *given = getenv("COTERIE_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : 20261122;
    static const char alphabet[] = "[]=;# \n\n\tport\0controller\xff";
    (void)state;

    print_message("COTERIE_SEED=%u\n", seed);
    srand(seed);
    for (int round = 0; round < 500; round++) {
        char text[600];
        size_t size = (size_t)rand() % sizeof(text);
        struct controller_config config;
        char *problem = NULL;

        for (size_t i = 0; i < size; i++)
            text[i] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
        write_file(text, size);
        if (controller_config_load(path, &config, &problem))
            controller_config_fini(&config);
        else
            assert_non_null(problem);
        free(problem);
    }
}

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_directory_alone_is_enough),
        cmocka_unit_test(every_key_is_taken),
        cmocka_unit_test(a_mistake_is_named_by_line_key_and_remedy),
        cmocka_unit_test(an_indented_line_does_not_change_the_value_above_it),
        cmocka_unit_test(an_overlong_line_is_refused_whole),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(any_bytes_give_a_config_or_one_line),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/path.h"

#include "common/base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void plain_absolute_paths_are_accepted(void **state)
{
    (void)state;

    assert_true(model_path_ok("/srv/cad"));
    assert_true(model_path_ok("/a"));
    assert_true(model_path_ok("/srv/two words/..hidden/a..b/..."));
}

static void paths_with_two_readings_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "/",
                                      "srv",
                                      "/srv/",
                                      "//srv",
                                      "/a//b",
                                      "/a/./b",
                                      "/a/../b",
                                      "/a/..",
                                      "/.",
                                      "C:\\cad",
                                      "/a\nb",
                                      "\\\\fs\\cad",
                                      "/a\177b"};
    (void)state;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (model_path_ok(bad[i]))
            fail_msg("accepted: %s", bad[i]);
    }
}

static void paths_are_bounded_in_whole_and_in_parts(void **state)
{
    char path[ROOT_PATH_SIZE_MAX + 2];
    (void)state;

    for (size_t i = 0; i < sizeof(path) - 1; i++)
        path[i] = i % 2 == 0 ? '/' : 'a';
    path[ROOT_PATH_SIZE_MAX + 1] = '\0';
    assert_false(model_path_ok(path));
    path[ROOT_PATH_SIZE_MAX - 1] = '\0';
    assert_true(model_path_ok(path));
    memset(path + 1, 'a', NAME_SIZE_MAX + 1);
    path[NAME_SIZE_MAX + 2] = '\0';
    assert_false(model_path_ok(path));
    path[NAME_SIZE_MAX + 1] = '\0';
    assert_true(model_path_ok(path));
}

static void within_goes_by_components_not_by_letters(void **state)
{
    (void)state;

    assert_true(model_path_within("/srv/cad", "/srv/cad"));
    assert_true(model_path_within("/srv/cad/a", "/srv/cad"));
    assert_false(model_path_within("/srv/cad2", "/srv/cad"));
    assert_false(model_path_within("/srv", "/srv/cad"));
}

static void hosts_are_names_or_address_literals(void **state)
{
    char host[HOST_NAME_SIZE_MAX + 2];
    (void)state;

    assert_true(model_host_ok("fs1.corp.example"));
    assert_true(model_host_ok("127.77.0.1"));
    assert_true(model_host_ok("fe80::1"));
    assert_false(model_host_ok(""));
    assert_false(model_host_ok("fs1/evil"));
    assert_false(model_host_ok("fs1 "));
    assert_false(model_host_ok("fs1@x"));
    memset(host, 'a', sizeof(host) - 1);
    host[sizeof(host) - 1] = '\0';
    assert_false(model_host_ok(host));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_absolute_paths_are_accepted),
        cmocka_unit_test(paths_with_two_readings_are_refused),
        cmocka_unit_test(paths_are_bounded_in_whole_and_in_parts),
        cmocka_unit_test(within_goes_by_components_not_by_letters),
        cmocka_unit_test(hosts_are_names_or_address_literals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

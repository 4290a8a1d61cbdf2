/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ad/connection.h"

#include "common/base/scope.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void lists_of_servers_are_accepted(void **state)
{
    scope_free char *problem = NULL;
    (void)state;

    assert_true(ad_uris_ok("ldap://dc1.corp.example", &problem));
    assert_true(ad_uris_ok(" ldap://dc1:3890/  LDAP://127.0.0.1 ", &problem));
    assert_null(problem);
}

static void what_could_not_be_tried_is_refused_with_a_remedy(void **state)
{
    static const char *const bad[][2] = {{"", "no directory server"},
                                         {"   ", "no directory server"},
                                         {"dc1.corp.example", "write ldap://HOST"},
                                         {"ldap://", "write ldap://HOST"},
                                         {"ldaps://dc1", "only ldap://"},
                                         {"ldap://dc1 ldapi://%2Frun", "ldap"},
                                         {"ldap://dc1/dc=corp", "its own setting"},
                                         {"http://dc1", "write ldap://HOST"}};
    (void)state;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        scope_free char *problem = NULL;

        if (ad_uris_ok(bad[i][0], &problem))
            fail_msg("accepted: %s", bad[i][0]);
        if (!strstr(problem, bad[i][1]))
            fail_msg("%s: says %s", bad[i][0], problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_servers_are_accepted),
        cmocka_unit_test(what_could_not_be_tried_is_refused_with_a_remedy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

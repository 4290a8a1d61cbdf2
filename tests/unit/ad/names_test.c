/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ad/names.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void expect_same(const char *a, const char *b)
{
    scope_free char *left = ad_dn_normalise(a);
    scope_free char *right = ad_dn_normalise(b);

    assert_non_null(left);
    assert_non_null(right);
    assert_string_equal(left, right);
}

static void spellings_of_one_name_are_equal(void **state)
{
    (void)state;

    expect_same("CN=FS1,OU=Servers,DC=corp", "cn=fs1, ou=servers ,dc=CORP");
    expect_same("CN=R\\2CD,DC=x", "cn=R\\,D,dc=X");
    expect_same("CN=a\\2Bb\\3D\\22,DC=x", "CN=a\\+b\\=\\\",DC=x");
    expect_same("CN=two  words,DC=x", "CN=two words,DC=x");
    expect_same("CN=B\\c3\\bcro,DC=x", "CN=B\xc3\xbcro,DC=x");
    expect_same("CN=\\ x\\ ,DC=y", "CN=x,DC=y");
}

static void different_names_stay_different(void **state)
{
    static const char *const names[] = {"CN=a,DC=x", "CN=a\\,DC\\=x", "CN=a,CN=x", "OU=a,DC=x",
                                        "CN=a+OU=a,DC=x"};
    (void)state;

    for (unsigned i = 0; i < 5; i++) {
        for (unsigned k = 0; k < i; k++) {
            scope_free char *left = ad_dn_normalise(names[i]);
            scope_free char *right = ad_dn_normalise(names[k]);
            assert_string_not_equal(left, right);
        }
    }
}

static void the_normal_form_is_its_own_normal_form(void **state)
{
    static const char *const names[] = {"CN=R\\2CD, DC=x", "CN=\\#1\\00\\1b,DC=y", "CN=a  b+OU=c",
                                        "CN=x\\\\y,DC=z"};
    (void)state;

    for (unsigned i = 0; i < 4; i++) {
        scope_free char *once = ad_dn_normalise(names[i]);
        scope_free char *twice = ad_dn_normalise(once);
        assert_string_equal(once, twice);
    }
}

static void what_is_no_name_is_refused(void **state)
{
    char *huge = mem_new(AD_DN_SIZE_MAX + 16, 1);
    (void)state;

    memset(huge, 'x', AD_DN_SIZE_MAX + 8);
    memcpy(huge, "CN=", 3);
    assert_null(ad_dn_normalise(""));
    assert_null(ad_dn_normalise("FS1"));
    assert_null(ad_dn_normalise("CN=a,"));
    assert_null(ad_dn_normalise("CN=a\\zz"));
    assert_null(ad_dn_normalise(huge));
    free(huge);
}

static void the_parent_is_one_level_up(void **state)
{
    scope_free char *normal = ad_dn_normalise("CN=a\\,b,CN=c,DC=d");
    (void)state;

    const char *parent = ad_dn_parent(normal);
    assert_string_equal(parent, "cn=c,dc=d");
    assert_string_equal(ad_dn_parent(parent), "dc=d");
    assert_null(ad_dn_parent(ad_dn_parent(parent)));
}

static void the_leaf_is_what_people_call_it(void **state)
{
    scope_free char *leaf = ad_dn_leaf("CN=R\\2CD,DC=x");
    scope_free char *none = ad_dn_leaf("not a name");
    (void)state;

    assert_string_equal(leaf, "R,D");
    assert_string_equal(none, "not a name");
}

static void an_empty_value_is_a_value(void **state)
{
    scope_free char *leaf = ad_dn_leaf("CN=,DC=x");
    scope_free char *normal = ad_dn_normalise("CN=,DC=x");
    (void)state;

    assert_string_equal(leaf, "");
    assert_string_equal(normal, "cn=,dc=x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_one_name_are_equal),
        cmocka_unit_test(different_names_stay_different),
        cmocka_unit_test(the_normal_form_is_its_own_normal_form),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(the_parent_is_one_level_up),
        cmocka_unit_test(the_leaf_is_what_people_call_it),
        cmocka_unit_test(an_empty_value_is_a_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

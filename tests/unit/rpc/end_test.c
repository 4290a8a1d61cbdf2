/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void every_end_survives_the_wire(void **state)
{
    (void)state;
    for (enum rpc_end end = RPC_END_OK; end <= RPC_END_NOT_FOUND; end++) {
        assert_int_equal(end_of_code(code_of_end(end)), end);
        assert_string_not_equal(rpc_end_name(end), "unknown");
    }
}

static void no_foreign_code_reads_as_success(void **state)
{
    (void)state;
    for (int code = -1; code < 100; code++)
        if (code != GRPC_STATUS_OK)
            assert_int_not_equal(end_of_code((grpc_status_code)code), RPC_END_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_end_survives_the_wire),
        cmocka_unit_test(no_foreign_code_reads_as_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

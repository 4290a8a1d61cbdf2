/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/grpc_log.h"

#include "common/base/log.h"

#include <grpc/support/log.h>
#include <pthread.h>
#include <stdbool.h>

#define WARN_EVERY_MS 10000

static pthread_mutex_t rate_lock = PTHREAD_MUTEX_INITIALIZER; /* a leaf lock */
static struct log_rate warn_rate;

static bool may_warn(void)
{
    pthread_mutex_lock(&rate_lock);
    bool may = log_rate_ok(&warn_rate, WARN_EVERY_MS);
    pthread_mutex_unlock(&rate_lock);
    return may;
}

/* Any thread. Never above warn: whatever matters comes to us as a status as well. */
static void on_line(gpr_log_func_args *args)
{
    if (args->severity == GPR_LOG_SEVERITY_ERROR && may_warn())
        log_warn(NULL, "grpc: %s", args->message);
    else
        log_debug(NULL, "grpc: %s", args->message);
}

void grpc_log_route(void)
{
    gpr_set_log_function(on_line);
    gpr_set_log_verbosity(log_level_now() == LOG_DEBUG ? GPR_LOG_SEVERITY_INFO
                                                       : GPR_LOG_SEVERITY_ERROR);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/resolve.h"

#include "common/base/mem.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct resolve {
    struct rpc_job *job;
    char *host;
    char port[8];
    struct resolved result;
    resolve_fn fn;
    void *arg;
};

static void add_target(struct resolved *result, const struct addrinfo *address)
{
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];

    if (result->count == RPC_ADDRESSES_MAX ||
        getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    result->targets[result->count++] = address->ai_family == AF_INET6
                                           ? mem_format("ipv6:[%s]:%s", host, port)
                                           : mem_format("ipv4:%s:%s", host, port);
}

static void resolve_work(void *arg)
{
    struct resolve *resolve = arg;
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    int error = getaddrinfo(resolve->host, resolve->port, &hints, &addresses);

    if (error != 0) {
        resolve->result.error = error == EAI_SYSTEM ? "system error" : gai_strerror(error);
        return;
    }
    for (const struct addrinfo *at = addresses; at; at = at->ai_next)
        add_target(&resolve->result, at);
    freeaddrinfo(addresses);
    if (resolve->result.count == 0)
        resolve->result.error = "the name has no address";
}

static void resolve_free(void *arg)
{
    struct resolve *resolve = arg;

    for (size_t i = 0; i < resolve->result.count; i++)
        free(resolve->result.targets[i]);
    free(resolve->host);
    free(resolve);
}

static void resolve_done(void *arg)
{
    struct resolve *resolve = arg;

    resolve->fn(&resolve->result, resolve->arg);
    resolve_free(resolve);
}

struct resolve *resolve_start(struct rpc *rpc, const char *host, uint16_t port, resolve_fn fn,
                              void *arg)
{
    struct resolve *resolve = MEM_NEW(struct resolve);

    resolve->host = mem_copy_string(host);
    snprintf(resolve->port, sizeof(resolve->port), "%u", port);
    resolve->fn = fn;
    resolve->arg = arg;
    resolve->job =
        rpc_job_start(rpc, RPC_LANE_RESOLVE, resolve_work, resolve_done, resolve_free, resolve);
    return resolve;
}

void resolve_cancel(struct resolve *resolve)
{
    rpc_job_cancel(resolve->job);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/status/http.h: serves the status over HTTP, read-only. The only folder with
 * libmicrohttpd headers.
 *
 *   /           the page              /metrics  Prometheus text
 *   /v1/status  JSON                  /healthz  200 once the directory has been read, else 503
 *
 * Everything runs on the loop thread: libmicrohttpd's epoll descriptor is one more descriptor of
 * the loop, sockets never block, and no lock is needed. A document is rendered when somebody asks
 * and serves everybody for STATUS_DOCUMENT_LIFE_MS, so viewers cannot slow the controller down.
 *
 * There is no authentication: whoever reaches the address may read. It is meant for 127.0.0.1, a
 * management network, or a proxy that authenticates.
 */
#ifndef CONTROLLER_STATUS_HTTP_H
#define CONTROLLER_STATUS_HTTP_H

#include "common/os/loop.h"
#include "controller/status/view.h"

struct http;

struct http_options {
    struct loop *loop;
    const char *address; /* numeric */
    uint16_t port;       /* 0: any; see http_port() */
    const struct log_ctx *log;
    /* Fills in the state of this moment; what it points to holds until the call returns to the
     * loop. */
    void (*read_sources)(struct view_sources *out_sources, void *arg);
    void *arg;
};

/* Errors: ST_REFUSED or ST_IO, after one line that names the address and the remedy. */
NODISCARD enum status http_open(const struct http_options *options, struct http **out_http);
void http_close(struct http *http); /* NULL allowed */
uint16_t http_port(const struct http *http);

#endif

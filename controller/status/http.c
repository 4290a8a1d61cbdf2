/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/status/http.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "controller/status/render.h"

#include <microhttpd.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum document { DOCUMENT_PAGE, DOCUMENT_JSON, DOCUMENT_METRICS, DOCUMENT_HEALTH, DOCUMENT_COUNT };

struct rendering {
    struct MHD_Response *response; /* counted by the library: replies under way keep theirs */
    unsigned code;
    struct instant made;
};

struct http {
    struct http_options options;
    struct MHD_Daemon *daemon;
    struct loop_fd *watch;
    struct loop_timer *timer;
    uint16_t port;
    struct rendering renderings[DOCUMENT_COUNT];
    struct log_rate complaint;
};

static const struct {
    const char *path;
    const char *type;
} documents[DOCUMENT_COUNT] = {
    [DOCUMENT_PAGE] = {"/", "text/html; charset=utf-8"},
    [DOCUMENT_JSON] = {"/v1/status", "application/json"},
    [DOCUMENT_METRICS] = {"/metrics", "text/plain; version=0.0.4; charset=utf-8"},
    [DOCUMENT_HEALTH] = {"/healthz", "text/plain; charset=utf-8"},
};

/* --- documents --- */

static struct MHD_Response *make_response(struct buf *take_body, const char *type)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(take_body->size, take_body->data, MHD_RESPMEM_MUST_FREE);

    if (!response) {
        buf_fini(take_body);
        return NULL;
    }
    *take_body = (struct buf){0};
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "X-Frame-Options", "DENY");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    return response;
}

/* 200 as long as agents can be given what the directory says. */
static unsigned write_health(const struct view_sources *sources, struct buf *out)
{
    const struct directory_status *directory = &sources->directory;

    if (directory->state != DIRECTORY_NEVER_READ) {
        buf_append_string(out, "ok\n");
        return MHD_HTTP_OK;
    }
    buf_printf(out, "the directory %s has never been read", directory->uri);
    if (directory->problem[0] != '\0')
        buf_printf(out, ": %s", directory->problem);
    buf_append_string(out, "\n");
    return MHD_HTTP_SERVICE_UNAVAILABLE;
}

static void render_view(enum document document, const struct view_sources *sources,
                        const char *nonce, struct buf *out)
{
    struct view *view = view_new(sources);

    if (document == DOCUMENT_JSON)
        render_json(view, out);
    else if (document == DOCUMENT_METRICS)
        render_metrics(view, out);
    else
        render_page(view, nonce, out);
    view_free(view);
}

/* Scripts and styles run only with this document's nonce; nothing is loaded from elsewhere. */
static void add_policy(struct MHD_Response *response, const char *nonce)
{
    scope_free char *policy =
        mem_format("default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; "
                   "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                   "frame-ancestors 'none'",
                   nonce, nonce);

    MHD_add_response_header(response, "Content-Security-Policy", policy);
}

static const struct rendering *render(struct http *http, enum document document)
{
    struct rendering *rendering = &http->renderings[document];
    struct instant now = loop_now(http->options.loop);

    if (rendering->response && instant_ms_since(rendering->made, now) < STATUS_DOCUMENT_LIFE_MS)
        return rendering;
    struct view_sources sources = {0};
    struct guid random = guid_random();
    struct guid_text nonce = guid_format(&random);
    struct buf body = {0};
    unsigned code = MHD_HTTP_OK;

    http->options.read_sources(&sources, http->options.arg);
    if (document == DOCUMENT_HEALTH)
        code = write_health(&sources, &body);
    else
        render_view(document, &sources, nonce.text, &body);
    struct MHD_Response *response = make_response(&body, documents[document].type);

    if (!response)
        return NULL;
    if (document == DOCUMENT_PAGE)
        add_policy(response, nonce.text);
    if (rendering->response)
        MHD_destroy_response(rendering->response);
    *rendering = (struct rendering){.response = response, .code = code, .made = now};
    return rendering;
}

/* --- requests --- */

static enum MHD_Result reply_text(struct MHD_Connection *connection, unsigned code,
                                  const char *text)
{
    struct buf body = {0};

    buf_append_string(&body, text);
    struct MHD_Response *response = make_response(&body, "text/plain; charset=utf-8");

    if (!response)
        return MHD_NO;
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, code, response);

    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    struct http *http = arg;

    (void)version;
    (void)upload;
    (void)state;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        *upload_size = 0;
        return reply_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "read-only: use GET\n");
    }
    for (enum document document = 0; document < DOCUMENT_COUNT; document++) {
        if (strcmp(url, documents[document].path) != 0)
            continue;
        const struct rendering *rendering = render(http, document);

        if (!rendering)
            return MHD_NO;
        return MHD_queue_response(connection, rendering->code, rendering->response);
    }
    return reply_text(connection, MHD_HTTP_NOT_FOUND,
                      "not found; there are /, /v1/status, /metrics and /healthz\n");
}

/* --- the loop --- */

static void run(void *arg)
{
    struct http *http = arg;
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    MHD_run(http->daemon);
    if (MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES)
        loop_timer_start(http->timer, timeout_ms > INT32_MAX ? INT32_MAX : (int64_t)timeout_ms);
    else
        loop_timer_stop(http->timer);
}

PRINTF_LIKE(2, 0) static void on_complaint(void *arg, const char *format, va_list args)
{
    struct http *http = arg;
    char text[512];

    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\r\n")] = '\0';
    if (log_rate_ok(&http->complaint, 10000))
        log_debug(http->options.log, "http: %s", text);
}

/* A socket of our own, so that what is wrong with the address can be said. */
static enum status listen_on(const struct http_options *options, int *out_fd)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *address = NULL;
    char port[8];
    const int on = 1;

    snprintf(port, sizeof(port), "%u", options->port);
    if (getaddrinfo(options->address, port, &hints, &address) != 0) {
        log_error(options->log, "http address %s is not numeric: use an address of this host",
                  options->address);
        return ST_REFUSED;
    }
    scope_fd int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool listening = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
                     bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, 64) == 0;
    int error = errno;

    freeaddrinfo(address);
    if (!listening) {
        log_error(options->log,
                  "cannot serve the status on %s port %u: correct http-address and http-port, or "
                  "stop what uses them: %s",
                  options->address, options->port, strerror(error));
        return ST_IO;
    }
    *out_fd = scope_move_fd(&fd);
    return ST_OK;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

enum status http_open(const struct http_options *options, struct http **out_http)
{
    int fd;
    enum status st = listen_on(options, &fd);

    if (st != ST_OK)
        return st;
    struct http *http = MEM_NEW(struct http);

    http->options = *options;
    http->port = port_of(fd);
    /* the daemon closes the socket when it stops */
    http->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request,
                                    http, MHD_OPTION_EXTERNAL_LOGGER, on_complaint, (void *)http,
                                    MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                                    STATUS_CLIENT_COUNT_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                                    STATUS_CLIENT_IDLE_S, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        http->daemon ? MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;

    if (!info) {
        log_error(options->log, "cannot start the HTTP server on %s port %u", options->address,
                  options->port);
        http_close(http);
        return ST_IO;
    }
    http->timer = loop_timer_new(options->loop, run, http);
    http->watch = loop_fd_new(options->loop, info->epoll_fd, run, http);
    log_info(options->log, "status served on http://%s:%u/", options->address, http->port);
    *out_http = http;
    return ST_OK;
}

void http_close(struct http *http)
{
    if (!http)
        return;
    loop_fd_free(http->watch);
    loop_timer_free(http->timer);
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
    for (size_t i = 0; i < DOCUMENT_COUNT; i++)
        if (http->renderings[i].response)
            MHD_destroy_response(http->renderings[i].response);
    free(http);
}

uint16_t http_port(const struct http *http)
{
    return http->port;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/controller.h"

#include "common/ad/watch.h"
#include "common/auth/auth.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/rpc/methods.h"
#include "controller/fleet/refusals.h"
#include "controller/fleet/service.h"
#include "controller/reading.h"
#include "controller/status/http.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

struct controller {
    struct loop *loop;
    const struct controller_config *config;
    const struct log_ctx *log;
    char host_name[HOST_NAME_SIZE_MAX + 1];
    struct moment started;

    /* two, as each belongs to one thread at a time: the handshakes' and the directory's */
    struct auth_credentials *acceptor;
    struct auth_credentials *directory_credentials;
    struct rpc *rpc;
    struct rpc_server *server;
    struct fleet_service *fleet;
    struct refusals refusals;
    struct http *http;
    struct ad_watch *watch;
    bool stopping;

    struct reading *reading; /* what was last read; NULL before */
    char *directory_uri;     /* of the last read; the configured ones before */
    char *directory_base;
    char *directory_problem; /* "" while it can be read */
    struct walltime directory_failing_since;
    struct walltime directory_read;

    struct status_finding *findings; /* made for one rendering, kept for their memory */
    size_t finding_count;
    size_t finding_capacity;
};

static void set_text(char **slot, const char *text)
{
    char *copy = mem_copy_string(text);

    free(*slot);
    *slot = copy;
}

/* --- the directory --- */

static const char *realm_of(const struct controller *controller)
{
    if (controller->config->realm[0] != '\0')
        return controller->config->realm;
    const char *at = strrchr(auth_credentials_principal(controller->acceptor), '@');

    return at ? at + 1 : "";
}

/* The reading before goes only after the fleet has let go of it. */
static void put_in_force(struct controller *controller, struct reading *take_reading)
{
    struct reading *before = controller->reading;
    size_t count;

    controller->reading = take_reading;
    const struct fleet_computer *computers = reading_computers(take_reading, &count);

    fleet_service_set_plan(controller->fleet, computers, count);
    reading_free(before);
}

static void on_directory_read(const struct ad_watch_news *news, void *arg)
{
    struct controller *controller = arg;

    if (controller->stopping)
        return;
    set_text(&controller->directory_uri, news->uri);
    set_text(&controller->directory_base, news->base);
    set_text(&controller->directory_problem, "");
    controller->directory_failing_since.ns = 0;
    controller->directory_read = walltime_now();
    put_in_force(controller, reading_new(news->entries, realm_of(controller), controller->reading,
                                         controller->log));
}

static void on_directory_problem(const char *problem, void *arg)
{
    struct controller *controller = arg;

    if (controller->directory_problem[0] == '\0')
        controller->directory_failing_since = walltime_now();
    set_text(&controller->directory_problem, problem);
}

static void start_watch(struct controller *controller)
{
    static const struct ad_watch_callbacks callbacks = {.on_read = on_directory_read,
                                                        .on_problem = on_directory_problem};
    struct ad_watch_options options = {
        .loop = controller->loop,
        .directory = {.uris = controller->config->directory,
                      .base_dn = controller->config->base,
                      .credentials = controller->directory_credentials,
                      .log = controller->log},
        .poll_interval_ms = (int64_t)controller->config->poll_interval_s * 1000,
    };

    options.queries = topology_queries(&options.query_count);
    controller->watch = ad_watch_start(&options, &callbacks, controller);
}

/* --- the status --- */

static void add_finding(struct controller *controller, struct status_finding finding)
{
    if (controller->finding_count == controller->finding_capacity) {
        controller->finding_capacity = controller->finding_capacity * 2 + 16;
        controller->findings = mem_resize(controller->findings, controller->finding_capacity,
                                          sizeof(*controller->findings));
    }
    controller->findings[controller->finding_count++] = finding;
}

static void add_directory_findings(struct controller *controller)
{
    for (size_t list = 0; controller->reading && list < READING_FINDINGS_COUNT; list++) {
        const struct findings *findings = reading_findings(controller->reading, list);

        for (size_t i = 0; i < findings->count; i++)
            add_finding(controller, (struct status_finding){
                                        .severity = findings->items[i].severity,
                                        .code = "directory-object",
                                        .object = findings->items[i].object,
                                        .cause = findings->items[i].problem,
                                        .remedy = findings->items[i].remedy,
                                    });
        if (findings->left_out_count > 0)
            add_finding(controller, (struct status_finding){
                                        .severity = SEVERITY_WARNING,
                                        .code = "directory-object",
                                        .object = controller->directory_base,
                                        .cause = "more objects have problems than are listed",
                                        .remedy = "correct those that are listed first",
                                    });
    }
}

static void add_refusals(struct controller *controller)
{
    refusals_expire(&controller->refusals, instant_now());
    for (size_t i = 0; i < controller->refusals.count; i++) {
        const struct refusal *refusal = &controller->refusals.items[i];

        add_finding(
            controller,
            (struct status_finding){
                .severity = SEVERITY_WARNING,
                .code = "authentication-refused",
                .object = refusal->principal[0] != '\0' ? refusal->principal : refusal->host,
                .cause = refusal->text,
                .remedy = "check keytab, clock and realm of the computer that asked; if "
                          "it is none of yours, keep it from this port",
                .since = refusal->first.wall,
            });
    }
}

static void read_sources(struct view_sources *out_sources, void *arg)
{
    struct controller *controller = arg;
    bool failing = controller->directory_problem[0] != '\0';

    controller->finding_count = 0;
    add_directory_findings(controller);
    add_refusals(controller);
    *out_sources = (struct view_sources){
        .now = moment_now(),
        .started = controller->started,
        .host_name = controller->host_name,
        .principal = auth_credentials_principal(controller->acceptor),
        .directory = {.state = !controller->reading ? DIRECTORY_NEVER_READ
                               : failing            ? DIRECTORY_FAILING
                                                    : DIRECTORY_CURRENT,
                      .uri = controller->directory_uri,
                      .base = controller->directory_base,
                      .problem = controller->directory_problem,
                      .failing_since = controller->directory_failing_since,
                      .last_read = controller->directory_read,
                      .generation = reading_generation(controller->reading)},
        .fleet = fleet_service_fleet(controller->fleet),
        .findings = controller->findings,
        .finding_count = controller->finding_count,
    };
}

/* --- agents --- */

static void on_refused(const char *peer, const char *principal, const char *text, void *arg)
{
    struct controller *controller = arg;

    refusals_add(&controller->refusals, peer, principal, text, moment_now());
}

static enum status start_server(struct controller *controller)
{
    const struct rpc_service_method methods[] = {{.method = &fleet_attach_method,
                                                  .on_open = fleet_service_on_open,
                                                  .arg = controller->fleet}};

    return rpc_server_open(controller->rpc,
                           &(struct rpc_server_options){
                               .address = controller->config->listen,
                               .port = controller->config->port,
                               .credentials = controller->acceptor,
                               .methods = methods,
                               .method_count = sizeof(methods) / sizeof(methods[0]),
                               .log = controller->log,
                               .on_refused = on_refused,
                               .arg = controller,
                           },
                           &controller->server);
}

/* --- life --- */

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static enum status open_credentials(struct controller *controller)
{
    const struct auth_options options = {.keytab = controller->config->keytab,
                                         .principal = or_null(controller->config->principal),
                                         .service = or_null(controller->config->service),
                                         .log = controller->log};
    enum status st = auth_credentials_open(&options, &controller->acceptor);

    return st == ST_OK ? auth_credentials_open(&options, &controller->directory_credentials) : st;
}

static enum status open_status(struct controller *controller)
{
    return http_open(&(struct http_options){.loop = controller->loop,
                                            .address = controller->config->http_listen,
                                            .port = controller->config->http_port,
                                            .log = controller->log,
                                            .read_sources = read_sources,
                                            .arg = controller},
                     &controller->http);
}

enum status controller_start(struct loop *loop, const struct controller_config *config,
                             const struct log_ctx *log, struct controller **out_controller)
{
    struct controller *controller = MEM_NEW(struct controller);

    controller->loop = loop;
    controller->config = config;
    controller->log = log;
    controller->started = moment_now();
    gethostname(controller->host_name, sizeof(controller->host_name) - 1);
    controller->directory_uri = mem_copy_string(config->directory);
    controller->directory_base = mem_copy_string(config->base);
    controller->directory_problem = mem_copy_string("");
    enum status st = open_credentials(controller);

    if (st == ST_OK) {
        controller->rpc = rpc_new(loop, log);
        controller->fleet = fleet_service_new(loop, log);
        st = open_status(controller);
    }
    /* last of what can fail: closing a server takes the loop */
    if (st == ST_OK)
        st = start_server(controller);
    if (st != ST_OK) {
        controller_free(controller);
        return st;
    }
    log_info(log, "agents attach on %s port %u as %s", config->listen,
             rpc_server_port(controller->server), auth_credentials_principal(controller->acceptor));
    start_watch(controller);
    *out_controller = controller;
    return ST_OK;
}

void controller_refresh(struct controller *controller)
{
    if (controller->stopping)
        return;
    log_info(controller->log, "reading the directory again, as asked by SIGHUP");
    ad_watch_refresh(controller->watch);
}

static void on_server_closed(void *arg)
{
    struct controller *controller = arg;

    controller->server = NULL;
    http_close(controller->http);
    controller->http = NULL;
    fleet_service_free(controller->fleet);
    controller->fleet = NULL;
    loop_stop(controller->loop);
}

void controller_stop(struct controller *controller)
{
    if (controller->stopping)
        return;
    controller->stopping = true;
    log_info(controller->log, "stopping");
    fleet_service_stop(controller->fleet);
    rpc_server_close(controller->server, SHUTDOWN_GRACE_MS, on_server_closed, controller);
}

void controller_free(struct controller *controller)
{
    if (!controller)
        return;
    assert(!controller->server && "controller_stop() comes first");
    ad_watch_stop(controller->watch);
    http_close(controller->http);
    fleet_service_free(controller->fleet);
    rpc_free(controller->rpc);
    auth_credentials_close(controller->acceptor);
    auth_credentials_close(controller->directory_credentials);
    reading_free(controller->reading);
    refusals_fini(&controller->refusals);
    free(controller->findings);
    free(controller->directory_uri);
    free(controller->directory_base);
    free(controller->directory_problem);
    free(controller);
}

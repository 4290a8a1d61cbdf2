/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include "agent/admin.h"
#include "agent/assignment/keep.h"
#include "agent/assignment/link.h"
#include "agent/folder/folder.h"
#include "agent/report/problems.h"
#include "agent/transfer/codec.h"
#include "common/auth/auth.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/os/fileio.h"
#include "common/rpc/methods.h"

#include <assert.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static_assert(REPORT_INTERVAL_MS <= REPORT_INTERVAL_MS_MAX, "PROTOCOL.md promises it");

struct agent {
    struct loop *loop;
    const struct agent_config *config;
    const struct log_ctx *log;
    char *assignment_path;
    struct auth_credentials *credentials;
    struct rpc *rpc;
    struct rpc_server *server;
    struct partners *partners;
    struct controller_link *link;
    struct loop_timer *report_timer;
    struct folder_services services;
    struct problems problems;

    struct assignment *assignment; /* in force; NULL: none yet */
    struct assignment **retired;   /* folders that are closing still read them */
    size_t retired_count;
    struct folder **folders;
    size_t folder_count;
    unsigned closing_count;
    bool reopen; /* folders wait for others to close first */
    bool stopping;
};

/* --- folders against the assignment --- */

static struct folder *find_folder(struct agent *a, const struct guid *id)
{
    for (size_t i = 0; i < a->folder_count; i++)
        if (guid_equal(folder_guid(a->folders[i]), id))
            return a->folders[i];
    return NULL;
}

static void open_missing(struct agent *a)
{
    for (size_t i = 0; a->assignment && i < a->assignment->folder_count; i++) {
        const struct folder_assignment *wanted = &a->assignment->folders[i];

        if (find_folder(a, &wanted->folder))
            continue;
        a->folders = mem_resize(a->folders, a->folder_count + 1, sizeof(struct folder *));
        a->folders[a->folder_count++] = folder_open(&a->services, wanted);
    }
}

static void stop_rest(struct agent *a);

static void on_folder_closed(void *arg)
{
    struct agent *a = arg;

    a->closing_count--;
    if (a->closing_count > 0)
        return;
    for (size_t i = 0; i < a->retired_count; i++)
        assignment_free(a->retired[i]);
    a->retired_count = 0;
    if (a->stopping)
        stop_rest(a);
    else if (a->reopen)
        open_missing(a);
    a->reopen = false;
}

static void close_folder(struct agent *a, size_t index)
{
    struct folder *f = a->folders[index];

    a->folders[index] = a->folders[--a->folder_count];
    a->closing_count++;
    folder_close(f, on_folder_closed, a);
}

static const struct folder_assignment *find_wanted(const struct assignment *assignment,
                                                   const struct guid *id)
{
    for (size_t i = 0; i < assignment->folder_count; i++)
        if (guid_equal(&assignment->folders[i].folder, id))
            return &assignment->folders[i];
    return NULL;
}

/* Takes @assignment over. The same folder is never open twice: what must be opened anew waits until
 * all that close have closed. */
static void apply_assignment(struct agent *a, struct assignment *assignment)
{
    if (a->assignment) {
        a->retired = mem_resize(a->retired, a->retired_count + 1, sizeof(struct assignment *));
        a->retired[a->retired_count++] = a->assignment;
    }
    a->assignment = assignment;
    for (size_t i = a->folder_count; i-- > 0;) {
        const struct folder_assignment *wanted =
            find_wanted(assignment, folder_guid(a->folders[i]));

        if (!wanted || !folder_change(a->folders[i], wanted))
            close_folder(a, i);
    }
    if (a->closing_count > 0) {
        a->reopen = true;
        return;
    }
    while (a->retired_count > 0)
        assignment_free(a->retired[--a->retired_count]);
    open_missing(a);
}

/* --- the controller --- */

static void on_assignment(struct assignment *assignment, struct span bytes, void *arg)
{
    struct agent *a = arg;

    /* kept before it is obeyed, so that a restart obeys the same */
    if (assignment_keep(a->log, a->assignment_path, bytes) != ST_OK) {
        problem_set(&a->problems, walltime_now(), "keep", a->assignment_path,
                    "the assignment cannot be kept", "check the state directory and its disk");
    } else {
        problem_clear(&a->problems, "keep");
    }
    log_info(a->log, "assignment applied generation=%llu folders=%zu",
             (unsigned long long)assignment->generation, assignment->folder_count);
    controller_link_set_digest(a->link, assignment->digest);
    controller_link_result(a->link, assignment->digest, "");
    problem_clear(&a->problems, "unassigned");
    apply_assignment(a, assignment);
}

static void on_unassigned(const char *reason, void *arg)
{
    struct agent *a = arg;

    if (problem_set(&a->problems, walltime_now(), "unassigned", a->config->host_name, reason,
                    "add this computer as a member of a replication group in the directory"))
        log_warn(a->log, "the controller has no assignment for this computer: %s", reason);
}

static void on_link_state(bool up, const char *text, void *arg)
{
    struct agent *a = arg;

    if (up)
        problem_clear(&a->problems, "controller");
    else
        problem_set(&a->problems, walltime_now(), "controller", "controller", text,
                    "replication goes on with the last assignment; it is tried again by itself");
}

static void open_link(struct agent *a)
{
    const struct agent_config *c = a->config;
    const char **hosts = mem_new(c->controller_count, sizeof(*hosts));
    uint16_t *ports = mem_new(c->controller_count, sizeof(*ports));

    for (size_t i = 0; i < c->controller_count; i++) {
        hosts[i] = c->controllers[i].host;
        ports[i] = c->controllers[i].port;
    }
    struct controller_link_options options = {
        .rpc = a->rpc,
        .credentials = a->credentials,
        .service = c->service,
        .hosts = hosts,
        .ports = ports,
        .controller_count = c->controller_count,
        .host_name = c->host_name,
        .log = a->log,
        .events = {.on_assignment = on_assignment,
                   .on_unassigned = on_unassigned,
                   .on_state = on_link_state},
        .arg = a,
    };
    a->link = controller_link_open(&options);
    if (a->assignment)
        controller_link_set_digest(a->link, a->assignment->digest);
    free(hosts);
    free(ports);
}

/* --- reports --- */

static uint64_t resident_bytes(void)
{
    unsigned long long total = 0;
    unsigned long long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file) {
        if (fscanf(file, "%llu %llu", &total, &resident) != 2)
            resident = 0;
        fclose(file);
    }
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static Coterie__V1__Report *make_report(struct agent *a)
{
    Coterie__V1__Report *r = MEM_NEW(Coterie__V1__Report);
    struct rusage usage;

    coterie__v1__report__init(r);
    getrusage(RUSAGE_SELF, &usage);
    r->time_ns = (uint64_t)walltime_now().ns;
    r->resident_bytes = resident_bytes();
    r->cpu_ms = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
    problems_to_proto(&a->problems, &r->n_problems, &r->problems);
    r->folders = mem_new(a->folder_count, sizeof(*r->folders));
    for (size_t i = 0; i < a->folder_count; i++)
        r->folders[r->n_folders++] = folder_report(a->folders[i]);
    return r;
}

static void report_free(Coterie__V1__Report *r)
{
    for (size_t i = 0; i < r->n_folders; i++)
        folder_report_free(r->folders[i]);
    free(r->folders);
    problems_proto_free(r->n_problems, r->problems);
    free(r);
}

static void on_report_timer(void *arg)
{
    struct agent *a = arg;

    problem_expire(&a->problems, "refused:", walltime_now(), REFUSAL_SHOWN_MS);
    if (controller_link_is_up(a->link)) {
        Coterie__V1__Report *report = make_report(a);

        controller_link_report(a->link, report);
        report_free(report);
    }
    loop_timer_start(a->report_timer, REPORT_INTERVAL_MS);
}

Coterie__V1__AgentStatus *agent_status(struct agent *a)
{
    Coterie__V1__AgentStatus *s = MEM_NEW(Coterie__V1__AgentStatus);

    coterie__v1__agent_status__init(s);
    s->report = make_report(a);
    s->controller_attached = controller_link_is_up(a->link);
    s->agent_version = mem_copy_string(COTERIE_VERSION);
    if (a->assignment) {
        struct buf bytes = {0};

        assignment_encode(a->assignment, &bytes);
        s->assignment = coterie__v1__assignment__unpack(NULL, bytes.size, bytes.data);
        buf_fini(&bytes);
    }
    return s;
}

void agent_status_free(Coterie__V1__AgentStatus *s)
{
    report_free(s->report);
    if (s->assignment)
        coterie__v1__assignment__free_unpacked(s->assignment, NULL);
    free(s->agent_version);
    free(s);
}

/* --- rescan --- */

struct rescan {
    unsigned waiting;
    loop_fn done;
    void *arg;
};

static void on_rescanned(void *arg)
{
    struct rescan *rescan = arg;

    if (--rescan->waiting > 0)
        return;
    rescan->done(rescan->arg);
    free(rescan);
}

static void rescan_folders(struct agent *a, const struct guid *folder, bool verify, loop_fn done,
                           void *arg)
{
    struct rescan *rescan = MEM_NEW(struct rescan);

    *rescan = (struct rescan){.waiting = 1, .done = done, .arg = arg};
    for (size_t i = 0; i < a->folder_count; i++) {
        if (folder && !guid_equal(folder, folder_guid(a->folders[i])))
            continue;
        rescan->waiting++;
        folder_rescan(a->folders[i], on_rescanned, rescan);
        if (!verify)
            continue;
        rescan->waiting++;
        folder_verify(a->folders[i], on_rescanned, rescan);
    }
    loop_post(a->loop, on_rescanned, rescan);
}

void agent_rescan(struct agent *a, const struct guid *folder, loop_fn done, void *arg)
{
    rescan_folders(a, folder, false, done, arg);
}

void agent_verify(struct agent *a, const struct guid *folder, loop_fn done, void *arg)
{
    rescan_folders(a, folder, true, done, arg);
}

/* --- partners --- */

/* A stream whose opening message has not come yet. */
struct waiting_stream {
    struct agent *agent;
    bool fetch;
};

static void on_opening(struct rpc_stream *stream, const Coterie__V1__SessionOpen *open,
                       struct waiting_stream *waiting)
{
    static const struct rpc_stream_events nobody;
    struct agent *a = waiting->agent;
    struct folder *folder = NULL;
    struct guid id;
    bool in_order = open && open->fetch_only == waiting->fetch;

    free(waiting);
    rpc_stream_accept(stream, &nobody, NULL);
    if (!in_order) {
        rpc_stream_finish(stream, RPC_END_BAD, "the first message must open a folder");
        return;
    }
    if (guid_from_message(open->folder_guid, &id))
        folder = find_folder(a, &id);
    if (folder) {
        folder_serve(folder, stream, open);
        return;
    }
    rpc_stream_finish(stream, RPC_END_NOT_FOUND, "this agent has no such folder");
}

static void on_replicate_message(struct rpc_stream *stream, ProtobufCMessage **message, void *arg)
{
    const Coterie__V1__SessionRequest *m = (const Coterie__V1__SessionRequest *)*message;

    on_opening(stream,
               m->body_case == COTERIE__V1__SESSION_REQUEST__BODY_OPEN ? m->open : NULL, arg);
}

static void on_fetch_message(struct rpc_stream *stream, ProtobufCMessage **message, void *arg)
{
    const Coterie__V1__FetchRequest *m = (const Coterie__V1__FetchRequest *)*message;

    on_opening(stream, m->body_case == COTERIE__V1__FETCH_REQUEST__BODY_OPEN ? m->open : NULL, arg);
}

static void on_waiting_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    (void)stream;
    (void)end;
    (void)text;
    free(arg);
}

static void await_opening(struct agent *a, struct rpc_stream *stream, bool fetch)
{
    static const struct rpc_stream_events replicate = {.on_message = on_replicate_message,
                                                       .on_end = on_waiting_end};
    static const struct rpc_stream_events fetching = {.on_message = on_fetch_message,
                                                      .on_end = on_waiting_end};
    struct waiting_stream *waiting = MEM_NEW(struct waiting_stream);

    *waiting = (struct waiting_stream){.agent = a, .fetch = fetch};
    rpc_stream_accept(stream, fetch ? &fetching : &replicate, waiting);
}

static void on_replicate(struct rpc_stream *stream, void *arg)
{
    await_opening(arg, stream, false);
}

static void on_fetch(struct rpc_stream *stream, void *arg)
{
    await_opening(arg, stream, true);
}

static void on_refused(const char *peer, const char *principal, const char *text, void *arg)
{
    struct agent *a = arg;
    scope_free char *key = mem_format("refused:%s", principal);

    problem_set(&a->problems, walltime_now(), key, principal[0] ? principal : peer, text,
                "if it should have access, mend that on its side, or its member in the directory");
}

static enum status open_server(struct agent *a)
{
    struct rpc_service_method methods[] = {
        {.method = &replication_replicate_method, .on_open = on_replicate, .arg = a},
        {.method = &replication_fetch_method, .on_open = on_fetch, .arg = a},
        {.method = &admin_get_status_method,
         .local_only = true,
         .on_open = admin_on_get_status,
         .arg = a},
        {.method = &admin_rescan_method, .local_only = true, .on_open = admin_on_rescan, .arg = a},
        {.method = &admin_verify_method, .local_only = true, .on_open = admin_on_verify, .arg = a},
    };
    struct rpc_server_options options = {
        .address = a->config->listen,
        .port = a->config->port,
        .local_socket = a->config->socket,
        .credentials = a->credentials,
        .methods = methods,
        .method_count = sizeof(methods) / sizeof(methods[0]),
        .log = a->log,
        .on_refused = on_refused,
        .arg = a,
    };

    return rpc_server_open(a->rpc, &options, &a->server);
}

/* --- life --- */

static bool path_allowed(const char *path, void *arg)
{
    const struct agent *a = arg;

    return agent_config_allows(a->config, path);
}

static enum status make_dirs(struct agent *a)
{
    scope_free char *socket_dir = mem_copy_string(a->config->socket);
    char *slash = strrchr(socket_dir, '/');
    enum status st = file_make_dirs(a->log, a->config->state_dir, 0700);

    if (st == ST_OK && slash && slash != socket_dir) {
        *slash = '\0';
        st = file_make_dirs(a->log, socket_dir, 0755);
    }
    return st;
}

enum status agent_start(struct loop *loop, const struct agent_config *config,
                        const struct log_ctx *log, struct agent **out_agent)
{
    struct agent *a = MEM_NEW(struct agent);
    struct auth_options auth = {
        .keytab = config->keytab,
        .principal = config->principal,
        .log = log,
    };
    struct assignment *kept = NULL;
    enum status st;

    a->loop = loop;
    a->config = config;
    a->log = log;
    a->assignment_path = mem_format("%s/assignment", config->state_dir);
    st = make_dirs(a);
    if (st == ST_OK)
        st = auth_credentials_open(&auth, &a->credentials);
    if (st == ST_OK) {
        a->rpc = rpc_new(loop, log);
        st = open_server(a);
    }
    if (st != ST_OK) {
        agent_free(a);
        return st;
    }
    a->partners = partners_new(loop, a->rpc, a->credentials, config->service, log);
    a->services = (struct folder_services){
        .loop = loop,
        .partners = a->partners,
        .log = log,
        .state_dir = config->state_dir,
        .path_allowed = path_allowed,
        .arg = a,
    };
    if (assignment_load(log, a->assignment_path, &kept) == ST_OK) {
        log_info(log, "last assignment loaded generation=%llu folders=%zu",
                 (unsigned long long)kept->generation, kept->folder_count);
        apply_assignment(a, kept);
    }
    open_link(a);
    a->report_timer = loop_timer_new(loop, on_report_timer, a);
    loop_timer_start(a->report_timer, REPORT_INTERVAL_MS);
    *out_agent = a;
    return ST_OK;
}

static void on_server_closed(void *arg)
{
    struct agent *a = arg;

    a->server = NULL;
    loop_stop(a->loop);
}

static void stop_rest(struct agent *a)
{
    rpc_server_close(a->server, AGENT_STOP_GRACE_MS, on_server_closed, a);
}

void agent_stop(struct agent *a)
{
    if (a->stopping)
        return;
    a->stopping = true;
    log_info(a->log, "stopping");
    loop_timer_free(a->report_timer);
    a->report_timer = NULL;
    controller_link_close(a->link);
    a->link = NULL;
    while (a->folder_count > 0)
        close_folder(a, a->folder_count - 1);
    if (a->closing_count == 0)
        stop_rest(a);
}

void agent_free(struct agent *a)
{
    if (!a)
        return;
    partners_free(a->partners);
    if (a->rpc)
        rpc_free(a->rpc);
    auth_credentials_close(a->credentials);
    assignment_free(a->assignment);
    for (size_t i = 0; i < a->retired_count; i++)
        assignment_free(a->retired[i]);
    free(a->retired);
    free(a->folders);
    problems_fini(&a->problems);
    free(a->assignment_path);
    free(a);
}

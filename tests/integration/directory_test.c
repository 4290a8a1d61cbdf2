/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way from a real directory to assignments: slapd and a KDC, the keytab's ticket, a sealed
 * connection, the watch, and the plan that comes of it.
 */
#include "common/ad/watch.h"
#include "common/auth/auth.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "controller/plan/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define SCRIPT     SOURCE_DIRECTORY "/tests/support/directory.sh"
#define EXAMPLE    SOURCE_DIRECTORY "/ldap-schema/example.ldif"
#define MAKE_GROUP SOURCE_DIRECTORY "/ldap-schema/make-group"

static char *dir;
static char *uri;
static char *keytab;

static int run(const char *format, ...) PRINTF_LIKE(1, 2);

static int run(const char *format, ...)
{
    char command[2048];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    int result = system(command);
    return WIFEXITED(result) ? WEXITSTATUS(result) : 1;
}

static char *variable(const char *name)
{
    char line[512] = "";
    scope_free char *command = mem_format(". '%s/env'; printf %%s \"$%s\"", dir, name);
    FILE *pipe = popen(command, "r");

    if (pipe) {
        (void)!fgets(line, sizeof(line), pipe);
        pclose(pipe);
    }
    return mem_copy_string(line);
}

static int start_directory(void **state)
{
    char template[] = "/tmp/coterie-directory-XXXXXX";
    (void)state;

    if (!mkdtemp(template))
        return -1;
    dir = mem_copy_string(template);
    int code = run("%s start %s", SCRIPT, dir);
    if (code == 77)
        exit(77);
    if (code != 0 || run("%s add %s %s", SCRIPT, dir, EXAMPLE) != 0)
        return -1;
    uri = variable("COTERIE_LDAP_URI");
    keytab = variable("COTERIE_CONTROLLER_KEYTAB");
    scope_free char *config = variable("KRB5_CONFIG");
    setenv("KRB5_CONFIG", config, 1);
    return 0;
}

static int stop_directory(void **state)
{
    (void)state;
    run("%s stop %s", SCRIPT, dir);
    run("rm -rf %s", dir);
    free(dir);
    free(uri);
    free(keytab);
    return 0;
}

/* --- a watch whose news are plans --- */

struct watching {
    struct loop *loop;
    struct loop_timer *deadline;
    struct auth_credentials *credentials;
    struct ad_watch *watch;
    struct log_ctx log;
    struct plan *plan; /* of the last read */
    char *problem;     /* the last one; NULL after a read */
    char *notification;
    unsigned read_count;
    size_t finding_count;
    bool (*done)(const struct watching *w);
    bool late;
};

static void stop_if_done(struct watching *w)
{
    if (w->done(w))
        loop_stop(w->loop);
}

static void on_read(const struct ad_watch_news *news, void *arg)
{
    struct watching *w = arg;
    struct topology *t = topology_read(news->entries, NULL);

    topology_check(t);
    plan_free(w->plan);
    w->plan = plan_make(t, &(struct plan_options){.realm = "CORP.EXAMPLE"});
    w->finding_count = t->findings.count;
    topology_free(t);
    free(w->problem);
    w->problem = NULL;
    free(w->notification);
    w->notification = mem_copy_string(news->notification);
    w->read_count++;
    stop_if_done(w);
}

static void on_problem(const char *problem, void *arg)
{
    struct watching *w = arg;

    free(w->problem);
    w->problem = mem_copy_string(problem);
    stop_if_done(w);
}

static void on_late(void *arg)
{
    struct watching *w = arg;

    w->late = true;
    loop_stop(w->loop);
}

static void watching_start(struct watching *w, const char *uris)
{
    size_t query_count;
    const struct ad_query *queries = topology_queries(&query_count);

    log_ctx_init(&w->log, NULL, "test=directory");
    w->loop = loop_new(1);
    w->deadline = loop_timer_new(w->loop, on_late, w);
    assert_int_equal(auth_credentials_open(&(struct auth_options){.keytab = keytab, .log = &w->log},
                                           &w->credentials),
                     ST_OK);
    w->watch = ad_watch_start(
        &(struct ad_watch_options){
            .loop = w->loop,
            .directory = {.uris = uris, .credentials = w->credentials, .log = &w->log},
            .queries = queries,
            .query_count = query_count},
        &(struct ad_watch_callbacks){.on_read = on_read, .on_problem = on_problem}, w);
}

/* Runs until @done holds; half the poll interval is enough, so only a notification can help. */
static void wait_until(struct watching *w, bool (*done)(const struct watching *w))
{
    w->done = done;
    w->late = false;
    loop_timer_start(w->deadline, 30000);
    if (!done(w))
        loop_run(w->loop);
    loop_timer_stop(w->deadline);
    if (w->late)
        fail_msg("it did not happen; problem: %s", w->problem ? w->problem : "none");
}

static void watching_stop(struct watching *w)
{
    ad_watch_stop(w->watch);
    loop_timer_free(w->deadline);
    loop_free(w->loop);
    auth_credentials_close(w->credentials);
    plan_free(w->plan);
    free(w->problem);
    free(w->notification);
}

static const struct assignment *assignment_of(const struct watching *w, const char *name)
{
    for (size_t i = 0; w->plan && i < w->plan->computer_count; i++) {
        if (strcmp(w->plan->computers[i].name, name) == 0)
            return w->plan->computers[i].assignment;
    }
    return NULL;
}

/* The one that must be there. */
static const struct assignment *assignment_given(const struct watching *w, const char *name)
{
    const struct assignment *a = assignment_of(w, name);

    if (a)
        return a;
    fail_msg("no assignment of %s", name);
    abort();
}

static bool was_read(const struct watching *w)
{
    return w->read_count > 0 && !w->problem;
}

static bool has_problem(const struct watching *w)
{
    return w->problem != NULL;
}

static bool has_fourth_member(const struct watching *w)
{
    return assignment_of(w, "fs4.corp.example") != NULL;
}

static bool hub_is_paused(const struct watching *w)
{
    const struct assignment *a = assignment_of(w, "fs2.corp.example");

    return a && a->folder_count > 0 && a->folders[0].inbound_count == 1 &&
           !a->folders[0].inbound[0].enabled;
}

static bool lost_a_connection(const struct watching *w)
{
    const struct assignment *a = assignment_of(w, "fs2.corp.example");

    return a && a->folder_count > 0 && a->folders[0].inbound_count == 0;
}

/* The first name that a search with these arguments finds. */
static char *first_dn(const char *arguments_format, const char *name)
{
    char line[512] = "";
    scope_free char *command = mem_format("%s search %s ", SCRIPT, dir);
    scope(buf) struct buf text = {0};
    const char *place = strstr(arguments_format, "%s");

    buf_printf(&text, "%s%.*s%s%s dn | sed -n 's/^dn: //p'", command,
               (int)(place - arguments_format), arguments_format, name, place + 2);
    FILE *pipe = popen(buf_text(&text), "r");
    assert_non_null(pipe);
    assert_non_null(fgets(line, sizeof(line), pipe));
    pclose(pipe);
    line[strcspn(line, "\n")] = '\0';
    return mem_copy_string(line);
}

/* --- promises --- */

static void the_example_group_becomes_three_assignments(void **state)
{
    struct watching w = {0};
    (void)state;

    watching_start(&w, uri);
    wait_until(&w, was_read);

    assert_int_equal(w.plan->computer_count, 3);
    assert_string_equal(w.notification, "sync");
    assert_int_equal(w.finding_count, 0);
    const struct assignment *hub = assignment_given(&w, "fs1.corp.example");
    const struct assignment *leaf = assignment_given(&w, "fs3.corp.example");
    assert_int_equal(hub->folder_count, 2);
    assert_int_equal(hub->folders[0].inbound_count, 1);
    assert_int_equal(hub->folders[0].outbound_count, 2);
    assert_true(hub->folders[0].primary);
    assert_true(leaf->folders[0].read_only);
    assert_string_equal(leaf->folders[0].inbound[0].partner_host, "fs1.corp.example");
    assert_string_equal(leaf->folders[0].inbound[0].partner_principals[0],
                        "host/fs1.corp.example@CORP.EXAMPLE");
    watching_stop(&w);
}

static void a_change_in_the_directory_is_a_new_plan_at_once(void **state)
{
    struct watching w = {0};
    (void)state;

    watching_start(&w, uri);
    wait_until(&w, was_read);
    scope_free char *member = first_dn("-b dc=corp,dc=example '(msDFSR-ComputerReference=%s)'",
                                       "CN=FS2,CN=Computers,dc=corp,dc=example");
    scope_free char *connection = first_dn("-b '%s' -s one", member);

    assert_int_equal(run("printf 'dn: %s\\nchangetype: modify\\nreplace: msDFSR-Enabled\\n"
                         "msDFSR-Enabled: FALSE\\n' | %s modify %s",
                         connection, SCRIPT, dir),
                     0);
    wait_until(&w, hub_is_paused);
    assert_int_equal(
        run("printf 'dn: %s\\nchangetype: delete\\n' | %s modify %s", connection, SCRIPT, dir), 0);
    wait_until(&w, lost_a_connection);
    watching_stop(&w);
}

static void an_added_computer_is_seen_at_once(void **state)
{
    struct watching w = {0};
    (void)state;

    watching_start(&w, uri);
    wait_until(&w, was_read);
    assert_int_equal(
        run("%s --base dc=corp,dc=example --write-computers --write-guids --group Second "
            "--folder x=/srv/x --computers ou=more,dc=corp,dc=example "
            "--member FS4=fs4.corp.example --member FS5=fs5.corp.example | %s add %s",
            MAKE_GROUP, SCRIPT, dir),
        0);
    wait_until(&w, has_fourth_member);
    watching_stop(&w);
}

static void a_dead_server_is_a_problem_and_the_next_one_is_asked(void **state)
{
    struct watching w = {0};
    scope_free char *two = mem_format("ldap://127.0.0.1:1 %s", uri);
    (void)state;

    watching_start(&w, two);
    wait_until(&w, was_read);

    watching_stop(&w);
}

static void the_watch_survives_a_restart_of_the_server(void **state)
{
    struct watching w = {0};
    (void)state;

    watching_start(&w, uri);
    wait_until(&w, was_read);
    assert_int_equal(run("%s stop %s", SCRIPT, dir), 0);
    wait_until(&w, has_problem);
    assert_non_null(strstr(w.problem, uri));
    assert_non_null(w.plan); /* what was read last stays */

    assert_int_equal(run("%s start %s", SCRIPT, dir), 0);
    ad_watch_refresh(w.watch);
    wait_until(&w, was_read);
    watching_stop(&w);
}

static void an_unknown_principal_is_refused_with_the_reason(void **state)
{
    struct log_ctx log;
    struct auth_credentials *credentials = NULL;
    struct ad_connection *connection = NULL;
    scope_free char *problem = NULL;
    (void)state;

    log_ctx_init(&log, NULL, "test=directory");
    assert_int_equal(
        auth_credentials_open(&(struct auth_options){.keytab = keytab, .log = &log}, &credentials),
        ST_OK);
    /* the server's key is for another name than the one in this URI */
    scope_free char *other = mem_format("ldap://localhost:%s", strrchr(uri, ':') + 1);
    enum status st =
        ad_connect(&(struct ad_options){.uris = other, .credentials = credentials, .log = &log},
                   &connection, &problem);

    assert_int_not_equal(st, ST_OK);
    assert_non_null(strstr(problem, other));
    assert_null(connection);
    auth_credentials_close(credentials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_group_becomes_three_assignments),
        cmocka_unit_test(an_added_computer_is_seen_at_once),
        cmocka_unit_test(a_change_in_the_directory_is_a_new_plan_at_once),
        cmocka_unit_test(a_dead_server_is_a_problem_and_the_next_one_is_asked),
        cmocka_unit_test(the_watch_survives_a_restart_of_the_server),
        cmocka_unit_test(an_unknown_principal_is_refused_with_the_reason),
    };

    return cmocka_run_group_tests(tests, start_directory, stop_directory);
}

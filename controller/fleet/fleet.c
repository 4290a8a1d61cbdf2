/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/fleet/fleet_state.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

const char *fleet_presence_name(enum fleet_presence presence)
{
    static const char *const names[] = {
#define NAME(name, text) [FLEET_##name] = text,
        FLEET_PRESENCE_LIST(NAME)
#undef NAME
    };

    return names[presence];
}

const char *fleet_acceptance_name(enum fleet_acceptance acceptance)
{
    static const char *const names[] = {
#define NAME(name, text) [FLEET_ACCEPTANCE_##name] = text,
        FLEET_ACCEPTANCE_LIST(NAME)
#undef NAME
    };

    return names[acceptance];
}

struct moment moment_now(void)
{
    return (struct moment){.instant = instant_now(), .wall = walltime_now()};
}

void text_set(char **slot, const char *text)
{
    char *copy = mem_copy_string(text);

    free(*slot);
    *slot = copy;
}

void text_set_cut(char **slot, const char *text)
{
    size_t size = strnlen(text, REPORT_TEXT_SIZE_MAX);
    char *copy = mem_new(size + 1, 1);

    memcpy(copy, text, size);
    free(*slot);
    *slot = copy;
}

bool fleet_has_plan(const struct fleet *fleet)
{
    return fleet->planned;
}

/* --- what arrives --- */

struct fleet_link *fleet_attach(struct fleet *fleet, const char *principal, const char *address,
                                void *stream, struct moment now)
{
    links_drop_spent(fleet);
    struct fleet_link *link = link_new(fleet, principal, address, stream, now);

    if (fleet->planned)
        member_settle(fleet, link, now);
    return link;
}

static void on_hello(struct fleet *fleet, struct fleet_link *link,
                     const Coterie__V1__AgentHello *hello, struct moment now)
{
    size_t digest_size = hello->assignment_digest.len;

    if (link->greeted || (digest_size != 0 && digest_size != ASSIGNMENT_DIGEST_SIZE)) {
        link_end(fleet, link, FLEET_END_BAD,
                 mem_copy_string(link->greeted ? "a second hello"
                                               : "the assignment's digest has a wrong size"),
                 now);
        return;
    }
    link->greeted = true;
    link->has_digest = digest_size != 0;
    if (link->has_digest)
        memcpy(link->digest, hello->assignment_digest.data, ASSIGNMENT_DIGEST_SIZE);
    link->started.ns = hello->started_ns > INT64_MAX ? 0 : (int64_t)hello->started_ns;
    text_set_cut(&link->version, hello->agent_version);
    text_set_cut(&link->host_name, hello->host_name);
    if (!link->row)
        return;
    member_introduce(link);
    if (link->row->agent.computer)
        link->row->agent.acceptance =
            FLEET_ACCEPTANCE_UNKNOWN; /* what an older link said is past */
    member_decide(fleet, link);
}

/* An answer to an assignment that is no longer the one that counts says nothing. */
static void on_result(struct fleet *fleet, struct fleet_link *link,
                      const Coterie__V1__AssignmentResult *result)
{
    struct fleet_agent *agent = &link->row->agent;

    if (!link->has_digest || link->owed || result->digest.len != ASSIGNMENT_DIGEST_SIZE ||
        memcmp(result->digest.data, link->digest, ASSIGNMENT_DIGEST_SIZE) != 0)
        return;
    agent->acceptance = result->applied ? FLEET_ACCEPTANCE_APPLIED : FLEET_ACCEPTANCE_REFUSED;
    text_set_cut(&agent->problem, result->applied ? "" : result->problem);
    if (result->applied)
        log_info(fleet->log, "agent=%s assignment applied", agent->computer->name);
    else
        log_warn(fleet->log, "agent=%s assignment refused: %s", agent->computer->name,
                 agent->problem);
}

static void on_report(struct fleet *fleet, struct fleet_link *link, const Coterie__V1__Report *wire,
                      struct moment now)
{
    struct fleet_agent *agent = &link->row->agent;
    struct report *report = NULL;
    char *problem = NULL;

    if (!report_decode(wire, &report, &problem)) {
        log_warn(fleet->log, "agent=%s report refused: %s", agent->computer->name, problem);
        link_end(fleet, link, FLEET_END_BAD, problem, now);
        return;
    }
    report_free(agent->report);
    agent->report = report;
    agent->reported = now;
}

void fleet_message(struct fleet *fleet, struct fleet_link *link,
                   const Coterie__V1__AgentMessage *message, struct moment now)
{
    links_drop_spent(fleet);
    if (link_is_ending(link))
        return;
    if (message->body_case == COTERIE__V1__AGENT_MESSAGE__BODY_HELLO)
        on_hello(fleet, link, message->hello, now);
    else if (!link->greeted)
        link_end(fleet, link, FLEET_END_BAD, mem_copy_string("the hello is missing"), now);
    else if (!link->row || !link->row->agent.computer)
        return; /* nothing was assigned, so there is nothing to answer or report */
    else if (message->body_case == COTERIE__V1__AGENT_MESSAGE__BODY_ASSIGNMENT_RESULT)
        on_result(fleet, link, message->assignment_result);
    else if (message->body_case == COTERIE__V1__AGENT_MESSAGE__BODY_REPORT)
        on_report(fleet, link, message->report, now);
    /* anything else comes from a newer agent, and means nothing to us */
}

void fleet_detach(struct fleet *fleet, struct fleet_link *link, struct moment now)
{
    bool ending = link_is_ending(link);

    links_drop_spent(fleet);
    link_owe_nothing(fleet, link);
    if (!ending)
        link_unlist(fleet, link, now);
    link_free(link);
}

void fleet_tick(struct fleet *fleet, struct moment now)
{
    links_drop_spent(fleet);
    for (size_t i = fleet->link_count; i-- > 0;) {
        struct fleet_link *link = fleet->links[i];

        if (!link->greeted && instant_ms_since(link->attached.instant, now.instant) > HELLO_WAIT_MS)
            link_end(fleet, link, FLEET_END_BAD, mem_copy_string("no hello came in time"), now);
    }
    for (size_t i = fleet->stranger_count; i-- > 0;) {
        const struct row *stranger = fleet->strangers[i];

        if (!stranger->link &&
            instant_ms_since(stranger->agent.since.instant, now.instant) > STRANGER_KEPT_MS)
            member_forget_stranger(fleet, i);
    }
}

/* --- to read --- */

size_t fleet_agent_count(const struct fleet *fleet)
{
    return fleet->row_count;
}

const struct fleet_agent *fleet_agent_at(const struct fleet *fleet, size_t index)
{
    assert(index < fleet->row_count);
    return &fleet->rows[index]->agent;
}

size_t fleet_stranger_count(const struct fleet *fleet)
{
    return fleet->stranger_count;
}

const struct fleet_agent *fleet_stranger_at(const struct fleet *fleet, size_t index)
{
    assert(index < fleet->stranger_count);
    return &fleet->strangers[index]->agent;
}

bool fleet_agent_is_fresh(const struct fleet_agent *agent, struct instant now)
{
    if (!agent->report || instant_ms_since(agent->reported.instant, now) > REPORT_FRESH_MS)
        return false;
    return agent->presence == FLEET_ATTACHED ||
           instant_ms_since(agent->since.instant, now) <= DETACHED_FRESH_MS;
}

/* --- life --- */

struct fleet *fleet_new(const struct log_ctx *log)
{
    struct fleet *fleet = MEM_NEW(struct fleet);

    fleet->log = log;
    fleet->owed_tail = &fleet->owed_head;
    fleet->strangers = mem_new(STRANGER_COUNT_MAX, sizeof(struct row *));
    return fleet;
}

void fleet_free(struct fleet *fleet)
{
    if (!fleet)
        return;
    links_drop_spent(fleet);
    for (size_t i = 0; i < fleet->link_count; i++)
        link_owe_nothing(fleet, fleet->links[i]);
    for (struct fleet_link *link = fleet->owed_head, *next; link; link = next) {
        next = link->owed_next;
        link_free(link);
    }
    for (size_t i = 0; i < fleet->link_count; i++)
        link_free(fleet->links[i]);
    for (size_t i = 0; i < fleet->row_count; i++)
        row_free(fleet->rows[i]);
    for (size_t i = 0; i < fleet->stranger_count; i++)
        row_free(fleet->strangers[i]);
    free(fleet->links);
    free(fleet->rows);
    free(fleet->strangers);
    free(fleet->identities);
    free(fleet);
}

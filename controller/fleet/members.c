/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/fleet/fleet_state.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <strings.h>

#define AMBIGUOUS SIZE_MAX /* instead of the index of a row */

/* --- rows --- */

static struct row *row_new(const struct fleet_computer *computer)
{
    struct row *row = MEM_NEW(struct row);

    row->agent.computer = computer;
    row->agent.principal = mem_copy_string("");
    row->agent.address = mem_copy_string("");
    row->agent.host_name = mem_copy_string("");
    row->agent.version = mem_copy_string("");
    row->agent.problem = mem_copy_string("");
    row->agent.acceptance = computer ? FLEET_ACCEPTANCE_UNKNOWN : FLEET_ACCEPTANCE_NONE;
    return row;
}

void row_free(struct row *row)
{
    free(row->agent.principal);
    free(row->agent.address);
    free(row->agent.host_name);
    free(row->agent.version);
    free(row->agent.problem);
    report_free(row->agent.report);
    free(row);
}

void member_forget_stranger(struct fleet *fleet, size_t index)
{
    row_free(fleet->strangers[index]);
    fleet->stranger_count--;
    for (size_t i = index; i < fleet->stranger_count; i++)
        fleet->strangers[i] = fleet->strangers[i + 1];
}

/* Room for one more: the one that has been away longest goes. NULL when all are attached. */
static struct row *stranger_new(struct fleet *fleet)
{
    if (fleet->stranger_count == STRANGER_COUNT_MAX) {
        size_t oldest = STRANGER_COUNT_MAX;

        for (size_t i = 0; i < fleet->stranger_count; i++)
            if (!fleet->strangers[i]->link &&
                (oldest == STRANGER_COUNT_MAX ||
                 fleet->strangers[i]->agent.since.instant.ns <
                     fleet->strangers[oldest]->agent.since.instant.ns))
                oldest = i;
        if (oldest == STRANGER_COUNT_MAX)
            return NULL;
        member_forget_stranger(fleet, oldest);
    }
    struct row *row = row_new(NULL);

    fleet->strangers[fleet->stranger_count++] = row;
    return row;
}

static int compare_identities(const void *a, const void *b)
{
    const struct identity *left = a;
    const struct identity *right = b;

    return strcasecmp(left->principal, right->principal);
}

static struct row *find_row(struct fleet *fleet, const char *principal)
{
    const struct identity key = {.principal = principal};
    const struct identity *found = NULL;

    if (fleet->identity_count > 0)
        found = bsearch(&key, fleet->identities, fleet->identity_count, sizeof(key),
                        compare_identities);
    if (found && found->index != AMBIGUOUS)
        return fleet->rows[found->index];
    for (size_t i = 0; i < fleet->stranger_count; i++)
        if (strcasecmp(fleet->strangers[i]->agent.principal, principal) == 0)
            return fleet->strangers[i];
    return NULL;
}

void member_introduce(struct fleet_link *link)
{
    struct fleet_agent *agent = &link->row->agent;

    agent->started = link->started;
    text_set(&agent->principal, link->principal);
    text_set(&agent->address, link->address);
    text_set(&agent->host_name, link->host_name);
    text_set(&agent->version, link->version);
}

void member_settle(struct fleet *fleet, struct fleet_link *link, struct moment now)
{
    struct row *row = find_row(fleet, link->principal);

    if (!row)
        row = stranger_new(fleet);
    if (!row) {
        link_end(
            fleet, link, FLEET_END_FULL,
            mem_format("more than %u agents without a member are attached", STRANGER_COUNT_MAX),
            now);
        return;
    }
    if (row->link)
        link_end(fleet, row->link, FLEET_END_REPLACED,
                 mem_copy_string("a newer stream of the same computer has come"), now);
    link->row = row;
    row->link = link;
    row->agent.presence = FLEET_ATTACHED;
    row->agent.since = link->attached;
    member_introduce(link);
}

static void decide_member(struct fleet *fleet, struct fleet_link *link)
{
    struct fleet_agent *agent = &link->row->agent;
    const struct assignment *assignment = agent->computer->assignment;

    link->declined = false;
    if (!assignment) {
        link_owe_nothing(fleet, link);
        return;
    }
    if (link->has_digest && memcmp(link->digest, assignment->digest, ASSIGNMENT_DIGEST_SIZE) == 0) {
        /* not yet judged under this plan: then it is what the hello said is in force */
        if (agent->acceptance == FLEET_ACCEPTANCE_UNKNOWN)
            agent->acceptance = FLEET_ACCEPTANCE_APPLIED;
        link_owe_nothing(fleet, link);
        return;
    }
    agent->acceptance = FLEET_ACCEPTANCE_PENDING;
    text_set(&agent->problem, "");
    link_owe(fleet, link, FLEET_SEND_ASSIGNMENT, NULL);
}

static void decide_stranger(struct fleet *fleet, struct fleet_link *link)
{
    link->row->agent.acceptance = FLEET_ACCEPTANCE_NONE;
    link->has_digest = false;
    if (link->declined)
        return;
    link->declined = true;
    link_owe(fleet, link, FLEET_SEND_NONE,
             mem_format("the directory has no member whose computer has the principal %s: add the "
                        "computer to a replication group, or correct its dNSHostName or "
                        "servicePrincipalName",
                        link->principal));
}

void member_decide(struct fleet *fleet, struct fleet_link *link)
{
    if (!fleet->planned || !link->greeted)
        return;
    if (link->row->agent.computer)
        decide_member(fleet, link);
    else
        decide_stranger(fleet, link);
}

/* --- plans --- */

static int compare_rows(const void *a, const void *b)
{
    const struct row *left = *(struct row *const *)a;
    const struct row *right = *(struct row *const *)b;

    return strcasecmp(left->agent.computer->name, right->agent.computer->name);
}

static bool find_by_name(struct row **rows, size_t count, const struct fleet_computer *computer,
                         size_t *out_at)
{
    struct row probe = {.agent.computer = computer};
    struct row *key = &probe;
    struct row **found =
        count > 0 ? bsearch(&key, rows, count, sizeof(struct row *), compare_rows) : NULL;

    if (found)
        *out_at = (size_t)(found - rows);
    return found != NULL;
}

static void index_principals(struct fleet *fleet)
{
    size_t count = 0;

    for (size_t i = 0; i < fleet->row_count; i++)
        count += fleet->rows[i]->agent.computer->principal_count;
    free(fleet->identities);
    fleet->identities = mem_new(count, sizeof(*fleet->identities));
    fleet->identity_count = 0;
    for (size_t i = 0; i < fleet->row_count; i++) {
        const struct fleet_computer *computer = fleet->rows[i]->agent.computer;

        for (size_t p = 0; p < computer->principal_count; p++)
            fleet->identities[fleet->identity_count++] =
                (struct identity){.principal = computer->principals[p], .index = i};
    }
    qsort(fleet->identities, fleet->identity_count, sizeof(*fleet->identities), compare_identities);
    /* a principal that means two computers means none: it could be given the other's folders */
    for (size_t i = 1; i < fleet->identity_count; i++) {
        struct identity *pair = &fleet->identities[i - 1];

        if (compare_identities(&pair[0], &pair[1]) == 0 && pair[0].index != pair[1].index)
            pair[0].index = pair[1].index = AMBIGUOUS;
    }
}

/* An answer to an assignment that has changed since says nothing any more. */
static void assign(struct row *row, const struct fleet_computer *computer)
{
    const struct assignment *before = row->agent.computer->assignment;
    const struct assignment *now = computer->assignment;

    if (!before || !now || memcmp(before->digest, now->digest, ASSIGNMENT_DIGEST_SIZE) != 0) {
        row->agent.acceptance = FLEET_ACCEPTANCE_UNKNOWN;
        text_set(&row->agent.problem, "");
    }
    row->agent.computer = computer;
}

/* Take over what is known of computers that stay; what is known of the others is forgotten. */
static void replace_rows(struct fleet *fleet, const struct fleet_computer *computers, size_t count)
{
    struct row **old = fleet->rows;
    size_t old_count = fleet->row_count;
    struct row **rows = mem_new(count, sizeof(struct row *));
    bool *kept = mem_new(old_count, sizeof(bool));

    for (size_t i = 0; i < count; i++) {
        size_t at = 0;

        if (find_by_name(old, old_count, &computers[i], &at) && !kept[at]) {
            kept[at] = true;
            rows[i] = old[at];
        } else {
            rows[i] = row_new(&computers[i]);
        }
    }
    /* only now: the search above needs the names of the plan that ends */
    for (size_t i = 0; i < count; i++)
        assign(rows[i], &computers[i]);
    for (size_t i = 0; i < old_count; i++)
        if (!kept[i])
            row_free(old[i]);
    free(kept);
    free(old);
    qsort(rows, count, sizeof(struct row *), compare_rows);
    fleet->rows = rows;
    fleet->row_count = count;
}

void fleet_set_plan(struct fleet *fleet, const struct fleet_computer *computers, size_t count,
                    struct moment now)
{
    links_drop_spent(fleet);
    for (size_t i = 0; i < fleet->link_count; i++) {
        struct fleet_link *link = fleet->links[i];

        link_owe_nothing(fleet, link);
        if (link->row)
            link->row->link = NULL;
        link->row = NULL;
    }
    replace_rows(fleet, computers, count);
    index_principals(fleet);
    fleet->planned = true;
    for (size_t i = fleet->stranger_count; i-- > 0;)
        if (find_row(fleet, fleet->strangers[i]->agent.principal) != fleet->strangers[i])
            member_forget_stranger(fleet, i);

    /* a link that settles may end an older one, or itself, and leave the list */
    size_t link_count = fleet->link_count;
    struct fleet_link **links = mem_copy(fleet->links, link_count * sizeof(struct fleet_link *));

    for (size_t i = 0; i < link_count; i++) {
        member_settle(fleet, links[i], now);
        if (links[i]->row)
            member_decide(fleet, links[i]);
    }
    free(links);
    for (size_t i = 0; i < count; i++) {
        struct row *row = fleet->rows[i];

        if (!row->link && row->agent.presence == FLEET_ATTACHED) {
            row->agent.presence = FLEET_DETACHED;
            row->agent.since = now;
        }
    }
}

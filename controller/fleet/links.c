/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/fleet/fleet_state.h"

#include "common/base/mem.h"

#include <stdlib.h>

struct fleet_link *link_new(struct fleet *fleet, const char *principal, const char *address,
                            void *stream, struct moment now)
{
    struct fleet_link *link = MEM_NEW(struct fleet_link);

    link->stream = stream;
    link->principal = mem_copy_string(principal);
    link->address = mem_copy_string(address);
    link->host_name = mem_copy_string("");
    link->version = mem_copy_string("");
    link->attached = now;
    if (fleet->link_count == fleet->link_capacity) {
        fleet->link_capacity = fleet->link_capacity > 0 ? fleet->link_capacity * 2 : 16;
        fleet->links = mem_resize(fleet->links, fleet->link_capacity, sizeof(struct fleet_link *));
    }
    fleet->links[fleet->link_count++] = link;
    return link;
}

void link_free(struct fleet_link *link)
{
    if (!link)
        return;
    free(link->principal);
    free(link->address);
    free(link->host_name);
    free(link->version);
    free(link->owed_text);
    free(link);
}

void link_owe(struct fleet *fleet, struct fleet_link *link, enum fleet_action_kind kind,
              char *take_text)
{
    free(link->owed_text);
    link->owed_text = take_text;
    link->owed_kind = kind;
    if (link->owed)
        return;
    link->owed = true;
    link->owed_next = NULL;
    *fleet->owed_tail = link;
    fleet->owed_tail = &link->owed_next;
}

void link_owe_nothing(struct fleet *fleet, struct fleet_link *link)
{
    if (!link->owed)
        return;
    struct fleet_link **at = &fleet->owed_head;

    while (*at != link)
        at = &(*at)->owed_next;
    *at = link->owed_next;
    if (fleet->owed_tail == &link->owed_next)
        fleet->owed_tail = at;
    link->owed = false;
    free(link->owed_text);
    link->owed_text = NULL;
}

void links_drop_spent(struct fleet *fleet)
{
    link_free(fleet->spent);
    fleet->spent = NULL;
}

void link_unlist(struct fleet *fleet, struct fleet_link *link, struct moment now)
{
    size_t at = 0;

    while (fleet->links[at] != link)
        at++;
    fleet->link_count--;
    memmove(&fleet->links[at], &fleet->links[at + 1],
            (fleet->link_count - at) * sizeof(struct fleet_link *));
    if (link->row) {
        link->row->link = NULL;
        link->row->agent.presence = FLEET_DETACHED;
        link->row->agent.since = now;
        link->row = NULL;
    }
}

void link_end(struct fleet *fleet, struct fleet_link *link, enum fleet_action_kind kind,
              char *take_text, struct moment now)
{
    link_unlist(fleet, link, now);
    link_owe(fleet, link, kind, take_text);
}

static bool is_end(enum fleet_action_kind kind)
{
    return kind == FLEET_END_BAD || kind == FLEET_END_REPLACED || kind == FLEET_END_FULL;
}

bool link_is_ending(const struct fleet_link *link)
{
    return link->owed && is_end(link->owed_kind);
}

bool fleet_take_action(struct fleet *fleet, struct fleet_action *out_action)
{
    struct fleet_link *link = fleet->owed_head;

    links_drop_spent(fleet);
    if (!link)
        return false;
    fleet->owed_head = link->owed_next;
    if (!fleet->owed_head)
        fleet->owed_tail = &fleet->owed_head;
    link->owed = false;
    *out_action = (struct fleet_action){.kind = link->owed_kind,
                                        .stream = link->stream,
                                        .text = link->owed_text ? link->owed_text : ""};
    if (link->owed_kind == FLEET_SEND_ASSIGNMENT) {
        const struct fleet_computer *computer = link->row->agent.computer;

        out_action->assignment = computer->encoded;
        memcpy(link->digest, computer->assignment->digest, ASSIGNMENT_DIGEST_SIZE);
        link->has_digest = true;
    } else if (is_end(link->owed_kind)) {
        fleet->spent = link; /* its text is borrowed until the next call */
    }
    return true;
}

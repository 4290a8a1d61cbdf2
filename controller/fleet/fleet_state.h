/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/fleet/fleet_state.h: the fleet's state, shared by its sources and by nobody else.
 *
 * links.c  the streams and what each is owed     members.c  who a link is; plans
 * fleet.c  what arrives, and what can be read
 */
#ifndef CONTROLLER_FLEET_FLEET_STATE_H
#define CONTROLLER_FLEET_FLEET_STATE_H

#include "controller/fleet/fleet.h"

struct row; /* an agent or a stranger, with what only this file needs */

struct fleet_link {
    void *stream;
    struct row *row; /* NULL before the first plan, while a plan changes, and when ending */
    char *principal;
    char *address;
    char *host_name; /* from the hello on */
    char *version;
    struct walltime started;
    struct moment attached;
    bool greeted; /* the hello has come */
    bool has_digest;
    uint8_t digest[ASSIGNMENT_DIGEST_SIZE]; /* in force there, or last sent */
    bool declined;                          /* was last sent a reason instead */

    /* what the agent is owed; a link stands in the list at most once */
    bool owed;
    enum fleet_action_kind owed_kind;
    char *owed_text;
    struct fleet_link *owed_next;
};

struct row {
    struct fleet_agent agent; /* what the status reads */
    struct fleet_link *link;  /* NULL when not attached */
};

/* Which computer a principal is. */
struct identity {
    const char *principal;
    size_t index;
};

struct fleet {
    const struct log_ctx *log;
    bool planned;
    struct row **rows; /* by computer name */
    size_t row_count;
    struct row **strangers; /* by arrival */
    size_t stranger_count;
    struct fleet_link **links; /* by arrival; without those that are ending */
    size_t link_count;
    size_t link_capacity;
    struct identity *identities; /* by principal, case-insensitively */
    size_t identity_count;
    struct fleet_link *owed_head;
    struct fleet_link **owed_tail;
    struct fleet_link *spent; /* ended by the last action; freed by the next call */
};

/* --- links.c --- */

struct fleet_link *link_new(struct fleet *fleet, const char *principal, const char *address,
                            void *stream, struct moment now);
void link_free(struct fleet_link *link); /* NULL allowed */

/* What the agent is owed replaces what it was owed before. */
void link_owe(struct fleet *fleet, struct fleet_link *link, enum fleet_action_kind kind,
              char *take_text);
void link_owe_nothing(struct fleet *fleet, struct fleet_link *link);
/* Takes the link out of the list; its row stays, as one that is no longer attached. */
void link_unlist(struct fleet *fleet, struct fleet_link *link, struct moment now);
/* Unlists it and owes it the end. */
void link_end(struct fleet *fleet, struct fleet_link *link, enum fleet_action_kind kind,
              char *take_text, struct moment now);
bool link_is_ending(const struct fleet_link *link);
/* Frees the link that the last action ended: its text was borrowed until now. */
void links_drop_spent(struct fleet *fleet);

/* --- members.c --- */

/* Gives the link the row that its principal means now; may end it or another link. */
void member_settle(struct fleet *fleet, struct fleet_link *link, struct moment now);
/* Shows in the row what the link said of itself. */
void member_introduce(struct fleet_link *link);
/* Compares what the agent has with what it should have, and owes it the difference. */
void member_decide(struct fleet *fleet, struct fleet_link *link);
void member_forget_stranger(struct fleet *fleet, size_t index);
void row_free(struct row *row);

/* --- fleet.c --- */

void text_set(char **slot, const char *text);
/* A text from an agent is for display: a long one is cut. */
void text_set_cut(char **slot, const char *text);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/fleet/fleet.h: every agent the controller knows of: is it there, what has it been
 * told, what did it last say.
 *
 * Pure: streams and clocks stay outside. The shell (service.h) hands in what arrives on streams,
 * and carries out what fleet_take_action() yields. One *link* stands for one open stream; an
 * *agent* is the lasting row of one computer of the plan; a *stranger* is an authentic principal
 * that is no computer of the plan: it gets the reason instead of an assignment, and a finding.
 *
 * Rules:
 *  1. The principal alone says which computer an agent is; what it says of itself is for display.
 *     A principal that two computers of the plan share means neither.
 *  2. Before the first plan nobody is told anything: agents go on with what they have.
 *  3. An assignment is sent when its digest differs from the one the agent has or was last sent, so
 *     an agent that refuses one is not asked again until the plan changes or it attaches anew.
 *  4. The newest link of a computer replaces an older one.
 *  5. Reports and results count only after the hello; a broken rule ends the link, never more.
 */
#ifndef CONTROLLER_FLEET_FLEET_H
#define CONTROLLER_FLEET_FLEET_H

#include "common/base/log.h"
#include "common/base/span.h"
#include "common/model/assignment.h"
#include "controller/fleet/report.h"

struct fleet;
struct fleet_link;

/* Now, on both clocks: ages come from the monotonic one, dates for people from the other. */
struct moment {
    struct instant instant;
    struct walltime wall;
};
struct moment moment_now(void);

/* One computer of the plan. */
struct fleet_computer {
    const char *name; /* dNSHostName, unique in the plan but for case */
    char *const *principals;
    size_t principal_count;
    /* its digest is set; NULL: none can be made now, and the agent keeps the one it has */
    const struct assignment *assignment;
    struct span encoded; /* the assignment as the proto message */
};

#define FLEET_PRESENCE_LIST(X)                                                                     \
    X(NEVER, "never-attached")                                                                     \
    X(ATTACHED, "attached")                                                                        \
    X(DETACHED, "detached")

enum fleet_presence {
#define FLEET_PRESENCE_ENUM(name, text) FLEET_##name,
    FLEET_PRESENCE_LIST(FLEET_PRESENCE_ENUM)
#undef FLEET_PRESENCE_ENUM
};
const char *fleet_presence_name(enum fleet_presence presence);

#define FLEET_ACCEPTANCE_LIST(X)                                                                   \
    X(UNKNOWN, "unknown") /* not attached since the controller started, or no hello yet */         \
    X(PENDING, "pending") /* sent, no answer yet */                                                \
    X(APPLIED, "applied") /* in force there */                                                     \
    X(REFUSED, "refused") /* see the agent's problem */                                            \
    X(NONE, "none")       /* a stranger has no assignment */

enum fleet_acceptance {
#define FLEET_ACCEPTANCE_ENUM(name, text) FLEET_ACCEPTANCE_##name,
    FLEET_ACCEPTANCE_LIST(FLEET_ACCEPTANCE_ENUM)
#undef FLEET_ACCEPTANCE_ENUM
};
const char *fleet_acceptance_name(enum fleet_acceptance acceptance);

/* One agent, to read. Texts are never NULL and may hold any bytes. */
struct fleet_agent {
    const struct fleet_computer *computer; /* NULL for a stranger */
    enum fleet_presence presence;
    struct moment since; /* of the presence; zero while never attached */
    char *principal;     /* last seen as */
    char *address;       /* last seen from */
    char *host_name;     /* as it calls itself */
    char *version;
    struct walltime started;
    enum fleet_acceptance acceptance;
    char *problem;         /* why it refused its assignment; "" otherwise */
    struct report *report; /* the last one, or NULL */
    struct moment reported;
};

enum fleet_action_kind {
    FLEET_SEND_ASSIGNMENT, /* @assignment */
    FLEET_SEND_NONE,       /* NoAssignment with @text */
    FLEET_END_BAD,         /* end the stream: the agent broke the protocol, as @text says */
    FLEET_END_REPLACED,    /* end the stream: a newer one of the same computer has come */
    FLEET_END_FULL,        /* end the stream: a limit is reached */
};

struct fleet_action {
    enum fleet_action_kind kind;
    void *stream; /* as given to fleet_attach(); after an END the link is gone */
    struct span assignment;
    const char *text; /* borrowed until the next call on the fleet */
};

struct fleet *fleet_new(const struct log_ctx *log);
void fleet_free(struct fleet *fleet);

/*
 * Put a plan in force. @computers and all they point to are borrowed until the call for
 * the next plan has returned, or fleet_free(). What is known of an agent stays with the computer of
 * the same name. Agents whose assignment changed, and strangers that became members or the other
 * way round, are told.
 */
void fleet_set_plan(struct fleet *fleet, const struct fleet_computer *computers, size_t count,
                    struct moment now);
bool fleet_has_plan(const struct fleet *fleet);

/*
 * A stream has been opened by an authentic @principal. The link lives until fleet_detach() or an
 * END action for it; the caller must not use it after either.
 */
struct fleet_link *fleet_attach(struct fleet *fleet, const char *principal, const char *address,
                                void *stream, struct moment now);
void fleet_message(struct fleet *fleet, struct fleet_link *link,
                   const Coterie__V1__AgentMessage *message, struct moment now);
void fleet_detach(struct fleet *fleet, struct fleet_link *link, struct moment now);

/* Time passes: ends links that never said hello, forgets strangers. Call every few seconds. */
void fleet_tick(struct fleet *fleet, struct moment now);

/*
 * The next thing to do, in the order in which it became due; false when there is none. Call after
 * each of the above until false. However many plans came, an agent is sent only the last one.
 */
bool fleet_take_action(struct fleet *fleet, struct fleet_action *out_action);

/* One for each computer of the plan, in the order of names. Borrowed until the next change. */
size_t fleet_agent_count(const struct fleet *fleet);
const struct fleet_agent *fleet_agent_at(const struct fleet *fleet, size_t index);
/* In the order of arrival; none before the first plan. Borrowed until the next change. */
size_t fleet_stranger_count(const struct fleet *fleet);
const struct fleet_agent *fleet_stranger_at(const struct fleet *fleet, size_t index);

/*
 * Whether the agent's report still proves something: it is younger than REPORT_FRESH_MS, and its
 * stream is open or ended less than DETACHED_FRESH_MS ago.
 */
bool fleet_agent_is_fresh(const struct fleet_agent *agent, struct instant now);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/status/view.h: the state of the whole fleet at one moment, ready to be shown.
 *
 * Pure: made from the plan, what the agents reported, and the controller's own state. JSON, metrics
 * and page are renderings of one view and decide nothing.
 *
 * What is called in sync: a connection is, only when the reports of both its ends are fresh and the
 * receiver's vector covers the sender's. One side's opinion can make a state worse, never better.
 *
 * Most texts are borrowed from the plan, the fleet and the sources: a view is rendered at once and
 * freed before any of them changes. Texts may hold any bytes: renderers escape them.
 */
#ifndef CONTROLLER_STATUS_VIEW_H
#define CONTROLLER_STATUS_VIEW_H

#include "controller/fleet/fleet.h"
#include "controller/topology/finding.h"

/* --- what a view is made from --- */

/* Something that a person should know, with what to do about it. */
struct status_finding {
    enum severity severity;
    const char *code;   /* stable, for machines: "agent-silent" */
    const char *object; /* what it is about */
    const char *cause;
    const char *remedy;
    struct walltime since; /* 0: unknown */
};

#define DIRECTORY_STATE_LIST(X)                                                                    \
    X(NEVER_READ, "never-read") /* not once since the start */                                     \
    X(CURRENT, "current")       /* read, and changes are noticed */                                \
    X(FAILING, "failing")       /* was read, cannot be reached now */

enum directory_state {
#define DIRECTORY_ENUM(name, text) DIRECTORY_##name,
    DIRECTORY_STATE_LIST(DIRECTORY_ENUM)
#undef DIRECTORY_ENUM
};
const char *directory_state_name(enum directory_state state);

/* The controller's own link to the directory. */
struct directory_status {
    enum directory_state state;
    const char *uri;
    const char *base;    /* DN; "" while unknown */
    const char *problem; /* "" when there is none */
    struct walltime failing_since;
    struct walltime last_read; /* 0: never */
    uint64_t generation;       /* plans made since the start */
};

struct view_sources {
    struct moment now;
    struct moment started;
    const char *host_name; /* the controller's */
    const char *principal;
    struct directory_status directory;
    const struct fleet *fleet;
    const struct status_finding
        *findings; /* from the directory's objects and the controller itself */
    size_t finding_count;
};

/* --- the view --- */

/* One member's share in one folder. */
struct view_member {
    const struct fleet_agent *agent;
    const struct folder_assignment *folder;
    const struct folder_report *report; /* the last, however old; or NULL */
    bool fresh;                         /* the report still proves something */
    enum health health;
    const char *state;
    const char *reason; /* why it is not ok; "" when it is */
};

#define CONNECTION_STATE_LIST(X)                                                                   \
    X(IN_SYNC, "in-sync")           /* the receiver has all that the sender has */                 \
    X(BEHIND, "behind")             /* it has not, and is catching up */                           \
    X(CLOSED, "closed-by-schedule") /* it has not, and waits for the schedule */                   \
    X(INTERRUPTED, "interrupted")   /* it has not, and cannot reach the sender */                  \
    X(HELD, "held")                 /* one end does not replicate this folder */                   \
    X(UNKNOWN, "unknown")           /* one end has not reported lately */                          \
    X(DISABLED, "disabled")         /* by the directory */

enum connection_state {
#define CONNECTION_ENUM(name, text) CONNECTION_##name,
    CONNECTION_STATE_LIST(CONNECTION_ENUM)
#undef CONNECTION_ENUM
};
const char *connection_state_name(enum connection_state state);

/* One connection within one folder. */
struct view_connection {
    const struct connection_assignment *assignment; /* the receiver's */
    const struct view_member *receiver;
    const struct view_member *sender;         /* NULL: the sender is not in the plan */
    const struct connection_report *inbound;  /* the receiver's last word, or NULL */
    const struct connection_report *outbound; /* the sender's last word, or NULL */
    enum connection_state state;
    enum health health;
    const char *reason; /* "" when there is nothing to say */
    bool backlog_known;
    uint64_t backlog_files;
    bool schedule_known;
    bool schedule_open;
    struct walltime schedule_change; /* 0: never, or not known */
    struct walltime last_sync;       /* 0: never */
};

struct view_folder {
    struct guid id;
    const char *name;
    enum health health;
    struct view_member *members;
    size_t member_count;
    struct view_connection *connections;
    size_t connection_count;
};

struct view_group {
    struct guid id;
    const char *name;
    enum health health;
    struct view_folder *folders;
    size_t folder_count;
};

struct view_counts {
    size_t groups;
    size_t folders;
    size_t agents;
    size_t agents_attached;
    size_t connections; /* enabled ones */
    size_t connections_in_sync;
    uint64_t backlog_files; /* where it is known */
    uint64_t conflicts;
};

struct view {
    const struct view_sources *sources;
    enum health health;
    const char *summary; /* one sentence */
    struct view_counts counts;
    struct view_group *groups; /* by name */
    size_t group_count;
    struct status_finding *findings; /* worst first */
    size_t finding_count;
    struct view_text *texts; /* made for this view */
};

/* @sources and all it points to outlive the view and do not change in the meantime. */
struct view *view_new(const struct view_sources *sources);
void view_free(struct view *view); /* NULL allowed */

#endif

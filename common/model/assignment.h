/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/model/assignment.h: what one agent has been told to do, as a plain value.
 *
 * Made by the controller's planner, sent as proto/assignment.proto, kept by the agent as a file.
 * assignment_decode() validates everything: no other code meets an unchecked assignment.
 */
#ifndef COMMON_MODEL_ASSIGNMENT_H
#define COMMON_MODEL_ASSIGNMENT_H

#include "common/base/buf.h"
#include "common/base/guid.h"
#include "common/model/filter.h"
#include "common/model/schedule.h"

#define ASSIGNMENT_DIGEST_SIZE 32
#define ASSIGNMENT_FORMAT      1

struct connection_assignment {
    struct guid connection;
    struct guid partner_member;
    char *partner_name; /* dNSHostName */
    char *partner_host; /* where to connect; inbound only, "" otherwise */
    uint16_t partner_port;
    char **partner_principals;
    size_t partner_principal_count;
    struct schedule schedule;
    bool enabled;
    bool rdc_enabled;
    uint64_t rdc_size_min;
};

struct folder_assignment {
    struct guid group;
    struct guid folder;
    struct guid member; /* ours */
    char *group_name;
    char *folder_name;
    char *root_path;
    char *staging_path;  /* "" = beneath the root's private directory */
    char *preserve_path; /* "" = beneath the root's private directory */
    char *problem;       /* "" = none; otherwise the folder is held back */
    uint64_t staging_bytes_max;
    uint64_t preserve_bytes_max;
    uint64_t tombstone_life_min;
    bool enabled;
    bool read_only;
    bool primary;
    bool case_insensitive;
    struct filter file_filter;
    struct filter directory_filter;
    struct connection_assignment *inbound;
    size_t inbound_count;
    struct connection_assignment *outbound;
    size_t outbound_count;
};

struct assignment {
    uint8_t digest[ASSIGNMENT_DIGEST_SIZE];
    uint64_t generation;
    char *computer_name;
    struct folder_assignment *folders;
    size_t folder_count;
};

void assignment_free(struct assignment *assignment); /* NULL allowed */

/*
 * Serialise as the proto message, appended to @out. Puts folders and connections into the order of
 * their GUIDs and sets the digest, in the bytes and in @assignment. NULL strings count as "".
 * Equal assignments (generation apart) give equal digests, in whatever order their lists stood.
 */
void assignment_encode(struct assignment *assignment, struct buf *out);

/*
 * Check and read. On failure *out_problem (caller frees) says which object breaks which rule, and
 * nothing else is set. Takes at most ASSIGNMENT_MEMORY_MAX beside the result. Every string of the
 * result is set; a folder with a problem, or disabled, may lack its root_path, and a disabled
 * inbound connection its host. assignment_decode(assignment_encode(x)) equals x when x is valid.
 */
bool assignment_decode(struct span bytes, struct assignment **out_assignment, char **out_problem);

#endif

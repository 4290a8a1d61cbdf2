/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/stage/stage.h: the staging area: files being fetched, out of sight, on the folder's own file
 * system.
 *
 * A staged file has a *number*, unique while the area is open. It grows under a quota that counts
 * all staged files together. What is half done when the agent stops is dropped at the next start: a
 * fetch begins anew, with the staged bytes that were installed meanwhile as seeds.
 *
 * Threads: any thread may use one area (numbers and quota are atomic); one file belongs to one thread
 * at a time. Blocks (file I/O).
 */
#ifndef AGENT_STAGE_STAGE_H
#define AGENT_STAGE_STAGE_H

#include "agent/root/beneath.h"
#include "agent/root/root.h"

struct stage;
struct stage_file;

/*
 * Open a root's staging area.
 *
 * @bytes_max       quota for all staged files together
 * @out_left_count  files that an earlier run left and that were dropped
 */
NODISCARD enum status stage_open(const struct root *root, uint64_t bytes_max, struct stage **out_stage,
                                 size_t *out_left_count);
void stage_close(struct stage *stage); /* NULL allowed; no file is open */

void stage_set_quota(struct stage *stage, uint64_t bytes_max);
uint64_t stage_bytes_used(const struct stage *stage);

/* One file's life: create, then write, clone, in any order, then finish or abandon. */

/*
 * Create an empty staged file and reserve @size bytes of the quota for it; more is reserved as it is
 * written. ST_FULL: quota or disk. A single file larger than the whole quota is let in when nothing
 * else is staged, else it could never be fetched.
 */
NODISCARD enum status stage_create(struct stage *stage, uint64_t size, struct stage_file **out_file);
uint64_t stage_file_number(const struct stage_file *file);

/* After a failure (ST_FULL, ST_IO) the file can only be abandoned. */
NODISCARD enum status stage_write(struct stage_file *file, uint64_t offset, struct span bytes);
/* @size bytes from @offset in @seed_fd: cloned where the file system can, else copied in the
 * kernel. ST_GONE: the seed ends earlier. */
NODISCARD enum status stage_copy(struct stage_file *file, uint64_t offset, int seed_fd,
                                 uint64_t seed_offset, uint64_t size);
/* Read back what was written. */
NODISCARD enum status stage_read(struct stage_file *file, uint64_t offset, void *out, size_t size);
/* Make it just @size bytes long: holes at the end, or what was written too far. */
NODISCARD enum status stage_resize(struct stage_file *file, uint64_t size);
/* For reading back; borrowed until finish or abandon. */
int stage_file_fd(const struct stage_file *file);

struct staged {
    uint64_t number;
    uint64_t size;
    struct object object;
};

/* The content is complete: close it and tell what it is. Not synced: install does that for a whole
 * batch. Frees @file, also on failure. */
NODISCARD enum status stage_finish(struct stage_file *file, struct staged *out_staged);
void stage_abandon(struct stage_file *file); /* NULL allowed */

/* A finished file, by number. */
NODISCARD enum status stage_open_finished(const struct stage *stage, uint64_t number, int *out_fd);
void stage_drop(struct stage *stage, uint64_t number);
/* Move a finished file out of the area and its quota, to @to on the same file system. */
NODISCARD enum status stage_move_out(struct stage *stage, uint64_t number, const struct spot *to);
/* And back, when it was not used after all: it counts again. */
NODISCARD enum status stage_move_back(struct stage *stage, uint64_t number,
                                      const struct spot *from);

#endif

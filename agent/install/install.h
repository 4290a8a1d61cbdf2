/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/install/install.h: a plan's steps, done on disk (replica.h, struct step).
 *
 * Nothing that we have not seen is lost. A step looks at what stands at the place before it acts, acts
 * by one atomic rename that never replaces, and looks again at what it got: if that is not what
 * the step expected, it is put back and the result is ST_AGAIN. What leaves the tree goes through
 * the swap directory, so after a crash at any point it is found there and preserved.
 *
 * A batch is durable as a whole: attributes are applied to the staged files, all of them are synced,
 * then the renames are made, then the directories are synced.
 *
 * A file that is open for writing, or mapped writable, is not displaced: ST_AGAIN.
 *
 * Threads: one at a time. Blocks (file I/O).
 */
#ifndef AGENT_INSTALL_INSTALL_H
#define AGENT_INSTALL_INSTALL_H

#include "agent/preserve/preserve.h"
#include "agent/replica/replica.h"
#include "agent/stage/stage.h"
#include "common/model/filter.h"

struct install;

struct install_options {
    const struct root *root;
    struct stage *stage;
    struct preserve *preserve;
    const struct filter *file_filter; /* what a removed directory may still hold: kept with it */
    const struct filter *dir_filter;
};

/* What @options points to outlives it. */
struct install *install_new(const struct install_options *options);
void install_free(struct install *install); /* NULL allowed */

/*
 * Do the steps in order, up to the first that fails; its result is the last. Results:
 *
 *  ST_OK       done, durable when the call returns
 *  ST_AGAIN    the disk shows something else than the step expects, or it is in use; untouched
 *  ST_FULL     no space or quota; untouched
 *  ST_REFUSED  no permission, immutable, or the file system can not hold an attribute; untouched
 *  ST_BADDATA  the step's path or attributes break a rule; untouched
 *  ST_GONE     the staged file is not there any more
 *  ST_IO       the disk failed; the staged file is dropped: fetch it again
 *
 * Returns the number of results, at least 1 when @count is. When the final sync of the directories
 * fails there is one result, ST_IO: none of it may be called done.
 *
 * A staged file is used up by its step when that succeeds and stays staged otherwise, save ST_IO.
 */
NODISCARD size_t install_run(struct install *install, const struct step *steps, size_t count,
                             struct step_result *out_results);

/*
 * A REMOVE of what stands parked has failed, since who has it open went on writing there, after the step
 * before had put its file's new content in place: no record leads to it any more. It is preserved in the state that it is
 * in, durably. Errors: as preserve_take(); then it waits for install_recover().
 */
NODISCARD enum status install_keep_parked(struct install *install, const struct step *step);

/* What the database knows, for install_recover(). */
struct install_known {
    /* An intent's object: in the swap directory it is a staged file that was not installed. */
    bool (*staged)(void *arg, const struct object *object);
    /* A parked record. */
    bool (*parked)(void *arg, const struct file_id *id);
    /* Where the present record of this object stands in the tree; false: there is none. The path is
     * taken over. NULL: nothing is put back. */
    bool (*place)(void *arg, const struct object *object, char **out_path);
    void *arg;
};

/*
 * After a start, before install_shows() and the first install_run(): undo the steps that a crash cut
 * short. What stands in the swap or the parked directory and has a place in the tree that is free goes
 * back there; staged files that were not installed are dropped; everything else that the database
 * does not know is preserved. @out_preserved_count tells how many.
 *
 * No object that was in the tree before the crash is outside tree, parked and preserve afterwards.
 */
NODISCARD enum status install_recover(struct install *install, const struct install_known *known,
                                      size_t *out_preserved_count);

/*
 * Whether the disk shows an intent's effect (replica_intent()), attributes included. An object that
 * stands elsewhere beneath the root is moved to the path first when that is free. The witness in
 * @out_result is zero: the folder looks at the file again, which finds edits made meanwhile.
 */
bool install_shows(const struct install *install, const struct intent *intent, const char *path,
                   struct step_result *out_result);

/* All that the tree shows is durable when the call returns: before what install_shows() said is recorded. The
 * process that made it may have ended before it synced anything. */
NODISCARD enum status install_sync(const struct install *install);

#endif

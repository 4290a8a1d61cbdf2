/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/install/batch.h: what the files of agent/install share: one run of steps.
 *
 *   install.c  prepares, runs and syncs a batch
 *   step.c     what each kind of step does
 *   swap.c     the swap directory: the way in and out of the tree
 *   recover.c  after a crash
 */
#ifndef AGENT_INSTALL_BATCH_H
#define AGENT_INSTALL_BATCH_H

#include "agent/attributes/attributes.h"
#include "agent/install/install.h"

struct install {
    struct install_options options;
    const struct root *root;
    const struct log_ctx *log;
    int swap_fd;
    uint64_t swap_last; /* number of the last name given in the swap directory */
};

/* A step's own preparation, done for a whole batch before the first of them. */
struct prepared {
    bool done;          /* attributes are applied and synced */
    enum status status; /* why not, when that is final */
};

struct batch {
    struct install *install;
    const struct step *steps;
    struct step_result *results; /* of the steps done so far */
    size_t done_count;
    struct prepared *prepared;
    int *dir_fds; /* directories to sync, each once */
    uint64_t *dir_inodes;
    size_t dir_count;
    bool sync_everything; /* too many directories, or something that only syncfs reaches */
};

/* --- install.c --- */

/* Log a step's failure with its path and errno; gives the status back. */
enum status step_report(const struct install *install, const struct step *step, const char *what,
                        enum status st);
/* What a failed path call means for a step: what the disk shows is not what the plan knew, or worse. */
enum status step_status(int err);
/* The directory of @spot has changed. */
void batch_touch(struct batch *batch, const struct spot *spot);
/* Attributes for the staged or new object behind @fd, which is going to stand at the step's path. */
NODISCARD enum status batch_attributes(const struct install *install, const struct step *step,
                                       int fd, const struct spot *place);

/* --- step.c --- */
NODISCARD enum status step_run(struct batch *batch, size_t index, struct step_result *out_result);

/* --- swap.c --- */

/* Names in the swap directory tell whose the object is after a crash. */
enum swap_kind {
    SWAP_MADE,     /* made here, not yet shown */
    SWAP_EXCHANGE, /* made here, or displaced by it */
    SWAP_OUT,      /* taken out of the tree */
};
/* A fresh name; the spot borrows the directory's descriptor. */
struct spot swap_spot(struct install *install, enum swap_kind kind);
bool swap_kind_of(const char *name, enum swap_kind *out_kind);

/*
 * Put what we made (@made, at a swap spot of kind SWAP_MADE) at @place, where nothing may stand.
 * ST_AGAIN: something does; @made is where it was.
 */
NODISCARD enum status swap_in(struct batch *batch, const struct step *step,
                              const struct spot *made, const struct spot *place);
/*
 * Exchange what we made (@made, SWAP_EXCHANGE) with what the step expects at @place, and preserve or
 * drop that. Anything but ST_OK: the tree is as it was and @made where it was.
 */
NODISCARD enum status swap_exchange(struct batch *batch, const struct step *step,
                                    const struct spot *made, const struct spot *place);
/* Take what the step expects out of @place, and preserve or drop it. */
NODISCARD enum status swap_out(struct batch *batch, const struct step *step,
                               const struct spot *place);

/* Whether the state that the step expects is the one that stands: of anything, a directory too. */
bool step_knows(const struct batch *batch, const struct step *step, const struct standing *standing);
/* Whether what stands is what the step expects: object, and witness of a regular file. */
bool step_expects(const struct batch *batch, const struct step *step,
                  const struct standing *standing);

#endif

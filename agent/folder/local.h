/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/folder/local.h: private to agent/folder: one examination of the disk, on a worker.
 *
 * A *gathering* walks a part of a scan, or looks at places that events named, compares what it
 * meets with the committed records and reads what differs. It yields *findings*; local.c records
 * them on the loop thread when no plan is under way, after a last look that each still stands.
 */
#ifndef AGENT_FOLDER_LOCAL_H
#define AGENT_FOLDER_LOCAL_H

#include "agent/db/db.h"
#include "agent/scan/scan.h"
#include "agent/signatures/signatures.h"

#include <stdatomic.h>

enum finding_kind {
    FINDING_PRESENT, /* something new or changed stands at path */
    FINDING_GONE,    /* the record's object is nowhere in the tree */
    FINDING_LOOK,    /* path must be looked at (something moved there) */
    FINDING_WALK,    /* everything beneath path must be looked at */
    FINDING_LATER,   /* path was changing while it was read */
    FINDING_SKIPPED, /* not replicated, problem says why */
    FINDING_FAILED,  /* could not be read, problem says why */
    FINDING_ABSENT,  /* nothing stands at path, and nothing is recorded there */
    FINDING_FINE,    /* as recorded: earlier problems of this path are over */
};

/* A name to look at. With its directory's object it is found again when something above was moved. */
struct named_place {
    char *path; /* beneath the root, when it was named */
    struct file_id file; /* that was seen there: if it is not met, where it is gone to; number 0: none */
    struct object dir; /* size 0: not known */
};

struct finding {
    enum finding_kind kind;
    char *path;                  /* beneath the root */
    struct file_id id;           /* GONE; PRESENT: of the record with this object, when known */
    bool known;                  /* PRESENT: the object has a record */
    bool in_circle;              /* private to local.c: waits only for others of its batch */
    bool displaced;              /* private to local.c: its old place was given up for another */
    bool parked;                 /* PRESENT: in the parked directory, where it is recorded */
    bool holder_gone;            /* PRESENT: whoever else held the name is nowhere */
    struct object object;        /* GONE: of the record */
    bool discarded;              /* rests on an object that was preserved or thrown away: for nothing
                                    while a plan is under way, which may have just done that */
    bool nameless;               /* rests on an object that is alive, but nowhere in the walked tree */
    char *left_out_at;           /* GONE: it stands there, under a filtered name; else NULL */
    struct file_id file;         /* LOOK, LATER: as in struct named_place */
    struct object parent;        /* PRESENT, LOOK, LATER: its directory; size 0: not known */
    struct scan_content content; /* PRESENT */
    bool newly_signed;           /* PRESENT: nothing with this content was seen before */
    struct rdc_traits traits;    /* newly_signed: what it is like */
    const char *problem;         /* SKIPPED, FAILED */
};

struct gathering {
    const struct root *root;
    const struct filter *file_filter;
    const struct filter *dir_filter;
    struct db_reader *reader; /* the worker's own */
    struct signatures *signatures;
    struct file_id root_id;
    const atomic_bool *stop;
    int64_t left_out_wait_ms; /* LEFT_OUT_WAIT_MS */
    bool tree_known; /* it was walked whole, and nothing that events named since waits to be looked at */

    /* what to do: continue this scan, or look at these places */
    struct scan *scan;
    struct named_place *places;
    size_t place_count;

    struct successor *successors; /* private to gather.c */
    bool met_discarded;           /* the same: a holder has gone in that way */
    bool met_nameless;            /* the same */
    struct file_id file;          /* the same: of the place that is looked at */
    const char *seen_at;          /* the same: that place, while that file is looked for */

    /* the result */
    struct finding *findings;
    size_t finding_count;
    size_t finding_capacity;
    uint64_t bytes_read;
    bool scan_finished;
    enum status status;      /* other than ST_OK: of the root or the store; findings are void */
    struct buf problem;      /* cause and remedy when the root failed its check */
};

/* Works until the scan has ended, all places are done, or EXAMINE_BATCH_COUNT findings or
 * EXAMINE_BATCH_BYTES bytes are there. Checks the root before and after. Blocks. */
void gather(struct gathering *g);
void gathering_clear(struct gathering *g); /* findings and places, not the scan */

/* The last look: true when what the finding says is still so. Quick. @strict: a plan has touched the
 * disk since, so a directory must show the same change time too. */
bool finding_still_stands(const struct root *root, const struct finding *finding, bool strict);

#endif

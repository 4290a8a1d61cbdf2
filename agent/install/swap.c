/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way in and out of the tree. Each of these acts by one rename and then looks at what it got:
 * between the look before and the rename, somebody may have put something else there. What was
 * not expected is put back.
 */
#include "agent/install/batch.h"

#include "agent/root/lease.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const kind_name[] = {
    [SWAP_MADE] = "made", [SWAP_EXCHANGE] = "exchange", [SWAP_OUT] = "out"};

struct spot swap_spot(struct install *install, enum swap_kind kind)
{
    struct spot spot = {.dir_fd = install->swap_fd};
    struct standing standing;

    do
        snprintf(spot.name, sizeof spot.name, "%s-%" PRIu64, kind_name[kind],
                 ++install->swap_last);
    while (beneath_look(spot.dir_fd, spot.name, &standing) == 0);
    return spot;
}

bool swap_kind_of(const char *name, enum swap_kind *out_kind)
{
    for (int kind = SWAP_MADE; kind <= SWAP_OUT; kind++) {
        size_t size = strlen(kind_name[kind]);

        if (strncmp(name, kind_name[kind], size) == 0 && name[size] == '-') {
            *out_kind = (enum swap_kind)kind;
            return true;
        }
    }
    return false;
}

/* --- expectations --- */

/* A rename in this batch has moved the times of what later steps expect: our own result tells. */
static struct witness expected_witness(const struct batch *batch, const struct step *step)
{
    static const struct witness none = {0};

    if (!witness_equal(&step->expect_witness, &none))
        return step->expect_witness;
    for (size_t i = batch->done_count; i > 0; i--)
        if (object_equal(&batch->results[i - 1].object, &step->expect))
            return batch->results[i - 1].witness;
    return none;
}

bool step_knows(const struct batch *batch, const struct step *step, const struct standing *standing)
{
    struct witness expected = expected_witness(batch, step);

    return witness_equal(&expected, &standing->witness);
}

bool step_expects(const struct batch *batch, const struct step *step,
                  const struct standing *standing)
{
    static const struct witness none = {0};
    struct witness expected = expected_witness(batch, step);

    if (!object_equal(&standing->object, &step->expect) || standing->kind == FILE_KIND_NONE)
        return false;
    return standing->kind != FILE_REGULAR || witness_equal(&expected, &none) ||
           witness_equal(&expected, &standing->witness);
}

/* What is to leave the tree must be what the plan knew. A file in a state that nobody has read (a crash, or a
 * move of what was changed) may hold what its user has just written. */
static bool may_leave(const struct batch *batch, const struct step *step,
                      const struct standing *standing)
{
    static const struct witness none = {0};
    struct witness expected = expected_witness(batch, step);

    return step_expects(batch, step, standing) &&
           (standing->kind != FILE_REGULAR || !witness_equal(&expected, &none));
}

/* Unchanged by anything but a rename, which moves the change time. */
static bool same_but_renamed(const struct standing *a, const struct standing *b)
{
    if (!object_equal(&a->object, &b->object) || a->mode != b->mode || a->uid != b->uid ||
        a->gid != b->gid)
        return false;
    return a->kind != FILE_REGULAR || (a->witness.size == b->witness.size &&
                                       a->witness.modified_ns == b->witness.modified_ns);
}

/* --- what is displaced --- */

/* Something in the tree that is about to leave it. */
struct leaving {
    struct standing standing; /* as it was before */
    int fd;                   /* of a regular file, with a lease; else -1 */
};

static void leaving_fini(struct leaving *leaving)
{
    if (leaving->fd >= 0)
        lease_release(leaving->fd);
    scope_close_fd(&leaving->fd);
}

/* Look at what stands at @place and hold it still. ST_AGAIN: it is not what the step expects, or it
 * is in use. */
static enum status hold(const struct batch *batch, const struct step *step,
                        const struct spot *place, struct leaving *out)
{
    struct standing standing;

    if (spot_look(place, &standing) < 0)
        return step_report(batch->install, step, "nothing stands there", step_status(errno));
    if (!may_leave(batch, step, &standing)) {
        errno = ESTALE;
        return step_report(batch->install, step, "something else stands there", ST_AGAIN);
    }
    out->standing = standing;
    if (standing.kind != FILE_REGULAR)
        return ST_OK;
    out->fd = spot_openat(place, O_RDONLY | O_NONBLOCK, 0);
    if (out->fd < 0)
        return step_report(batch->install, step, "open failed", step_status(errno));
    if (!lease_take(out->fd)) {
        errno = ETXTBSY;
        return step_report(batch->install, step, "the file is open for writing", ST_AGAIN);
    }
    /* Opened by name after the look: the same object, still as it was? */
    if (beneath_look_fd(out->fd, &standing) < 0 || !same_but_renamed(&standing, &out->standing)) {
        errno = ESTALE;
        return step_report(batch->install, step, "the file has changed", ST_AGAIN);
    }
    return ST_OK;
}

/* What came out at @out is what was held, and nobody has begun to write it. */
static bool is_still(const struct leaving *leaving, const struct spot *out)
{
    struct standing now;

    return spot_look(out, &now) == 0 && same_but_renamed(&now, &leaving->standing) &&
           (leaving->fd < 0 || lease_undisturbed(leaving->fd));
}

static enum status keep(struct install *install, const struct step *step, const struct spot *spot,
                        enum preserve_cause cause)
{
    scope_free char *path = mem_copy_string(step->known_as ? step->known_as : step->path);
    struct preserve_entry entry = {
        .cause = cause,
        .when = walltime_now(),
        .gvsn = step->preserve_gvsn,
        .id = step->id,
        .path = path,
    };
    uint64_t number;

    return preserve_take(install->options.preserve, spot, &entry, &number);
}

/* Something that we can neither put back nor name: preserved, or left for install_recover(). */
static void keep_stray(struct install *install, const struct step *step, const struct spot *spot)
{
    if (keep(install, step, spot, PRESERVE_CAUSE_INTERRUPTED) == ST_OK)
        return;
    log_error(install->log, "install: a displaced object waits in the swap directory root=%s name=%s",
              root_path(install->root), spot->name);
}

/* --- in --- */

enum status swap_in(struct batch *batch, const struct step *step, const struct spot *made,
                    const struct spot *place)
{
    if (spot_move(made, place) < 0)
        return step_report(batch->install, step, "rename failed", step_status(errno));
    batch_touch(batch, place);
    return ST_OK;
}

/*
 * Undo an exchange. While it stood, a third object may have been put over ours: then that one is
 * what people want at the place, and what we displaced first is the older one, to be preserved.
 */
static void put_back(struct install *install, const struct step *step, const struct spot *made,
                     const struct spot *place, const struct object *ours)
{
    struct standing back;

    if (spot_exchange(made, place) < 0) {
        (void)step_report(install, step, "what was displaced could not be put back",
                          step_status(errno));
        keep_stray(install, step, made);
        return;
    }
    if (spot_look(made, &back) == 0 && !object_equal(&back.object, ours)) {
        if (spot_exchange(made, place) < 0)
            (void)step_report(install, step, "a newer file could not be put back",
                              step_status(errno));
        keep_stray(install, step, made);
    }
}

enum status swap_exchange(struct batch *batch, const struct step *step, const struct spot *made,
                          const struct spot *place)
{
    struct install *install = batch->install;
    scope(leaving) struct leaving leaving = {.fd = -1};
    struct standing ours;
    enum status st = hold(batch, step, place, &leaving);

    if (st != ST_OK)
        return st;
    if (spot_look(made, &ours) < 0 || spot_exchange(made, place) < 0)
        return step_report(install, step, "exchange failed", step_status(errno));
    if (!is_still(&leaving, made)) {
        put_back(install, step, made, place, &ours.object);
        errno = ESTALE;
        return step_report(install, step, "the file changed while it was replaced", ST_AGAIN);
    }
    if (step->preserve == PRESERVE_NONE) {
        if (spot_discard(made, root_private_fd(install->root, PRIVATE_TRASH)) < 0)
            (void)step_report(install, step, "dropping the old version failed",
                              step_status(errno));
    } else {
        st = keep(install, step, made, (enum preserve_cause)step->preserve);
        if (st != ST_OK) {
            put_back(install, step, made, place, &ours.object);
            return st;
        }
    }
    batch_touch(batch, place);
    return ST_OK;
}

/* --- out --- */

static void close_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

enum inside { INSIDE_NOTHING, INSIDE_FILTERED, INSIDE_UNKNOWN };

static bool is_left_over(const struct install *install, int fd, const char *name)
{
    const struct install_options *options = &install->options;
    const struct filter *filter;
    struct standing standing;

    if (beneath_look(fd, name, &standing) < 0)
        return errno == ENOENT;
    if (standing.mount_point)
        return false;
    if (standing.kind == FILE_KIND_NONE)
        return true;
    filter = standing.kind == FILE_DIRECTORY ? options->dir_filter : options->file_filter;
    return filter && filter_matches(filter, span_of_string(name));
}

/* What a directory still holds. Its known children are gone by earlier steps. */
static enum inside look_inside(const struct install *install, const struct spot *spot)
{
    int fd = spot_openat(spot, O_RDONLY | O_DIRECTORY, 0);
    __attribute__((cleanup(close_dir))) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    enum inside inside = INSIDE_NOTHING;

    if (!dir) {
        scope_close_fd(&fd);
        return INSIDE_UNKNOWN;
    }
    for (struct dirent *entry; (errno = 0, entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!is_left_over(install, dirfd(dir), entry->d_name))
            return INSIDE_UNKNOWN;
        inside = INSIDE_FILTERED;
    }
    return errno ? INSIDE_UNKNOWN : inside;
}

/* @out is in the swap directory and is what was expected: what becomes of it. */
static enum status dispose(struct install *install, const struct step *step,
                           const struct spot *out, enum file_kind kind)
{
    if (kind == FILE_DIRECTORY) {
        switch (look_inside(install, out)) {
        case INSIDE_NOTHING:
            if (step->preserve == PRESERVE_NONE)
                return spot_remove_dir(out) == 0
                           ? ST_OK
                           : step_report(install, step, "rmdir failed", step_status(errno));
            break;
        case INSIDE_FILTERED:
            /* Nobody else has what the filters keep here. */
            return keep(install, step, out,
                        step->preserve == PRESERVE_NONE ? PRESERVE_CAUSE_DELETED
                                                        : (enum preserve_cause)step->preserve);
        case INSIDE_UNKNOWN:
            errno = ENOTEMPTY;
            return step_report(install, step, "the directory holds something new", ST_AGAIN);
        }
    } else if (step->preserve == PRESERVE_NONE) {
        return spot_unlink(out) == 0
                   ? ST_OK
                   : step_report(install, step, "unlink failed", step_status(errno));
    }
    return keep(install, step, out, (enum preserve_cause)step->preserve);
}

enum status swap_out(struct batch *batch, const struct step *step, const struct spot *place)
{
    struct install *install = batch->install;
    scope(leaving) struct leaving leaving = {.fd = -1};
    struct spot out;
    enum status st = hold(batch, step, place, &leaving);

    if (st != ST_OK)
        return st;
    /* Cheaper than a directory that comes and goes under its users' feet. */
    if (leaving.standing.kind == FILE_DIRECTORY &&
        look_inside(install, place) == INSIDE_UNKNOWN) {
        errno = ENOTEMPTY;
        return step_report(install, step, "the directory holds something new", ST_AGAIN);
    }
    out = swap_spot(install, SWAP_OUT);
    if (spot_move(place, &out) < 0)
        return step_report(install, step, "rename failed", step_status(errno));
    if (is_still(&leaving, &out)) {
        st = dispose(install, step, &out, leaving.standing.kind);
    } else {
        errno = ESTALE;
        st = step_report(install, step, "the file changed while it was removed", ST_AGAIN);
    }
    if (st != ST_OK && spot_move(&out, place) < 0)
        keep_stray(install, step, &out);
    batch_touch(batch, place);
    return st;
}

enum status install_keep_parked(struct install *install, const struct step *step)
{
    scope(spot) struct spot place = {.dir_fd = -1};
    enum status st = ST_OK;

    if (spot_open(root_fd(install->root), step->path, &place) != 0)
        return step_report(install, step, "what was parked can not be found", step_status(errno));
    st = keep(install, step, &place, PRESERVE_CAUSE_CONFLICT);
    return st == ST_OK ? preserve_sync(install->options.preserve) : st;
}

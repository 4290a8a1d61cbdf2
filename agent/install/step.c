/* SPDX-License-Identifier: Apache-2.0 */
/* What each kind of step does. */
#include "agent/install/batch.h"

#include "agent/root/lease.h"
#include "common/base/limits.h"
#include "common/base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static enum status open_place(const struct install *install, const struct step *step,
                              const char *path, struct spot *out)
{
    if (!root_is_place(path)) {
        errno = EINVAL;
        return step_report(install, step, "the path leads into the private directory", ST_BADDATA);
    }
    if (spot_open(root_fd(install->root), path, out) < 0)
        return step_report(install, step, "opening the directory failed", step_status(errno));
    return ST_OK;
}

static bool has_same_attributes(const struct standing *a, const struct standing *b)
{
    return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid;
}

/*
 * What our own rename has just put in place. @before is how it was: a write or a chmod since then, by
 * whoever found it, must not hide in the witness that we report.
 */
static void tell(int fd, const struct standing *before, struct step_result *out)
{
    struct standing now;

    out->object = before->object;
    out->witness = before->witness;
    if (beneath_look_fd(fd, &now) == 0 && has_same_attributes(&now, before) &&
        now.witness.size == before->witness.size &&
        (now.witness.modified_ns == before->witness.modified_ns || now.kind == FILE_DIRECTORY))
        out->witness = now.witness;
}

/* Where something is to be put: in the directory that was meant, whatever has its name by now. */
static enum status open_target(const struct install *install, const struct step *step,
                               const char *path, struct spot *out)
{
    struct standing dir;
    enum status st = open_place(install, step, path, out);

    if (st != ST_OK || step->expect_dir.size == 0)
        return st;
    if (beneath_look_fd(out->dir_fd, &dir) < 0)
        return step_report(install, step, "stat of the directory failed", step_status(errno));
    if (object_equal(&dir.object, &step->expect_dir))
        return ST_OK;
    errno = ESTALE;
    return step_report(install, step, "the directory there is another one by now", ST_AGAIN);
}

/* --- install --- */

/* What a batch could not prepare: attributes and sync of one staged file. */
static enum status prepare_late(const struct batch *batch, const struct step *step,
                                const struct spot *place)
{
    struct install *install = batch->install;
    scope_fd int fd = -1;
    enum status st = stage_open_finished(install->options.stage, step->stage, &fd);

    if (st == ST_OK)
        st = batch_attributes(install, step, fd, place);
    if (st == ST_OK && fsync(fd) < 0) {
        st = step_report(install, step, "fsync of a staged file failed", ST_IO);
        stage_drop(install->options.stage, step->stage);
    }
    return st;
}

static enum status run_install(struct batch *batch, const struct step *step,
                               const struct prepared *prepared, struct step_result *out)
{
    struct install *install = batch->install;
    bool exchange = step->expect.size > 0;
    scope(spot) struct spot place = {.dir_fd = -1};
    scope_fd int fd = -1;
    struct standing before;
    struct spot made;
    enum status st = open_target(install, step, step->path, &place);

    if (st == ST_OK)
        st = prepared->status;
    if (st == ST_OK && !prepared->done)
        st = prepare_late(batch, step, &place);
    if (st != ST_OK)
        return st;
    made = swap_spot(install, exchange ? SWAP_EXCHANGE : SWAP_MADE);
    st = stage_move_out(install->options.stage, step->stage, &made);
    if (st != ST_OK)
        return st;
    fd = spot_openat(&made, O_PATH, 0);
    if (fd < 0 || beneath_look_fd(fd, &before) < 0)
        st = step_report(install, step, "stat failed", step_status(errno));
    else
        st = exchange ? swap_exchange(batch, step, &made, &place)
                      : swap_in(batch, step, &made, &place);
    if (st == ST_OK)
        tell(fd, &before, out);
    else if (stage_move_back(install->options.stage, step->stage, &made) != ST_OK)
        return st == ST_AGAIN ? ST_GONE : st;
    return st;
}

/* --- make --- */

static enum status show(struct batch *batch, const struct step *step, const struct spot *made,
                        const struct spot *place, struct step_result *out)
{
    struct install *install = batch->install;
    scope_fd int fd = spot_openat(made, O_PATH, 0);
    struct standing before;
    enum status st;

    if (fd < 0)
        st = step_report(install, step, "open failed", step_status(errno));
    else
        st = batch_attributes(install, step, fd, place);
    if (st == ST_OK && beneath_look_fd(fd, &before) < 0)
        st = step_report(install, step, "stat failed", step_status(errno));
    if (st == ST_OK)
        st = step->expect.size > 0 ? swap_exchange(batch, step, made, place)
                                   : swap_in(batch, step, made, place);
    if (st == ST_OK)
        tell(fd, &before, out);
    else if (spot_discard(made, root_private_fd(install->root, PRIVATE_TRASH)) < 0 &&
             errno != ENOENT)
        (void)step_report(install, step, "dropping what was made failed", step_status(errno));
    return st;
}

static enum status run_make_dir(struct batch *batch, const struct step *step,
                                struct step_result *out)
{
    scope(spot) struct spot place = {.dir_fd = -1};
    struct spot made = swap_spot(batch->install, SWAP_MADE);
    enum status st = open_target(batch->install, step, step->path, &place);

    if (st != ST_OK)
        return st;
    if (step->expect.size > 0) {
        errno = EEXIST;
        return step_report(batch->install, step, "a directory replaces nothing", ST_BADDATA);
    }
    if (spot_make_dir(&made, 0700) < 0)
        return step_report(batch->install, step, "mkdir failed", step_status(errno));
    return show(batch, step, &made, &place, out);
}

/* The staged content is the link's target. */
static enum status read_target(const struct install *install, const struct step *step,
                               char target[SYMLINK_SIZE_MAX + 1])
{
    scope_fd int fd = -1;
    enum status st = stage_open_finished(install->options.stage, step->stage, &fd);
    ssize_t size;

    if (st != ST_OK)
        return st;
    size = pread(fd, target, SYMLINK_SIZE_MAX + 1, 0);
    if (size < 0)
        return step_report(install, step, "reading the link's target failed", ST_IO);
    if (size == 0 || size > SYMLINK_SIZE_MAX || memchr(target, '\0', (size_t)size)) {
        errno = EINVAL;
        return step_report(install, step, "the link's target is no path", ST_BADDATA);
    }
    target[size] = '\0';
    return ST_OK;
}

static enum status run_make_link(struct batch *batch, const struct step *step,
                                 struct step_result *out)
{
    struct install *install = batch->install;
    char target[SYMLINK_SIZE_MAX + 1];
    scope(spot) struct spot place = {.dir_fd = -1};
    struct spot made = swap_spot(install, step->expect.size > 0 ? SWAP_EXCHANGE : SWAP_MADE);
    enum status st = open_target(install, step, step->path, &place);

    if (st == ST_OK)
        st = read_target(install, step, target);
    if (st != ST_OK)
        return st;
    if (spot_make_link(&made, target) < 0)
        return step_report(install, step, "symlink failed", step_status(errno));
    st = show(batch, step, &made, &place, out);
    if (st == ST_OK)
        stage_drop(install->options.stage, step->stage);
    return st;
}

/* --- move and park --- */

static enum status move(struct batch *batch, const struct step *step, const char *from_path,
                        const char *to_path, struct step_result *out)
{
    struct install *install = batch->install;
    scope(spot) struct spot from = {.dir_fd = -1};
    scope(spot) struct spot to = {.dir_fd = -1};
    scope_fd int fd = -1;
    struct standing before;
    struct standing after;
    enum status st = open_place(install, step, from_path, &from);

    if (st == ST_OK)
        st = open_target(install, step, to_path, &to);
    if (st != ST_OK)
        return st;
    fd = spot_openat(&from, O_PATH, 0);
    if (fd < 0 || beneath_look_fd(fd, &before) < 0)
        return step_report(install, step, "nothing stands there", step_status(errno));
    if (!step_expects(batch, step, &before)) {
        errno = ESTALE;
        return step_report(install, step, "something else stands there", ST_AGAIN);
    }
    if (spot_move(&from, &to) < 0)
        return step_report(install, step, "rename failed", step_status(errno));
    batch_touch(batch, &from);
    batch_touch(batch, &to);
    if (spot_look(&to, &after) == 0 && object_equal(&after.object, &before.object)) {
        tell(fd, &before, out);
        /* A directory moves in whatever state it is: a chmod that nobody has recorded yet is found by
         * the next look only if the record does not claim to know this state. */
        if (!step_knows(batch, step, &before))
            out->witness = (struct witness){0};
        return ST_OK;
    }
    /* It was replaced between the look and the rename: that is for the place it came from. */
    if (spot_move(&to, &from) < 0)
        return step_report(install, step, "what was moved could not be put back", ST_AGAIN);
    errno = ESTALE;
    return step_report(install, step, "the file changed while it was moved", ST_AGAIN);
}

static enum status run_park(struct batch *batch, const struct step *step, struct step_result *out)
{
    char path[sizeof PARKED_DIR + PARKED_NAME_SIZE] = PARKED_DIR "/";

    replica_parked_name(&step->id, path + strlen(PARKED_DIR "/"));
    return move(batch, step, step->path, path, out);
}

/* --- remove --- */

static enum status run_remove(struct batch *batch, const struct step *step)
{
    scope(spot) struct spot place = {.dir_fd = -1};
    enum status st = open_place(batch->install, step, step->path, &place);

    return st == ST_OK ? swap_out(batch, step, &place) : st;
}

/* --- attributes --- */

static enum status run_attributes(struct batch *batch, const struct step *step,
                                  struct step_result *out)
{
    struct install *install = batch->install;
    scope(spot) struct spot place = {.dir_fd = -1};
    scope_fd int path_fd = -1;
    scope_fd int fd = -1;
    struct standing standing;
    bool is_known = false;
    enum status st = open_place(install, step, step->path, &place);

    if (st != ST_OK)
        return st;
    path_fd = spot_openat(&place, O_PATH, 0);
    if (path_fd < 0 || beneath_look_fd(path_fd, &standing) < 0)
        return step_report(install, step, "nothing stands there", step_status(errno));
    if (standing.kind == FILE_REGULAR) {
        fd = spot_openat(&place, O_RDONLY | O_NONBLOCK, 0);
        if (fd < 0)
            return step_report(install, step, "open failed", step_status(errno));
        if (!lease_take(fd)) {
            errno = ETXTBSY;
            return step_report(install, step, "the file is open for writing", ST_AGAIN);
        }
    }
    /* From here on nobody writes: the witness taken at the end is of the content that was expected. */
    if (beneath_look_fd(fd >= 0 ? fd : path_fd, &standing) < 0 ||
        !step_expects(batch, step, &standing)) {
        errno = ESTALE;
        st = step_report(install, step, "something else stands there", ST_AGAIN);
    } else {
        is_known = step_knows(batch, step, &standing) || standing.kind != FILE_REGULAR;
        st = batch_attributes(install, step, path_fd, &place);
    }
    if (st == ST_OK && beneath_look_fd(path_fd, &standing) < 0)
        st = step_report(install, step, "stat failed", step_status(errno));
    if (st == ST_OK) {
        out->object = standing.object;
        /* nobody has read the content that stands there: a look does, unless we claim to know it */
        out->witness = is_known ? standing.witness : (struct witness){0};
        /* A symlink can not be synced by itself, and old attributes after a power cut would look like
         * a change made here. */
        if (fd >= 0 && fsync(fd) < 0)
            st = step_report(install, step, "fsync failed", ST_IO);
        batch->sync_everything |= fd < 0;
    }
    if (fd >= 0)
        lease_release(fd);
    return st;
}

enum status step_run(struct batch *batch, size_t index, struct step_result *out_result)
{
    const struct step *step = &batch->steps[index];

    switch (step->kind) {
    case STEP_INSTALL:
        return run_install(batch, step, &batch->prepared[index], out_result);
    case STEP_MAKE_DIR:
        return run_make_dir(batch, step, out_result);
    case STEP_MAKE_LINK:
        return run_make_link(batch, step, out_result);
    case STEP_MOVE:
        return move(batch, step, step->from_path, step->path, out_result);
    case STEP_PARK:
        return run_park(batch, step, out_result);
    case STEP_REMOVE:
        return run_remove(batch, step);
    case STEP_ATTRIBUTES:
        return run_attributes(batch, step, out_result);
    }
    return ST_BADDATA;
}

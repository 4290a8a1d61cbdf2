/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a crash. What it may have left: objects in the swap directory (made and not shown, displaced
 * and not disposed of, taken out and not disposed of), objects in the parked directory whose record
 * still says "in the tree", and objects that are in their final place while the database does not
 * know it yet. The first two are undone here; the third the database is told of by install_shows().
 */
#include "agent/install/batch.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct recovery {
    struct install *install;
    const struct install_known *known;
    size_t preserved_count;
    size_t restored_count;
};

static enum status report(const struct install *install, const char *what, const char *name)
{
    enum status st = status_from_errno(errno);

    log_error(install->log, "recovery: %s failed root=%s name=%s: %s", what,
              root_path(install->root), name, strerror(errno));
    return st;
}

/* --- objects that the crash left outside the tree --- */

/* Put it back where its record says it stands, if that is free. */
static bool restore(struct recovery *r, const struct spot *from, const struct object *object)
{
    scope_free char *path = NULL;
    scope(spot) struct spot to = {.dir_fd = -1};

    if (!r->known->place || !r->known->place(r->known->arg, object, &path) ||
        !root_is_place(path) || spot_open(root_fd(r->install->root), path, &to) < 0 ||
        spot_move(from, &to) < 0)
        return false;
    r->restored_count++;
    return true;
}

static enum status preserve(struct recovery *r, const struct spot *spot,
                            const struct object *object)
{
    scope_free char *path = NULL;
    struct preserve_entry entry = {.cause = PRESERVE_CAUSE_INTERRUPTED, .when = walltime_now()};
    uint64_t number;

    if (r->known->place && r->known->place(r->known->arg, object, &path))
        entry.path = path;
    r->preserved_count++;
    return preserve_take(r->install->options.preserve, spot, &entry, &number);
}

static enum status recover_swapped(struct recovery *r, const struct spot *spot)
{
    int trash_fd = root_private_fd(r->install->root, PRIVATE_TRASH);
    struct standing standing;
    enum swap_kind kind;
    bool known = swap_kind_of(spot->name, &kind);

    if (spot_look(spot, &standing) < 0)
        return report(r->install, "stat", spot->name);
    if (known && kind != SWAP_OUT &&
        (kind == SWAP_MADE || r->known->staged(r->known->arg, &standing.object)))
        return spot_discard(spot, trash_fd) == 0 ? ST_OK
                                                 : report(r->install, "discard", spot->name);
    return restore(r, spot, &standing.object) ? ST_OK : preserve(r, spot, &standing.object);
}

static enum status recover_parked(struct recovery *r, const struct spot *spot)
{
    struct standing standing;
    struct file_id id;

    if (replica_parked_id(spot->name, &id) && r->known->parked(r->known->arg, &id))
        return ST_OK;
    if (spot_look(spot, &standing) < 0)
        return report(r->install, "stat", spot->name);
    return restore(r, spot, &standing.object) ? ST_OK : preserve(r, spot, &standing.object);
}

static void close_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static enum status for_each(struct recovery *r, int dir_fd,
                            enum status (*fn)(struct recovery *, const struct spot *))
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    __attribute__((cleanup(close_dir))) DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir) {
        scope_close_fd(&fd);
        return report(r->install, "listing", "private directory");
    }
    for (struct dirent *entry; (errno = 0, entry = readdir(dir));) {
        struct spot spot = {.dir_fd = dir_fd};
        enum status st;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        memcpy(spot.name, entry->d_name, strlen(entry->d_name) + 1);
        st = fn(r, &spot);
        if (st != ST_OK)
            return st;
    }
    return errno ? report(r->install, "listing", "private directory") : ST_OK;
}

enum status install_recover(struct install *install, const struct install_known *known,
                            size_t *out_preserved_count)
{
    struct recovery r = {.install = install, .known = known};
    enum status st = for_each(&r, root_private_fd(install->root, PRIVATE_PARKED), recover_parked);

    /* Parked directories first: they may hold the place that something else goes back to. */
    if (st == ST_OK)
        st = for_each(&r, install->swap_fd, recover_swapped);
    if (st == ST_OK && beneath_empty_trash(root_private_fd(install->root, PRIVATE_TRASH)) < 0)
        st = report(install, "emptying the trash", "trash");
    if (st == ST_OK)
        st = preserve_sync(install->options.preserve);
    /* What went back is in place for good before the database is believed again. */
    if (st == ST_OK && r.restored_count > 0 && syncfs(install->swap_fd) < 0)
        st = report(install, "syncfs", "swap");
    *out_preserved_count = r.preserved_count;
    return st;
}

/* --- effects that the database does not know yet --- */

static bool target_matches(int fd, const struct content_hash *hash)
{
    char target[SYMLINK_SIZE_MAX + 1];
    struct content_hash found;
    ssize_t size = readlinkat(fd, "", target, sizeof target);

    return size > 0 && size <= SYMLINK_SIZE_MAX &&
           EVP_Digest(target, (size_t)size, found.bytes, NULL, EVP_sha256(), NULL) == 1 &&
           content_hash_equal(&found, hash);
}

static bool attributes_match(const struct install *install, int fd, const struct spot *place,
                             const struct update *update)
{
    struct span wanted = update_attributes(update);
    scope(buf) struct buf found = {0};
    struct attributes_fallback fallback;
    struct stat st;

    if (wanted.size == 0)
        return true;
    if (fstat(place->dir_fd, &st) < 0)
        return false;
    fallback = (struct attributes_fallback){.uid = st.st_uid, .gid = st.st_gid};
    return attributes_read(fd, &fallback, wanted, place->name, install->log, &found) == ST_OK &&
           span_equal(buf_span(&found), wanted);
}

static bool shows(const struct install *install, const struct intent *intent,
                  const struct spot *place, struct standing *out)
{
    const struct update *u = &intent->update;
    scope_fd int fd = spot_openat(place, O_PATH, 0);

    if (fd < 0)
        return !u->present && errno == ENOENT;
    if (beneath_look_fd(fd, out) < 0)
        return false;
    if (!u->present)
        return intent->object.size > 0 && !object_equal(&out->object, &intent->object);
    if (out->kind != u->kind ||
        (intent->object.size > 0 && !object_equal(&out->object, &intent->object)))
        return false;
    if (u->kind == FILE_REGULAR && (intent->object.size == 0 || out->witness.size != u->size))
        return false;
    if (u->kind == FILE_SYMLINK && !target_matches(fd, &u->hash))
        return false;
    return attributes_match(install, fd, place, u);
}

/* The object was installed elsewhere beneath the root and not yet moved: move it. */
static void finish_move(const struct install *install, const struct object *object,
                        const struct spot *place)
{
    scope_free char *path = NULL;
    scope(spot) struct spot from = {.dir_fd = -1};
    struct standing standing;

    if (spot_look(place, &standing) == 0 ||
        root_locate(install->root, object, &path) != ROOT_LOCATED_INSIDE || *path == '\0' ||
        spot_open(root_fd(install->root), path, &from) < 0)
        return;
    if (spot_look(&from, &standing) == 0 && object_equal(&standing.object, object))
        (void)spot_move(&from, place);
}

bool install_shows(const struct install *install, const struct intent *intent, const char *path,
                   struct step_result *out_result)
{
    scope(spot) struct spot place = {.dir_fd = -1};
    struct standing standing = {0};

    *out_result = (struct step_result){0};
    if (!root_is_place(path))
        return false;
    if (spot_open(root_fd(install->root), path, &place) < 0)
        return !intent->update.present && (errno == ENOENT || errno == ENOTDIR);
    if (intent->update.present && intent->object.size > 0)
        finish_move(install, &intent->object, &place);
    if (!shows(install, intent, &place, &standing))
        return false;
    if (intent->update.present)
        out_result->object = standing.object;
    return true;
}

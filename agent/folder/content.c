/* SPDX-License-Identifier: Apache-2.0 */
/* Small content, read for partners and staged from them. */
#include "agent/folder/parts.h"

#include "agent/root/beneath.h"
#include "agent/scan/scan.h"
#include "common/base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <unistd.h>

static bool read_link(struct folder *f, const char *path, const struct record *record,
                      struct buf *out)
{
    struct spot spot;
    struct standing standing;
    uint8_t target[SYMLINK_SIZE_MAX + 1];

    if (spot_open(root_fd(f->root), path, &spot) != 0)
        return false;
    ssize_t size = readlinkat(spot.dir_fd, spot.name, (char *)target, sizeof(target));
    bool same = size > 0 && spot_look(&spot, &standing) == 0 &&
                object_equal(&standing.object, &record->object) &&
                (size_t)size == record->update.size;
    spot_fini(&spot);
    if (same)
        buf_append(out, target, (size_t)size);
    return same;
}

bool content_read_whole(struct folder *f, const char *path, const struct record *record,
                        size_t size_max, struct buf *out)
{
    size_t size = (size_t)record->update.size;
    scope_fd int fd = -1;
    size_t at = 0;

    if (record->update.size > size_max)
        return false;
    if (record->update.kind == FILE_SYMLINK)
        return read_link(f, path, record, out);
    if (scan_open(f->root, path, &record->object, &record->witness, &fd) != ST_OK)
        return false;
    uint8_t *place = buf_extend(out, size);
    while (at < size) {
        ssize_t got = pread(fd, place + at, size - at, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        at += (size_t)got;
    }
    if (at == size && scan_check_open(fd, &record->witness))
        return true;
    buf_clear(out);
    return false;
}

enum status content_stage_whole(struct folder *f, struct span content, const struct update *update,
                                uint64_t *out_stage, struct object *out_object,
                                const char **out_problem)
{
    static const uint8_t nothing[1];
    struct stage_file *file;
    struct staged staged;
    struct content_hash hash;

    /* a stranger's bytes: what they are is what they hash to */
    SHA256(content.size ? content.data : nothing, content.size, hash.bytes);
    if (content.size != update->size || !content_hash_equal(&hash, &update->hash)) {
        *out_problem = "content inside an update is not what its hash says";
        return ST_BADDATA;
    }
    enum status st = stage_create(f->stage, content.size, &file);
    if (st != ST_OK)
        return st;
    if (content.size > 0)
        st = stage_write(file, 0, content);
    if (st != ST_OK) {
        stage_abandon(file);
        return st;
    }
    st = stage_finish(file, &staged);
    if (st == ST_OK) {
        *out_stage = staged.number;
        *out_object = staged.object;
    }
    return st;
}

void content_drop(struct folder *f, uint64_t stage)
{
    stage_drop(f->stage, stage);
}

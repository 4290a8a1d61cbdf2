/* SPDX-License-Identifier: Apache-2.0 */
/* Events of a whole file system, by one fanotify mark. */
#include "agent/watch/source.h"

#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

#define READ_SIZE 65536u

struct volume {
    const struct root *root;
    int fd;
    struct private_objects private_objects;
    uint8_t *buffer;
};

/* A handle in an event as the object that name_to_handle_at() gives; false when it can be none. */
static bool object_of(const struct file_handle *handle, size_t room, struct object *out)
{
    if (handle->handle_bytes > room || handle->handle_bytes > OBJECT_SIZE_MAX - 2 ||
        handle->handle_type < 0 || handle->handle_type > UINT16_MAX)
        return false;
    *out = (struct object){.size = (uint8_t)(handle->handle_bytes + 2)};
    out->bytes[0] = (uint8_t)(handle->handle_type & 0xff);
    out->bytes[1] = (uint8_t)(handle->handle_type >> 8);
    memcpy(out->bytes + 2, handle->f_handle, handle->handle_bytes);
    return true;
}

static void add(struct volume *volume, const struct object *object, const char *name,
                struct places *places)
{
    /* "." is the directory itself. */
    if (strcmp(name, ".") == 0)
        name = "";
    if (!private_objects_contain(&volume->private_objects, object))
        places_add(places, object, span_of_string(name), false, false);
}

/* One event's records: the directories and names it tells, or else the object's own handle. */
static void take_records(struct volume *volume, const uint8_t *at, const uint8_t *end,
                         struct places *places)
{
    struct object self = {0};
    bool placed = false;

    while ((size_t)(end - at) >= sizeof(struct fanotify_event_info_fid)) {
        const struct fanotify_event_info_fid *info = (const void *)at;
        const struct file_handle *handle = (const void *)info->handle;
        size_t head = sizeof *info + sizeof *handle;
        struct object object;

        if (info->hdr.len < head || info->hdr.len > (size_t)(end - at) ||
            !object_of(handle, info->hdr.len - head, &object))
            break;
        switch (info->hdr.info_type) {
        case FAN_EVENT_INFO_TYPE_DFID_NAME:
        case FAN_EVENT_INFO_TYPE_OLD_DFID_NAME:
        case FAN_EVENT_INFO_TYPE_NEW_DFID_NAME:
            add(volume, &object, (const char *)handle->f_handle + handle->handle_bytes, places);
            placed = true;
            break;
        case FAN_EVENT_INFO_TYPE_DFID:
            add(volume, &object, "", places);
            placed = true;
            break;
        case FAN_EVENT_INFO_TYPE_FID:
            self = object;
            break;
        default:
            break;
        }
        at += info->hdr.len;
    }
    if (!placed && self.size > 0)
        places_add(places, &self, (struct span){0}, true, false);
}

/* Events are padded to four bytes, their heads want eight: copy each head. */
static void take_events(struct volume *volume, size_t size, struct places *places)
{
    struct fanotify_event_metadata event;

    for (size_t at = 0; size - at >= sizeof event; at += event.event_len) {
        memcpy(&event, volume->buffer + at, sizeof event);
        if (event.vers != FANOTIFY_METADATA_VERSION || event.event_len < event.metadata_len ||
            event.event_len < sizeof event || event.event_len > size - at) {
            places_overflow(places);
            return;
        }
        if (event.mask & FAN_Q_OVERFLOW)
            places_overflow(places);
        else
            take_records(volume, volume->buffer + at + event.metadata_len,
                         volume->buffer + at + event.event_len, places);
    }
}

static void drain(void *arg, struct places *places)
{
    struct volume *volume = arg;

    for (;;) {
        ssize_t size = read(volume->fd, volume->buffer, READ_SIZE);

        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0) {
            if (size < 0 && errno != EAGAIN) {
                log_warn(root_log(volume->root), "watch: reading events failed root=%s: %s",
                         root_path(volume->root), strerror(errno));
                places_overflow(places);
            }
            return;
        }
        take_events(volume, (size_t)size, places);
    }
}

static void new_dir(void *arg, const char *path, struct places *places)
{
    /* The mark is on everything. */
    (void)arg;
    (void)path;
    (void)places;
}

static void close_volume(void *arg)
{
    struct volume *volume = arg;

    close(volume->fd);
    free(volume->buffer);
    free(volume);
}

static enum status refused(const struct root *root, const char *what)
{
    log_info(root_log(root), "watch: no mark for the whole file system root=%s: %s: %s",
             root_path(root), what, strerror(errno));
    return ST_REFUSED;
}

enum status volume_open(const struct root *root, struct source *out_source)
{
    static const struct source_ops ops = {
        .drain = drain, .new_dir = new_dir, .close = close_volume};
    const uint64_t mask = FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_MODIFY | FAN_CLOSE_WRITE |
                          FAN_ATTRIB | FAN_ONDIR;
    int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK |
                               FAN_REPORT_DFID_NAME_TARGET,
                           O_RDONLY | O_CLOEXEC);
    struct volume *volume;

    if (fd < 0)
        return refused(root, "fanotify_init");
    if (fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, mask, root_fd(root), ".") < 0) {
        int err = errno;

        close(fd);
        errno = err;
        return refused(root, "fanotify_mark");
    }
    volume = MEM_NEW(struct volume);
    volume->root = root;
    volume->fd = fd;
    volume->buffer = mem_new(1, READ_SIZE);
    private_objects_fill(root, &volume->private_objects);
    *out_source = (struct source){.ops = &ops, .arg = volume, .fd = fd};
    return ST_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/watch/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/fanotify.h>
#include <unistd.h>

#ifndef FAN_REPORT_DFID_NAME_TARGET
#define FAN_REPORT_TARGET_FID 0x00001000
#define FAN_REPORT_DFID_NAME_TARGET                                                                \
    (FAN_REPORT_DIR_FID | FAN_REPORT_NAME | FAN_REPORT_FID | FAN_REPORT_TARGET_FID)
#endif
#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif
#ifndef FAN_EVENT_INFO_TYPE_OLD_DFID_NAME
#define FAN_EVENT_INFO_TYPE_OLD_DFID_NAME 10
#define FAN_EVENT_INFO_TYPE_NEW_DFID_NAME 12
#endif

#define EVENTS                                                                                     \
    (FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_MODIFY | FAN_CLOSE_WRITE | FAN_ATTRIB | FAN_ONDIR)

#define EVENT_BUFFER_SIZE (256 * 1024)

int volume_open(const struct root *root)
{
    int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME_TARGET,
                           O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    if (fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, EVENTS, root_fd(root), NULL) == 0)
        return fd;
    int err = errno;
    close(fd);
    errno = err;
    return -1;
}

/* Directory handle and name of one information record. */
static void take_record(const struct fanotify_event_info_fid *info, size_t size, struct dirty *dirty)
{
    const struct file_handle *handle = (const void *)info->handle;
    size_t head = offsetof(struct fanotify_event_info_fid, handle) + sizeof(*handle);
    struct object dir = {0};
    const char *name;

    if (size < head || handle->handle_bytes + 2 > OBJECT_SIZE_MAX ||
        head + handle->handle_bytes > size)
        return;
    dir.size = (uint8_t)(handle->handle_bytes + 2);
    dir.bytes[0] = (uint8_t)(handle->handle_type & 0xff);
    dir.bytes[1] = (uint8_t)(handle->handle_type >> 8);
    memcpy(dir.bytes + 2, handle->f_handle, handle->handle_bytes);
    name = (const char *)handle->f_handle + handle->handle_bytes;
    size_t name_size = strnlen(name, size - head - handle->handle_bytes);
    /* "." is the directory itself */
    if (name_size == 1 && name[0] == '.')
        name_size = 0;
    dirty_add(dirty, &dir, span_of(name, name_size));
}

static void take_event(const struct fanotify_event_metadata *event, struct dirty *dirty)
{
    const char *at = (const char *)event + event->metadata_len;
    size_t left = event->event_len - event->metadata_len;

    if (event->mask & FAN_Q_OVERFLOW) {
        dirty_lost(dirty);
        return;
    }
    while (left >= sizeof(struct fanotify_event_info_header)) {
        const struct fanotify_event_info_header *info = (const void *)at;

        if (info->len < sizeof(*info) || info->len > left)
            return;
        if (info->info_type == FAN_EVENT_INFO_TYPE_DFID_NAME ||
            info->info_type == FAN_EVENT_INFO_TYPE_OLD_DFID_NAME ||
            info->info_type == FAN_EVENT_INFO_TYPE_NEW_DFID_NAME)
            take_record((const void *)info, info->len, dirty);
        at += info->len;
        left -= info->len;
    }
}

void volume_drain(int fd, struct dirty *dirty)
{
    static _Thread_local char buffer[EVENT_BUFFER_SIZE] __attribute__((aligned(8)));
    ssize_t size;

    while ((size = read(fd, buffer, sizeof(buffer))) > 0) {
        const struct fanotify_event_metadata *event = (const void *)buffer;

        for (; FAN_EVENT_OK(event, size); event = FAN_EVENT_NEXT(event, size))
            if (event->vers == FANOTIFY_METADATA_VERSION)
                take_event(event, dirty);
    }
    if (size < 0 && errno != EAGAIN && errno != EINTR)
        dirty_lost(dirty);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/root/marker.h"

#include "agent/root/beneath.h"
#include "common/base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEADING     "Coterie keeps this folder. Do not copy or edit this file.\n"
#define MARKER_SIZE_MAX 512
#define FRESH_NAME  "marker.new"

/* Take "key=guid\n" off the front of @text. */
static bool take_guid(const char **text, const char *key, struct guid *out)
{
    size_t key_size = strlen(key);
    struct guid_text value;

    if (strncmp(*text, key, key_size) != 0 || (*text)[key_size] != '=')
        return false;
    *text += key_size + 1;
    if (strlen(*text) < GUID_TEXT_SIZE || (*text)[GUID_TEXT_SIZE - 1] != '\n')
        return false;
    memcpy(value.text, *text, GUID_TEXT_SIZE - 1);
    value.text[GUID_TEXT_SIZE - 1] = '\0';
    *text += GUID_TEXT_SIZE;
    return guid_parse(value.text, out);
}

static bool parse(const char *text, struct marker *out)
{
    if (strncmp(text, HEADING, strlen(HEADING)) != 0)
        return false;
    text += strlen(HEADING);
    return take_guid(&text, "folder", &out->folder) && take_guid(&text, "token", &out->token) &&
           take_guid(&text, "volume", &out->volume) && *text == '\0' &&
           !guid_is_zero(&out->token);
}

enum status marker_read(int private_fd, struct marker *out_marker)
{
    char text[MARKER_SIZE_MAX + 1];
    struct marker marker;
    scope_fd int fd = beneath_open(private_fd, MARKER_NAME, O_RDONLY | O_NONBLOCK);
    ssize_t size;

    if (fd < 0)
        return status_from_errno(errno);
    size = pread(fd, text, MARKER_SIZE_MAX, 0);
    if (size < 0)
        return errno == EISDIR ? ST_BADDATA : status_from_errno(errno);
    text[size] = '\0';
    if (!parse(text, &marker))
        return ST_BADDATA;
    *out_marker = marker;
    return ST_OK;
}

enum status marker_write(int private_fd, const struct marker *marker)
{
    struct guid_text folder = guid_format(&marker->folder);
    struct guid_text token = guid_format(&marker->token);
    struct guid_text volume = guid_format(&marker->volume);
    char text[MARKER_SIZE_MAX];
    int size = snprintf(text, sizeof text, HEADING "folder=%s\ntoken=%s\nvolume=%s\n", folder.text,
                        token.text, volume.text);
    scope_fd int fd = openat(private_fd, FRESH_NAME,
                             O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return status_from_errno(errno);
    errno = ENOSPC; /* what a short write means */
    if (write(fd, text, (size_t)size) != size || fsync(fd) < 0 ||
        renameat(private_fd, FRESH_NAME, private_fd, MARKER_NAME) < 0 || fsync(private_fd) < 0) {
        int err = errno;

        unlinkat(private_fd, FRESH_NAME, 0);
        errno = err;
        return status_from_errno(err);
    }
    return ST_OK;
}

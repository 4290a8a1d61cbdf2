/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/attributes/fd_path.h: a path that leads to an open object, for calls that refuse an O_PATH
 * descriptor. It ends at the object itself: a symlink behind it is not followed.
 */
#ifndef AGENT_ATTRIBUTES_FD_PATH_H
#define AGENT_ATTRIBUTES_FD_PATH_H

#include <stdio.h>

struct fd_path {
    char text[32];
};

static inline struct fd_path fd_path(int fd)
{
    struct fd_path path;

    snprintf(path.text, sizeof path.text, "/proc/self/fd/%d", fd);
    return path;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/path.h"

#include "common/base/limits.h"

#include <stddef.h>
#include <string.h>

static bool component_ok(const char *component, size_t size)
{
    if (size == 0 || size > NAME_SIZE_MAX)
        return false;
    return !(component[0] == '.' && (size == 1 || (size == 2 && component[1] == '.')));
}

bool model_path_ok(const char *path)
{
    if (!model_text_ok(path, ROOT_PATH_SIZE_MAX) || path[0] != '/')
        return false;
    while (*path == '/') {
        size_t size = strcspn(path + 1, "/");

        if (!component_ok(path + 1, size))
            return false;
        path += 1 + size;
    }
    return true;
}

bool model_path_within(const char *inner, const char *outer)
{
    size_t size = strlen(outer);

    return strncmp(inner, outer, size) == 0 && (inner[size] == '\0' || inner[size] == '/');
}

bool model_host_ok(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_:";
    size_t size = strlen(host);

    return size > 0 && size <= HOST_NAME_SIZE_MAX && strspn(host, allowed) == size;
}

bool model_text_ok(const char *text, unsigned size_max)
{
    size_t size = strlen(text);

    if (size == 0 || size > size_max)
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c == 0x7f)
            return false;
    }
    return true;
}

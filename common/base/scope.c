/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/scope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void scope_free_pointer(void *pointer_to_pointer)
{
    free(*(void **)pointer_to_pointer);
}

void scope_close_fd(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

void scope_close_file(void *pointer_to_file)
{
    FILE *file = *(FILE **)pointer_to_file;

    if (file)
        fclose(file);
}

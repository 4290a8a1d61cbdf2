/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/base/scope.h: function-scope clean-up by the compiler's cleanup attribute.
 *
 *     scope_free char *text = mem_format(…);
 *     scope_fd int fd = open(…);
 *     scope(buf) struct buf out = {0};        calls buf_fini(&out)
 *
 * A value that leaves the function is moved out: return scope_move_fd(&fd).
 */
#ifndef COMMON_BASE_SCOPE_H
#define COMMON_BASE_SCOPE_H

#define scope_free __attribute__((cleanup(scope_free_pointer)))
#define scope_fd   __attribute__((cleanup(scope_close_fd)))
#define scope_file __attribute__((cleanup(scope_close_file)))
#define scope(type) __attribute__((cleanup(type##_fini)))

void scope_free_pointer(void *pointer_to_pointer);
void scope_close_fd(int *fd); /* closes when not negative; keeps errno */
void scope_close_file(void *pointer_to_file);

/* Take the descriptor out of its scope; the variable becomes -1. */
static inline int scope_move_fd(int *fd)
{
    int moved = *fd;

    *fd = -1;
    return moved;
}

#endif

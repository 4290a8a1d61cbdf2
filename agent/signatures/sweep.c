/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/signatures/store.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct kept {
    struct content_hash content;
    struct rdc_traits traits;
    struct timespec used;
    uint64_t bytes;
};

struct sweep {
    struct signatures *signatures;
    const atomic_bool *stop;
    struct kept *kept;
    size_t count;
    size_t capacity;
    uint64_t bytes;
};

static void close_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

/* What this run writes just now is in order. */
static bool is_under_way(const struct signatures *s, const char *name)
{
    struct guid_text run = guid_format(&s->run);

    return strncmp(name, run.text, strlen(run.text)) == 0;
}

/* False: of no use to anybody. */
static bool look(struct sweep *w, const char *name)
{
    struct kept kept;
    struct stat st;
    scope_fd int fd = -1;

    if (!signature_name_parse(name, &kept.content))
        return false;
    fd = openat(w->signatures->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        !signature_head_read(fd, &kept.content, &kept.traits))
        return false;
    kept.used = st.st_mtim;
    kept.bytes = signature_bytes(&st);
    if (w->count == w->capacity) {
        w->capacity = w->capacity ? 2 * w->capacity : 256;
        w->kept = mem_resize(w->kept, w->capacity, sizeof(*w->kept));
    }
    w->kept[w->count++] = kept;
    w->bytes += kept.bytes;
    return true;
}

static bool is_stopped(const struct sweep *w)
{
    return w->stop && atomic_load(w->stop);
}

static void look_at_all(struct sweep *w)
{
    const struct signatures *s = w->signatures;
    int fd = openat(s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    __attribute__((cleanup(close_dir))) DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir) {
        scope_close_fd(&fd);
        return;
    }
    for (struct dirent *entry; !is_stopped(w) && (entry = readdir(dir));) {
        const char *name = entry->d_name;

        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !is_under_way(s, name) &&
            !look(w, name))
            unlinkat(s->dir_fd, name, 0);
    }
}

static int newest_first(const void *a, const void *b)
{
    const struct kept *x = a;
    const struct kept *y = b;

    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? 1 : -1;
    if (x->used.tv_nsec != y->used.tv_nsec)
        return x->used.tv_nsec < y->used.tv_nsec ? 1 : -1;
    return memcmp(x->content.bytes, y->content.bytes, CONTENT_HASH_SIZE);
}

static void evict(struct sweep *w)
{
    uint64_t bytes = 0;
    size_t stay = 0;

    qsort(w->kept, w->count, sizeof(*w->kept), newest_first);
    while (stay < w->count && stay < w->signatures->options.count_max / 2 &&
           bytes + w->kept[stay].bytes <= w->signatures->options.bytes_max / 2)
        bytes += w->kept[stay++].bytes;
    for (size_t i = stay; i < w->count; i++) {
        struct signature_name name = signature_name_of(&w->kept[i].content);

        unlinkat(w->signatures->dir_fd, name.text, 0);
    }
    w->count = stay;
    w->bytes = bytes;
}

void signatures_sweep(struct signatures *s, const atomic_bool *stop,
                      void (*each)(const struct content_hash *content,
                                   const struct rdc_traits *traits, void *arg),
                      void *arg)
{
    struct sweep w = {.signatures = s, .stop = stop};

    look_at_all(&w);
    if (is_stopped(&w)) {
        free(w.kept);
        return;
    }
    atomic_store(&s->bytes_used, w.bytes);
    atomic_store(&s->count, w.count);
    if (w.count > 0 && signatures_are_many(s)) {
        evict(&w);
        atomic_store(&s->bytes_used, w.bytes);
        atomic_store(&s->count, w.count);
    }
    for (size_t i = 0; i < w.count; i++)
        each(&w.kept[i].content, &w.kept[i].traits, arg);
    free(w.kept);
}

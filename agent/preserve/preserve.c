/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/preserve/preserve.h"

#include "agent/preserve/manifest.h"
#include "agent/scan/scan.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANIFEST_NAME "manifest"
#define FRESH_NAME    "manifest.new"

struct preserve {
    const struct root *root;
    int dir_fd;
    int manifest_fd; /* appends */
    uint64_t bytes_max;
    uint64_t bytes;
    uint64_t entry_count;
    uint64_t dead_count; /* lines without an object */
    uint64_t number_last;
    struct walltime oldest;
    bool over_quota;
    FILE *listing;         /* reads the manifest for preserve_next(); NULL: start anew */
    uint64_t listing_last; /* the last number it gave */
};

static enum status report(const struct preserve *preserve, const char *what)
{
    enum status st = status_from_errno(errno);

    log_error(root_log(preserve->root), "preserve area: %s failed root=%s: %s", what,
              root_path(preserve->root), strerror(errno));
    return st;
}

static void spot_set(struct spot *spot, int dir_fd, uint64_t number)
{
    spot->dir_fd = dir_fd;
    snprintf(spot->name, sizeof spot->name, "%" PRIu64, number);
}

/* The object of an entry stands in the area. */
static bool stands(const struct preserve *preserve, uint64_t number)
{
    struct standing standing;
    struct spot spot;

    spot_set(&spot, preserve->dir_fd, number);
    return beneath_look(spot.dir_fd, spot.name, &standing) == 0;
}

/* --- reading the manifest --- */

/* The next entry that stands; false at the end. */
static bool next_line(const struct preserve *preserve, FILE *file, struct preserve_entry *out,
                      uint64_t *out_dead_count)
{
    scope_free char *line = NULL;
    size_t capacity = 0;
    ssize_t size;

    while ((size = getline(&line, &capacity, file)) > 0) {
        if (line[size - 1] != '\n')
            break; /* torn by a crash: the next line begins after it */
        line[size - 1] = '\0';
        if (strlen(line) == (size_t)size - 1 && manifest_parse(line, out) &&
            stands(preserve, out->number))
            return true;
        ++*out_dead_count;
    }
    return false;
}

static FILE *open_manifest(const struct preserve *preserve)
{
    int fd = beneath_open(preserve->dir_fd, MANIFEST_NAME, O_RDONLY);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

    if (!file)
        scope_close_fd(&fd);
    return file;
}

static bool write_all(int fd, struct span bytes)
{
    while (bytes.size > 0) {
        ssize_t size = write(fd, bytes.data, bytes.size);

        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return false;
        bytes = span_part(bytes, (size_t)size, SIZE_MAX);
    }
    return true;
}

/* Write the manifest anew with the lines of what stands, and count it. */
static enum status rewrite(struct preserve *preserve)
{
    scope_file FILE *file = open_manifest(preserve);
    scope_fd int fd = openat(preserve->dir_fd, FRESH_NAME,
                             O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    scope(buf) struct buf line = {0};
    scope(preserve_entry) struct preserve_entry entry = {0};
    uint64_t dead_count = 0;

    if (!file && errno != ENOENT)
        return report(preserve, "opening the manifest");
    if (fd < 0)
        return report(preserve, "creating a manifest");
    preserve->bytes = preserve->entry_count = 0;
    preserve->oldest = (struct walltime){0};
    while (file && next_line(preserve, file, &entry, &dead_count)) {
        buf_clear(&line);
        manifest_write(&entry, &line);
        if (!write_all(fd, buf_span(&line)))
            return report(preserve, "writing the manifest");
        if (preserve->entry_count++ == 0)
            preserve->oldest = entry.when;
        preserve->bytes += entry.size;
        if (entry.number > preserve->number_last)
            preserve->number_last = entry.number;
    }
    if (file && ferror(file))
        return report(preserve, "reading the manifest");
    if (fsync(fd) < 0 ||
        renameat(preserve->dir_fd, FRESH_NAME, preserve->dir_fd, MANIFEST_NAME) < 0 ||
        fsync(preserve->dir_fd) < 0)
        return report(preserve, "replacing the manifest");
    scope_close_fd(&preserve->manifest_fd);
    preserve->manifest_fd = scope_move_fd(&fd);
    preserve->dead_count = 0;
    if (preserve->listing)
        fclose(preserve->listing);
    preserve->listing = NULL;
    return ST_OK;
}

/* --- adding --- */

/* Bytes of all files below a directory that stands in the area. */
static uint64_t dir_bytes(const struct preserve *preserve, uint64_t number)
{
    scope_free char *path = mem_format(PRIVATE_DIR_NAME "/preserve/%" PRIu64, number);
    struct scan_options options = {.root = preserve->root, .path = path, .recursive = true};
    struct scan *scan = scan_begin(&options);
    scope(scan_batch) struct scan_batch batch = {0};
    uint64_t bytes = 0;

    while (scan_next(scan, &batch) == ST_OK && !batch.finished)
        for (size_t i = 0; i < batch.entry_count; i++)
            if (batch.entries[i].kind == FILE_REGULAR)
                bytes += batch.entries[i].witness.size;
    scan_end(scan);
    return bytes;
}

/* Describe what stands at number @entry->number in the manifest. */
static enum status append(struct preserve *preserve, struct preserve_entry *entry)
{
    scope(buf) struct buf line = {0};
    struct standing standing;
    struct spot spot;
    off_t end;

    spot_set(&spot, preserve->dir_fd, entry->number);
    if (beneath_look(spot.dir_fd, spot.name, &standing) < 0)
        return report(preserve, "looking at an entry");
    entry->kind = standing.kind ? standing.kind : FILE_REGULAR;
    entry->size = entry->kind == FILE_DIRECTORY ? dir_bytes(preserve, entry->number)
                                                : standing.witness.size;
    manifest_write(entry, &line);
    end = lseek(preserve->manifest_fd, 0, SEEK_END);
    if (!write_all(preserve->manifest_fd, buf_span(&line))) {
        enum status st = report(preserve, "writing the manifest");

        /* Half a line would swallow the next one. */
        if (end >= 0 && ftruncate(preserve->manifest_fd, end) < 0)
            (void)report(preserve, "shortening the manifest");
        return st;
    }
    preserve->bytes += entry->size;
    if (preserve->entry_count++ == 0)
        preserve->oldest = entry->when;
    return ST_OK;
}

enum status preserve_take(struct preserve *preserve, const struct spot *spot,
                          const struct preserve_entry *entry, uint64_t *out_number)
{
    struct preserve_entry described = *entry; /* borrows the path */
    struct spot to;
    enum status st;

    described.number = preserve->number_last + 1;
    spot_set(&to, preserve->dir_fd, described.number);
    while (spot_move(spot, &to) < 0) {
        if (errno != EEXIST)
            return report(preserve, "moving an object in");
        spot_set(&to, preserve->dir_fd, ++described.number);
    }
    st = append(preserve, &described);
    if (st != ST_OK) {
        if (spot_move(&to, spot) < 0)
            (void)report(preserve, "moving an object back");
        return st;
    }
    preserve->number_last = described.number;
    *out_number = described.number;
    return ST_OK;
}

enum status preserve_sync(struct preserve *preserve)
{
    if (fsync(preserve->manifest_fd) < 0 || fsync(preserve->dir_fd) < 0)
        return report(preserve, "fsync");
    return ST_OK;
}

/* --- opening --- */

static void close_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

struct numbers {
    uint64_t *items;
    size_t count;
    size_t capacity;
};

static void numbers_fini(struct numbers *n)
{
    free(n->items);
}

static void numbers_add(struct numbers *n, uint64_t number)
{
    if (n->count == n->capacity) {
        n->capacity = n->capacity ? 2 * n->capacity : 256;
        n->items = mem_resize(n->items, n->capacity, sizeof *n->items);
    }
    n->items[n->count++] = number;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* The numbers that stand in the area, ascending. */
static enum status list_numbers(struct preserve *preserve, struct numbers *out)
{
    int fd = openat(preserve->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    __attribute__((cleanup(close_dir))) DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir) {
        scope_close_fd(&fd);
        return report(preserve, "listing");
    }
    for (struct dirent *entry; (errno = 0, entry = readdir(dir));) {
        char *end;
        uint64_t number = strtoull(entry->d_name, &end, 10);

        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && *end == '\0' && errno == 0)
            numbers_add(out, number);
    }
    if (errno)
        return report(preserve, "listing");
    if (out->count > 0)
        qsort(out->items, out->count, sizeof *out->items, compare);
    return ST_OK;
}

/* Give each object without a line one, under a number of its own at the end. */
static enum status adopt_orphans(struct preserve *preserve)
{
    scope(numbers) struct numbers standing = {0};
    scope(preserve_entry) struct preserve_entry entry = {0};
    size_t next = 0;
    enum status st = list_numbers(preserve, &standing);

    if (st != ST_OK || standing.count == preserve->entry_count)
        return st;
    if (standing.items[standing.count - 1] > preserve->number_last)
        preserve->number_last = standing.items[standing.count - 1];
    /* Both ascend: what the manifest passes over has no line. */
    for (bool more = true; next < standing.count; next++) {
        while (more && entry.number < standing.items[next])
            more = preserve_next(preserve, entry.number, &entry);
        if (entry.number != standing.items[next]) {
            struct preserve_entry orphan = {.cause = PRESERVE_CAUSE_UNKNOWN,
                                            .when = walltime_now()};
            struct spot spot;
            uint64_t number;

            spot_set(&spot, preserve->dir_fd, standing.items[next]);
            st = preserve_take(preserve, &spot, &orphan, &number);
            if (st != ST_OK)
                return st;
        }
    }
    return preserve_sync(preserve);
}

enum status preserve_open(const struct root *root, uint64_t bytes_max,
                          struct preserve **out_preserve)
{
    struct preserve *preserve = MEM_NEW(struct preserve);
    enum status st;

    preserve->root = root;
    preserve->dir_fd = root_private_fd(root, PRIVATE_PRESERVE);
    preserve->manifest_fd = -1;
    preserve->bytes_max = bytes_max;
    st = rewrite(preserve);
    if (st == ST_OK)
        st = adopt_orphans(preserve);
    if (st != ST_OK) {
        preserve_close(preserve);
        return st;
    }
    *out_preserve = preserve;
    return ST_OK;
}

void preserve_close(struct preserve *preserve)
{
    if (!preserve)
        return;
    if (preserve->listing)
        fclose(preserve->listing);
    scope_close_fd(&preserve->manifest_fd);
    free(preserve);
}

/* --- listing and dropping --- */

bool preserve_next(struct preserve *preserve, uint64_t after, struct preserve_entry *out)
{
    uint64_t dead_count = 0;

    if (preserve->listing && preserve->listing_last > after) {
        fclose(preserve->listing);
        preserve->listing = NULL;
    }
    if (!preserve->listing) {
        preserve->listing = open_manifest(preserve);
        preserve->listing_last = 0;
    }
    while (preserve->listing && next_line(preserve, preserve->listing, out, &dead_count)) {
        preserve->listing_last = out->number;
        if (out->number > after)
            return true;
    }
    /* Lines may be appended behind the end that was reached. */
    if (preserve->listing)
        fclose(preserve->listing);
    preserve->listing = NULL;
    return false;
}

struct preserve_usage preserve_usage(const struct preserve *preserve)
{
    return (struct preserve_usage){
        .entry_count = preserve->entry_count,
        .bytes = preserve->bytes,
        .bytes_max = preserve->bytes_max,
        .over_quota = preserve->over_quota && preserve->bytes > preserve->bytes_max,
        .oldest = preserve->oldest,
    };
}

void preserve_set_quota(struct preserve *preserve, uint64_t bytes_max)
{
    preserve->bytes_max = bytes_max;
}

/* The entry has left the area. */
static void forget(struct preserve *preserve, const struct preserve_entry *entry)
{
    preserve->bytes -= entry->size < preserve->bytes ? entry->size : preserve->bytes;
    preserve->entry_count--;
    preserve->dead_count++;
}

enum status preserve_trim(struct preserve *preserve, struct walltime now, size_t *out_count)
{
    scope(preserve_entry) struct preserve_entry entry = {0};
    int trash_fd = root_private_fd(preserve->root, PRIVATE_TRASH);
    size_t count = 0;

    *out_count = 0;
    preserve->over_quota = false;
    while (preserve->bytes > preserve->bytes_max && preserve_next(preserve, entry.number, &entry)) {
        struct spot spot;

        if (now.ns - entry.when.ns < PRESERVE_AGE_MS_MIN * NS_PER_MS) {
            preserve->over_quota = true;
            break;
        }
        spot_set(&spot, preserve->dir_fd, entry.number);
        if (spot_discard(&spot, trash_fd) < 0)
            return report(preserve, "dropping an entry");
        forget(preserve, &entry);
        count++;
    }
    if (count > 0 && beneath_empty_trash(trash_fd) < 0)
        return report(preserve, "emptying the trash");
    *out_count = count;
    /* Counts the oldest anew too. */
    return count > 0 || preserve->dead_count > preserve->entry_count + 1000 ? rewrite(preserve)
                                                                            : ST_OK;
}

/* --- restoring --- */

/* Make the missing directories above @path. */
static int make_dirs_above(int tree_fd, const char *path)
{
    scope_free char *head = mem_copy_string(path);

    for (char *slash = strchr(head, '/'); slash; slash = strchr(slash + 1, '/')) {
        struct spot spot = {.dir_fd = -1};
        int result;

        *slash = '\0';
        if (spot_open(tree_fd, head, &spot) < 0)
            return -1;
        result = spot_make_dir(&spot, 0755);
        spot_fini(&spot);
        if (result < 0 && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return 0;
}

static bool is_private(const char *path)
{
    size_t size = strlen(PRIVATE_DIR_NAME);

    return strncmp(path, PRIVATE_DIR_NAME, size) == 0 && (path[size] == '\0' || path[size] == '/');
}

enum status preserve_restore(struct preserve *preserve, uint64_t number, const char *path)
{
    scope(preserve_entry) struct preserve_entry entry = {0};
    struct spot from;
    scope(spot) struct spot to = {.dir_fd = -1};

    if (number == 0 || !preserve_next(preserve, number - 1, &entry) || entry.number != number)
        return ST_GONE;
    if (!path)
        path = entry.path;
    if (*path == '\0' || is_private(path))
        return ST_BADDATA;
    spot_set(&from, preserve->dir_fd, number);
    if (make_dirs_above(root_fd(preserve->root), path) < 0 ||
        spot_open(root_fd(preserve->root), path, &to) < 0 || spot_move(&from, &to) < 0)
        return errno == EEXIST || errno == ENOTDIR ? ST_AGAIN
                                                   : report(preserve, "restoring an entry");
    forget(preserve, &entry);
    /* The tree's directory is durable with the file system's next commit; until then the entry is still
     * ours, so nothing can be lost in between. */
    return ST_OK;
}

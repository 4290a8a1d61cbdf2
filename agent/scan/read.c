/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading one object. A file's bytes are those of one moment when: nobody had it open for writing or
 * mapped writable before (a read lease is refused then); its dirty pages were written out, so that a
 * store through a mapping made later moves the times again; and its witness after the last byte is
 * the one before the first.
 */
#include "agent/scan/scan.h"

#include "agent/attributes/attributes.h"
#include "agent/root/beneath.h"
#include "agent/root/lease.h"
#include "common/base/instant.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void scan_content_fini(struct scan_content *content)
{
    buf_fini(&content->attributes);
    rdc_signature_free(content->signature);
    *content = (struct scan_content){0};
}

static enum status report(const struct scan_read_options *job, const char *what, int err)
{
    scope(buf) struct buf escaped = {0};

    buf_append_escaped(&escaped, job->path, strlen(job->path));
    log_warn(root_log(job->root), "%s failed root=%s path=\"%s\": %s", what, root_path(job->root),
             buf_text(&escaped), strerror(err));
    return status_from_errno(err);
}

/* ELOOP: a symbolic link stands there, or on the way. */
static enum status open_failed(const struct scan_read_options *job)
{
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? ST_GONE
                                                                 : report(job, "open", errno);
}

/* --- hashing --- */

static void free_digest(EVP_MD_CTX **digest)
{
    EVP_MD_CTX_free(*digest);
}

/* Running out of memory is the one way in which OpenSSL's SHA-256 can fail. */
static EVP_MD_CTX *digest_begin(void)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();

    if (!digest || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
        abort();
    return digest;
}

static void digest_add(EVP_MD_CTX *digest, const void *data, size_t size)
{
    if (EVP_DigestUpdate(digest, data, size) != 1)
        abort();
}

static void digest_end(EVP_MD_CTX *digest, struct content_hash *out)
{
    unsigned size;

    static_assert(CONTENT_HASH_SIZE == 32, "SHA-256");
    if (EVP_DigestFinal_ex(digest, out->bytes, &size) != 1)
        abort();
}

/* One file, read from front to back: each byte goes into the digest as it passes. */
struct passage {
    const struct scan_read_options *job;
    int fd;
    EVP_MD_CTX *digest;
    uint64_t at;
};

/* The next @size bytes; ST_AGAIN when the file turns out shorter. */
static enum status pass(void *arg, uint64_t offset, void *out, size_t size)
{
    struct passage *p = arg;
    uint8_t *place = out;

    assert(offset == p->at);
    while (size > 0) {
        ssize_t got;

        if (p->job->stop && atomic_load(p->job->stop))
            return ST_STOP;
        got = pread(p->fd, place, size, (off_t)p->at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return report(p->job, "read", errno);
        if (got == 0)
            return ST_AGAIN;
        digest_add(p->digest, place, (size_t)got);
        p->at += (uint64_t)got;
        place += got;
        size -= (size_t)got;
    }
    return ST_OK;
}

static enum status pass_unsigned(struct passage *p, uint64_t size)
{
    size_t block_size = size < READ_BLOCK_SIZE ? (size_t)size : READ_BLOCK_SIZE;
    scope_free uint8_t *block = mem_resize(NULL, block_size, 1);
    enum status st = ST_OK;

    while (st == ST_OK && p->at < size)
        st = pass(p, p->at, block, size - p->at < block_size ? (size_t)(size - p->at) : block_size);
    return st;
}

/* Hash @size bytes and not one more, and sign them on the way. */
static enum status hash_content(const struct scan_read_options *job, int fd, uint64_t size,
                                struct scan_content *out)
{
    __attribute__((cleanup(free_digest))) EVP_MD_CTX *digest = digest_begin();
    struct passage passage = {.job = job, .fd = fd, .digest = digest};
    enum status st;

    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    if (job->sign && size >= SIGNED_SIZE_MIN && size <= SIGNED_SIZE_MAX) {
        struct rdc_content content = {.size = size, .read = pass, .arg = &passage};
        struct rdc_signature_options options = {.key = *job->sign};

        st = rdc_signature_of(&content, &options, &out->signature);
    } else {
        st = pass_unsigned(&passage, size);
    }
    if (st != ST_OK)
        return st;
    /* A large file, read once, should not push what others use out of the page cache. */
    if (size > READ_KEEP_BYTES)
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    digest_end(digest, &out->hash);
    return ST_OK;
}

/* --- files --- */

/*
 * Kernels before 6.13 stamp changes with a clock that ticks every few milliseconds, so two of them within one
 * tick leave the same witness, and the second one would never be seen. Read after the tick of the first.
 */
static void outlast_tick(const struct witness *witness)
{
    struct timespec now;

    for (int i = 0; i < STAMP_TICK_MS_MAX; i++) {
        clock_gettime(CLOCK_REALTIME_COARSE, &now);

        int64_t ahead_ns = witness->changed_ns - (now.tv_sec * NS_PER_SEC + now.tv_nsec);
        if (ahead_ns < 0 || ahead_ns > STAMP_TICK_MS_MAX * NS_PER_MS)
            return;
        (void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    }
}

static enum status read_regular(const struct scan_read_options *job, int fd, struct standing *before,
                                struct scan_content *out)
{
    struct standing after;
    enum status st;

    if (!lease_is_free(fd))
        return ST_AGAIN;
    /*
     * A store into a page that is dirty already moves no time stamp, but only through a mapping that
     * has stored there before. A lease says that there is no writable mapping now, and a new one
     * faults, and moves the stamps, at its first store. Without leases the pages are cleaned first;
     * not by fdatasync, which flushes the disk's cache even for a clean file.
     */
    if (!lease_can_tell(fd) &&
        sync_file_range(fd, 0, 0,
                        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                            SYNC_FILE_RANGE_WAIT_AFTER) < 0)
        return report(job, "writing dirty pages out", errno);
    if (beneath_look_fd(fd, before) < 0)
        return report(job, "stat", errno);
    outlast_tick(&before->witness);
    st = hash_content(job, fd, before->witness.size, out);
    if (st != ST_OK)
        return st;
    if (beneath_look_fd(fd, &after) < 0)
        return report(job, "stat", errno);
    if (!witness_equal(&before->witness, &after.witness) || !lease_is_free(fd))
        return ST_AGAIN;
    out->size = before->witness.size;
    return ST_OK;
}

static enum status read_symlink(const struct scan_read_options *job, int fd, struct scan_content *out)
{
    __attribute__((cleanup(free_digest))) EVP_MD_CTX *digest = digest_begin();
    char target[SYMLINK_SIZE_MAX + 1];
    ssize_t size = readlinkat(fd, "", target, sizeof target);

    if (size < 0)
        return report(job, "readlink", errno);
    if (size > SYMLINK_SIZE_MAX)
        return report(job, "readlink", ENAMETOOLONG);
    digest_add(digest, target, (size_t)size);
    digest_end(digest, &out->hash);
    out->size = (uint64_t)size;
    return ST_OK;
}

/* The owner of the directory that holds the object: attributes.h, fallback. */
static enum status read_fallback(const struct scan_read_options *job, struct attributes_fallback *out)
{
    scope_free char *parent = beneath_above(job->path);
    scope_fd int fd = beneath_open(root_fd(job->root), parent, O_PATH | O_DIRECTORY);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return errno == ENOENT ? ST_GONE : report(job, "opening the directory", errno);
    *out = (struct attributes_fallback){.uid = st.st_uid, .gid = st.st_gid};
    return ST_OK;
}

/* Open for reading what an O_PATH descriptor found to be a regular file or a directory. */
static int open_content(const struct scan_read_options *job, enum file_kind kind)
{
    int flags = O_RDONLY | O_NONBLOCK | (kind == FILE_DIRECTORY ? O_DIRECTORY : 0);
    int fd = beneath_open(root_fd(job->root), job->path, flags | O_NOATIME);

    return fd < 0 && errno == EPERM ? beneath_open(root_fd(job->root), job->path, flags) : fd;
}

static enum status read_object(const struct scan_read_options *job, struct scan_content *out)
{
    struct attributes_fallback fallback;
    struct standing standing;
    struct standing after;
    scope_fd int fd = beneath_open(root_fd(job->root), job->path, O_PATH);
    enum status st = ST_OK;

    if (fd < 0 || beneath_look_fd(fd, &standing) < 0)
        return open_failed(job);
    if (standing.kind == FILE_KIND_NONE)
        return ST_BADDATA;
    if (standing.kind != FILE_SYMLINK) {
        struct object seen = standing.object;

        scope_close_fd(&fd);
        fd = open_content(job, standing.kind);
        if (fd < 0 || beneath_look_fd(fd, &standing) < 0)
            return open_failed(job);
        if (!object_equal(&seen, &standing.object))
            return ST_AGAIN;
    }
    st = read_fallback(job, &fallback);
    if (st == ST_OK && standing.kind == FILE_REGULAR)
        st = read_regular(job, fd, &standing, out);
    else if (st == ST_OK && standing.kind == FILE_SYMLINK)
        st = read_symlink(job, fd, out);
    if (st == ST_OK)
        st = attributes_read(fd, &fallback, job->recorded, job->path, root_log(job->root),
                             &out->attributes);
    if (st != ST_OK)
        return st;
    /* Attributes belong to the same moment as the content. */
    if (beneath_look_fd(fd, &after) < 0)
        return report(job, "stat", errno);
    if (standing.kind != FILE_DIRECTORY && !witness_equal(&standing.witness, &after.witness))
        return ST_AGAIN;
    out->kind = standing.kind;
    out->object = standing.object;
    out->witness = standing.witness;
    out->create_time = standing.create_time;
    out->link_count = standing.link_count;
    return ST_OK;
}

enum status scan_read(const struct scan_read_options *options, struct scan_content *out_content)
{
    struct scan_content content = {0};
    enum status st = read_object(options, &content);

    scan_content_fini(out_content);
    if (st != ST_OK) {
        scan_content_fini(&content);
        return st;
    }
    *out_content = content;
    return ST_OK;
}

/* --- for partners --- */

enum status scan_open(const struct root *root, const char *path, const struct object *object,
                      const struct witness *witness, int *out_fd)
{
    struct scan_read_options job = {.root = root, .path = path};
    scope_fd int fd = open_content(&job, FILE_REGULAR);
    struct standing standing;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? ST_GONE
                                                                     : report(&job, "open", errno);
    if (beneath_look_fd(fd, &standing) < 0)
        return report(&job, "stat", errno);
    if (standing.kind != FILE_REGULAR || !object_equal(&standing.object, object) ||
        !witness_equal(&standing.witness, witness))
        return ST_GONE;
    *out_fd = scope_move_fd(&fd);
    return ST_OK;
}

bool scan_check_open(int fd, const struct witness *witness)
{
    struct standing standing;

    return beneath_look_fd(fd, &standing) == 0 && witness_equal(&standing.witness, witness);
}

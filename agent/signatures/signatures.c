/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/signatures/signatures.h"

#include "agent/signatures/store.h"
#include "common/base/cursor.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define MAGIC "coterie1"

struct signatures *signatures_open(const struct signatures_options *options)
{
    struct signatures *s = MEM_NEW(struct signatures);

    s->options = *options;
    s->dir_fd = root_private_fd(options->root, PRIVATE_SIGNATURES);
    s->run = guid_random();
    return s;
}

void signatures_close(struct signatures *s)
{
    free(s);
}

const struct rdc_key *signatures_key(const struct signatures *s)
{
    return &s->options.key;
}

bool signatures_want(uint64_t size)
{
    return size >= SIGNED_SIZE_MIN && size <= SIGNED_SIZE_MAX;
}

bool signatures_are_many(const struct signatures *s)
{
    return atomic_load(&s->bytes_used) > s->options.bytes_max / 4 * 3 ||
           atomic_load(&s->count) > s->options.count_max / 4 * 3;
}

/* --- names and heads --- */

struct signature_name signature_name_of(const struct content_hash *content)
{
    struct signature_name name;

    for (size_t i = 0; i < CONTENT_HASH_SIZE; i++)
        snprintf(name.text + 2 * i, 3, "%02x", content->bytes[i]);
    return name;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool signature_name_parse(const char *text, struct content_hash *out_content)
{
    for (size_t i = 0; i < CONTENT_HASH_SIZE; i++) {
        int high = digit(text[2 * i]);
        int low = high < 0 ? -1 : digit(text[2 * i + 1]);

        if (low < 0)
            return false;
        out_content->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return text[SIGNATURE_NAME_SIZE] == '\0';
}

static void head_write(const struct content_hash *content, const struct rdc_traits *traits,
                       struct buf *out)
{
    size_t start = out->size;

    buf_append_string(out, MAGIC);
    buf_append(out, content->bytes, CONTENT_HASH_SIZE);
    for (unsigned i = 0; i < RDC_TRAIT_COUNT; i++)
        write_u16(out, traits->values[i]);
    write_u64(out, XXH3_64bits(out->data + start, out->size - start));
}

static bool head_parse(struct span bytes, const struct content_hash *content,
                       struct rdc_traits *out_traits)
{
    struct reader r = reader_of(bytes);
    struct span magic = reader_bytes(&r, sizeof(MAGIC) - 1);
    struct content_hash own;

    reader_copy(&r, own.bytes, sizeof(own.bytes));
    for (unsigned i = 0; i < RDC_TRAIT_COUNT; i++)
        out_traits->values[i] = reader_u16(&r);
    uint64_t sum = reader_u64(&r);
    return reader_finished(&r) && span_equal(magic, span_of_string(MAGIC)) &&
           memcmp(own.bytes, content->bytes, sizeof(own.bytes)) == 0 &&
           sum == XXH3_64bits(bytes.data, SIGNATURE_HEAD_SIZE - sizeof(sum));
}

/* All of @size bytes from the beginning; false: there are less. */
static bool read_all(int fd, uint8_t *out, size_t size)
{
    size_t at = 0;

    while (at < size) {
        ssize_t got = pread(fd, out + at, size - at, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

bool signature_head_read(int fd, const struct content_hash *content, struct rdc_traits *out_traits)
{
    uint8_t head[SIGNATURE_HEAD_SIZE];

    return read_all(fd, head, sizeof head) &&
           head_parse(span_of(head, sizeof head), content, out_traits);
}

uint64_t signature_bytes(const struct stat *st)
{
    return (uint64_t)st->st_blocks * 512;
}

/* --- reading --- */

/* Another worker may have evicted it meanwhile: no matter. It counts until the next sweep. */
static void remove_damaged(const struct signatures *s, const struct signature_name *name)
{
    if (unlinkat(s->dir_fd, name->text, 0) == 0)
        log_info(root_log(s->options.root), "a damaged signature was dropped root=%s signature=%s",
                 root_path(s->options.root), name->text);
}

bool signatures_have(const struct signatures *s, const struct content_hash *content)
{
    struct signature_name name = signature_name_of(content);

    return faccessat(s->dir_fd, name.text, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The order in which they go is that of their times; to the hour is enough. */
static void note_use(int fd, const struct stat *st)
{
    if (time(NULL) - st->st_mtime > SIGNATURE_USE_S)
        (void)futimens(fd, NULL);
}

/* The whole file; false when it can not be one. */
static bool read_file(int fd, const struct stat *st, struct buf *out)
{
    if (st->st_size < (off_t)SIGNATURE_HEAD_SIZE || (uint64_t)st->st_size > SIGNATURE_FILE_SIZE_MAX)
        return false;
    size_t size = (size_t)st->st_size;
    return read_all(fd, buf_extend(out, size), size);
}

static bool decode(const struct signatures *s, struct span bytes,
                   const struct content_hash *content, struct rdc_signature **out_signature)
{
    struct rdc_signature *signature;
    struct rdc_traits traits;

    if (!head_parse(span_part(bytes, 0, SIGNATURE_HEAD_SIZE), content, &traits) ||
        rdc_signature_decode(span_part(bytes, SIGNATURE_HEAD_SIZE, bytes.size), &signature) !=
            ST_OK)
        return false;
    if (signature->key_check != rdc_key_check(s->options.key)) {
        rdc_signature_free(signature);
        return false;
    }
    *out_signature = signature;
    return true;
}

static int open_file(const struct signatures *s, const struct signature_name *name,
                     struct stat *out_stat)
{
    scope_fd int fd = openat(s->dir_fd, name->text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    return fd >= 0 && fstat(fd, out_stat) == 0 ? scope_move_fd(&fd) : -1;
}

bool signatures_get(struct signatures *s, const struct content_hash *content,
                    struct rdc_signature **out_signature)
{
    struct signature_name name = signature_name_of(content);
    scope(buf) struct buf bytes = {0};
    struct stat st;
    scope_fd int fd = open_file(s, &name, &st);

    if (fd < 0)
        return false;
    if (!read_file(fd, &st, &bytes) || !decode(s, buf_span(&bytes), content, out_signature)) {
        remove_damaged(s, &name);
        return false;
    }
    note_use(fd, &st);
    return true;
}

bool signatures_traits(struct signatures *s, const struct content_hash *content,
                       struct rdc_traits *out_traits)
{
    struct signature_name name = signature_name_of(content);
    struct stat st;
    scope_fd int fd = open_file(s, &name, &st);

    if (fd < 0)
        return false;
    if (signature_head_read(fd, content, out_traits))
        return true;
    remove_damaged(s, &name);
    return false;
}

/* --- keeping --- */

static bool has_room(const struct signatures *s, size_t size)
{
    return atomic_load(&s->bytes_used) + size <= s->options.bytes_max &&
           atomic_load(&s->count) < s->options.count_max &&
           root_free_bytes(s->options.root) > SIGNATURES_FREE_BYTES_MIN + size;
}

static bool write_all(int fd, struct span bytes)
{
    size_t at = 0;

    while (at < bytes.size) {
        ssize_t put = write(fd, bytes.data + at, bytes.size - at);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        at += (size_t)put;
    }
    return true;
}

/* Under its name at once and whole; what stands there already is as good. */
static bool write_file(struct signatures *s, const struct signature_name *name, struct span bytes,
                       struct stat *out_stat)
{
    uint64_t number = atomic_fetch_add(&s->unfinished_last, 1);
    scope_free char *unfinished =
        mem_format("%s-%llu", guid_format(&s->run).text, (unsigned long long)number);
    scope_fd int fd =
        openat(s->dir_fd, unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return false;
    if (write_all(fd, bytes) && fstat(fd, out_stat) == 0 &&
        renameat2(s->dir_fd, unfinished, s->dir_fd, name->text, RENAME_NOREPLACE) == 0)
        return true;
    unlinkat(s->dir_fd, unfinished, 0);
    return false;
}

bool signatures_put(struct signatures *s, const struct content_hash *content,
                    const struct rdc_signature *signature)
{
    struct signature_name name = signature_name_of(content);
    scope(buf) struct buf bytes = {0};
    struct stat st;

    if (!signatures_want(signature->size) || signatures_have(s, content))
        return false;
    head_write(content, &signature->traits, &bytes);
    rdc_signature_encode(signature, &bytes);
    if (!has_room(s, bytes.size) || !write_file(s, &name, buf_span(&bytes), &st))
        return false;
    atomic_fetch_add(&s->bytes_used, signature_bytes(&st));
    atomic_fetch_add(&s->count, 1);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/transfer/file_content.h"

#include "agent/scan/scan.h"
#include "common/base/scope.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

bool file_content_open(struct file_content *content, const struct root *root, const char *path,
                       const struct object *object, const struct witness *witness, uint64_t size)
{
    content->size = size;
    return scan_open(root, path, object, witness, &content->fd) == ST_OK;
}

void file_content_close(struct file_content *content)
{
    scope_close_fd(&content->fd);
}

static enum status read_at(void *arg, uint64_t offset, void *out, size_t size)
{
    struct file_content *content = arg;
    uint8_t *place = out;

    while (size > 0) {
        ssize_t got = pread(content->fd, place, size, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 ? ST_GONE : ST_IO;
        place += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return ST_OK;
}

struct rdc_content file_content_rdc(struct file_content *content)
{
    return (struct rdc_content){.size = content->size, .read = read_at, .arg = content};
}

struct rdc_signature *file_content_signature(struct file_content *content,
                                             struct signatures *signatures,
                                             const struct content_hash *hash,
                                             const struct witness *witness)
{
    struct rdc_signature_options options = {.key = *signatures_key(signatures)};
    struct rdc_content bytes = file_content_rdc(content);
    struct rdc_signature *signature;

    if (!signatures_want(content->size))
        return NULL;
    if (signatures_get(signatures, hash, &signature))
        return signature;
    if (rdc_signature_of(&bytes, &options, &signature) != ST_OK)
        return NULL;
    if (!witness || scan_check_open(content->fd, witness))
        signatures_put(signatures, hash, signature);
    return signature;
}

struct rdc_key fetch_key(const struct guid *group)
{
    struct rdc_key key;

    static_assert(sizeof(key.seed) <= GUID_SIZE, "the key is taken from the guid");
    memcpy(&key.seed, group->bytes, sizeof(key.seed));
    return key;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coterie rdc signature, delta, patch: the exchange by way of files.
 *
 * A signature file is the SHA-256 of the file it is of, then the stored form of signature.h.
 * A delta file is "CDLT", version u8 = 2, key check u32, SHA-256 of OLD, SHA-256 of NEW, size of
 * NEW v, then the sender's frames of a push, each behind its size v (v: LEB128).
 */
#include "cli/rdc.h"

#include "cli/cli.h"
#include "cli/file.h"
#include "common/base/cursor.h"
#include "common/base/limits.h"
#include "common/base/scope.h"
#include "common/rdc/ms.h"

#include <stdio.h>
#include <stdlib.h>

#define DELTA_MAGIC         "CDLT"
#define DELTA_VERSION       2
#define DELTA_HEAD_SIZE_MAX 96u
#define SIGNATURE_FILE_MAX  (UINT64_C(12) << 30)

/* @bytes as the result; then one line about it. */
static int write_signature(const struct rdc_options *options, const struct buf *bytes,
                           uint64_t size, uint64_t chunk_count)
{
    struct result result;
    uint64_t mean = chunk_count ? size / chunk_count : 0;
    int code = result_open(&result, options->output);

    if (code == CLI_WELL && result_write(&result, 0, buf_span(bytes)) != ST_OK)
        code = CLI_UNHEALTHY;
    if (code == CLI_WELL)
        code = result_commit(&result);
    result_fini(&result);
    if (code == CLI_WELL && options->json)
        rdc_print_json(json_pack("{s:I, s:I, s:I, s:I}", "size", (json_int_t)size, "chunks",
                                 (json_int_t)chunk_count, "mean", (json_int_t)mean,
                                 "signature_bytes", (json_int_t)bytes->size));
    else if (code == CLI_WELL)
        printf("%llu chunks, mean %llu bytes; signature %zu bytes\n",
               (unsigned long long)chunk_count, (unsigned long long)mean, bytes->size);
    return code;
}

static int sign(const struct rdc_options *options, struct file *file)
{
    struct rdc_content content = file_content(file);
    struct rdc_signature_options signing = rdc_signing(options);
    struct rdc_signature *signature = NULL;
    struct rdc_hash hash;
    scope(buf) struct buf out = {0};

    if (rdc_signature_of(&content, &signing, &signature) != ST_OK ||
        file_hash(file, &hash) != ST_OK) {
        rdc_signature_free(signature);
        return cli_fail(CLI_UNHEALTHY, "cannot sign %s", file->path);
    }
    buf_append(&out, hash.bytes, RDC_HASH_SIZE);
    rdc_signature_encode(signature, &out);
    int code = write_signature(options, &out, signature->size, signature->chunk_count);
    rdc_signature_free(signature);
    return code;
}

/* The signature file of [MS-RDC] at the wished level: each level signs the one below. */
static int sign_ms(const struct rdc_options *options, struct file *file)
{
    struct rdc_content content = file_content(file);
    scope(buf) struct buf below = {0};
    scope(buf) struct buf out = {0};
    struct span bytes;

    for (unsigned level = 1; level <= options->level; level++) {
        struct rdc_ms_cut cut = rdc_ms_cut_default(level);

        if (level == options->level && options->window)
            cut.window = (uint32_t)options->window;
        if (level == options->level && options->horizon)
            cut.horizon = (uint32_t)options->horizon;
        buf_clear(&out);
        if (rdc_ms_signature(&content, cut, &out) != ST_OK)
            return cli_fail(CLI_UNHEALTHY, "cannot sign %s", file->path);
        if (level < options->level) {
            buf_clear(&below);
            buf_append(&below, out.data, out.size);
            bytes = buf_span(&below);
            content = rdc_content_of(&bytes);
        }
    }
    return write_signature(options, &out, content.size,
                           (out.size - RDC_MS_HEADER_SIZE) / RDC_MS_ENTRY_SIZE);
}

int rdc_verb_signature(const struct rdc_options *options)
{
    struct file file;
    int code = file_open(&file, options->operands[0]);

    if (code == CLI_WELL)
        code = options->ms ? sign_ms(options, &file) : sign(options, &file);
    file_fini(&file);
    return code;
}

/* The old version as the maker of a delta knows it. */
struct old_version {
    struct file file;
    struct rdc_content content;
    struct rdc_hash hash;
    struct rdc_signature *signature;
    uint64_t size;
};

static void old_version_fini(struct old_version *old)
{
    file_fini(&old->file);
    rdc_signature_free(old->signature);
}

static int old_version_of_signature(struct old_version *old, const char *path)
{
    scope(buf) struct buf bytes = {0};
    int code = file_load(path, SIGNATURE_FILE_MAX, &bytes);

    if (code != CLI_WELL)
        return code;
    struct span body = span_part(buf_span(&bytes), RDC_HASH_SIZE, bytes.size);
    if (bytes.size < RDC_HASH_SIZE || rdc_signature_decode(body, &old->signature) != ST_OK)
        return cli_fail(CLI_UNHEALTHY, "%s is not a signature, or is damaged: make it again", path);
    memcpy(old->hash.bytes, bytes.data, RDC_HASH_SIZE);
    old->size = old->signature->size;
    return CLI_WELL;
}

static int old_version_of_file(struct old_version *old, const char *path)
{
    int code = file_open(&old->file, path);

    if (code != CLI_WELL)
        return code;
    old->content = file_content(&old->file);
    old->size = old->file.size;
    return file_hash(&old->file, &old->hash) == ST_OK ? CLI_WELL : CLI_UNHEALTHY;
}

/* What a receiver that has @old would say first. */
static void opening_frame(const struct old_version *old, uint64_t new_size, struct rdc_key key,
                          struct buf *frame)
{
    bool readable = old->content.read != NULL;
    struct rdc_seed seed = {
        .content = readable ? old->content : (struct rdc_content){.size = old->size},
        .hash = &old->hash,
    };
    struct rdc_receive_options options = {
        .size = new_size,
        .seeds = &seed,
        .seed_count = 1,
        .key = key,
        .scratches = readable ? file_scratches() : (struct rdc_scratches){0},
    };
    struct rdc_receiver *receiver = rdc_receive_new(&options);
    enum rdc_progress progress = rdc_receive_step(receiver, (struct span){0}, frame);

    if (progress != RDC_WAIT)
        abort();
    rdc_receive_free(receiver);
}

/* All frames of the sender's answer, one after the other, to @result. */
static int write_frames(struct rdc_sender *sender, struct buf *frame, struct result *result,
                        uint64_t offset)
{
    scope(buf) struct buf chunk = {0};
    scope(buf) struct buf opening = {0};
    struct span in;

    buf_append(&opening, frame->data, frame->size);
    in = buf_span(&opening);
    for (;;) {
        enum rdc_progress progress = rdc_send_step(sender, in, frame);

        in = (struct span){0};
        if (progress == RDC_FAILED)
            return cli_fail(CLI_UNHEALTHY, "no delta: %s", rdc_send_failure(sender).reason);
        buf_clear(&chunk);
        write_blob(&chunk, buf_span(frame));
        if (result_write(result, offset, buf_span(&chunk)) != ST_OK)
            return CLI_UNHEALTHY;
        offset += chunk.size;
        if (progress == RDC_WAIT)
            return CLI_WELL;
    }
}

static int write_delta(const struct rdc_options *options, struct old_version *old,
                       struct file *new_file, struct result *result)
{
    struct rdc_content content = file_content(new_file);
    struct rdc_signature *signature = NULL;
    struct rdc_signature_options signing = rdc_signing(options);
    struct rdc_hash new_hash;
    scope(buf) struct buf head = {0};
    scope(buf) struct buf frame = {0};

    if (old->signature)
        signing.horizon = old->signature->horizon;
    if (file_hash(new_file, &new_hash) != ST_OK ||
        rdc_signature_of(&content, &signing, &signature) != ST_OK)
        return cli_fail(CLI_UNHEALTHY, "cannot sign %s", new_file->path);
    buf_append_string(&head, DELTA_MAGIC);
    write_u8(&head, DELTA_VERSION);
    write_u32(&head, rdc_key_check(options->key));
    buf_append(&head, old->hash.bytes, RDC_HASH_SIZE);
    buf_append(&head, new_hash.bytes, RDC_HASH_SIZE);
    write_varint(&head, new_file->size);
    struct rdc_base base = {
        .hash = old->hash,
        .content = old->content.read ? &old->content : NULL,
        .signature = old->signature,
    };
    struct rdc_send_options send_options = {
        .content = content,
        .signature = signature,
        .bases = &base,
        .base_count = 1,
        .key = options->key,
        .pack_level = options->pack_level,
        .scratches = file_scratches(),
    };
    struct rdc_sender *sender = rdc_send_new(&send_options);
    opening_frame(old, new_file->size, options->key, &frame);
    int code = result_write(result, 0, buf_span(&head)) == ST_OK ? CLI_WELL : CLI_UNHEALTHY;
    if (code == CLI_WELL)
        code = write_frames(sender, &frame, result, head.size);
    if (code == CLI_WELL && rdc_send_stats(sender)->way == RDC_WAY_PULL)
        code = cli_fail(CLI_USAGE, "the signature was made with another group key: give its --key");
    rdc_send_free(sender);
    rdc_signature_free(signature);
    return code;
}

int rdc_verb_delta(const struct rdc_options *options)
{
    struct old_version old = {.file.fd = -1};
    struct file new_file = {.fd = -1};
    struct result result = {.fd = -1};
    int operands = options->base_signature ? 1 : 2;

    if (options->operand_count != operands || !options->output)
        return cli_fail(CLI_USAGE, "delta needs OLD (or --signature SIG), NEW and --output OUT");
    int code = options->base_signature ? old_version_of_signature(&old, options->base_signature)
                                       : old_version_of_file(&old, options->operands[0]);
    if (code == CLI_WELL)
        code = file_open(&new_file, options->operands[operands - 1]);
    if (code == CLI_WELL)
        code = result_open(&result, options->output);
    if (code == CLI_WELL)
        code = write_delta(options, &old, &new_file, &result);
    if (code == CLI_WELL)
        code = result_commit(&result);
    result_fini(&result);
    file_fini(&new_file);
    old_version_fini(&old);
    return code;
}

/* A delta file on its way in: a window that slides over its frames. */
struct delta_reader {
    struct rdc_content content;
    uint64_t at;
    struct buf window;
};

/* @size bytes at the reading place; NULL data when there are not so many. */
static struct span delta_peek(struct delta_reader *d, size_t size)
{
    uint64_t rest = d->content.size - d->at;

    if (size > rest)
        size = (size_t)rest;
    buf_clear(&d->window);
    uint8_t *place = buf_extend(&d->window, size);
    if (rdc_content_read(&d->content, d->at, place, size) != ST_OK)
        return (struct span){0};
    return span_of(place, size);
}

/* The next frame, borrowed until the next call; false when the delta ends in the middle. */
static bool delta_next(struct delta_reader *d, struct span *out_frame)
{
    struct span ahead = delta_peek(d, RDC_FRAME_SIZE_MAX + 10);
    struct reader r = reader_of(ahead);

    *out_frame = reader_blob(&r, RDC_FRAME_SIZE_MAX);
    d->at += ahead.size - r.rest.size;
    return reader_ok(&r) && out_frame->size > 0;
}

static int apply_frames(struct delta_reader *d, const struct rdc_receive_options *options)
{
    struct rdc_receiver *receiver = rdc_receive_new(options);
    scope(buf) struct buf answer = {0};
    struct span frame;
    /* what the receiver would tell the sender is in the delta's making */
    enum rdc_progress progress = rdc_receive_step(receiver, (struct span){0}, &answer);
    int code = CLI_WELL;

    while (progress == RDC_WAIT && delta_next(d, &frame))
        progress = rdc_receive_step(receiver, frame, &answer);
    if (progress == RDC_FAILED)
        code = cli_fail(CLI_UNHEALTHY, "the delta cannot be applied: %s",
                        rdc_receive_failure(receiver).reason);
    else if (progress != RDC_DONE)
        code = cli_fail(CLI_UNHEALTHY, "the delta ends in the middle: make it again");
    rdc_receive_free(receiver);
    return code;
}

static int apply_delta(const struct rdc_options *options, struct file *old, struct file *delta,
                       struct result *result)
{
    struct delta_reader d = {.content = file_content(delta)};
    struct rdc_seed seed = {.content = file_content(old)};
    struct rdc_receive_options receive_options = {
        .seeds = &seed,
        .seed_count = 1,
        .sink = result_sink(result),
        .key = options->key,
        .scratches = file_scratches(),
    };
    struct rdc_hash base;
    struct rdc_hash old_hash;
    struct span ahead = delta_peek(&d, DELTA_HEAD_SIZE_MAX);
    struct reader r = reader_of(ahead);
    struct span magic = reader_bytes(&r, sizeof(DELTA_MAGIC) - 1);
    uint8_t version = reader_u8(&r);
    uint32_t key_check = reader_u32(&r);
    int code;

    reader_copy(&r, base.bytes, RDC_HASH_SIZE);
    reader_copy(&r, receive_options.hash.bytes, RDC_HASH_SIZE);
    receive_options.size = reader_varint(&r);
    d.at = ahead.size - r.rest.size;
    if (!reader_ok(&r) || !span_equal(magic, span_of_string(DELTA_MAGIC)) ||
        version != DELTA_VERSION)
        code = cli_fail(CLI_UNHEALTHY, "%s is not a delta", delta->path);
    else if (key_check != rdc_key_check(options->key))
        code = cli_fail(CLI_REFUSED, "%s was made with another group key: give its --key",
                        delta->path);
    else if (file_hash(old, &old_hash) != ST_OK)
        code = CLI_UNHEALTHY;
    else if (memcmp(old_hash.bytes, base.bytes, RDC_HASH_SIZE) != 0)
        code = cli_fail(CLI_REFUSED, "%s is not the file that the delta was made from", old->path);
    else
        code = apply_frames(&d, &receive_options);
    buf_fini(&d.window);
    return code;
}

int rdc_verb_patch(const struct rdc_options *options)
{
    struct file old = {.fd = -1};
    struct file delta = {.fd = -1};
    struct result result = {.fd = -1};

    if (!options->output)
        return cli_fail(CLI_USAGE, "patch needs --output OUT");
    int code = file_open(&old, options->operands[0]);
    if (code == CLI_WELL)
        code = file_open(&delta, options->operands[1]);
    if (code == CLI_WELL)
        code = result_open(&result, options->output);
    if (code == CLI_WELL)
        code = apply_delta(options, &old, &delta, &result);
    if (code == CLI_WELL)
        code = result_commit(&result);
    result_fini(&result);
    file_fini(&delta);
    file_fini(&old);
    return code;
}

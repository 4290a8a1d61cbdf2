/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/form.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define LINK_FAST                                                                                  \
    9000000u            /* bytes a second; packed streams cross it sooner than they are unpacked */
#define SHARE_MIN  128u /* the streams are at least one part in so many of the content */
#define TOLD_WIDTH 3u   /* bytes of an identity */

/* --- what the receiver tells -----------------------------------------------------------------*/

void rdc_told_find(struct rdc_told *told, const struct rdc_receive_options *options)
{
    *told = (struct rdc_told){0};
    if (!options->scratches.open)
        return;
    for (unsigned i = 0; i < options->seed_count && told->streams.count == 0; i++) {
        told->seed = i;
        if (rdc_streams_find(&options->seeds[i].content, &told->streams) != ST_OK)
            told->streams = (struct rdc_streams){0};
    }
}

void rdc_told_write(const struct rdc_told *told, struct buf *out)
{
    if (told->streams.count == 0)
        return;
    write_varint(out, told->streams.count);
    write_u8(out, (uint8_t)told->seed);
    for (size_t i = 0; i < told->streams.count; i++)
        write_hash(out, told->streams.items[i].identity, TOLD_WIDTH);
}

bool rdc_told_read(struct rdc_told *told, struct reader *r, unsigned seed_count)
{
    *told = (struct rdc_told){0};
    if (r->rest.size == 0)
        return reader_ok(r);
    uint64_t count = reader_varint(r);
    if (!reader_ok(r) || count == 0 || count > RDC_STREAM_COUNT_MAX)
        return false;
    told->seed = reader_u8(r);
    told->streams.items = mem_new(count, sizeof(*told->streams.items));
    told->streams.count = count;
    for (size_t i = 0; i < count; i++)
        told->streams.items[i].identity = (uint32_t)reader_hash(r, TOLD_WIDTH);
    return reader_ok(r) && told->seed < seed_count;
}

void rdc_told_fini(struct rdc_told *told)
{
    rdc_streams_fini(&told->streams);
}

/* --- the sender's ----------------------------------------------------------------------------*/

static int compare_identities(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

/* Those of @streams that @others have not, by their numbers. */
static size_t pick_others(const struct rdc_streams *streams, const struct rdc_streams *others,
                          uint32_t *picks)
{
    scope_free uint32_t *known = mem_new(others->count, sizeof(*known));
    size_t count = 0;

    for (size_t i = 0; i < others->count; i++)
        known[i] = others->items[i].identity;
    qsort(known, others->count, sizeof(*known), compare_identities);
    for (size_t i = 0; i < streams->count; i++) {
        if (!bsearch(&streams->items[i].identity, known, others->count, sizeof(*known),
                     compare_identities))
            picks[count++] = (uint32_t)i;
    }
    return count;
}

static uint64_t bytes_of(const struct rdc_streams *streams, const uint32_t *picks, size_t count)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += streams->items[picks[i]].size;
    return bytes;
}

/* The form of @content with these of its streams unpacked, or as many of them as one exchange may
 * unpack; NULL: it could not be made. */
static struct rdc_inflated *inflate_picks(const struct rdc_content *content,
                                          const struct rdc_streams *streams, const uint32_t *picks,
                                          size_t count, const struct rdc_scratches *scratches,
                                          enum status *out_status)
{
    scope_free struct rdc_stream *items = mem_new(count, sizeof(*items));
    struct rdc_inflated *form = NULL;
    uint64_t bytes = 0;
    size_t item_count = 0;

    for (size_t i = 0; i < count; i++) {
        const struct rdc_stream *stream = &streams->items[picks[i]];

        if (stream->size > RDC_STREAM_BYTES_MAX - bytes)
            continue;
        bytes += stream->size;
        items[item_count++] = *stream;
    }
    *out_status = rdc_inflated_new(content, items, item_count, scratches, &form);
    return form;
}

static bool same_streams(const struct rdc_streams *a, const struct rdc_streams *b)
{
    for (size_t i = 0; a->count == b->count && i < a->count; i++)
        if (a->items[i].identity != b->items[i].identity)
            return false;
    return a->count == b->count;
}

static bool make_base(struct rdc_sent_form *f, const struct rdc_send_options *options,
                      const struct rdc_content *base, const struct rdc_told *told)
{
    struct rdc_streams streams;
    enum status st = rdc_streams_find(base, &streams);

    if (st != ST_OK)
        return false;
    if (same_streams(&streams, &told->streams))
        f->base = inflate_picks(base, &streams, f->picks, f->pick_count, &options->scratches, &st);
    rdc_streams_fini(&streams);
    if (!f->base)
        return false;
    f->base_bytes = rdc_inflated_content(f->base);
    return true;
}

static bool make_content(struct rdc_sent_form *f, const struct rdc_send_options *options,
                         const struct rdc_told *told, uint64_t bytes_min)
{
    scope_free uint32_t *own = mem_new(RDC_STREAM_COUNT_MAX, sizeof(*own));
    struct rdc_streams streams;
    enum status st = rdc_streams_find(&options->content, &streams);

    if (st != ST_OK)
        return false;
    size_t own_count = pick_others(&streams, &told->streams, own);
    uint64_t own_bytes = bytes_of(&streams, own, own_count);
    f->pick_count = pick_others(&told->streams, &streams, f->picks);
    if (own_count > 0 && f->pick_count > 0 && own_bytes >= bytes_min &&
        own_bytes >= options->content.size / SHARE_MIN)
        f->content =
            inflate_picks(&options->content, &streams, own, own_count, &options->scratches, &st);
    rdc_streams_fini(&streams);
    if (!f->content || rdc_inflated_count(f->content) == 0)
        return false;
    f->content_bytes = rdc_inflated_content(f->content);
    return rdc_hash_of(&f->content_bytes, &f->hash) == ST_OK;
}

void rdc_sent_form_make(struct rdc_sent_form *out, const struct rdc_send_options *options,
                        const struct rdc_content *base, const struct rdc_told *told,
                        uint64_t bytes_min)
{
    *out = (struct rdc_sent_form){0};
    if (told->streams.count == 0 || !options->scratches.open ||
        options->link.bytes_per_second >= LINK_FAST)
        return;
    out->picks = mem_new(RDC_STREAM_COUNT_MAX, sizeof(*out->picks));
    if (!make_content(out, options, told, bytes_min) ||
        (base && !make_base(out, options, base, told)))
        rdc_sent_form_fini(out);
}

void rdc_sent_form_write(const struct rdc_sent_form *form, struct buf *out)
{
    const struct rdc_planes *planes = rdc_inflated_planes(form->content);
    uint32_t next = 0;

    write_varint(out, planes->text_size);
    write_varint(out, planes->symbol_size);
    write_varint(out, planes->layout_size);
    buf_append(out, form->hash.bytes, RDC_HASH_SIZE);
    write_varint(out, form->pick_count);
    for (size_t i = 0; i < form->pick_count; i++) {
        write_varint(out, form->picks[i] - next);
        next = form->picks[i] + 1;
    }
}

void rdc_sent_form_fini(struct rdc_sent_form *form)
{
    rdc_inflated_free(form->content);
    rdc_inflated_free(form->base);
    free(form->picks);
    *form = (struct rdc_sent_form){0};
}

/* --- the receiver's --------------------------------------------------------------------------*/

static enum status sink_write(void *arg, uint64_t offset, struct span bytes)
{
    const struct rdc_built_form *f = arg;

    return f->scratch.write(f->scratch.arg, offset, bytes);
}

static enum status sink_read(void *arg, uint64_t offset, void *out, size_t size)
{
    const struct rdc_built_form *f = arg;

    return f->scratch.read(f->scratch.arg, offset, out, size);
}

static enum status sink_restart(void *arg)
{
    (void)arg; /* what is written anew is written over what was there */
    return ST_OK;
}

/* The numbers of told streams, ascending. */
static bool read_picks(struct reader *r, const struct rdc_told *told, uint32_t *picks,
                       size_t *out_count)
{
    uint64_t count = reader_varint(r);
    uint64_t next = 0;

    if (!reader_ok(r) || count > told->streams.count)
        return false;
    for (size_t i = 0; i < count; i++) {
        uint64_t skip = reader_varint(r);

        if (!reader_ok(r) || skip >= told->streams.count - next)
            return false;
        picks[i] = (uint32_t)(next + skip);
        next += skip + 1;
    }
    *out_count = (size_t)count;
    return count > 0;
}

enum status rdc_built_form_make(struct rdc_built_form *out, struct reader *r,
                                const struct rdc_receive_options *options,
                                const struct rdc_told *told)
{
    scope_free uint32_t *picks = mem_new(RDC_STREAM_COUNT_MAX, sizeof(*picks));
    size_t pick_count = 0;
    enum status st;

    *out = (struct rdc_built_form){.options = *options};
    out->planes.text_size = reader_varint(r);
    out->planes.symbol_size = reader_varint(r);
    out->planes.layout_size = reader_varint(r);
    reader_copy(r, out->options.hash.bytes, RDC_HASH_SIZE);
    if (!reader_ok(r) || !rdc_planes_valid(&out->planes) ||
        !read_picks(r, told, picks, &pick_count))
        return ST_BADDATA;
    out->seed = inflate_picks(&options->seeds[told->seed].content, &told->streams, picks,
                              pick_count, &options->scratches, &st);
    if (!out->seed || options->scratches.open(options->scratches.arg, &out->scratch) != ST_OK) {
        rdc_built_form_fini(out);
        return ST_AGAIN;
    }
    memcpy(out->seeds, options->seeds, options->seed_count * sizeof(out->seeds[0]));
    out->seeds[told->seed] = (struct rdc_seed){.content = rdc_inflated_content(out->seed)};
    out->options.size = rdc_planes_size(&out->planes);
    out->options.seeds = out->seeds;
    out->options.sink = (struct rdc_sink){
        .write = sink_write, .read = sink_read, .restart = sink_restart, .arg = out};
    return ST_OK;
}

/* The packed content on its way to the sink. */
struct proof {
    const struct rdc_receive_options *options;
    EVP_MD_CTX *hash;
    uint64_t size;
    enum status sink_status;
};

static enum status write_packed(void *arg, struct span bytes)
{
    struct proof *p = arg;

    if (bytes.size > p->options->size - p->size)
        return ST_BADDATA;
    if (EVP_DigestUpdate(p->hash, bytes.data, bytes.size) != 1)
        abort();
    p->sink_status = p->options->sink.write(p->options->sink.arg, p->size, bytes);
    p->size += bytes.size;
    return p->sink_status;
}

enum status rdc_built_form_pack(const struct rdc_built_form *form,
                                const struct rdc_receive_options *options,
                                enum status *out_sink_status)
{
    struct proof p = {.options = options, .hash = EVP_MD_CTX_new(), .sink_status = ST_OK};
    uint8_t hash[RDC_HASH_SIZE];
    struct rdc_content content = {.size = rdc_planes_size(&form->planes),
                                  .read = form->scratch.read,
                                  .arg = form->scratch.arg};

    if (!p.hash || EVP_DigestInit_ex(p.hash, EVP_sha256(), NULL) != 1)
        abort();
    p.sink_status = options->sink.restart(options->sink.arg);
    enum status st = p.sink_status == ST_OK
                         ? rdc_inflated_pack(&content, &form->planes, write_packed, &p)
                         : p.sink_status;
    if (EVP_DigestFinal_ex(p.hash, hash, NULL) != 1)
        abort();
    EVP_MD_CTX_free(p.hash);
    *out_sink_status = p.sink_status;
    if (st == ST_OK &&
        (p.size != options->size || memcmp(hash, options->hash.bytes, RDC_HASH_SIZE) != 0))
        st = ST_BADDATA;
    return st;
}

void rdc_built_form_fini(struct rdc_built_form *form)
{
    rdc_inflated_free(form->seed);
    rdc_scratch_close(&form->scratch);
    *form = (struct rdc_built_form){0};
}

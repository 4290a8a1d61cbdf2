/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/inflated.h"

#include "common/base/cursor.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/rdc/deflate.h"
#include "common/rdc/inflated_parts.h"

#include <assert.h>
#include <stdlib.h>

struct plane {
    struct rdc_scratch scratch;
    uint64_t size; /* written */
    struct buf pending;
    enum status failed; /* of the scratch's write */
};

struct rdc_inflated {
    struct rdc_planes planes;
    size_t count;
    struct plane text;
    struct plane symbols;
    struct buf layout;
};

struct inflater {
    struct rdc_inflated *form;
    struct deflate_reader reader;
    struct inflated_window window;
    size_t flushed; /* of the window: what the plane has, too */
    uint8_t *piece; /* INFLATED_PIECE bytes, of what stays packed */
    deflate_symbol symbols[INFLATED_BATCH];
    uint8_t told[INFLATED_BATCH * INFLATED_SYMBOL_MAX];
};

bool rdc_planes_valid(const struct rdc_planes *planes)
{
    return planes->text_size <= RDC_INFLATED_SIZE_MAX &&
           planes->symbol_size <= RDC_INFLATED_SIZE_MAX &&
           planes->layout_size <= RDC_INFLATED_LAYOUT_MAX && planes->layout_size > 0;
}

/* --- planes ----------------------------------------------------------------------------------*/

static enum status plane_flush(struct plane *p)
{
    if (p->pending.size == 0)
        return ST_OK;
    p->failed = p->scratch.write(p->scratch.arg, p->size, buf_span(&p->pending));
    p->size += p->pending.size;
    buf_clear(&p->pending);
    return p->failed;
}

static enum status plane_append(struct plane *p, struct span bytes)
{
    if (p->size + p->pending.size + bytes.size > RDC_INFLATED_SIZE_MAX)
        return ST_FULL;
    buf_append(&p->pending, bytes.data, bytes.size);
    return p->pending.size >= INFLATED_PIECE ? plane_flush(p) : ST_OK;
}

static enum status append_raw(struct inflater *x, const struct rdc_content *content, uint64_t from,
                              uint64_t to)
{
    struct rdc_inflated *f = x->form;
    enum status st = ST_OK;

    write_varint(&f->layout, to - from);
    while (from < to && st == ST_OK) {
        size_t size = to - from < INFLATED_PIECE ? (size_t)(to - from) : INFLATED_PIECE;

        st = rdc_content_read(content, from, x->piece, size);
        if (st == ST_OK)
            st = plane_append(&f->text, span_of(x->piece, size));
        from += size;
    }
    return st;
}

/* --- one stream ------------------------------------------------------------------------------*/

/* What the window holds and the plane has not. */
static enum status flush_text(struct inflater *x)
{
    struct inflated_window *w = &x->window;
    struct span fresh = span_of(w->bytes + x->flushed, w->have - x->flushed);

    x->flushed = w->have;
    return plane_append(&x->form->text, fresh);
}

/* Room for @size more bytes. */
static enum status make_room(struct inflater *x, size_t size)
{
    enum status st;

    if (x->window.have + size <= INFLATED_WINDOW)
        return ST_OK;
    st = flush_text(x);
    inflated_window_slide(&x->window);
    x->flushed = x->window.have;
    return st;
}

static enum status inflate_stored(struct inflater *x, uint32_t size)
{
    enum status st = ST_OK;

    while (size > 0 && st == ST_OK) {
        uint32_t part = size < INFLATED_PIECE_STORED ? size : INFLATED_PIECE_STORED;

        st = make_room(x, part);
        if (st == ST_OK)
            st = deflate_read_stored(&x->reader, x->window.bytes + x->window.have, part);
        x->window.have += part;
        x->window.at = x->window.have;
        size -= part;
    }
    return st;
}

static inline void copy_match(uint8_t *to, unsigned distance, unsigned length)
{
    const uint8_t *from = to - distance;

    if (distance >= length) {
        memcpy(to, from, length);
        return;
    }
    for (unsigned i = 0; i < length; i++)
        to[i] = from[i];
}

/* @symbol's text to the window, and how to find it again to @out, where there is room. */
static inline uint8_t *inflate_match(struct inflater *x, deflate_symbol symbol, uint8_t *out)
{
    struct inflated_window *w = &x->window;
    unsigned length = deflate_match_length(symbol);
    unsigned distance = deflate_match_distance(symbol);

    copy_match(w->bytes + w->have, distance, length);
    uint32_t nearest =
        nearest_find(&w->nearest, w->bytes + w->at, inflated_window_offset(w), length);
    w->have += length;
    w->at = w->have;
    if (nearest != distance) {
        *out++ = INFLATED_ESCAPE;
        *out++ = INFLATED_ELSEWHERE;
        *out++ = (uint8_t)(length - DEFLATE_MATCH_MIN);
        *out++ = (uint8_t)(distance - 1);
        *out++ = (uint8_t)((distance - 1) >> 8);
    } else if (length - 2 < INFLATED_ESCAPE) {
        *out++ = (uint8_t)(length - 2);
    } else {
        *out++ = INFLATED_ESCAPE;
        *out++ = (uint8_t)(length - 2 - INFLATED_ESCAPE);
    }
    return out;
}

static enum status inflate_symbols(struct inflater *x, size_t count)
{
    struct inflated_window *w = &x->window;
    uint8_t *out = x->told;

    for (size_t i = 0; i < count; i++) {
        deflate_symbol symbol = x->symbols[i];
        enum status st = make_room(x, DEFLATE_MATCH_MAX);

        if (st != ST_OK)
            return st;
        if (deflate_match_length(symbol) == 0) {
            w->bytes[w->have++] = (uint8_t)symbol;
            w->at = w->have;
            *out++ = 0;
        } else if (deflate_match_distance(symbol) > inflated_window_offset(w)) {
            return ST_BADDATA;
        } else {
            out = inflate_match(x, symbol, out);
        }
    }
    return plane_append(&x->form->symbols, span_of(x->told, (size_t)(out - x->told)));
}

static enum status inflate_block(struct inflater *x, struct deflate_block *block)
{
    struct buf *layout = &x->form->layout;
    uint64_t symbol_count = 0;
    bool ended = false;
    enum status st = deflate_read_block(&x->reader, block);

    if (st != ST_OK)
        return st;
    write_u8(layout, (uint8_t)(block->last | block->type << 1));
    if (block->type == DEFLATE_STORED) {
        write_varint(layout, block->stored_size);
        return inflate_stored(x, block->stored_size);
    }
    if (block->type == DEFLATE_DYNAMIC)
        write_blob(layout, span_of(block->table, block->table_size));
    while (!ended) {
        size_t count = 0;

        st = deflate_read_symbols(&x->reader, x->symbols, INFLATED_BATCH, &count, &ended);
        if (st == ST_OK)
            st = inflate_symbols(x, count);
        if (st != ST_OK)
            return st;
        symbol_count += count;
    }
    write_varint(layout, symbol_count);
    return ST_OK;
}

/* ST_BADDATA, ST_FULL: it stays as it is. */
static enum status inflate_stream(struct inflater *x, const struct rdc_content *content,
                                  const struct rdc_stream *stream, uint64_t *out_end)
{
    struct deflate_block block = {0};
    enum status st;

    inflated_window_begin(&x->window);
    x->flushed = 0;
    deflate_reader_init(&x->reader, content, stream->offset, stream->offset + stream->size);
    do {
        st = inflate_block(x, &block);
        if (st == ST_OK && x->form->layout.size > RDC_INFLATED_LAYOUT_MAX / 2)
            st = ST_FULL;
    } while (st == ST_OK && !block.last);
    if (st == ST_OK)
        st = deflate_read_end(&x->reader, out_end);
    if (st == ST_OK)
        st = flush_text(x);
    deflate_reader_fini(&x->reader);
    return st;
}

/* --- the form --------------------------------------------------------------------------------*/

/* Where the planes stood before a stream that could not be unpacked. */
struct place {
    uint64_t text_size;
    uint64_t symbol_size;
    size_t layout_size;
};

static void go_back(struct rdc_inflated *f, const struct place *place)
{
    buf_clear(&f->text.pending);
    buf_clear(&f->symbols.pending);
    f->text.size = place->text_size;
    f->symbols.size = place->symbol_size;
    f->layout.size = place->layout_size;
}

static enum status fill(struct inflater *x, const struct rdc_content *content,
                        const struct rdc_stream *streams, size_t count)
{
    struct rdc_inflated *f = x->form;
    uint64_t raw_from = 0;
    enum status st;

    for (size_t i = 0; i < count; i++) {
        const struct rdc_stream *stream = &streams[i];
        uint64_t end = 0;

        assert(stream->offset >= raw_from && stream->offset <= content->size &&
               stream->size <= content->size - stream->offset);
        st = plane_flush(&f->text);
        if (st == ST_OK)
            st = plane_flush(&f->symbols);
        struct place before = {f->text.size, f->symbols.size, f->layout.size};
        if (st == ST_OK)
            st = append_raw(x, content, raw_from, stream->offset);
        if (st == ST_OK)
            st = plane_flush(&f->text);
        if (st == ST_OK)
            st = inflate_stream(x, content, stream, &end);
        if (st == ST_OK) {
            raw_from = end;
            f->count += 1;
        } else if ((st == ST_BADDATA || st == ST_FULL) && f->text.failed == ST_OK &&
                   f->symbols.failed == ST_OK) {
            go_back(f, &before);
        } else {
            return st;
        }
    }
    st = append_raw(x, content, raw_from, content->size);
    if (st == ST_OK)
        st = plane_flush(&f->text);
    return st == ST_OK ? plane_flush(&f->symbols) : st;
}

enum status rdc_inflated_new(const struct rdc_content *content, const struct rdc_stream *streams,
                             size_t count, const struct rdc_scratches *scratches,
                             struct rdc_inflated **out_inflated)
{
    struct rdc_inflated *f = MEM_NEW(struct rdc_inflated);
    struct inflater *x = MEM_NEW(struct inflater);
    enum status st = scratches->open(scratches->arg, &f->text.scratch);

    x->form = f;
    x->piece = mem_pages(INFLATED_PIECE);
    inflated_window_init(&x->window);
    if (st == ST_OK)
        st = scratches->open(scratches->arg, &f->symbols.scratch);
    if (st == ST_OK)
        st = fill(x, content, streams, count);
    inflated_window_fini(&x->window);
    free(x->piece);
    free(x);
    buf_fini(&f->text.pending);
    buf_fini(&f->symbols.pending);
    f->planes = (struct rdc_planes){f->text.size, f->symbols.size, f->layout.size};
    if (st != ST_OK) {
        rdc_inflated_free(f);
        return st;
    }
    *out_inflated = f;
    return ST_OK;
}

void rdc_inflated_free(struct rdc_inflated *f)
{
    if (!f)
        return;
    rdc_scratch_close(&f->text.scratch);
    rdc_scratch_close(&f->symbols.scratch);
    buf_fini(&f->text.pending);
    buf_fini(&f->symbols.pending);
    buf_fini(&f->layout);
    free(f);
}

const struct rdc_planes *rdc_inflated_planes(const struct rdc_inflated *f)
{
    return &f->planes;
}

size_t rdc_inflated_count(const struct rdc_inflated *f)
{
    return f->count;
}

/* Read the part of [offset, offset + size) that lies in the plane's [begin, end). */
static enum status read_part(const struct plane *p, uint64_t begin, uint64_t offset, uint8_t *out,
                             size_t size)
{
    uint64_t end = begin + p->size;
    uint64_t from = offset > begin ? offset : begin;
    uint64_t to = offset + size < end ? offset + size : end;

    if (from >= to)
        return ST_OK;
    return p->scratch.read(p->scratch.arg, from - begin, out + (from - offset),
                           (size_t)(to - from));
}

static enum status read_form(void *arg, uint64_t offset, void *out, size_t size)
{
    const struct rdc_inflated *f = arg;
    uint64_t layout_begin = f->planes.text_size + f->planes.symbol_size;
    enum status st = read_part(&f->text, 0, offset, out, size);

    if (st == ST_OK)
        st = read_part(&f->symbols, f->planes.text_size, offset, out, size);
    if (st == ST_OK && offset + size > layout_begin) {
        uint64_t from = offset > layout_begin ? offset : layout_begin;

        memcpy((uint8_t *)out + (from - offset), f->layout.data + (from - layout_begin),
               (size_t)(offset + size - from));
    }
    return st;
}

struct rdc_content rdc_inflated_content(struct rdc_inflated *f)
{
    return (struct rdc_content){.size = rdc_planes_size(&f->planes), .read = read_form, .arg = f};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/inflated.h"

#include "common/base/cursor.h"
#include "common/base/limits.h"
#include "common/base/scope.h"
#include "common/rdc/deflate.h"
#include "common/rdc/inflated_parts.h"

/* A plane as it is read. */
struct source {
    const struct rdc_content *form;
    uint64_t at;
    uint64_t end;
};

struct packer {
    struct source text;
    struct source symbols;
    struct inflated_window window;
    uint8_t told[INFLATED_PIECE]; /* of the symbols */
    size_t told_at;
    size_t told_size;
    deflate_symbol batch[INFLATED_BATCH];
    struct deflate_writer writer;
    struct buf out;
    enum status (*write)(void *arg, struct span bytes);
    void *arg;
};

/* At most @size_max bytes of what is left. */
static enum status source_read(struct source *s, void *out, size_t size_max, size_t *out_size)
{
    uint64_t rest = s->end - s->at;
    size_t size = rest < size_max ? (size_t)rest : size_max;
    enum status st = rdc_content_read(s->form, s->at, out, size);

    s->at += size;
    *out_size = size;
    return st;
}

static enum status flush(struct packer *p)
{
    if (p->out.size == 0)
        return ST_OK;
    enum status st = p->write(p->arg, buf_span(&p->out));
    buf_clear(&p->out);
    return st;
}

static enum status flush_full(struct packer *p)
{
    return p->out.size >= INFLATED_PIECE ? flush(p) : ST_OK;
}

/* Have the window know @size bytes from the next symbol's place on; ST_BADDATA: there are not. */
static inline enum status need_text(struct packer *p, size_t size)
{
    struct inflated_window *w = &p->window;
    size_t more = 0;

    if (w->have - w->at >= size)
        return ST_OK;
    inflated_window_slide(w);
    enum status st = source_read(&p->text, w->bytes + w->have, INFLATED_WINDOW - w->have, &more);
    w->have += more;
    if (st == ST_OK && w->have - w->at < size)
        st = ST_BADDATA;
    return st;
}

/* What was read ahead of a stream's text belongs to what follows. */
static void leave_text(struct packer *p)
{
    p->text.at -= p->window.have - p->window.at;
    p->window.have = p->window.at;
}

static enum status pack_raw(struct packer *p, uint64_t size)
{
    enum status st = ST_OK;

    if (size > p->text.end - p->text.at)
        return ST_BADDATA;
    while (size > 0 && st == ST_OK) {
        size_t part = size < INFLATED_PIECE ? (size_t)size : INFLATED_PIECE;

        st = source_read(&p->text, buf_extend(&p->out, part), part, &part);
        if (st == ST_OK)
            st = flush_full(p);
        size -= part;
    }
    return st;
}

static enum status pack_stored(struct packer *p, uint64_t size)
{
    enum status st = ST_OK;

    while (size > 0 && st == ST_OK) {
        size_t part = size < INFLATED_PIECE_STORED ? (size_t)size : INFLATED_PIECE_STORED;

        st = need_text(p, part);
        if (st != ST_OK)
            return st;
        deflate_write_stored(&p->writer, span_of(p->window.bytes + p->window.at, part));
        p->window.at += part;
        size -= part;
        st = flush_full(p);
    }
    return st;
}

/* The next @size bytes that tell symbols; NULL: there are not so many, or they cannot be read. */
static inline const uint8_t *take_told(struct packer *p, size_t size, enum status *out_status)
{
    if (p->told_size - p->told_at < size) {
        size_t kept = p->told_size - p->told_at;
        size_t more;

        memmove(p->told, p->told + p->told_at, kept);
        *out_status = source_read(&p->symbols, p->told + kept, sizeof(p->told) - kept, &more);
        p->told_at = 0;
        p->told_size = kept + more;
        if (*out_status == ST_OK && p->told_size < size)
            *out_status = ST_BADDATA;
        if (*out_status != ST_OK)
            return NULL;
    }
    p->told_at += size;
    return p->told + p->told_at - size;
}

/* A match that is told in more than a byte; length 0: malformed. */
static enum status take_escaped(struct packer *p, unsigned *out_length, unsigned *out_distance)
{
    enum status st = ST_OK;
    const uint8_t *told = take_told(p, 1, &st);

    if (!told)
        return st;
    if (*told < INFLATED_ELSEWHERE) {
        *out_length = *told + 2 + INFLATED_ESCAPE;
        return ST_OK;
    }
    if (*told > INFLATED_ELSEWHERE)
        return ST_BADDATA;
    told = take_told(p, 3, &st);
    if (!told)
        return st;
    *out_length = told[0] + DEFLATE_MATCH_MIN;
    *out_distance = (told[1] | (unsigned)told[2] << 8) + 1;
    return *out_distance <= DEFLATE_DISTANCE_MAX ? ST_OK : ST_BADDATA;
}

/* Whether unpacking would have told a match by this distance, and not by the nearest one. */
static bool is_elsewhere(const struct inflated_window *w, unsigned distance, unsigned nearest,
                         unsigned length)
{
    const uint8_t *at = w->bytes + w->at;

    return distance != nearest && distance <= inflated_window_offset(w) &&
           memcmp(at - distance, at, length) == 0;
}

static inline enum status take_symbol(struct packer *p, deflate_symbol *out)
{
    struct inflated_window *w = &p->window;
    enum status st = ST_OK;
    unsigned distance = 0;
    const uint8_t *told = take_told(p, 1, &st);

    if (!told)
        return st;
    if (*told == 0) {
        st = need_text(p, 1);
        *out = st == ST_OK ? w->bytes[w->at++] : 0;
        return st;
    }
    unsigned length = *told + 2u;
    if (*told == INFLATED_ESCAPE)
        st = take_escaped(p, &length, &distance);
    if (st == ST_OK)
        st = need_text(p, length);
    if (st != ST_OK)
        return st;
    unsigned nearest =
        nearest_find(&w->nearest, w->bytes + w->at, inflated_window_offset(w), length);
    if (distance == 0)
        distance = nearest;
    else if (!is_elsewhere(w, distance, nearest, length))
        return ST_BADDATA;
    w->at += length;
    *out = length << 16 | distance;
    return distance > 0 ? ST_OK : ST_BADDATA;
}

static enum status pack_symbols(struct packer *p, uint64_t count)
{
    enum status st = ST_OK;

    while (count > 0 && st == ST_OK) {
        size_t part = count < INFLATED_BATCH ? (size_t)count : INFLATED_BATCH;

        for (size_t i = 0; i < part && st == ST_OK; i++)
            st = take_symbol(p, &p->batch[i]);
        if (st == ST_OK)
            st = deflate_write_symbols(&p->writer, p->batch, part);
        if (st == ST_OK)
            st = flush_full(p);
        count -= part;
    }
    return st == ST_OK ? deflate_write_block_end(&p->writer) : st;
}

static enum status pack_block(struct packer *p, struct reader *layout, bool *out_last)
{
    struct deflate_block block = {0};
    uint8_t head = reader_u8(layout);
    struct span table = {0};

    block.last = *out_last = head & 1;
    block.type = (enum deflate_type)(head >> 1);
    if (!reader_ok(layout) || head >> 1 >= DEFLATE_TYPES)
        return ST_BADDATA;
    if (block.type == DEFLATE_DYNAMIC)
        table = reader_blob(layout, DEFLATE_TABLE_SIZE_MAX);
    uint64_t count = reader_varint(layout);
    if (!reader_ok(layout) || (block.type == DEFLATE_STORED && count > DEFLATE_STORED_MAX))
        return ST_BADDATA;
    block.stored_size = block.type == DEFLATE_STORED ? (uint32_t)count : 0;
    block.table_size = table.size;
    if (table.size > 0)
        memcpy(block.table, table.data, table.size);
    enum status st = deflate_write_block(&p->writer, &block);
    if (st != ST_OK)
        return st;
    return block.type == DEFLATE_STORED ? pack_stored(p, count) : pack_symbols(p, count);
}

static enum status pack_stream(struct packer *p, struct reader *layout)
{
    enum status st = ST_OK;

    deflate_writer_init(&p->writer, &p->out);
    inflated_window_begin(&p->window);
    for (bool last = false; !last && st == ST_OK;) {
        st = pack_block(p, layout, &last);
        if (st == ST_OK)
            st = flush_full(p);
    }
    deflate_write_end(&p->writer);
    leave_text(p);
    return st;
}

static enum status pack(struct packer *p, struct reader *layout)
{
    enum status st;

    for (;;) {
        uint64_t raw_size = reader_varint(layout);

        st = reader_ok(layout) ? pack_raw(p, raw_size) : ST_BADDATA;
        if (st != ST_OK || layout->rest.size == 0)
            break;
        st = pack_stream(p, layout);
        if (st != ST_OK)
            break;
    }
    if (st == ST_OK &&
        (p->text.at < p->text.end || p->symbols.at < p->symbols.end || p->told_at < p->told_size))
        st = ST_BADDATA;
    return st == ST_OK ? flush(p) : st;
}

enum status rdc_inflated_pack(const struct rdc_content *form, const struct rdc_planes *planes,
                              enum status (*write)(void *arg, struct span bytes), void *arg)
{
    if (!rdc_planes_valid(planes) || rdc_planes_size(planes) != form->size)
        return ST_BADDATA;
    uint64_t layout_at = planes->text_size + planes->symbol_size;
    scope(buf) struct buf bytes = {0};
    enum status st =
        rdc_content_read(form, layout_at, buf_extend(&bytes, (size_t)planes->layout_size),
                         (size_t)planes->layout_size);
    if (st != ST_OK)
        return st;
    struct packer *p = MEM_NEW(struct packer);
    struct reader layout = reader_of(buf_span(&bytes));

    p->text = (struct source){.form = form, .at = 0, .end = planes->text_size};
    p->symbols = (struct source){.form = form, .at = planes->text_size, .end = layout_at};
    p->write = write;
    p->arg = arg;
    inflated_window_init(&p->window);
    st = pack(p, &layout);
    inflated_window_fini(&p->window);
    buf_fini(&p->out);
    free(p);
    return st;
}

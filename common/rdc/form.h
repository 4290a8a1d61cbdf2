/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/form.h: which streams an exchange unpacks, and the forms at either end. Private to
 * send.c and receive.c.
 *
 * The receiver tells the streams of one seed. The sender unpacks those of its content that the seed
 * has not, has the receiver unpack those of the seed that the content has not, and from then on the
 * exchange is about the two forms (inflated.h): their sizes, their chunks, the SHA-256 of the
 * content's. What comes out is packed again and proven as ever.
 */
#ifndef COMMON_RDC_FORM_H
#define COMMON_RDC_FORM_H

#include "common/rdc/frame.h"
#include "common/rdc/inflated.h"

/* --- what the receiver tells -----------------------------------------------------------------*/

/* Streams of a seed; where they are, and how large, is the receiver's own affair and not told. */
struct rdc_told {
    unsigned seed;
    struct rdc_streams streams; /* count 0: nothing was told */
};

/* Look for the first seed that has streams. Seeds that cannot be read have none. */
void rdc_told_find(struct rdc_told *told, const struct rdc_receive_options *options);
void rdc_told_write(const struct rdc_told *told, struct buf *out);
/* False when it is malformed. */
bool rdc_told_read(struct rdc_told *told, struct reader *r, unsigned seed_count);
void rdc_told_fini(struct rdc_told *told);

/* --- the sender's ----------------------------------------------------------------------------*/

struct rdc_sent_form {
    struct rdc_inflated *content; /* NULL: there is no form */
    struct rdc_inflated *base;
    struct rdc_content content_bytes;
    struct rdc_content base_bytes;
    struct rdc_hash hash; /* of content_bytes */
    uint32_t *picks;      /* of what was told, ascending */
    size_t pick_count;
};

/*
 * Unpack what the receiver's seed has not, if that is worth it: not for streams that are a small
 * part of the content, which all is copied for it, nor for a link that is faster than the work.
 *
 * @base       the same content as the told seed; NULL: not known here
 * @bytes_min  not for packed streams of less than this together
 *
 * Failures mean that there is no form: the contents travel as they are.
 */
void rdc_sent_form_make(struct rdc_sent_form *out, const struct rdc_send_options *options,
                        const struct rdc_content *base, const struct rdc_told *told,
                        uint64_t bytes_min);
void rdc_sent_form_write(const struct rdc_sent_form *form, struct buf *out);
void rdc_sent_form_fini(struct rdc_sent_form *form);

/* --- the receiver's --------------------------------------------------------------------------*/

struct rdc_built_form {
    struct rdc_inflated *seed;  /* NULL: there is no form */
    struct rdc_planes planes;   /* of the content's */
    struct rdc_scratch scratch; /* the content's form is built there */
    struct rdc_seed seeds[RDC_SEED_COUNT_MAX];
    struct rdc_receive_options options; /* of the exchange about the forms */
};

/*
 * Take what the sender wrote and unpack the seed.
 *
 * ST_BADDATA: malformed. ST_AGAIN: it cannot be done here, and the contents must travel as they
 * are.
 */
NODISCARD enum status rdc_built_form_make(struct rdc_built_form *out, struct reader *r,
                                          const struct rdc_receive_options *options,
                                          const struct rdc_told *told);

/* The form stands complete: pack it into the sink of @options. ST_BADDATA: not into the content
 * that is expected there. @out_sink_status: what the sink gave. */
NODISCARD enum status rdc_built_form_pack(const struct rdc_built_form *form,
                                          const struct rdc_receive_options *options,
                                          enum status *out_sink_status);
void rdc_built_form_fini(struct rdc_built_form *form);

#endif

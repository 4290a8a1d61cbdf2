/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/rdc.h: options and verbs of `coterie rdc`.
 */
#ifndef CLI_RDC_H
#define CLI_RDC_H

#include "common/rdc/exchange.h"

#include <jansson.h>

#define RDC_OPERANDS_MAX 4096

enum rdc_mode { RDC_MODE_AUTO, RDC_MODE_T1, RDC_MODE_T2, RDC_MODE_T3, RDC_MODE_T4 };

struct rdc_options {
    bool json;
    bool progress;
    bool warm; /* stats: signatures exist before the clock starts */
    bool ms;
    const char *output;
    const char *base_signature; /* delta: the old version's signature, instead of its bytes */
    enum rdc_mode mode;
    struct rdc_key key;
    struct rdc_link link;
    uint64_t horizon; /* 0: by size */
    uint64_t window;  /* with --ms */
    uint64_t level;   /* with --ms: how deep */
    int pack_level;
    const char *operands[RDC_OPERANDS_MAX];
    int operand_count;
};

int rdc_verb_signature(const struct rdc_options *options);
int rdc_verb_delta(const struct rdc_options *options);
int rdc_verb_patch(const struct rdc_options *options);
int rdc_verb_stats(const struct rdc_options *options);
int rdc_verb_similar(const struct rdc_options *options);

/* Options of the library for making a signature. */
struct rdc_signature_options rdc_signing(const struct rdc_options *options);

/* Show how far a file is read, on stderr. */
void rdc_show_progress(uint64_t bytes_done, void *arg);

/* Print @json on one line and free it. */
void rdc_print_json(json_t *json);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* coterie rdc similar: which candidates resemble a file, and how much of it they hold. */
#include "cli/rdc.h"

#include "cli/cli.h"
#include "cli/file.h"
#include "common/base/mem.h"
#include "common/rdc/match.h"

#include <stdio.h>
#include <stdlib.h>

struct likeness {
    const char *path;
    unsigned matches;    /* equal traits */
    uint64_t held_bytes; /* of the file, in chunks that the candidate has */
};

static int sign(const struct rdc_options *options, const char *path, uint32_t horizon,
                struct rdc_signature **out_signature)
{
    struct file file;
    struct rdc_signature_options signing = rdc_signing(options);
    int code = file_open(&file, path);

    if (code != CLI_WELL)
        return code;
    struct rdc_content content = file_content(&file);
    if (horizon)
        signing.horizon = horizon;
    if (rdc_signature_of(&content, &signing, out_signature) != ST_OK)
        code = cli_fail(CLI_UNHEALTHY, "cannot sign %s", path);
    file_fini(&file);
    return code;
}

static uint64_t held_bytes(const struct rdc_signature *file, const struct rdc_signature *candidate)
{
    struct rdc_moves moves = {0};
    uint64_t held = 0;
    uint32_t chunk = 0;

    rdc_moves_match(&moves, file, candidate);
    for (size_t i = 0; i < moves.count; i++) {
        uint32_t end = chunk + moves.items[i].chunk_count;

        for (; chunk < end; chunk++)
            held += moves.items[i].base_first == RDC_LITERAL ? 0 : file->lengths[chunk];
    }
    rdc_moves_fini(&moves);
    return held;
}

static int by_held_bytes(const void *a, const void *b)
{
    const struct likeness *x = a;
    const struct likeness *y = b;

    return x->held_bytes < y->held_bytes ? 1 : x->held_bytes > y->held_bytes ? -1 : 0;
}

static void print_likeness(const struct rdc_options *options, const struct likeness *likeness,
                           uint64_t size)
{
    double share = size ? (double)likeness->held_bytes / (double)size : 0;

    if (options->json)
        rdc_print_json(json_pack("{s:s%, s:i, s:b, s:I, s:f}", "path", likeness->path,
                                 strlen(likeness->path), "traits_equal", (int)likeness->matches,
                                 "candidate", likeness->matches >= RDC_TRAIT_MATCHES_MIN,
                                 "held_bytes", (json_int_t)likeness->held_bytes, "held_share",
                                 share));
    else
        printf("%5.1f %%  %2u traits%s  %s\n", 100 * share, likeness->matches,
               likeness->matches >= RDC_TRAIT_MATCHES_MIN ? ", a seed" : "", likeness->path);
}

int rdc_verb_similar(const struct rdc_options *options)
{
    struct rdc_signature *file = NULL;
    size_t count = (size_t)options->operand_count - 1;
    struct likeness *likenesses = mem_new(count, sizeof(*likenesses));
    int code = sign(options, options->operands[0], 0, &file);

    for (size_t i = 0; i < count && code == CLI_WELL; i++) {
        struct rdc_signature *candidate = NULL;

        code = sign(options, options->operands[i + 1], file->horizon, &candidate);
        if (code != CLI_WELL)
            break;
        likenesses[i] = (struct likeness){
            .path = options->operands[i + 1],
            .matches = rdc_traits_matches(&file->traits, &candidate->traits),
            .held_bytes = held_bytes(file, candidate),
        };
        rdc_signature_free(candidate);
    }
    if (code == CLI_WELL) {
        qsort(likenesses, count, sizeof(*likenesses), by_held_bytes);
        for (size_t i = 0; i < count; i++)
            print_likeness(options, &likenesses[i], file->size);
    }
    rdc_signature_free(file);
    free(likenesses);
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* coterie rdc stats: the real exchange between two peers in this process, and what it costs. */
#include "cli/rdc.h"

#include "cli/cli.h"
#include "cli/file.h"
#include "common/base/scope.h"
#include "common/rdc/loopback.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

struct sides {
    struct file old_file;
    struct file new_file;
    struct result result;
    struct rdc_hash old_hash;
    struct rdc_hash new_hash;
    struct rdc_content old_content;
    struct rdc_signature *old_signature;
    struct rdc_signature *new_signature;
};

struct cost {
    double cpu_seconds;
    double wall_seconds;
};

static void sides_fini(struct sides *sides)
{
    file_fini(&sides->old_file);
    file_fini(&sides->new_file);
    result_fini(&sides->result);
    rdc_signature_free(sides->old_signature);
    rdc_signature_free(sides->new_signature);
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static struct cost cost_now(void)
{
    struct rusage usage;
    struct timespec now;

    getrusage(RUSAGE_SELF, &usage);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (struct cost){
        .cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
        .wall_seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9,
    };
}

/* Greatest resident set so far, bytes: of this program, which getrusage() mixes with its parent's.
 */
static uint64_t peak_memory(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[128];
    unsigned long long kib = 0;

    while (status && kib == 0 && fgets(line, sizeof(line), status))
        (void)sscanf(line, "VmHWM: %llu", &kib);
    if (status)
        fclose(status);
    return kib * 1024;
}

static int open_sides(struct sides *sides, const struct rdc_options *options)
{
    int code = file_open(&sides->old_file, options->operands[0]);

    if (code == CLI_WELL)
        code = file_open(&sides->new_file, options->operands[1]);
    if (code == CLI_WELL)
        code = result_open(&sides->result, options->output);
    if (code != CLI_WELL)
        return code;
    sides->old_content = file_content(&sides->old_file);
    if (file_hash(&sides->old_file, &sides->old_hash) != ST_OK ||
        file_hash(&sides->new_file, &sides->new_hash) != ST_OK)
        return CLI_UNHEALTHY;
    return CLI_WELL;
}

static int sign_sides(struct sides *sides, const struct rdc_options *options)
{
    struct rdc_content new_content = file_content(&sides->new_file);
    struct rdc_signature_options signing = rdc_signing(options);

    if (signing.horizon == 0)
        signing.horizon = rdc_horizon_for(sides->new_file.size);
    if (rdc_signature_of(&sides->old_content, &signing, &sides->old_signature) != ST_OK ||
        rdc_signature_of(&new_content, &signing, &sides->new_signature) != ST_OK)
        return cli_fail(CLI_UNHEALTHY, "cannot sign %s or %s", sides->old_file.path,
                        sides->new_file.path);
    return CLI_WELL;
}

static void print_stats(const struct rdc_options *options, const struct rdc_stats *receiver,
                        const struct rdc_stats *sender, struct cost cost)
{
    double signing = (double)(receiver->signature_ns + sender->signature_ns) / 1e9;
    double matching = (double)(receiver->match_ns + sender->match_ns) / 1e9;
    double packing = (double)sender->segment_ns / 1e9;
    double building = (double)receiver->build_ns / 1e9;
    double unpacking = (double)(receiver->unpack_ns + sender->unpack_ns) / 1e9;
    json_t *json = json_pack(
        "{s:s, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, "
        "s:I, s:b}",
        "way", rdc_way_name(receiver->way), "fell_back", (int)receiver->fell_back, "repeated",
        (int)receiver->repeated, "unpacked", (int)receiver->unpacked, "bytes_up",
        (json_int_t)receiver->bytes_out, "bytes_down", (json_int_t)receiver->bytes_in,
        "bytes_total", (json_int_t)(receiver->bytes_out + receiver->bytes_in), "rounds",
        (json_int_t)receiver->rounds, "literal_bytes", (json_int_t)receiver->literal_bytes,
        "copied_bytes", (json_int_t)receiver->copied_bytes, "cpu_seconds", cost.cpu_seconds,
        "cpu_signature_seconds", signing, "cpu_match_seconds", matching, "cpu_pack_seconds",
        packing, "cpu_build_seconds", building, "cpu_unpack_seconds", unpacking, "wall_seconds",
        cost.wall_seconds, "peak_memory_bytes", (json_int_t)peak_memory(), "verified", 1);

    if (options->json) {
        rdc_print_json(json);
        return;
    }
    const char *name;
    json_t *value;
    json_object_foreach(json, name, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(4));

        printf("%-24s %s\n", name, text);
        free(text);
    }
    json_decref(json);
}

/* Both ends from open to proven. */
static int play(struct sides *sides, const struct rdc_options *options)
{
    bool base_known = options->mode == RDC_MODE_T1 || options->mode == RDC_MODE_T2;
    struct rdc_seed seed = {
        .content = sides->old_content,
        .signature = sides->old_signature,
        .hash = base_known ? &sides->old_hash : NULL,
    };
    struct rdc_base base = {
        .hash = sides->old_hash,
        .content = options->mode == RDC_MODE_T1 ? &sides->old_content : NULL,
        .signature = sides->old_signature,
    };
    struct rdc_receive_options receive_options = {
        .size = sides->new_file.size,
        .hash = sides->new_hash,
        .seeds = &seed,
        .seed_count = options->mode != RDC_MODE_T4,
        .sink = result_sink(&sides->result),
        .key = options->key,
        .link = options->link,
        .scratches = file_scratches(),
    };
    struct rdc_send_options send_options = {
        .content = file_content(&sides->new_file),
        .signature = sides->new_signature,
        .bases = &base,
        .base_count = base_known,
        .key = options->key,
        .pack_level = options->pack_level,
        .link = options->link,
        .scratches = file_scratches(),
    };
    struct cost begin = cost_now();
    struct rdc_receiver *receiver = rdc_receive_new(&receive_options);
    struct rdc_sender *sender = rdc_send_new(&send_options);
    int code = CLI_WELL;

    if (rdc_loopback(receiver, sender) != RDC_DONE)
        code = cli_fail(CLI_UNHEALTHY, "the exchange failed: %s",
                        rdc_receive_failure(receiver).reason);
    struct cost end = cost_now();
    if (code == CLI_WELL) {
        print_stats(options, rdc_receive_stats(receiver), rdc_send_stats(sender),
                    (struct cost){.cpu_seconds = end.cpu_seconds - begin.cpu_seconds,
                                  .wall_seconds = end.wall_seconds - begin.wall_seconds});
        code = result_commit(&sides->result);
    }
    rdc_receive_free(receiver);
    rdc_send_free(sender);
    return code;
}

int rdc_verb_stats(const struct rdc_options *given)
{
    struct rdc_options options = *given;
    struct sides sides = {.old_file.fd = -1, .new_file.fd = -1, .result.fd = -1};

    if (options.mode == RDC_MODE_AUTO)
        options.mode = RDC_MODE_T1;
    int code = open_sides(&sides, &options);
    /* a sender of T2 has nothing but the signature: making it is never its cost */
    if (code == CLI_WELL && (options.warm || options.mode == RDC_MODE_T2 || options.horizon != 0))
        code = sign_sides(&sides, &options);
    if (code == CLI_WELL && options.mode == RDC_MODE_T2 && !options.warm) {
        rdc_signature_free(sides.new_signature);
        sides.new_signature = NULL;
    }
    if (code == CLI_WELL)
        code = play(&sides, &options);
    sides_fini(&sides);
    return code;
}

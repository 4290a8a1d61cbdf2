/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/folder/verifying.h"

#include "agent/replica/verification.h"
#include "agent/session/sender.h"
#include "agent/transfer/codec.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <inttypes.h>
#include <stdlib.h>

static void set_due(struct verifying *verifying, const struct folder *f, int64_t in_ms)
{
    verifying->due = instant_after_ms(loop_now(f->services->loop), in_ms);
}

static int64_t regular_ms(const struct verifying *verifying, const struct folder *f)
{
    return verification_due_in_ms(&verifying->connection, &f->guid, walltime_now());
}

void verifying_init(struct verifying *verifying, const struct folder *f,
                    const struct guid *connection)
{
    *verifying = (struct verifying){.connection = *connection, .again_ms = VERIFY_AGAIN_MS};
    set_due(verifying, f, regular_ms(verifying, f));
}

void verifying_drop(struct verifying *verifying)
{
    verifying->asked = false;
    verifying->complete = false;
    verification_free(verifying->verification);
    verifying->verification = NULL;
}

bool verifying_is_busy(const struct verifying *verifying)
{
    return verifying->wanted || verifying->asked || verifying->complete;
}

static void ask(struct verifying *verifying, const struct verifying_session *s)
{
    Coterie__V1__SessionRequest request = COTERIE__V1__SESSION_REQUEST__INIT;
    const struct verification *v = verifying->verification;
    struct list_message question;

    list_to_message(v ? verification_after(v) : NULL, &question);
    request.body_case = COTERIE__V1__SESSION_REQUEST__BODY_VERIFY;
    request.verify = &question.list;
    request.sequence = sequence_next(s->sequence);
    rpc_stream_send(s->stream, &request.base);
    verifying->asked = true;
}

static void tell_found(const struct verifying *verifying, const struct verifying_session *s)
{
    const struct verification *v = verifying->verification;
    size_t count = verification_found(v);
    scope_free char *path = NULL;
    scope_free char *key = mem_format("verify:%s", s->partner);

    if (count == 0) {
        log_info(s->log, "all records of the partner were held against ours and agree count=%" PRIu64,
                 verification_compared(v));
        problem_clear(&s->folder->problems, key);
        return;
    }
    if (!replica_path(s->folder->replica, verification_first(v), &path))
        path = mem_copy_string("");
    scope_free char *cause =
        mem_format("%zu of its %" PRIu64 " records differ from ours, though both sides had processed "
                   "them; the first is of %s",
                   count, verification_compared(v), path[0] ? path : "a file that is not here");

    log_warn(s->log, "records differ from the partner's, they are exchanged again count=%zu first=%s",
             count, path);
    folder_problem(s->folder, key, s->partner, cause,
                   "nothing for the files: they are exchanged again; but look for disk errors, and "
                   "report it");
}

/* What differs should have been mended in a while. If it is still there then, nothing mends it by itself (what
 * only we have does not go up a one-way connection): it stays named, and is looked at less and less often. */
static void set_next(struct verifying *verifying, const struct folder *f, bool differs)
{
    int64_t in_ms = regular_ms(verifying, f);

    if (!differs) {
        verifying->again_ms = VERIFY_AGAIN_MS;
    } else if (verifying->again_ms < in_ms) {
        in_ms = verifying->again_ms;
        verifying->again_ms *= 2;
    }
    set_due(verifying, f, in_ms);
}

/* False: not now. */
static bool end(struct verifying *verifying, const struct verifying_session *s)
{
    struct folder *f = s->folder;
    bool differs = verification_found(verifying->verification) > 0;

    if (f->plan || f->store_broken)
        return false;
    tell_found(verifying, s);
    if (verification_end(verifying->verification, f->replica) != ST_OK) {
        folder_store_failed(f);
        return false;
    }
    verifying_drop(verifying);
    verifying->wanted = false;
    set_next(verifying, f, differs);
    return differs;
}

bool verifying_check(struct verifying *verifying, const struct verifying_session *s)
{
    bool due = verifying->wanted ||
               instant_ms_since(verifying->due, loop_now(s->folder->services->loop)) >= 0;

    if (verifying->complete)
        return end(verifying, s);
    if (due && !verifying->asked && receiver_in_sync(s->receiver, replica_vector(s->folder->replica)) &&
        replica_state(s->folder->replica)->initial_sync_done) {
        ask(verifying, s);
    }
    return false;
}

static const char *begin(struct verifying *verifying, const Coterie__V1__SessionVerified *message)
{
    scope(vector) struct vector vector = {0};
    const char *rule = vector_from_message(message->vector, &vector);

    if (!rule)
        verifying->verification = verification_begin(&vector);
    return rule;
}

const char *verifying_take(struct verifying *verifying, const struct verifying_session *s,
                           const Coterie__V1__SessionVerified *message)
{
    scope_free struct named_record *records = NULL;
    struct file_id upto = {0};
    size_t count = 0;
    bool is_last = false;
    const char *rule = NULL;

    if (!verifying->asked)
        return "records came that were not asked for";
    verifying->asked = false;
    if (!verifying->verification)
        rule = begin(verifying, message);
    if (!rule)
        rule = verified_from_message(message, &records, &count, &upto, &is_last);
    if (!rule)
        rule = verification_part(verifying->verification, s->folder->replica, records, count,
                                 is_last ? NULL : &upto);
    if (rule)
        return rule;
    verifying->complete = is_last;
    if (!is_last)
        ask(verifying, s);
    return NULL;
}

const char *verifying_answer(struct folder *f, struct rpc_stream *stream,
                             const Coterie__V1__SessionList *message, struct sequence *sequence,
                             bool *out_ok)
{
    Coterie__V1__SessionResponse response = COTERIE__V1__SESSION_RESPONSE__INIT;
    scope_free struct named_record *records = mem_new(VERIFY_PART_COUNT, sizeof(*records));
    scope(buf) struct buf bytes = {0};
    struct verified_message verified;
    struct file_id after = {0};
    struct file_id upto = {0};
    bool has_after;
    bool is_last;
    const char *rule = list_from_message(message, &after, &has_after);

    *out_ok = true;
    if (rule)
        return rule;
    size_t count = sender_name_records(&f->reader, has_after ? &after : NULL, records,
                                       VERIFY_PART_COUNT, &upto, &is_last);
    *out_ok = !f->reader.ops->failed(f->reader.arg);
    if (!*out_ok)
        return NULL;
    verified_to_message(records, count, is_last ? NULL : &upto, &bytes, &verified);
    if (!has_after)
        verified.verified.vector = vector_to_message(replica_vector(f->replica));
    response.body_case = COTERIE__V1__SESSION_RESPONSE__BODY_VERIFIED;
    response.verified = &verified.verified;
    response.sequence = sequence_next(sequence);
    rpc_stream_send(stream, &response.base);
    vector_message_free(verified.verified.vector);
    return NULL;
}

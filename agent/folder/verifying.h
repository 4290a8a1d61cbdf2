/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/folder/verifying.h: private to agent/folder: once a VERIFY_INTERVAL_MS the records of each partner that
 * we receive from are held against ours (agent/replica/verification.h), and when the operator asks.
 *
 * Beside the receiver's rounds: what it finds only makes our vector lesser. On the loop thread.
 */
#ifndef AGENT_FOLDER_VERIFYING_H
#define AGENT_FOLDER_VERIFYING_H

#include "agent/folder/parts.h"
#include "agent/session/receiver.h"

struct verification;

/* Of one session to pull by. */
struct verifying {
    struct guid connection;
    struct instant due;
    int64_t again_ms; /* after the next time that something differs */
    bool wanted;   /* now: the operator asked */
    bool asked;    /* the partner has a question of ours */
    bool complete; /* all parts have come */
    struct verification *verification; /* from the first answer on */
};

/* What the session lends for a call. */
struct verifying_session {
    struct folder *folder;
    const struct log_ctx *log;
    const struct receiver *receiver;
    struct rpc_stream *stream;
    struct sequence *sequence;
    const char *partner;
};

void verifying_init(struct verifying *verifying, const struct folder *f,
                    const struct guid *connection);
/* The session has ended. Begins anew in the next one, if it was under way. */
void verifying_drop(struct verifying *verifying);
bool verifying_is_busy(const struct verifying *verifying);
/* Begin when it is time and all is quiet between us; end when all has come and no plan is under way. True when
 * our vector gave something up. */
bool verifying_check(struct verifying *verifying, const struct verifying_session *session);
/* A part has come. Returns NULL, or the broken rule. */
const char *verifying_take(struct verifying *verifying, const struct verifying_session *session,
                           const Coterie__V1__SessionVerified *message);
/* Answer a partner's question. Returns NULL, or the broken rule; false in *out_ok when the store failed. */
const char *verifying_answer(struct folder *f, struct rpc_stream *stream,
                             const Coterie__V1__SessionList *message, struct sequence *sequence,
                             bool *out_ok);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/attributes/attributes.h: owner, rights, times, ACLs and extended attributes as the bytes
 * that travel (proto/types.proto, Attributes), read from and applied to open objects.
 *
 * Numbers never cross the wire as truth: owner, group and ACL entries go by name, or "#N" where
 * this machine has no name for N. ACLs are lines "user:alice:rw-", ordered by tag and name, and
 * absent when the mode says it all. Extended attributes: user.*, security.capability,
 * security.NTACL; nothing else of security.*, system.* or trusted.*.
 *
 * What can not be applied. A name that is unknown here is never taken for root: the object gets the
 * fallback owner and loses set-id bits, an ACL entry is left out; each is logged. The *projection*
 * of some bytes is what applying them leaves on this machine; attributes_read() gives the recorded
 * bytes back for every field that still stands as their projection, so what this machine can not
 * hold does not come back as a change made here. Anything else that can not be stored fails.
 *
 * Descriptors may be O_PATH, so symlinks work and nothing is resolved twice. Blocks (name service,
 * file I/O). Threads: names are cached for each thread, no shared state.
 */
#ifndef AGENT_ATTRIBUTES_ATTRIBUTES_H
#define AGENT_ATTRIBUTES_ATTRIBUTES_H

#include "agent/version/update.h"
#include "common/base/buf.h"
#include "common/base/log.h"

#include <sys/types.h>

/* Who owns what has an owner that is unknown here: the owner of the directory that it stands in, at
 * apply and at read alike. */
struct attributes_fallback {
    uid_t uid;
    gid_t gid;
};

/*
 * Append the attributes of an open object to @out. Equal attributes give equal bytes.
 *
 * @recorded  the bytes that were applied or read last, may be empty
 *
 * Errors: ST_FULL (above ATTRIBUTES_SIZE_MAX), ST_REFUSED, ST_GONE, ST_IO; logged with @name.
 */
NODISCARD enum status attributes_read(int fd, const struct attributes_fallback *fallback,
                                      struct span recorded, const char *name,
                                      const struct log_ctx *log, struct buf *out);

/*
 * Make the object have these attributes, in the order that keeps them: owner, mode, ACLs, extended
 * attributes, capability, times. Idempotent.
 *
 * Errors: ST_BADDATA (attributes_problem()), ST_REFUSED (not permitted, or the file system can not
 * hold one of them), ST_FULL (no space for one of them), ST_IO; logged with @name. After an error
 * some may have been applied: apply before the object becomes visible.
 */
NODISCARD enum status attributes_apply(int fd, struct span bytes,
                                       const struct attributes_fallback *fallback,
                                       const char *name, const struct log_ctx *log);

/* Bytes from outside: NULL when they can be applied, else the broken rule in one clause. */
const char *attributes_problem(struct span bytes);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/attributes/xattr.h: the extended attributes that replicate: user.*, security.capability and
 * security.NTACL (Samba's Windows ACL).
 */
#ifndef AGENT_ATTRIBUTES_XATTR_H
#define AGENT_ATTRIBUTES_XATTR_H

#include "common/base/span.h"
#include "common/base/status.h"

struct xattr {
    char *name;
    uint8_t *value;
    size_t value_size;
};

struct xattrs {
    struct xattr *items; /* ascending by name */
    size_t count;
};
void xattrs_fini(struct xattrs *x);

bool xattr_name_replicates(const char *name);

/* Those of an open object. errno on failure; ST_FULL above ATTRIBUTES_SIZE_MAX altogether. */
NODISCARD enum status xattrs_read(int fd, struct xattrs *out_xattrs);

/* Make the object have just these of those that replicate, security.capability last. @out_name: on
 * failure, the one that could not be set, borrowed from @wanted, or NULL; errno on failure. */
NODISCARD enum status xattrs_apply(int fd, const struct xattrs *wanted, const char **out_name);

#endif

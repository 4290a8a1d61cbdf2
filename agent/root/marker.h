/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/root/marker.h: the file that says whose root a directory is.
 *
 * Text, three lines "key=guid" after a heading, so that an administrator can read it:
 *
 *     Coterie keeps this folder. Do not copy or edit this file.
 *     folder=6f9619ff-8b86-d011-b42d-00c04fc964ff
 *     token=…
 *     volume=…
 */
#ifndef AGENT_ROOT_MARKER_H
#define AGENT_ROOT_MARKER_H

#include "common/base/guid.h"
#include "common/base/status.h"

#define MARKER_NAME "marker"

struct marker {
    struct guid folder;
    struct guid token;
    struct guid volume; /* zero: not known */
};

/*
 * Read or write the marker in the private directory. Durable on ST_OK; a crash leaves the old or the
 * new one. They log nothing: errno is set for ST_IO, ST_FULL and ST_REFUSED.
 *
 * marker_read: ST_GONE (there is none), ST_BADDATA (not a marker).
 */
NODISCARD enum status marker_read(int private_fd, struct marker *out_marker);
NODISCARD enum status marker_write(int private_fd, const struct marker *marker);

#endif

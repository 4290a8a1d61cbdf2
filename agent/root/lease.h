/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/root/lease.h: is anybody writing this file?
 *
 * A read lease is refused while a file is open for writing or mapped writable, and tells when
 * somebody opens it for writing: that opener waits until the lease is released, so it is held for
 * moments only. Where leases are not to be had (not our file and no CAP_LEASE, or a file system without
 * them) nobody seems to write, and the witness alone decides.
 */
#ifndef AGENT_ROOT_LEASE_H
#define AGENT_ROOT_LEASE_H

#include <stdbool.h>

/* Take a lease on a regular file that is open for reading only. False: somebody has it open for
 * writing. */
bool lease_take(int fd);
/* Since it was taken, nobody has tried to open the file for writing. */
bool lease_undisturbed(int fd);
/* Harmless without a lease. */
void lease_release(int fd);

/* Take and release. */
bool lease_is_free(int fd);

/* Whether leases are to be had on this file at all. */
bool lease_can_tell(int fd);

#endif

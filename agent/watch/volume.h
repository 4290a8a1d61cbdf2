/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/watch/volume.h: one fanotify mark on the whole file system.
 */
#ifndef AGENT_WATCH_VOLUME_H
#define AGENT_WATCH_VOLUME_H

#include "agent/watch/dirty.h"

/* A descriptor that is readable when there are events; -1 and errno when the kernel refuses it. */
int volume_open(const struct root *root);

/* Take all events that are there. */
void volume_drain(int fd, struct dirty *dirty);

#endif

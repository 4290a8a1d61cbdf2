/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/os/service.h: a daemon's word to its service manager.
 */
#ifndef COMMON_OS_SERVICE_H
#define COMMON_OS_SERVICE_H

/* Send a state ("READY=1", "STOPPING=1", "STATUS=…") to the socket that NOTIFY_SOCKET names, as
 * sd_notify(3) does; nothing happens when it is not set. */
void service_notify(const char *state);

#endif

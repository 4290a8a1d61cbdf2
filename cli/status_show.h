/* SPDX-License-Identifier: Apache-2.0 */
/* cli/status_show.h: the controller's status document for people. */
#ifndef CLI_STATUS_SHOW_H
#define CLI_STATUS_SHOW_H

#include "common/base/span.h"

#include <stdio.h>

/*
 * Print the JSON document @body: as it is, or as a verdict, what to do, and tables. Returns the
 * exit code that its health stands for; CLI_UNREACHABLE when it is no status document.
 */
int status_show(struct span body, bool json, FILE *to);

#endif

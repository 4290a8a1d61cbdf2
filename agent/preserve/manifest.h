/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/preserve/manifest.h: one line for each preserved entry, version 1.
 *
 * Tab-separated, escaped as buf_append_escaped() does:
 *
 *   number  when  cause  database  version  file-database  file-number  kind  size  path
 *
 * e.g. 12  1795373436123456789  deleted  <guid>  77  <guid>  12  file  5120  reports/may.txt
 *
 * Numbers ascend. A line that does not parse (a torn write) is passed over.
 */
#ifndef AGENT_PRESERVE_MANIFEST_H
#define AGENT_PRESERVE_MANIFEST_H

#include "agent/preserve/preserve.h"

/* Append the entry's line with its newline. */
void manifest_write(const struct preserve_entry *entry, struct buf *out);

/* Parse a line without its newline; it is changed. False, and @out untouched, for anything else. @out is
 * finished first. */
bool manifest_parse(char *line, struct preserve_entry *out);

#endif

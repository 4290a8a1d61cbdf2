/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/folder/flush.h: private to agent/folder: what is recorded is on the disk.
 *
 * A record outlives a power cut, and partners act on it at once. A file that the kernel had not written by
 * then would come back empty, old or not at all, and that would be taken for what users did since: it
 * would empty, undo or remove the file on every member. So what findings rest on is brought to the disk
 * before they are recorded (docs/decisions/0016).
 */
#ifndef AGENT_FOLDER_FLUSH_H
#define AGENT_FOLDER_FLUSH_H

#include "agent/folder/local.h"

/*
 * Flush what was changed lately of what PRESENT and GONE findings rest on: the files, and the directories that
 * name them or did. Few are flushed one by one, more with their whole file system. A finding whose object the
 * disk refuses becomes FAILED.
 *
 * Returns ST_OK, or ST_IO (logged) when the file system as a whole refuses. Blocks.
 */
NODISCARD enum status flush_findings(struct gathering *gathering);

#endif

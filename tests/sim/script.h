/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/sim/script.h: what users and faults did in one run, written so that real agents can be put
 * through the same (tests/integration/agents/replay.sh).
 *
 * Lines, words parted by one space; a line that begins with # is for the reader. First the world:
 *
 *   members COUNT
 *   reader MEMBER             read-only
 *   link FROM TO              TO pulls from FROM
 *
 * then what happens, in order: MILLISECONDS MEMBER WORD ARGUMENT..., members from 1, "-" for
 * nobody. What comes before "start" is there before the agents run. Paths are below the folder's
 * root.
 *
 *   - start                   the agents start
 *   create PATH CONTENT       a file with that content, a number; equal numbers are equal contents
 *   mkdir PATH                symlink PATH CONTENT     a link whose target is the content
 *   write PATH CONTENT        chmod PATH NUMBER        any other mode for another number
 *   move PATH PATH            what the second names, a file, is replaced
 *   swap PATH PATH            delete PATH              with everything below it
 *   crash AWAY_MS             kill, and back after that time
 *   lose                      its database is lost in the crash that the next line tells
 *   clock OFFSET_MS           how much its clock differs from now on
 *   - cut FROM TO             the session in which TO pulls from FROM breaks
 *   - close FROM TO, - open FROM TO    its schedule
 *   - part A B                nothing passes between the two
 *   - heal                    everything passes between all
 *   - healed                  the faults end
 *
 * Failures inside a member (of its disk, its store, its steps) and a topology laid anew are the
 * simulation's alone.
 */
#ifndef TESTS_SIM_SCRIPT_H
#define TESTS_SIM_SCRIPT_H

#include "tests/sim/disk.h"

#include "common/base/status.h"

struct world;
struct member;

/* All of these print nothing unless the run is to be written (sim_options.script). */
void script_begin(const struct world *world);
void script_say(const struct world *world, const struct member *member, const char *format, ...)
    PRINTF_LIKE(3, 4);

void script_path(const struct node *node, char path[DISK_PATH_SIZE]);
void script_child_path(const struct node *dir, const char *name, char path[DISK_PATH_SIZE]);

#endif

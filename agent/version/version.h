/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/version/version.h: who numbered what.
 *
 * A *database* is the space in which one member numbers its changes to one folder. A *file id*
 * names a file for ever, over renames and moves: it is the database that saw it first and a number
 * there. A *gvsn* names one change of a file in the same way. Numbers 0 to 8 are reserved
 * ([MS-FRS2] 3.1.1); the folder's root has the file id (folder guid, 1).
 *
 * The upper bits of a number say which *life* of the database issued it: each start of its process
 * begins another one (docs/decisions/0011). Within a life each version is made in knowledge of all
 * lesser ones; between two lives the database may have gone back.
 */
#ifndef AGENT_VERSION_VERSION_H
#define AGENT_VERSION_VERSION_H

#include "common/base/guid.h"

#include <stdbool.h>
#include <stdint.h>

#define VERSION_NUMBER_FIRST UINT64_C(9)
#define VERSION_NUMBER_ROOT  UINT64_C(1)
#define VERSION_LIFE_BITS    24 /* of a number: the count within one life */
#define VERSION_LIFE_MAX     (((uint64_t)INT64_MAX >> VERSION_LIFE_BITS) - 1)

struct file_id {
    struct guid database;
    uint64_t number;
};

struct gvsn {
    struct guid database;
    uint64_t number;
};

/* Order: memcmp of the database, then the number. Negative, 0 or positive. */
int file_id_compare(const struct file_id *a, const struct file_id *b);
int gvsn_compare(const struct gvsn *a, const struct gvsn *b);

static inline bool file_id_equal(const struct file_id *a, const struct file_id *b)
{
    return a->number == b->number && guid_equal(&a->database, &b->database);
}

static inline bool gvsn_equal(const struct gvsn *a, const struct gvsn *b)
{
    return a->number == b->number && guid_equal(&a->database, &b->database);
}

/* Whether who issued @later had issued @earlier before, and knew it then. */
static inline bool gvsn_succeeds(const struct gvsn *later, const struct gvsn *earlier)
{
    return later->number > earlier->number &&
           later->number >> VERSION_LIFE_BITS == earlier->number >> VERSION_LIFE_BITS &&
           guid_equal(&later->database, &earlier->database);
}

static inline struct file_id file_id_root(const struct guid *folder)
{
    return (struct file_id){.database = *folder, .number = VERSION_NUMBER_ROOT};
}

#endif

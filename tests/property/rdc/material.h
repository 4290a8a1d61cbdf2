/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/property/rdc/material.h: contents that are hard on a chunker, and edits of them.
 */
#ifndef TESTS_PROPERTY_RDC_MATERIAL_H
#define TESTS_PROPERTY_RDC_MATERIAL_H

#include "common/base/buf.h"
#include "tests/support/random.h"

/* Append about @size bytes: stretches of noise, of one byte, of short periods, of few letters. */
void material_append(struct buf *out, size_t size, struct random_source *random);

/* Append @old with stretches replaced, removed, inserted, doubled and swapped. */
void material_edit(struct buf *out, struct span old, struct random_source *random);

#endif

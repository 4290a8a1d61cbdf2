/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/rdc/archive.h: texts, archives of them as zlib makes them, and what content and
 * scratches are in memory.
 */
#ifndef TESTS_UNIT_RDC_ARCHIVE_H
#define TESTS_UNIT_RDC_ARCHIVE_H

#include "common/base/buf.h"
#include "common/rdc/exchange.h"

/* @size bytes more; equal seeds give equal ones. Text is words that come again. */
void archive_text(struct buf *out, size_t size, uint64_t seed);
void archive_noise(struct buf *out, size_t size, uint64_t seed);

/* zlib's level 0 to 9 and its strategy. */
struct archive_way {
    int level;
    int strategy;
};

/* A raw stream more; returns its size. */
size_t archive_deflate(struct buf *out, struct span text, struct archive_way way);

/* Flags of archive_gzip(): what its header has. */
#define ARCHIVE_CHECKED   2u
#define ARCHIVE_EXTRA     4u
#define ARCHIVE_NAMED     8u
#define ARCHIVE_COMMENTED 16u

/* A gzip member more; returns where in @out its stream begins. */
size_t archive_gzip(struct buf *out, struct span text, struct archive_way way, unsigned flags);

/* A ZIP archive; zero-initialised is empty. */
struct archive_zip {
    struct buf bytes;
    struct buf directory;
    uint16_t count;
};

enum archive_method {
    ARCHIVE_DEFLATED,
    ARCHIVE_DESCRIBED, /* deflated; sizes stand behind the member, its header has none */
    ARCHIVE_STORED,
};

/* A member more; returns where its bytes begin. */
size_t archive_zip_add(struct archive_zip *zip, struct span text, enum archive_method method,
                       int level);
/* The directory, and @comment behind it. */
void archive_zip_end(struct archive_zip *zip, const char *comment);
void archive_zip_fini(struct archive_zip *zip);

/* Content whose reads fail with ST_IO once @reads_left are done. */
struct archive_source {
    struct span bytes;
    unsigned reads_left;
};

/* @source outlives what is returned. */
struct rdc_content archive_failing(struct archive_source *source);

/* Scratches in memory, which fail when and as they are told to. */
struct archive_disk {
    unsigned opens_left; /* then ST_IO */
    uint64_t room;       /* bytes of all scratches, then ST_FULL */
    unsigned reads_left; /* then ST_GONE */
    unsigned open_count; /* now */
};

/* Of one that does not fail. */
#define ARCHIVE_DISK                                                                               \
    ((struct archive_disk){.opens_left = 99, .room = 1u << 30, .reads_left = 1u << 30})

/* @disk outlives what is returned. */
struct rdc_scratches archive_scratches(struct archive_disk *disk);

/* Where an exchange builds its result, which begins empty and outlives what is returned. */
struct rdc_sink archive_sink(struct buf *result);

#endif

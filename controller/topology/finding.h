/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/topology/finding.h: what is wrong with an object of the directory, for an
 * administrator: which object, what about it, and what to do.
 */
#ifndef CONTROLLER_TOPOLOGY_FINDING_H
#define CONTROLLER_TOPOLOGY_FINDING_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum severity {
    SEVERITY_ERROR,   /* something does not replicate because of it */
    SEVERITY_WARNING, /* replicates, but not as somebody may think */
    SEVERITY_NOTE,    /* worth knowing */
};

struct finding {
    enum severity severity;
    char *object;  /* distinguished name, printable */
    char *problem; /* one lower-case clause */
    char *remedy;  /* one lower-case clause */
};

/* Zero-initialised is empty. */
struct findings {
    struct finding *items;
    size_t count;
    size_t left_out_count; /* beyond FINDING_COUNT_MAX */
};

/* "error", "warning", "note" */
const char *severity_name(enum severity severity);

void findings_fini(struct findings *findings);

/* @problem_format may hold text from the directory: control bytes become '?'. */
void findings_add(struct findings *findings, enum severity severity, const char *object,
                  const char *remedy, const char *problem_format, ...) PRINTF_LIKE(5, 6);

/* Worst first, then by object and problem; two that are alike become one. */
void findings_sort(struct findings *findings);

#endif

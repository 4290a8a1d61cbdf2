/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/topology/finding.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *severity_name(enum severity severity)
{
    switch (severity) {
    case SEVERITY_ERROR:
        return "error";
    case SEVERITY_WARNING:
        return "warning";
    case SEVERITY_NOTE:
        return "note";
    }
    abort();
}

static void finding_fini(struct finding *f)
{
    free(f->object);
    free(f->problem);
    free(f->remedy);
}

void findings_fini(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        finding_fini(&findings->items[i]);
    free(findings->items);
    *findings = (struct findings){0};
}

static char *printable(char *text)
{
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
    return text;
}

void findings_add(struct findings *findings, enum severity severity, const char *object,
                  const char *remedy, const char *problem_format, ...)
{
    char problem[1024];
    va_list args;

    if (findings->count >= FINDING_COUNT_MAX) {
        findings->left_out_count++;
        return;
    }
    va_start(args, problem_format);
    (void)vsnprintf(problem, sizeof(problem), problem_format, args);
    va_end(args);
    findings->items = mem_resize(findings->items, findings->count + 1, sizeof(*findings->items));
    findings->items[findings->count++] =
        (struct finding){.severity = severity,
                         .object = printable(mem_copy_string(object)),
                         .problem = printable(mem_copy_string(problem)),
                         .remedy = mem_copy_string(remedy)};
}

static int compare(const void *a, const void *b)
{
    const struct finding *left = a;
    const struct finding *right = b;

    if (left->severity != right->severity)
        return left->severity < right->severity ? -1 : 1;
    int order = strcmp(left->object, right->object);
    if (order == 0)
        order = strcmp(left->problem, right->problem);
    return order != 0 ? order : strcmp(left->remedy, right->remedy);
}

void findings_sort(struct findings *findings)
{
    size_t kept = 0;

    if (findings->count < 2)
        return;
    qsort(findings->items, findings->count, sizeof(*findings->items), compare);
    for (size_t i = 0; i < findings->count; i++) {
        if (kept > 0 && compare(&findings->items[kept - 1], &findings->items[i]) == 0)
            finding_fini(&findings->items[i]);
        else
            findings->items[kept++] = findings->items[i];
    }
    findings->count = kept;
}

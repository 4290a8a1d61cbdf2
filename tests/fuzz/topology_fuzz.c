/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the directory holds, every assignment made of it is one that an agent accepts. Input:
 * entries as "dn=…" and "attribute=value" lines; "dn" begins the next entry. */
#include "tests/fuzz/target.h"

#include "common/base/mem.h"
#include "common/base/scope.h"
#include "controller/plan/plan.h"

#include <stdlib.h>
#include <string.h>

static void add_line(struct ad_entries *entries, struct span line)
{
    const uint8_t *equals = memchr(line.data, '=', line.size);

    if (!equals || equals == line.data)
        return;
    size_t name_size = (size_t)(equals - line.data);
    scope_free char *name = mem_format("%.*s", (int)name_size, (const char *)line.data);
    struct span value = span_part(line, name_size + 1, line.size);
    scope_free char *text = mem_format("%.*s", (int)value.size, (const char *)value.data);

    if (strcmp(name, "dn") == 0)
        ad_entries_add(entries, text);
    else if (entries->count > 0)
        ad_entries_add_value(entries, name, value);
}

static void check_plan(struct plan *plan)
{
    for (size_t i = 0; i < plan->computer_count; i++) {
        scope(buf) struct buf bytes = {0};
        scope_free char *problem = NULL;
        struct assignment *read = NULL;

        if (!plan->computers[i].assignment)
            continue;
        assignment_encode(plan->computers[i].assignment, &bytes);
        if (!assignment_decode(buf_span(&bytes), &read, &problem))
            abort();
        assignment_free(read);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ad_entries entries = {0};
    struct span rest = span_of(data, size);

    while (rest.size > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        size_t line = end ? (size_t)(end - rest.data) : rest.size;

        add_line(&entries, span_part(rest, 0, line));
        rest = span_part(rest, line + 1, rest.size);
    }
    struct topology *t = topology_read(&entries, NULL);
    topology_check(t);
    struct plan *plan = plan_make(t, &(struct plan_options){.realm = "R"});
    check_plan(plan);
    plan_free(plan);
    topology_free(t);
    ad_entries_fini(&entries);
    return 0;
}

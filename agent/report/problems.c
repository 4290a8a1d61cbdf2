/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/report/problems.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

static void problem_fini(struct problem *p)
{
    free(p->key);
    free(p->object);
    free(p->cause);
    free(p->remedy);
}

void problems_fini(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        problem_fini(&problems->items[i]);
    free(problems->items);
    *problems = (struct problems){0};
}

static struct problem *find(struct problems *problems, const char *key)
{
    for (size_t i = 0; i < problems->count; i++)
        if (strcmp(problems->items[i].key, key) == 0)
            return &problems->items[i];
    return NULL;
}

static void replace(char **text, const char *with)
{
    free(*text);
    *text = mem_copy_string(with);
}

bool problem_set(struct problems *problems, struct walltime now, const char *key,
                 const char *object, const char *cause, const char *remedy)
{
    struct problem *p = find(problems, key);

    if (p) {
        bool other = strcmp(p->cause, cause) != 0;

        p->count++;
        p->last = now;
        if (other) {
            replace(&p->object, object);
            replace(&p->cause, cause);
            replace(&p->remedy, remedy);
        }
        return other;
    }
    if (problems->count == PROBLEM_COUNT_MAX) {
        problems->beyond++;
        return true; /* the log has what the status has no room for */
    }
    problems->items = mem_resize(problems->items, problems->count + 1, sizeof(*problems->items));
    problems->items[problems->count++] = (struct problem){
        .key = mem_copy_string(key),
        .object = mem_copy_string(object),
        .cause = mem_copy_string(cause),
        .remedy = mem_copy_string(remedy),
        .since = now,
        .last = now,
        .count = 1,
    };
    return true;
}

static void drop(struct problems *problems, struct problem *p)
{
    size_t index = (size_t)(p - problems->items);

    problem_fini(p);
    memmove(p, p + 1, (problems->count - index - 1) * sizeof(*p));
    problems->count--;
    problems->beyond = 0;
}

bool problem_clear(struct problems *problems, const char *key)
{
    struct problem *p = find(problems, key);

    if (!p)
        return false;
    drop(problems, p);
    return true;
}

void problem_expire(struct problems *problems, const char *prefix, struct walltime now,
                    int64_t age_ms)
{
    for (size_t i = problems->count; i-- > 0;) {
        struct problem *p = &problems->items[i];

        if (strncmp(p->key, prefix, strlen(prefix)) == 0 && now.ns - p->last.ns > age_ms * NS_PER_MS)
            drop(problems, p);
    }
}

void problems_to_proto(const struct problems *problems, size_t *out_count,
                       Coterie__V1__Problem ***out_items)
{
    size_t count = problems->count + (problems->beyond > 0);
    Coterie__V1__Problem **items = mem_new(count, sizeof(*items));

    for (size_t i = 0; i < count; i++) {
        items[i] = MEM_NEW(Coterie__V1__Problem);
        coterie__v1__problem__init(items[i]);
        if (i == problems->count) {
            items[i]->object = mem_copy_string("(more)");
            items[i]->cause = mem_format("%llu more problems are not listed",
                                         (unsigned long long)problems->beyond);
            items[i]->remedy = mem_copy_string("solve those listed first; the log has all of them");
            continue;
        }
        const struct problem *p = &problems->items[i];
        items[i]->object = mem_copy_string(p->object);
        items[i]->cause = mem_copy_string(p->cause);
        items[i]->remedy = mem_copy_string(p->remedy);
        items[i]->since_ns = (uint64_t)p->since.ns;
        items[i]->count = p->count;
    }
    *out_count = count;
    *out_items = items;
}

void problems_proto_free(size_t count, Coterie__V1__Problem **items)
{
    for (size_t i = 0; i < count; i++) {
        free(items[i]->object);
        free(items[i]->cause);
        free(items[i]->remedy);
        free(items[i]);
    }
    free(items);
}

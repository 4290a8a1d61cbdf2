/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/script.h"

#include "tests/sim/member.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void script_path(const struct node *node, char path[DISK_PATH_SIZE])
{
    char tail[DISK_PATH_SIZE] = "";

    path[0] = '\0';
    for (; node->parent; node = node->parent) {
        snprintf(path, DISK_PATH_SIZE, "%s%s%s", node->name, *tail ? "/" : "", tail);
        memcpy(tail, path, sizeof(tail));
    }
}

void script_child_path(const struct node *dir, const char *name, char path[DISK_PATH_SIZE])
{
    char above[DISK_PATH_SIZE];

    script_path(dir, above);
    snprintf(path, DISK_PATH_SIZE, "%.*s%s%s", DISK_PATH_SIZE - DISK_NAME_SIZE - 2, above,
             *above ? "/" : "", name);
}

void script_begin(const struct world *world)
{
    if (!world->options.script)
        return;
    printf("# what users and faults did in seed %llu; tests/sim/script.h has the words\n",
           (unsigned long long)world->options.seed);
    printf("members %u\n", world->plan.member_count);
    if (world->plan.reader)
        printf("reader %u\n", world->plan.member_count);
    for (size_t i = 0; i < world->edge_count; i++) {
        const struct edge *edge = &world->edges[i];

        if (edge->laid)
            printf("link %u %u\n", edge->from->index + 1, edge->to->index + 1);
    }
}

void script_say(const struct world *world, const struct member *member, const char *format, ...)
{
    va_list args;

    if (!world->options.script || world->healed)
        return;
    printf("%lld ", (long long)world->now_ms);
    if (member)
        printf("%u ", member->index + 1);
    else
        printf("- ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

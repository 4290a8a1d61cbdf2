/* SPDX-License-Identifier: Apache-2.0 */
/* What a member holds, for the trace of a seed that fails. */
#include "tests/sim/member.h"

#include <stdio.h>

void print_update(const struct update *u, char text[PRINT_UPDATE_SIZE])
{
    snprintf(text, PRINT_UPDATE_SIZE,
             "%02x%02x:%llu %s%.40s in %02x%02x:%llu gvsn %02x%02x:%llu fence %llu clock %llu%s%s",
             u->id.database.bytes[0], u->id.database.bytes[8], (unsigned long long)u->id.number,
             u->kind == FILE_DIRECTORY ? "dir " : "", (const char *)u->name,
             u->parent.database.bytes[0], u->parent.database.bytes[8],
             (unsigned long long)u->parent.number, u->gvsn.database.bytes[0],
             u->gvsn.database.bytes[8], (unsigned long long)u->gvsn.number,
             (unsigned long long)u->fence, (unsigned long long)(u->clock / NS_PER_MS),
             u->present ? "" : " dead",
             u->merged          ? " merged"
             : u->name_conflict ? " clash"
                                : "");
}

static void print_vector(const struct vector *vector)
{
    printf("    vector");
    for (size_t i = 0; i < vector->entry_count; i++) {
        const struct vector_entry *entry = &vector->entries[i];

        printf(" %02x%02x:", entry->database.bytes[0], entry->database.bytes[8]);
        for (size_t k = 0; k < entry->interval_count; k++)
            printf("(%llu,%llu]", (unsigned long long)entry->intervals[k].low,
                   (unsigned long long)entry->intervals[k].high);
    }
    printf("\n");
}

static void print_disk(const struct disk *disk)
{
    for (size_t i = 0; i < disk->node_count; i++) {
        const struct node *node = disk->nodes[i];

        if (node->area == AREA_ATTACHED && node->parent)
            printf("    object %llu %s%s in %llu content %llu\n", (unsigned long long)node->number,
                   node->kind == FILE_DIRECTORY ? "dir " : "", node->name,
                   (unsigned long long)node->parent->number, (unsigned long long)node->content);
    }
}

void print_member(const struct member *member)
{
    static const char *const places[] = {"nowhere", "tree", "parked"};
    const struct table *table = memstore_table(member->memory);

    printf("member %u\n", member->index);
    if (member->replica)
        print_vector(replica_vector(member->replica));
    for (const struct record *record = table_next(table, NULL); record;
         record = table_next(table, &record->update.id)) {
        const struct node *node = disk_node(&member->disk, &record->object);
        char text[PRINT_UPDATE_SIZE];

        print_update(&record->update, text);
        printf("    %s %s object %llu\n", text, places[record->place],
               node ? (unsigned long long)node->number : 0);
    }
    print_disk(&member->disk);
}

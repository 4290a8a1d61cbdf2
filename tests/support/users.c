/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/users.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static bool is_beneath(const struct modeldisk *disk, const struct model_node *node,
                       uint64_t ancestor)
{
    while (node != NULL && node->number != ancestor)
        node = modeldisk_node(disk, node->parent);
    return node != NULL;
}

/* A random visible node of a kind (FILE_KIND_NONE: any); 0: there is none. */
static uint64_t pick(struct users *users, const struct member *member, enum file_kind kind)
{
    const struct modeldisk *disk = &member->disk;
    uint64_t found = 0;
    uint64_t seen = 0;

    for (size_t i = 0; i < disk->node_count; i++) {
        const struct model_node *node = &disk->nodes[i];

        if (!modeldisk_is_visible(disk, node) || (kind != FILE_KIND_NONE && node->kind != kind))
            continue;
        if (random_below(users->random, ++seen) == 0)
            found = node->number;
    }
    return found;
}

static uint64_t pick_dir(struct users *users, const struct member *member)
{
    uint64_t dir = random_chance(users->random, 60) ? pick(users, member, FILE_DIRECTORY) : 0;

    return dir != 0 ? dir : MODEL_ROOT;
}

static void superseded(struct users *users, const struct member *member, uint64_t number)
{
    for (size_t i = 0; i < member->disk.node_count; i++) {
        const struct model_node *node = &member->disk.nodes[i];

        if (node->number != 0 && node->kind != FILE_DIRECTORY &&
            is_beneath(&member->disk, node, number))
            users->owed[node->content] = false;
    }
}

static uint64_t fresh_content(struct users *users)
{
    uint64_t content = ++users->content_last;

    assert(content < USERS_CONTENT_MAX);
    users->owed[content] = true;
    return content;
}

static void create(struct users *users, struct member *member, const char *name)
{
    uint64_t dir = pick_dir(users, member);
    unsigned dice = (unsigned)random_below(users->random, 20);
    enum file_kind kind = dice < 11 ? FILE_REGULAR : dice < 19 ? FILE_DIRECTORY : FILE_SYMLINK;
    uint64_t content;

    if (modeldisk_child(&member->disk, dir, name) != NULL)
        return;
    if (kind == FILE_DIRECTORY)
        content = 0;
    else if (users->content_last > 0 && random_chance(users->random, 10))
        content = 1 + random_below(users->random, users->content_last);
    else
        content = fresh_content(users);
    modeldisk_create(&member->disk, dir, name, kind, content, 'a');
}

void users_act(struct users *users, struct member *member)
{
    char name[2] = {(char)('a' + random_below(users->random, users->name_count)), '\0'};
    uint64_t number = pick(users, member, FILE_KIND_NONE);
    uint64_t file = pick(users, member, FILE_REGULAR);
    uint64_t other = pick(users, member, FILE_KIND_NONE);
    unsigned dice = (unsigned)random_below(users->random, 100);

    if (dice < 35 || number == 0) {
        create(users, member, name);
    } else if (dice < 55 && file != 0) {
        superseded(users, member, file);
        modeldisk_write(&member->disk, file, fresh_content(users));
    } else if (dice < 80) {
        modeldisk_move(&member->disk, number, pick_dir(users, member), name);
    } else if (dice < 84) {
        modeldisk_swap(&member->disk, number, other);
    } else if (dice < 88) {
        modeldisk_chmod(&member->disk, number, (char)('a' + random_below(users->random, 3)));
    } else if (dice < 97) {
        superseded(users, member, number);
        modeldisk_delete(&member->disk, number);
    }
    if (users->trace) {
        printf("# users: member %u dice %u name %s number %" PRIu64 "\n", member->index, dice, name,
               number);
    }
}

uint64_t users_lost(const struct users *users, const struct member *members, size_t count)
{
    for (uint64_t content = 1; content <= users->content_last; content++) {
        bool found = !users->owed[content];

        for (size_t i = 0; i < count && !found; i++)
            found = member_shows(&members[i], content) || member_kept(&members[i], content);
        if (!found)
            return content;
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/topology/check_rules.h"

#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/model/filter.h"
#include "common/model/path.h"

#include <stdlib.h>
#include <string.h>

/* --- each path by itself --- */

static bool overlap(const char *a, const char *b)
{
    return *a && *b && (model_path_within(a, b) || model_path_within(b, a));
}

static bool looks_like_windows(const char *path)
{
    return path[0] != '/' && (strchr(path, '\\') || (path[0] && path[1] == ':'));
}

static void check_root(struct topology *t, struct topology_subscription *s)
{
    if (*s->root_path == '\0')
        check_hold(t, &s->object, "set msDFSR-RootPath to the folder's place on this computer",
                   "the subscription has no msDFSR-RootPath");
    else if (looks_like_windows(s->root_path))
        check_hold(t, &s->object,
                   "set a Linux path, or leave this computer to Windows's own replication",
                   "msDFSR-RootPath is a Windows path: %s", s->root_path);
    else if (!model_path_ok(s->root_path))
        check_hold(t, &s->object, "write it like /srv/folder, without . or .. in it",
                   "msDFSR-RootPath is not a plain absolute path: %s", s->root_path);
}

/* An area inside the replicated tree would be replicated itself, except in the private directory;
 * one around the tree would be cleaned up with it. */
static bool touches_the_tree(const struct topology_subscription *s, const char *path)
{
    scope_free char *private_dir = mem_format("%s/%s", s->root_path, PRIVATE_DIR_NAME);

    return model_path_ok(s->root_path) && overlap(path, s->root_path) &&
           !(model_path_within(path, private_dir) && strcmp(path, private_dir) != 0);
}

/* A path that cannot be used is replaced by the default, which always can. */
static void check_area(struct topology *t, struct topology_subscription *s, const char *attribute,
                       char **path)
{
    const char *problem = NULL;

    if (**path == '\0')
        return;
    if (!model_path_ok(*path))
        problem = "is not a plain absolute path";
    else if (touches_the_tree(s, *path))
        problem = "lies inside the replicated tree or around it";
    if (!problem)
        return;
    findings_add(&t->findings, SEVERITY_WARNING, s->object.dn,
                 "remove the attribute, or name a directory outside of the folder",
                 "%s %s; the default beneath the root is used: %s", attribute, problem, *path);
    **path = '\0';
}

static void check_areas_are_two(struct topology *t, struct topology_subscription *s)
{
    if (!overlap(s->staging_path, s->preserve_path))
        return;
    findings_add(&t->findings, SEVERITY_WARNING, s->object.dn,
                 "give the two attributes different directories",
                 "msDFSR-StagingPath and msDFSR-ConflictPath overlap; the defaults are used");
    *s->staging_path = '\0';
    *s->preserve_path = '\0';
}

/* --- the paths of one computer against each other --- */

/* The paths of @a and @b that collide; false when none do. */
static bool areas_overlap(const struct topology_subscription *a,
                          const struct topology_subscription *b, const char **out_a,
                          const char **out_b)
{
    const char *const areas_a[] = {a->root_path, a->staging_path, a->preserve_path};
    const char *const areas_b[] = {b->root_path, b->staging_path, b->preserve_path};

    for (unsigned i = 0; i < 3; i++) {
        for (unsigned k = 0; k < 3; k++) {
            if (overlap(areas_a[i], areas_b[k])) {
                *out_a = areas_a[i];
                *out_b = areas_b[k];
                return true;
            }
        }
    }
    return false;
}

struct placed {
    size_t computer;
    struct topology_subscription *subscription;
};

/* Older first: who came later has to make room. */
static int by_computer_and_age(const void *a, const void *b)
{
    const struct placed *left = a;
    const struct placed *right = b;

    if (left->computer != right->computer)
        return left->computer < right->computer ? -1 : 1;
    if (left->subscription->created != right->subscription->created)
        return left->subscription->created < right->subscription->created ? -1 : 1;
    return guid_compare(&left->subscription->object.id, &right->subscription->object.id);
}

static void check_against_older(struct topology *t, const struct placed *placed, size_t index)
{
    struct topology_subscription *s = placed[index].subscription;
    const char *own = NULL;
    const char *other = NULL;

    for (size_t i = index; i-- > 0 && placed[i].computer == placed[index].computer;) {
        const struct topology_subscription *older = placed[i].subscription;

        if (older->object.problem || !areas_overlap(s, older, &own, &other))
            continue;
        check_hold(t, &s->object, "give each folder of a computer its own place",
                   "%s overlaps %s of the folder %s on the same computer", own, other,
                   older->object.name);
        return;
    }
}

static void check_overlaps(struct topology *t)
{
    struct placed *placed = mem_new(t->subscription_count, sizeof(*placed));
    size_t count = 0;

    for (size_t i = 0; i < t->subscription_count; i++) {
        if (topology_subscription_live(t, i))
            placed[count++] =
                (struct placed){.computer = t->members[t->subscriptions[i].member].computer,
                                .subscription = &t->subscriptions[i]};
    }
    if (count > 1)
        qsort(placed, count, sizeof(*placed), by_computer_and_age);
    for (size_t i = 1; i < count; i++)
        check_against_older(t, placed, i);
    free(placed);
}

void check_paths(struct topology *topology)
{
    for (size_t i = 0; i < topology->subscription_count; i++) {
        struct topology_subscription *s = &topology->subscriptions[i];

        /* a disabled subscription, or one of Windows's own groups, may hold what it likes */
        if (!topology_subscription_live(topology, i))
            continue;
        check_root(topology, s);
        check_area(topology, s, "msDFSR-StagingPath", &s->staging_path);
        check_area(topology, s, "msDFSR-ConflictPath", &s->preserve_path);
        check_areas_are_two(topology, s);
    }
    check_overlaps(topology);
}

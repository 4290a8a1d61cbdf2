/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static bool live(const struct topology *t, const char *key)
{
    struct guid id = world_id(key);

    for (size_t i = 0; i < t->subscription_count; i++) {
        if (guid_equal(&t->subscriptions[i].object.id, &id))
            return topology_subscription_live(t, i);
    }
    fail_msg("no subscription %s", key);
    return false;
}

/* fs1 subscribes to cad (2020) and office (2021), each at its own place. */
static void two_folders(struct world *w)
{
    world_pair(w);
    world_folder(w, "g", "office");
    world_subscription(w, "g", "fs1", "office");
    world_subscription(w, "g", "fs2", "office");
    world_set(w, "g/fs1/cad", "whenCreated", "20200101000000.0Z");
    world_set(w, "g/fs1/office", "whenCreated", "20210101000000.0Z");
}

static void bad_roots_hold_back_only_their_own_subscription(void **state)
{
    static const char *const roots[][2] = {{NULL, "no msDFSR-RootPath"},
                                           {"D:\\cad", "Windows path"},
                                           {"srv/cad", "plain absolute"},
                                           {"/srv/../etc", "plain absolute"},
                                           {"/", "plain absolute"}};
    (void)state;

    for (unsigned i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        struct world w = {0};

        two_folders(&w);
        world_set(&w, "g/fs1/cad", "msDFSR-RootPath", roots[i][0]);
        struct topology *t = world_topology(&w);
        assert_true(world_finds(t, &w, "g/fs1/cad", SEVERITY_ERROR, roots[i][1]));
        assert_false(live(t, "g/fs1/cad"));
        assert_true(live(t, "g/fs1/office"));
        assert_true(live(t, "g/fs2/cad"));
        topology_free(t);
        world_fini(&w);
    }
}

static void of_overlapping_folders_the_older_keeps_working(void **state)
{
    static const char *const roots[] = {"/srv/cad", "/srv/cad/below", "/srv"};
    (void)state;

    for (unsigned i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        struct world w = {0};

        two_folders(&w);
        world_set(&w, "g/fs1/office", "msDFSR-RootPath", roots[i]);
        struct topology *t = world_topology(&w);
        assert_true(world_finds(t, &w, "g/fs1/office", SEVERITY_ERROR, "overlaps"));
        assert_false(live(t, "g/fs1/office"));
        assert_true(live(t, "g/fs1/cad"));
        topology_free(t);

        world_set(&w, "g/fs1/office", "whenCreated", "20190101000000.0Z");
        t = world_topology(&w);
        assert_false(live(t, "g/fs1/cad"));
        assert_true(live(t, "g/fs1/office"));
        topology_free(t);
        world_fini(&w);
    }
}

static void the_same_path_on_two_computers_is_fine(void **state)
{
    struct world w = {0};
    (void)state;

    two_folders(&w);
    world_set(&w, "g/fs2/office", "msDFSR-RootPath", "/srv/cad2");
    struct topology *t = world_topology(&w);

    assert_int_equal(t->findings.count, 0);
    topology_free(t);
    world_fini(&w);
}

static void staging_in_another_folders_tree_overlaps(void **state)
{
    struct world w = {0};
    (void)state;

    two_folders(&w);
    world_set(&w, "g/fs1/office", "msDFSR-StagingPath", "/srv/cad/stage");
    struct topology *t = world_topology(&w);

    assert_true(world_finds(t, &w, "g/fs1/office", SEVERITY_ERROR, "/srv/cad/stage overlaps"));
    assert_false(live(t, "g/fs1/office"));
    topology_free(t);
    world_fini(&w);
}

static void a_disabled_subscription_is_in_nobodys_way(void **state)
{
    struct world w = {0};
    (void)state;

    two_folders(&w);
    world_set(&w, "g/fs1/cad", "msDFSR-Enabled", "FALSE");
    world_set(&w, "g/fs1/office", "msDFSR-RootPath", "/srv/cad");
    struct topology *t = world_topology(&w);

    assert_true(live(t, "g/fs1/office"));
    topology_free(t);
    world_fini(&w);
}

static void areas_that_cannot_be_used_give_way_to_the_default(void **state)
{
    static const char *const areas[] = {"relative", "/srv/cad/DfsrPrivate/Staging", "/srv",
                                        "/srv/cad", "/srv/cad/.coterie"};
    (void)state;

    for (unsigned i = 0; i < sizeof(areas) / sizeof(areas[0]); i++) {
        struct world w = {0};

        world_pair(&w);
        world_set(&w, "g/fs1/cad", "msDFSR-StagingPath", areas[i]);
        struct topology *t = world_topology(&w);
        assert_true(world_finds(t, &w, "g/fs1/cad", SEVERITY_WARNING, "the default"));
        assert_true(live(t, "g/fs1/cad"));
        for (size_t k = 0; k < 2; k++)
            assert_string_equal(t->subscriptions[k].staging_path, "");
        topology_free(t);
        world_fini(&w);
    }
}

static void areas_outside_or_in_the_private_directory_are_kept(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g/fs1/cad", "msDFSR-StagingPath", "/srv/cad/.coterie/stage");
    world_set(&w, "g/fs1/cad", "msDFSR-ConflictPath", "/srv/preserve");
    struct topology *t = world_topology(&w);

    assert_int_equal(t->findings.count, 0);
    topology_free(t);

    world_set(&w, "g/fs1/cad", "msDFSR-ConflictPath", "/srv/cad/.coterie/stage/x");
    t = world_topology(&w);
    assert_true(world_finds(t, &w, "g/fs1/cad", SEVERITY_WARNING, "overlap"));
    topology_free(t);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_roots_hold_back_only_their_own_subscription),
        cmocka_unit_test(of_overlapping_folders_the_older_keeps_working),
        cmocka_unit_test(the_same_path_on_two_computers_is_fine),
        cmocka_unit_test(staging_in_another_folders_tree_overlaps),
        cmocka_unit_test(a_disabled_subscription_is_in_nobodys_way),
        cmocka_unit_test(areas_that_cannot_be_used_give_way_to_the_default),
        cmocka_unit_test(areas_outside_or_in_the_private_directory_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

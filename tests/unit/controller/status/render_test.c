/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/status/render.h"
#include "controller/status/text.h"
#include "tests/unit/controller/status/scene.h"

#include "common/base/scope.h"

#include <jansson.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static struct scene scene;

static int setup(void **state)
{
    (void)state;
    scene_begin(&scene);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scene_end(&scene);
    return 0;
}

static json_t *read_json(void)
{
    scope(buf) struct buf out = {0};
    json_error_t error;

    scene_look(&scene);
    render_json(scene.view, &out);
    json_t *json = json_loadb((const char *)out.data, out.size, JSON_REJECT_DUPLICATES, &error);

    if (!json)
        fail_msg("line %d: %s in %s", error.line, error.text, buf_text(&out));
    return json;
}

static const json_t *folder_of(const json_t *json)
{
    const json_t *group = json_array_get(json_object_get(json, "groups"), 0);

    return json_array_get(json_object_get(group, "folders"), 0);
}

static void the_json_shows_each_member_and_connection(void **state)
{
    json_t *json = read_json();
    const json_t *folder = folder_of(json);
    const json_t *member = json_array_get(json_object_get(folder, "members"), 1);
    const json_t *connection = json_array_get(json_object_get(folder, "connections"), 1);
    (void)state;

    assert_int_equal(json_integer_value(json_object_get(json, "format")), STATUS_FORMAT);
    assert_string_equal(json_string_value(json_object_get(json, "health")), "ok");
    assert_string_equal(json_string_value(json_object_get(folder, "name")), "docs");
    assert_string_equal(json_string_value(json_object_get(member, "computer")), "fs2");
    assert_int_equal(json_integer_value(json_object_get(member, "files")), 5);
    assert_string_equal(json_string_value(json_object_get(connection, "from")), "fs1");
    assert_string_equal(json_string_value(json_object_get(connection, "to")), "fs2");
    assert_true(json_is_true(json_object_get(connection, "in_sync")));
    assert_int_equal(json_integer_value(json_object_get(connection, "backlog_files")), 0);
    assert_true(json_is_null(json_object_get(connection, "last_sync")));
    json_decref(json);
}

static void what_is_not_known_is_null_in_json_and_absent_in_metrics(void **state)
{
    scope(buf) struct buf metrics = {0};
    (void)state;

    scene_at(&scene, 1000000);
    json_t *json = read_json();
    render_metrics(scene.view, &metrics);

    const json_t *connection = json_array_get(json_object_get(folder_of(json), "connections"), 0);
    assert_true(json_is_null(json_object_get(connection, "backlog_files")));
    assert_null(strstr(buf_text(&metrics), "coterie_backlog_files{"));
    assert_non_null(strstr(buf_text(&metrics),
                           "coterie_connection_in_sync{group=\"Projects\",folder=\"docs\","
                           "from=\"fs1\",to=\"fs2\"} 0\n"));
    json_decref(json);
}

static void hostile_names_stay_inside_their_quotes_in_every_format(void **state)
{
    scope(buf) struct buf metrics = {0};
    (void)state;

    scene.fs1->folder_name = scene.fs2->folder_name =
        wire_text("a\"b\\c\n</script><img src=x onerror=alert(1)>\xff\xe2\x80\xae");
    scene_plan(&scene);
    json_t *json = read_json();
    render_metrics(scene.view, &metrics);

    assert_string_equal(json_string_value(json_object_get(folder_of(json), "name")),
                        "a\"b\\c\\x0a</script><img src=x onerror=alert(1)>\\xff\\xe2\\x80\\xae");
    assert_non_null(strstr(buf_text(&metrics), "folder=\"a\\\"b\\\\c\\\\x0a</script>"));
    json_decref(json);
}

static void each_metric_is_declared_once_before_its_samples(void **state)
{
    scope(buf) struct buf out = {0};
    char seen[64][96];
    size_t seen_count = 0;
    (void)state;

    scene_look(&scene);
    render_metrics(scene.view, &out);
    char *save = NULL;
    for (char *line = strtok_r((char *)(uintptr_t)buf_text(&out), "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        char name[96];

        if (strncmp(line, "# HELP", 6) == 0)
            continue;
        if (sscanf(line, "# TYPE %95s", name) == 1) {
            for (size_t i = 0; i < seen_count; i++)
                assert_string_not_equal(seen[i], name);
            snprintf(seen[seen_count++], sizeof(seen[0]), "%s", name);
            continue;
        }
        size_t size = strcspn(line, "{ ");
        assert_true(seen_count > 0);
        assert_int_equal(size, strlen(seen[seen_count - 1]));
        assert_memory_equal(line, seen[seen_count - 1], size);
    }
    assert_true(seen_count >= 18);
}

static void only_well_formed_visible_text_passes_unchanged(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"Entwürfe/日本/𝄞", "Entwürfe/日本/𝄞"},
        {"\xc0\xaf", "\\xc0\\xaf"},                   /* overlong */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond U+10FFFF */
        {"\xe2\x82", "\\xe2\\x82"},                   /* cut short */
        {"a\x1b[2Jb", "a\\x1b[2Jb"},
        {"\xc2\x85", "\\xc2\\x85"}, /* C1 */
        {"\xe2\x80\x8b", "\\xe2\\x80\\x8b"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scope(buf) struct buf out = {0};

        text_html(&out, cases[i].in);
        assert_string_equal(buf_text(&out), cases[i].out);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_json_shows_each_member_and_connection),
        TEST(what_is_not_known_is_null_in_json_and_absent_in_metrics),
        TEST(hostile_names_stay_inside_their_quotes_in_every_format),
        TEST(each_metric_is_declared_once_before_its_samples),
        cmocka_unit_test(only_well_formed_visible_text_passes_unchanged),
    };
    log_start("render-test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include "common/base/limits.h"
#include "common/base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* Load a file with this text. */
static bool load(const char *text, struct agent_config *out, char **out_problem)
{
    char path[] = "/tmp/coterie-config-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);

    bool good = agent_config_load(path, out, out_problem);
    unlink(path);
    return good;
}

static void refused(const char *text, const char *line, const char *word)
{
    struct agent_config c;
    scope_free char *problem = NULL;

    assert_false(load(text, &c, &problem));
    assert_non_null(strstr(problem, "/tmp/coterie-config-"));
    assert_non_null(strstr(problem, line));
    assert_non_null(strstr(problem, word));
}

static void what_is_left_out_has_a_default(void **state)
{
    struct agent_config c;
    char *problem = NULL;

    (void)state;
    assert_true(load("[agent]\ncontroller = hub.example\n", &c, &problem));

    assert_int_equal(c.controller_count, 1);
    assert_string_equal(c.controllers[0].host, "hub.example");
    assert_int_equal(c.controllers[0].port, CONTROLLER_PORT_DEFAULT);
    assert_string_equal(c.keytab, "/etc/krb5.keytab");
    assert_null(c.principal);
    assert_int_equal(c.port, AGENT_PORT_DEFAULT);
    assert_true(agent_config_allows(&c, "/srv/anything"));
    agent_config_fini(&c);
}

static void every_key_is_taken(void **state)
{
    struct agent_config c;
    char *problem = NULL;

    (void)state;
    assert_true(load("[agent]\n"
                     "controller = a:1, [2001:db8::1]:2 , [::1]\n"
                     "keytab = /k\nprincipal = p\nservice = s\nhost_name = h\nlisten = 127.0.0.1\n"
                     "port = 65535\nstate_dir = /d\nsocket = /s\nallowed_roots = /srv, /data/\n"
                     "log_level = debug\n",
                     &c, &problem));

    assert_int_equal(c.controller_count, 3);
    assert_string_equal(c.controllers[1].host, "2001:db8::1");
    assert_int_equal(c.controllers[1].port, 2);
    assert_string_equal(c.controllers[2].host, "::1");
    assert_int_equal(c.controllers[2].port, CONTROLLER_PORT_DEFAULT);
    assert_string_equal(c.keytab, "/k");
    assert_string_equal(c.principal, "p");
    assert_string_equal(c.service, "s");
    assert_string_equal(c.host_name, "h");
    assert_string_equal(c.listen, "127.0.0.1");
    assert_int_equal(c.port, 65535);
    assert_string_equal(c.state_dir, "/d");
    assert_string_equal(c.socket, "/s");
    assert_int_equal(c.allowed_root_count, 2);
    assert_int_equal(c.log_level, LOG_DEBUG);
    agent_config_fini(&c);
}

static void a_bad_value_names_line_and_remedy(void **state)
{
    (void)state;
    refused("[agent]\ncontroller = a\nport = 0\n", ":3:", "from 1 to 65535");
    refused("[agent]\nport = 7x\n", ":2:", "from 1 to 65535");
    refused("[agent]\nport = -1\n", ":2:", "from 1 to 65535");
    refused("[agent]\nport = 65536\n", ":2:", "from 1 to 65535");
    refused("[agent]\nlog_level = loud\n", ":2:", "error, warn, info or debug");
    refused("[agent]\ncontroller = a:b\n", ":2:", "host:port");
    refused("[agent]\ncontroller = :7\n", ":2:", "host:port");
    refused("[agent]\nallowed_roots = srv\n", ":2:", "absolute paths");
    refused("[agent]\nkeytab =\n", ":2:", "leave the line out");
}

static void what_is_unknown_is_refused(void **state)
{
    (void)state;
    refused("[agent]\n\n# remark\ncolour = red\n", ":4:", "colour");
    refused("[other]\nport = 1\n", ":2:", "[other]");
    refused("[agent]\nno assignment here\n", ":2:", "key = value");
    refused("[agent]\nport = 1\nport = 2\n", ":3:", "twice");
}

static void a_controller_must_be_named(void **state)
{
    (void)state;
    refused("[agent]\n", "no controller", "controller = HOST");
    refused("[agent]\ncontroller = ,\n", "no controller", "controller = HOST");
}

static void a_missing_file_is_named(void **state)
{
    struct agent_config c;
    scope_free char *problem = NULL;

    (void)state;
    assert_false(agent_config_load("/nonexistent/agent.conf", &c, &problem));
    assert_non_null(strstr(problem, "/nonexistent/agent.conf"));
    assert_non_null(strstr(problem, "--config"));
}

static void folders_live_only_beneath_allowed_roots(void **state)
{
    struct agent_config c;
    char *problem = NULL;

    (void)state;
    assert_true(load("[agent]\ncontroller = a\nallowed_roots = /srv, /data/\n", &c, &problem));

    assert_true(agent_config_allows(&c, "/srv"));
    assert_true(agent_config_allows(&c, "/srv/a/b"));
    assert_true(agent_config_allows(&c, "/data/x"));
    assert_false(agent_config_allows(&c, "/srv2"));
    assert_false(agent_config_allows(&c, "/"));
    assert_false(agent_config_allows(&c, "srv/a"));
    assert_false(agent_config_allows(&c, "/srv/../etc"));
    assert_false(agent_config_allows(&c, "/srv/.."));
    assert_true(agent_config_allows(&c, "/srv/..name"));
    agent_config_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_has_a_default),
        cmocka_unit_test(every_key_is_taken),
        cmocka_unit_test(a_bad_value_names_line_and_remedy),
        cmocka_unit_test(what_is_unknown_is_refused),
        cmocka_unit_test(a_controller_must_be_named),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(folders_live_only_beneath_allowed_roots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/os/config_file.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    const char *path;
    const char *manual;
    config_take *take;
    void *arg;
    FILE *file;
    unsigned line; /* the one that is being read */
    char **given;  /* "section/key" */
    size_t given_count;
    char *problem;
};

/* inih reads through this, so that the line is known whatever the library was built with. */
static char *read_line(char *out, int size, void *arg)
{
    struct reading *r = arg;

    if (r->problem || !fgets(out, size, r->file))
        return NULL;
    r->line++;
    if (!strchr(out, '\n') && !feof(r->file)) {
        r->problem = mem_format("%s:%u: the line is longer than %d bytes: shorten it", r->path,
                                r->line, size - 2);
        return NULL;
    }
    return out;
}

/* False when it was given before. */
static bool note_given(struct reading *r, const char *section, const char *key)
{
    char *name = mem_format("%s/%s", section, key);

    for (size_t i = 0; i < r->given_count; i++) {
        if (strcmp(r->given[i], name) == 0) {
            free(name);
            return false;
        }
    }
    r->given = mem_resize(r->given, r->given_count + 1, sizeof(*r->given));
    r->given[r->given_count++] = name;
    return true;
}

static int on_entry(void *arg, const char *section, const char *key, const char *value)
{
    struct reading *r = arg;
    bool known = true;
    scope_free char *wanted = value[0] != '\0'
                                  ? r->take(r->arg, section, key, value, &known)
                                  : mem_copy_string("a value; leave the line out for the default");

    if (!known)
        r->problem = mem_format("%s:%u: there is no key \"%s\" in section [%s]: see %s", r->path,
                                r->line, key, section, r->manual);
    else if (!note_given(r, section, key))
        r->problem = mem_format("%s:%u: \"%s\" is given twice, or its value continues on an "
                                "indented line: leave one line of it",
                                r->path, r->line, key);
    else if (wanted)
        r->problem = mem_format("%s:%u: %s = \"%s\" should be %s", r->path, r->line, key, value,
                                wanted);
    return r->problem == NULL;
}

char *config_file_read(const char *path, const char *manual, config_take *take, void *arg)
{
    scope_file FILE *file = fopen(path, "re");
    struct reading r = {.path = path, .manual = manual, .take = take, .arg = arg, .file = file};

    if (!file)
        return mem_format("cannot read %s: %s: create it, or name another with --config", path,
                          strerror(errno));
    int broken_line = ini_parse_stream(read_line, &r, on_entry, &r);

    if (!r.problem && ferror(file))
        r.problem = mem_format("cannot read %s: is it a regular file?", path);
    if (!r.problem && broken_line != 0)
        r.problem =
            mem_format("%s:%d: neither \"key = value\" nor \"[section]\"", path, broken_line);
    for (size_t i = 0; i < r.given_count; i++)
        free(r.given[i]);
    free(r.given);
    return r.problem;
}

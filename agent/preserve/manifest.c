/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/preserve/manifest.h"

#include "common/base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_COUNT 10

static const char *const kind_text[] = {
    [FILE_REGULAR] = "file", [FILE_DIRECTORY] = "directory", [FILE_SYMLINK] = "symlink"};

const char *preserve_cause_name(enum preserve_cause cause)
{
    switch (cause) {
    case PRESERVE_CAUSE_DELETED:
        return "deleted";
    case PRESERVE_CAUSE_CONFLICT:
        return "conflict";
    case PRESERVE_CAUSE_NAME_CONFLICT:
        return "name-conflict";
    case PRESERVE_CAUSE_INTERRUPTED:
        return "interrupted";
    case PRESERVE_CAUSE_UNKNOWN:
        break;
    }
    return "unknown";
}

void preserve_entry_fini(struct preserve_entry *entry)
{
    free(entry->path);
    *entry = (struct preserve_entry){0};
}

void manifest_write(const struct preserve_entry *entry, struct buf *out)
{
    const char *path = entry->path ? entry->path : "";

    buf_printf(out, "%" PRIu64 "\t%" PRId64 "\t%s\t%s\t%" PRIu64, entry->number, entry->when.ns,
               preserve_cause_name(entry->cause), guid_format(&entry->gvsn.database).text,
               entry->gvsn.number);
    buf_printf(out, "\t%s\t%" PRIu64 "\t%s\t%" PRIu64 "\t", guid_format(&entry->id.database).text,
               entry->id.number, kind_text[entry->kind], entry->size);
    buf_append_escaped(out, path, strlen(path));
    buf_append_string(out, "\n");
}

static bool parse_u64(const char *text, uint64_t *out)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

static bool parse_i64(const char *text, int64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

static bool parse_cause(const char *text, enum preserve_cause *out)
{
    for (int cause = PRESERVE_CAUSE_DELETED; cause <= PRESERVE_CAUSE_UNKNOWN; cause++)
        if (strcmp(text, preserve_cause_name((enum preserve_cause)cause)) == 0) {
            *out = (enum preserve_cause)cause;
            return true;
        }
    return false;
}

static bool parse_kind(const char *text, enum file_kind *out)
{
    for (int kind = FILE_REGULAR; kind <= FILE_SYMLINK; kind++)
        if (strcmp(text, kind_text[kind]) == 0) {
            *out = (enum file_kind)kind;
            return true;
        }
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* Undo buf_append_escaped() in place. */
static bool unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        int high;
        int low;

        if (*from != '\\') {
            *to++ = *from;
            continue;
        }
        if (from[1] != 'x' || (high = hex_digit(from[2])) < 0 || (low = hex_digit(from[3])) < 0 ||
            (high == 0 && low == 0))
            return false;
        *to++ = (char)(high * 16 + low);
        from += 3;
    }
    *to = '\0';
    return true;
}

bool manifest_parse(char *line, struct preserve_entry *out)
{
    char *fields[FIELD_COUNT];
    struct preserve_entry entry = {0};

    for (size_t i = 0; i < FIELD_COUNT; i++) {
        fields[i] = line;
        if (i + 1 < FIELD_COUNT) {
            line = strchr(line, '\t');
            if (!line)
                return false;
            *line++ = '\0';
        }
    }
    if (!parse_u64(fields[0], &entry.number) || entry.number == 0 ||
        !parse_i64(fields[1], &entry.when.ns) || !parse_cause(fields[2], &entry.cause) ||
        !guid_parse(fields[3], &entry.gvsn.database) || !parse_u64(fields[4], &entry.gvsn.number) ||
        !guid_parse(fields[5], &entry.id.database) || !parse_u64(fields[6], &entry.id.number) ||
        !parse_kind(fields[7], &entry.kind) || !parse_u64(fields[8], &entry.size) ||
        !unescape(fields[9]))
        return false;
    entry.path = mem_copy_string(fields[9]);
    preserve_entry_fini(out);
    *out = entry;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include "common/base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void add_text(struct table *table, char *take_text)
{
    table->cells = mem_resize(table->cells, table->cell_count + 1, sizeof(*table->cells));
    table->cells[table->cell_count++] = take_text;
}

void table_init(struct table *table, const char *const *headings)
{
    *table = (struct table){0};
    for (; headings[table->column_count]; table->column_count++)
        add_text(table, mem_copy_string(headings[table->column_count]));
    assert(table->column_count > 0 && table->column_count <= TABLE_COLUMN_COUNT_MAX);
}

void table_fini(struct table *table)
{
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){0};
}

void table_add(struct table *table, const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    int size = vasprintf(&text, format, args);
    va_end(args);
    if (size < 0)
        abort();
    add_text(table, text);
}

void table_add_number(struct table *table, bool known, uint64_t value)
{
    if (known)
        table_add(table, "%" PRIu64, value);
    else
        table_add(table, "-");
}

void table_add_bytes(struct table *table, bool known, uint64_t value)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double shown = (double)value;
    size_t unit = 0;

    if (!known) {
        table_add(table, "-");
        return;
    }
    while (shown >= 1024 && unit < sizeof(units) / sizeof(units[0]) - 1) {
        shown /= 1024;
        unit++;
    }
    table_add(table, unit > 0 && shown < 10 ? "%.1f %s" : "%.0f %s", shown, units[unit]);
}

void table_add_age(struct table *table, bool known, uint64_t seconds)
{
    if (!known)
        table_add(table, "never");
    else if (seconds < 90)
        table_add(table, "%" PRIu64 " s", seconds);
    else if (seconds < UINT64_C(90) * 60)
        table_add(table, "%" PRIu64 " min", seconds / 60);
    else if (seconds < UINT64_C(48) * 3600)
        table_add(table, "%" PRIu64 " h", seconds / 3600);
    else
        table_add(table, "%" PRIu64 " days", seconds / 86400);
}

/* Characters, not bytes: continuation bytes of UTF-8 take no place. */
static size_t width(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

void table_print_text(const char *text, FILE *to)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool c1 = c == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0;

        fputc(c < 0x20 || c == 0x7f || c1 ? '?' : c, to);
        text += c1;
    }
}

void table_print(const struct table *table, int indent, FILE *to)
{
    size_t widths[TABLE_COLUMN_COUNT_MAX] = {0};

    assert(table->cell_count % table->column_count == 0);
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t column = i % table->column_count;
        size_t wide = width(table->cells[i]);

        widths[column] = wide > widths[column] ? wide : widths[column];
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t column = i % table->column_count;
        bool last = column == table->column_count - 1;

        if (column == 0)
            fprintf(to, "%*s", indent, "");
        table_print_text(table->cells[i], to);
        if (last)
            fputc('\n', to);
        else
            fprintf(to, "%*s", (int)(widths[column] - width(table->cells[i]) + 2), "");
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make_assignment: an assignment file for one agent, for tests that need no controller.
 *
 *   make_assignment OUT COMPUTER GROUP_GUID FOLDER_GUID MEMBER_GUID ROOT primary|member|reader
 *                   [CONNECTION_GUID in|in-whole|out PARTNER_NAME PORT PRINCIPAL]...
 *
 * in-whole: without remote differential compression.
 */
#include "common/base/mem.h"
#include "common/model/assignment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct guid guid_argument(const char *text)
{
    struct guid id;

    if (!guid_parse(text, &id)) {
        fprintf(stderr, "make_assignment: not a guid: %s\n", text);
        exit(2);
    }
    return id;
}

static void add_connection(struct folder_assignment *f, char **arg)
{
    bool inbound = strcmp(arg[1], "out") != 0;
    struct connection_assignment **list = inbound ? &f->inbound : &f->outbound;
    size_t *count = inbound ? &f->inbound_count : &f->outbound_count;
    struct connection_assignment *c;

    *list = mem_resize(*list, *count + 1, sizeof(**list));
    c = &(*list)[(*count)++];
    *c = (struct connection_assignment){
        .connection = guid_argument(arg[0]),
        .partner_member = guid_random(),
        .partner_name = arg[2],
        .partner_host = inbound ? arg[2] : mem_copy_string(""),
        .partner_port = inbound ? (uint16_t)strtoul(arg[3], NULL, 10) : 0,
        .partner_principals = mem_new(1, sizeof(char *)),
        .partner_principal_count = 1,
        .schedule = schedule_always(),
        .enabled = true,
        .rdc_enabled = strcmp(arg[1], "in-whole") != 0,
        .rdc_size_min = 65536,
    };
    c->partner_principals[0] = arg[4];
}

int main(int argc, char **argv)
{
    struct folder_assignment folder = {0};
    struct assignment assignment = {.generation = 1, .folders = &folder, .folder_count = 1};
    struct buf bytes = {0};
    FILE *out;

    if (argc < 8 || (argc - 8) % 5 != 0) {
        fputs("usage: see the head of make_assignment.c\n", stderr);
        return 2;
    }
    assignment.computer_name = argv[2];
    folder = (struct folder_assignment){
        .group = guid_argument(argv[3]),
        .folder = guid_argument(argv[4]),
        .member = guid_argument(argv[5]),
        .group_name = mem_copy_string("test"),
        .folder_name = mem_copy_string("files"),
        .root_path = argv[6],
        .staging_path = mem_copy_string(""),
        .preserve_path = mem_copy_string(""),
        .problem = mem_copy_string(""),
        .staging_bytes_max = UINT64_C(4) << 30,
        .preserve_bytes_max = UINT64_C(4) << 30,
        .tombstone_life_min = 86400,
        .enabled = true,
        .primary = strcmp(argv[7], "primary") == 0,
        .read_only = strcmp(argv[7], "reader") == 0,
    };
    (void)filter_add_list(&folder.file_filter, FILTER_FILE_DEFAULT);
    for (int i = 8; i < argc; i += 5)
        add_connection(&folder, argv + i);
    assignment_encode(&assignment, &bytes);
    out = fopen(argv[1], "wb");
    if (!out || fwrite(bytes.data, 1, bytes.size, out) != bytes.size || fclose(out) != 0) {
        perror(argv[1]);
        return 1;
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/os/config_file.h: the daemons' configuration files: sections of "key = value" lines.
 */
#ifndef COMMON_OS_CONFIG_FILE_H
#define COMMON_OS_CONFIG_FILE_H

#include <stdbool.h>

/*
 * Takes one value, never empty. Returns NULL, or what the value should have been, to be freed by the
 * reader: the words complete "KEY = VALUE should be …". *out_known is true before the call; false
 * says that there is no such key in that section.
 */
typedef char *config_take(void *arg, const char *section, const char *key, const char *value,
                          bool *out_known);

/*
 * Read @path and hand each line's value to @take. Returns NULL, or the first problem in one line with
 * file, line and remedy, which the caller frees: unknown keys (@manual tells them: "agent.conf(5)"),
 * keys given twice, empty values, lines that are too long or of no known form, and unreadable files.
 */
char *config_file_read(const char *path, const char *manual, config_take *take, void *arg);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/model/path.h: rules for the paths and host names that the directory gives us.
 *
 * Shared by the controller, which reports what breaks them, and the agent, which obeys nothing
 * that does. Pure text: no file system is asked.
 */
#ifndef COMMON_MODEL_PATH_H
#define COMMON_MODEL_PATH_H

#include <stdbool.h>

/*
 * A path that may be a folder's root, staging or preserve directory: absolute, not "/", at most
 * ROOT_PATH_SIZE_MAX bytes, components separated by single slashes, none of them "." or "..", no
 * slash at the end, no control bytes.
 */
bool model_path_ok(const char *path);

/* Both valid: @inner is @outer or lies beneath it. */
bool model_path_within(const char *inner, const char *outer);

/* A host name or address literal: letters, digits, '.', '-', '_' and ':', 1..HOST_NAME_SIZE_MAX. */
bool model_host_ok(const char *host);

/* Text for people and logs: not empty, at most @size_max bytes, no control bytes. */
bool model_text_ok(const char *text, unsigned size_max);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/status/text.h: texts from outside, made safe for each of our formats.
 *
 * Names come from the directory and from agents and may hold any bytes. In every format, bytes that
 * are not well-formed UTF-8 and characters that control the display (C0, C1, direction overrides)
 * appear as \xNN, so that what is seen is what is there and nothing leaves its place.
 */
#ifndef CONTROLLER_STATUS_TEXT_H
#define CONTROLLER_STATUS_TEXT_H

#include "common/base/buf.h"

/* For a JSON string, without the quotes. */
void text_json(struct buf *out, const char *text);
/* For HTML content and quoted attributes. */
void text_html(struct buf *out, const char *text);
/* For a label value of the Prometheus text format, without the quotes. */
void text_label(struct buf *out, const char *text);

#endif

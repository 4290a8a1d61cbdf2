/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/status/render.h: a view as the three documents that are served.
 *
 * docs/status-api.md describes each field of the JSON and each metric: it is the contract with the
 * outside; names there do not change their meaning.
 */
#ifndef CONTROLLER_STATUS_RENDER_H
#define CONTROLLER_STATUS_RENDER_H

#include "controller/status/view.h"

#define STATUS_FORMAT 1 /* of the JSON document */

/* Each appends the whole document to @out. */
void render_json(const struct view *view, struct buf *out);
void render_metrics(const struct view *view, struct buf *out);
/* The page works without script; @nonce is what the Content-Security-Policy lets run. */
void render_page(const struct view *view, const char *nonce, struct buf *out);

#endif

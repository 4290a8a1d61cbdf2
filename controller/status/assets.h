/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/status/assets.h: the page's style and script, built into the program by
 * www/embed.cmake so that nothing has to be found at run time.
 */
#ifndef CONTROLLER_STATUS_ASSETS_H
#define CONTROLLER_STATUS_ASSETS_H

extern const char asset_page_css[];
extern const char asset_page_js[];

#endif

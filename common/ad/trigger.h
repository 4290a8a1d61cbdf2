/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/ad/trigger.h: hearing from the server that something may have changed.
 *
 * A trigger says that, never what: the reader reads everything again. OpenLDAP's RFC 4533 (with
 * the syncprov overlay) tells of every change; the notification control of Active Directory and
 * Samba tells of changes beneath one place, but not of deletions. So polling goes on beside it.
 *
 * On the connection's thread; for the files of this folder alone.
 */
#ifndef COMMON_AD_TRIGGER_H
#define COMMON_AD_TRIGGER_H

#include "common/ad/connection_ldap.h"

struct ad_trigger {
    struct ad_connection *connection;
    int message_id; /* 0: none runs */
    bool settled;   /* RFC 4533: the list of what is there already has passed */
};

enum ad_trigger_event {
    AD_TRIGGER_QUIET,
    AD_TRIGGER_FIRED, /* something may have changed, once or often */
    AD_TRIGGER_ENDED, /* the server refuses, or has ended it: polling remains */
    AD_TRIGGER_LOST,  /* the connection is gone */
};

/*
 * Ask to be told, as the server can. Waits until the server is listening: every change after the
 * return fires. AD_TRIGGER_QUIET: it runs, or the server knows no way (then it never fires).
 */
enum ad_trigger_event ad_trigger_start(struct ad_trigger *trigger, struct ad_connection *connection,
                                       const struct ad_query *queries, size_t query_count);

/* What came in until now. Does not block. */
enum ad_trigger_event ad_trigger_check(struct ad_trigger *trigger);

/* The name of what runs: "sync", "notification" or "polling". */
const char *ad_trigger_name(const struct ad_trigger *trigger);

/* To wait for with poll(2) after ad_trigger_check(); -1 when there is none. */
int ad_trigger_fd(const struct ad_trigger *trigger);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/ad/connection_ldap.h: the inside of a connection, for the files of this folder alone.
 */
#ifndef COMMON_AD_CONNECTION_LDAP_H
#define COMMON_AD_CONNECTION_LDAP_H

#include "common/ad/connection.h"

#include <ldap.h>

/* How a server can tell that something changed. */
enum ad_notification {
    AD_NOTIFICATION_NONE,   /* polling alone */
    AD_NOTIFICATION_SYNC,   /* RFC 4533, OpenLDAP with syncprov */
    AD_NOTIFICATION_CHANGE, /* 1.2.840.113556.1.4.528, Active Directory and Samba */
};

struct ad_connection {
    LDAP *ldap;
    char *uri;
    char *base;
    enum ad_notification notification;
};

/* libldap's prototypes lack const; it only reads the list. */
static inline char **ad_attribute_list(const char *const *attributes)
{
    return (char **)(uintptr_t)attributes;
}

/* "URI: ACTION: CAUSE (the server's own words); REMEDY", and the status that @code stands for. */
enum status ad_explain(struct ad_connection *connection, const char *action, int code,
                       char **out_problem);

#endif

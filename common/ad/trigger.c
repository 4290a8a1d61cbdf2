/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ad/trigger.h"

#include "common/base/buf.h"
#include "common/base/instant.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <sys/time.h>

#define CONTROL_NOTIFICATION "1.2.840.113556.1.4.528"

static bool send_search(struct ad_trigger *t, const char *base, const char *filter,
                        LDAPControl *control)
{
    static const char *const attributes[] = {LDAP_NO_ATTRS, NULL};
    LDAPControl *controls[] = {control, NULL};

    return ldap_search_ext(t->connection->ldap, base, LDAP_SCOPE_SUBTREE, filter,
                           ad_attribute_list(attributes), 0, controls, NULL, NULL, LDAP_NO_LIMIT,
                           &t->message_id) == LDAP_SUCCESS;
}

/* SyncRequestValue ::= SEQUENCE { mode ENUMERATED { refreshAndPersist (3) } … } */
static bool send_sync(struct ad_trigger *t, const struct ad_query *queries, size_t query_count)
{
    scope(buf) struct buf filter = {0};
    BerElement *ber = ber_alloc_t(LBER_USE_DER);
    struct berval value = {0};

    buf_append_string(&filter, "(|");
    for (size_t i = 0; i < query_count; i++)
        buf_append_string(&filter, queries[i].filter);
    buf_append_string(&filter, ")");
    bool sent = ber && ber_printf(ber, "{e}", LDAP_SYNC_REFRESH_AND_PERSIST) >= 0 &&
                ber_flatten2(ber, &value, 0) == 0;
    if (sent) {
        char oid[] = LDAP_CONTROL_SYNC;
        LDAPControl control = {.ldctl_oid = oid, .ldctl_value = value, .ldctl_iscritical = 1};

        sent = send_search(t, t->connection->base, buf_text(&filter), &control);
    }
    ber_free(ber, 1);
    return sent;
}

/* The control allows no other filter. The first query's place is where groups are changed. */
static bool send_notification(struct ad_trigger *t, const struct ad_query *queries)
{
    char oid[] = CONTROL_NOTIFICATION;
    LDAPControl control = {.ldctl_oid = oid, .ldctl_iscritical = 1};
    scope_free char *base = mem_format("%s%s%s", queries[0].beneath, *queries[0].beneath ? "," : "",
                                       t->connection->base);

    return send_search(t, base, "(objectClass=*)", &control);
}

/* SyncInfoValue: [1] refreshDelete and [2] refreshPresent end the list, unless they say otherwise;
 * [0] newcookie and [3] syncIdSet do not. */
static bool ends_the_list(struct ad_trigger *t, LDAPMessage *message)
{
    struct berval *value = NULL;
    char *oid = NULL;
    bool ends = false;

    if (ldap_parse_intermediate(t->connection->ldap, message, &oid, &value, NULL, 0) ==
        LDAP_SUCCESS)
        ends = oid && strcmp(oid, LDAP_SYNC_INFO) == 0 && value && value->bv_len > 0 &&
               ((uint8_t)value->bv_val[0] == LDAP_TAG_SYNC_REFRESH_DELETE ||
                (uint8_t)value->bv_val[0] == LDAP_TAG_SYNC_REFRESH_PRESENT);
    ldap_memfree(oid);
    ber_bvfree(value);
    return ends;
}

static enum ad_trigger_event take_message(struct ad_trigger *t, LDAPMessage *message)
{
    int type = ldap_msgtype(message);

    if (type == LDAP_RES_SEARCH_RESULT) {
        t->message_id = 0;
        return AD_TRIGGER_ENDED;
    }
    if (!t->settled) {
        t->settled = type == LDAP_RES_INTERMEDIATE && ends_the_list(t, message);
        return AD_TRIGGER_QUIET;
    }
    return AD_TRIGGER_FIRED;
}

/* Takes one message within @patience; *out_empty when none came. */
static enum ad_trigger_event take_one(struct ad_trigger *t, struct timeval patience,
                                      bool *out_empty)
{
    LDAPMessage *message = NULL;
    int type = ldap_result(t->connection->ldap, t->message_id, LDAP_MSG_ONE, &patience, &message);

    *out_empty = type == 0;
    if (type < 0)
        return AD_TRIGGER_LOST;
    if (type == 0)
        return AD_TRIGGER_QUIET;
    enum ad_trigger_event event = take_message(t, message);
    ldap_msgfree(message);
    return event;
}

static enum ad_trigger_event wait_for_list(struct ad_trigger *t)
{
    struct instant start = instant_now();

    while (!t->settled) {
        bool empty;
        enum ad_trigger_event event = take_one(t, (struct timeval){.tv_sec = 1}, &empty);

        if (event != AD_TRIGGER_QUIET)
            return event;
        if (instant_ms_since(start, instant_now()) > AD_OPERATION_TIMEOUT_S * 1000)
            return AD_TRIGGER_LOST;
    }
    return AD_TRIGGER_QUIET;
}

enum ad_trigger_event ad_trigger_start(struct ad_trigger *trigger, struct ad_connection *connection,
                                       const struct ad_query *queries, size_t query_count)
{
    bool sent = true;

    *trigger = (struct ad_trigger){.connection = connection};
    switch (connection->notification) {
    case AD_NOTIFICATION_SYNC:
        sent = send_sync(trigger, queries, query_count);
        break;
    case AD_NOTIFICATION_CHANGE:
        sent = send_notification(trigger, queries);
        trigger->settled = true;
        break;
    case AD_NOTIFICATION_NONE:
        trigger->settled = true;
        break;
    }
    return sent ? wait_for_list(trigger) : AD_TRIGGER_LOST;
}

enum ad_trigger_event ad_trigger_check(struct ad_trigger *trigger)
{
    enum ad_trigger_event result = AD_TRIGGER_QUIET;

    /* Beneath a sealing layer the first call may only take a frame off the socket, and the second
     * hand over what was in it: nothing is left after two that find nothing. */
    for (unsigned empty_count = 0; empty_count < 2 && trigger->message_id != 0;) {
        bool empty;
        enum ad_trigger_event event = take_one(trigger, (struct timeval){0}, &empty);

        empty_count = empty ? empty_count + 1 : 0;
        if (event == AD_TRIGGER_LOST || event == AD_TRIGGER_ENDED)
            return event;
        if (event == AD_TRIGGER_FIRED)
            result = event;
    }
    return result;
}

const char *ad_trigger_name(const struct ad_trigger *trigger)
{
    if (trigger->message_id == 0)
        return "polling";
    return trigger->connection->notification == AD_NOTIFICATION_SYNC ? "sync" : "notification";
}

int ad_trigger_fd(const struct ad_trigger *trigger)
{
    int fd = -1;

    if (trigger->message_id != 0)
        ldap_get_option(trigger->connection->ldap, LDAP_OPT_DESC, &fd);
    return fd;
}

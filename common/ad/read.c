/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ad/connection.h"

#include "common/ad/connection_ldap.h"
#include "common/ad/names.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

/* What one ad_read() knows while it runs. */
struct reading {
    struct ad_connection *connection;
    struct ad_entries *entries;
    void *followed; /* tsearch tree of names in normal form */
    char **out_problem;
};

static enum status too_much(struct reading *r, const char *what)
{
    *r->out_problem = mem_format("%s: %s; check the base DN, or ask for a higher limit",
                                 r->connection->uri, what);
    return ST_FULL;
}

static enum status take_values(struct reading *r, LDAPMessage *message, const char *name)
{
    struct berval **values = ldap_get_values_len(r->connection->ldap, message, name);
    enum status st = ST_OK;

    for (size_t i = 0; values && values[i] && st == ST_OK; i++) {
        size_t size = values[i]->bv_len;

        if (size > AD_VALUE_SIZE_MAX)
            st = too_much(r, "a value is bigger than any replication setting can be");
        else if (size > AD_READ_BYTES_MAX - r->entries->bytes)
            st = too_much(r, "the configuration is bigger than allowed");
        else
            ad_entries_add_value(r->entries, name, span_of(values[i]->bv_val, size));
    }
    ldap_value_free_len(values);
    return st;
}

static enum status take_entry(struct reading *r, LDAPMessage *message)
{
    LDAP *ldap = r->connection->ldap;
    BerElement *position = NULL;
    char *dn = ldap_get_dn(ldap, message);
    enum status st = ST_OK;

    if (!dn)
        return ad_explain(r->connection, "reading", LDAP_DECODING_ERROR, r->out_problem);
    if (r->entries->count >= AD_ENTRY_COUNT_MAX || strlen(dn) > AD_DN_SIZE_MAX)
        st = too_much(r, "more entries, or longer names, than allowed");
    else
        ad_entries_add(r->entries, dn);
    ldap_memfree(dn);
    if (st != ST_OK)
        return st;
    for (char *name = ldap_first_attribute(ldap, message, &position); name;
         name = ldap_next_attribute(ldap, message, position)) {
        if (st == ST_OK)
            st = take_values(r, message, name);
        ldap_memfree(name);
    }
    ber_free(position, 0);
    return st;
}

/* Takes one page's entries and its cookie; *cookie is empty after the last page. */
static enum status take_page(struct reading *r, LDAPMessage *result, struct berval *cookie)
{
    LDAP *ldap = r->connection->ldap;
    LDAPControl **controls = NULL;
    enum status st = ST_OK;
    int code = LDAP_SUCCESS;

    for (LDAPMessage *m = ldap_first_entry(ldap, result); m && st == ST_OK;
         m = ldap_next_entry(ldap, m))
        st = take_entry(r, m);
    if (st != ST_OK)
        return st;
    if (ldap_parse_result(ldap, result, &code, NULL, NULL, NULL, &controls, 0) != LDAP_SUCCESS)
        return ad_explain(r->connection, "reading", LDAP_DECODING_ERROR, r->out_problem);
    LDAPControl *page = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, NULL);
    ber_int_t estimate = 0;
    ber_memfree(cookie->bv_val);
    *cookie = (struct berval){0};
    if (page && ldap_parse_pageresponse_control(ldap, page, &estimate, cookie) != LDAP_SUCCESS)
        st = ad_explain(r->connection, "reading", LDAP_DECODING_ERROR, r->out_problem);
    ldap_controls_free(controls);
    return st;
}

/* One reference to a deleted object, or to another domain, must not spoil the whole read. */
static bool names_nothing(int code)
{
    return code == LDAP_NO_SUCH_OBJECT || code == LDAP_REFERRAL || code == LDAP_INVALID_DN_SYNTAX;
}

static enum status search(struct reading *r, const char *base, const struct ad_query *query)
{
    LDAP *ldap = r->connection->ldap;
    struct berval cookie = {0};
    enum status st = ST_OK;

    do {
        LDAPControl *page = NULL;
        LDAPMessage *result = NULL;
        int code = ldap_create_page_control(ldap, AD_PAGE_SIZE, &cookie, 0, &page);
        LDAPControl *controls[] = {page, NULL};
        struct timeval patience = {.tv_sec = AD_OPERATION_TIMEOUT_S};

        if (code == LDAP_SUCCESS)
            code = ldap_search_ext_s(ldap, base, LDAP_SCOPE_SUBTREE, query->filter,
                                     ad_attribute_list(query->attributes), 0, controls, NULL,
                                     &patience, LDAP_NO_LIMIT, &result);
        if (page)
            ldap_control_free(page);
        if (names_nothing(code))
            st = ST_OK;
        else if (code != LDAP_SUCCESS)
            st = ad_explain(r->connection, base, code, r->out_problem);
        else
            st = take_page(r, result, &cookie);
        ldap_msgfree(result);
        if (code != LDAP_SUCCESS)
            break;
    } while (st == ST_OK && cookie.bv_len > 0);
    ber_memfree(cookie.bv_val);
    return st;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* True the first time that @dn is asked for; false for what is no name at all. */
static bool follow_first(struct reading *r, const char *dn)
{
    char *normal = ad_dn_normalise(dn);

    if (!normal)
        return false;
    char **slot = tsearch(normal, &r->followed, by_text);
    if (slot && *slot == normal)
        return true;
    free(normal);
    return false;
}

static enum status follow(struct reading *r, const struct ad_query *query)
{
    size_t count = r->entries->count; /* what this query adds is not followed in turn */
    enum status st = ST_OK;

    for (size_t i = 0; i < count && st == ST_OK; i++) {
        const char *dn = ad_entry_text(&r->entries->items[i], query->follow);
        /* adding entries moves them: keep a copy */
        scope_free char *base = mem_copy_string(dn);

        if (dn && follow_first(r, base))
            st = search(r, base, query);
    }
    return st;
}

enum status ad_read(struct ad_connection *connection, const struct ad_query *queries,
                    size_t query_count, struct ad_entries *entries, char **out_problem)
{
    struct reading r = {.connection = connection, .entries = entries, .out_problem = out_problem};
    enum status st = ST_OK;

    for (size_t i = 0; i < query_count && st == ST_OK; i++) {
        const struct ad_query *query = &queries[i];

        if (query->follow) {
            st = follow(&r, query);
        } else {
            scope_free char *base =
                mem_format("%s%s%s", query->beneath, *query->beneath ? "," : "", connection->base);
            st = search(&r, base, query);
        }
    }
    tdestroy(r.followed, free);
    return st;
}

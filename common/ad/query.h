/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/ad/query.h: what to ask the directory for, as a plain value.
 */
#ifndef COMMON_AD_QUERY_H
#define COMMON_AD_QUERY_H

/*
 * One search of a read. Either beneath a fixed place, or, with @follow, once for each object that
 * the entries found so far name in that attribute.
 */
struct ad_query {
    const char *beneath;           /* put in front of the base DN: "CN=System"; "" = the base DN */
    const char *follow;            /* attribute with distinguished names; NULL = @beneath counts */
    const char *filter;            /* RFC 4515 */
    const char *const *attributes; /* ends with NULL */
};

#endif

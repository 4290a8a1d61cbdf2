/* SPDX-License-Identifier: Apache-2.0 */
#include "common/auth/ticket.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"

#include <krb5.h>

/* DER tags on the way down */
#define TAG_GSS_TOKEN   0x60 /* [APPLICATION 0]: mechanism OID, token type, AP-REQ */
#define TAG_OID         0x06
#define TAG_AP_REQ      0x6e /* [APPLICATION 14] */
#define TAG_SEQUENCE    0x30
#define TAG_FIELD_3     0xa3 /* of AP-REQ: the ticket */
#define TOKEN_TYPE_SIZE 2

static size_t read_length(struct reader *r)
{
    uint8_t first = reader_u8(r);
    size_t length = 0;

    if (first < 0x80)
        return first;
    if (first == 0x80 || first > 0x84) {
        r->failed = true;
        return 0;
    }
    for (unsigned i = first & 0x7fu; i > 0; i--)
        length = length << 8 | reader_u8(r);
    return length;
}

/* The contents of the next element, whatever its tag. */
static struct span read_element(struct reader *r, uint8_t *out_tag)
{
    *out_tag = reader_u8(r);
    return reader_bytes(r, read_length(r));
}

/* The contents of the next element that has @tag; those before it are left out. */
static struct span read_tagged(struct reader *r, uint8_t wanted)
{
    uint8_t tag = 0;
    struct span contents = {0};

    while (reader_ok(r) && tag != wanted)
        contents = read_element(r, &tag);
    return contents;
}

static struct span find_ticket(struct span token)
{
    struct reader outer = reader_of(token);
    struct reader gss = reader_of(read_tagged(&outer, TAG_GSS_TOKEN));
    read_tagged(&gss, TAG_OID);
    reader_bytes(&gss, TOKEN_TYPE_SIZE);
    struct reader request = reader_of(read_tagged(&gss, TAG_AP_REQ));
    struct reader fields = reader_of(read_tagged(&request, TAG_SEQUENCE));
    struct span ticket = read_tagged(&fields, TAG_FIELD_3);

    return reader_ok(&fields) ? ticket : (struct span){0};
}

static char *unparse_service(krb5_context context, struct span der)
{
    krb5_data data = {.length = (unsigned)der.size, .data = (char *)(uintptr_t)der.data};
    krb5_ticket *ticket = NULL;
    char *text = NULL;
    char *service = NULL;

    if (krb5_decode_ticket(&data, &ticket) != 0)
        return NULL;
    if (krb5_unparse_name(context, ticket->server, &text) == 0) {
        service = mem_copy_string(text);
        krb5_free_unparsed_name(context, text);
    }
    krb5_free_ticket(context, ticket);
    return service;
}

char *ticket_service(struct span token)
{
    struct span der = find_ticket(token);
    krb5_context context;

    if (der.size == 0 || krb5_init_context(&context) != 0)
        return NULL;
    char *service = unparse_service(context, der);
    krb5_free_context(context);
    return service;
}

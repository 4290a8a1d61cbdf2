/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/plan/principals.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/model/path.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct list {
    char **items;
    size_t count;
    bool left_out;
};

static void add(struct list *list, const char *service, const char *name, const char *realm)
{
    scope_free char *principal = mem_format("%s%s%s%s", service, name, *realm ? "@" : "", realm);

    /* a name with a realm of its own, or with quoting, could be read as somebody else's */
    if (strpbrk(name, "@\\") || !model_text_ok(principal, PRINCIPAL_SIZE_MAX))
        return;
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], principal) == 0)
            return;
    }
    if (list->count >= PARTNER_PRINCIPAL_COUNT_MAX) {
        list->left_out = true;
        return;
    }
    list->items[list->count++] = mem_copy_string(principal);
}

size_t principals_of(const struct topology_computer *computer, const char *realm,
                     char ***out_principals, bool *out_left_out)
{
    struct list list = {.items = mem_new(PARTNER_PRINCIPAL_COUNT_MAX, sizeof(char *))};
    static const char host_class[] = "host/";

    /* these two are what agents use; others only while there is room */
    if (*computer->host)
        add(&list, host_class, computer->host, realm);
    if (*computer->account)
        add(&list, "", computer->account, realm);
    for (size_t i = 0; i < computer->service_count; i++) {
        const char *service = computer->services[i];

        if (strncasecmp(service, host_class, strlen(host_class)) == 0 &&
            service[strlen(host_class)] != '\0')
            add(&list, host_class, service + strlen(host_class), realm);
    }
    *out_principals = list.items;
    *out_left_out = list.left_out;
    return list.count;
}

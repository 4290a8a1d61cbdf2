/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/version/version.h"

static int number_compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int file_id_compare(const struct file_id *a, const struct file_id *b)
{
    int order = guid_compare(&a->database, &b->database);

    return order != 0 ? order : number_compare(a->number, b->number);
}

int gvsn_compare(const struct gvsn *a, const struct gvsn *b)
{
    int order = guid_compare(&a->database, &b->database);

    return order != 0 ? order : number_compare(a->number, b->number);
}

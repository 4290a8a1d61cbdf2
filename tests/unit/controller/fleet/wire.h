/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/controller/fleet/wire.h: builders for agents' messages and plans, for tests of the
 * controller.
 *
 * Every builder takes memory from one process-wide arena that wire_reset() frees, so that a test
 * reads as its story and not as its clean-up.
 */
#ifndef TESTS_UNIT_CONTROLLER_FLEET_WIRE_H
#define TESTS_UNIT_CONTROLLER_FLEET_WIRE_H

#include "controller/fleet/fleet.h"

void wire_reset(void);
void *wire_alloc(size_t size);
char *wire_text(const char *value);

/* A GUID whose every byte is @n. */
struct guid wire_guid(uint8_t n);

/* --- reports --- */

struct wire_interval {
    uint8_t database;
    uint64_t low;
    uint64_t high;
};

/* @intervals ascend by database and number. */
Coterie__V1__VersionVector *wire_vector(const struct wire_interval *intervals, size_t count);
Coterie__V1__Problem *wire_problem(const char *object, const char *cause, const char *remedy);
Coterie__V1__ConnectionReport *wire_connection(uint8_t connection, bool inbound);
Coterie__V1__FolderReport *wire_folder(uint8_t folder);
Coterie__V1__Report *wire_report(void);
void wire_add_folder(Coterie__V1__Report *report, Coterie__V1__FolderReport *folder);
void wire_add_connection(Coterie__V1__FolderReport *folder,
                         Coterie__V1__ConnectionReport *connection);

/* --- messages --- */

Coterie__V1__AgentMessage *wire_hello(const uint8_t *digest); /* NULL: it has none */
Coterie__V1__AgentMessage *wire_result(const uint8_t *digest, const char *problem);
Coterie__V1__AgentMessage *wire_report_message(Coterie__V1__Report *report);

/* --- plans --- */

/* A computer "<name>" with principal "host/<name>@R", no folders, and digest bytes @digest. */
struct fleet_computer wire_computer(const char *name, uint8_t digest);

struct moment wire_moment(int64_t ms);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/methods.h"

#include "proto/admin.pb-c.h"
#include "proto/fleet.pb-c.h"
#include "proto/replication.pb-c.h"

const struct rpc_method fleet_attach_method = {
    .path = "/coterie.v1.Fleet/Attach",
    .request = &coterie__v1__agent_message__descriptor,
    .response = &coterie__v1__controller_message__descriptor,
};

const struct rpc_method replication_replicate_method = {
    .path = "/coterie.v1.Replication/Replicate",
    .request = &coterie__v1__session_request__descriptor,
    .response = &coterie__v1__session_response__descriptor,
};

const struct rpc_method replication_fetch_method = {
    .path = "/coterie.v1.Replication/Fetch",
    .request = &coterie__v1__fetch_request__descriptor,
    .response = &coterie__v1__fetch_response__descriptor,
};

const struct rpc_method admin_get_status_method = {
    .path = "/coterie.v1.Admin/GetStatus",
    .request = &coterie__v1__admin_request__descriptor,
    .response = &coterie__v1__agent_status__descriptor,
};

const struct rpc_method admin_rescan_method = {
    .path = "/coterie.v1.Admin/Rescan",
    .request = &coterie__v1__admin_request__descriptor,
    .response = &coterie__v1__agent_status__descriptor,
};

const struct rpc_method admin_verify_method = {
    .path = "/coterie.v1.Admin/Verify",
    .request = &coterie__v1__admin_request__descriptor,
    .response = &coterie__v1__agent_status__descriptor,
};

/* SPDX-License-Identifier: MIT */
/* CapabilityManager. */
#include "user/lib/capability.h"

#include "abi/capid.h"
#include "schema/generated/exception.capnp.h"

int32_t capability_client_set_close_on_spawn(struct rt *rt, struct capability_manager manager,
                                             struct cap_id cap, bool close)
{
    struct capability_manager_set_close_on_spawn_params_builder params;
    struct client client;

    client_open(&client, rt, manager.cap, CLIENT_ROOM_SMALL);
    params = capability_manager_set_close_on_spawn_request(&client.call);
    capability_manager_set_close_on_spawn_params_set_cap_id(params, cap.raw);
    capability_manager_set_close_on_spawn_params_set_close_on_spawn(params, close);
    (void)capability_manager_set_close_on_spawn_invoke(&client.call);
    return client_close(&client);
}

int32_t capability_client_close_on_spawn(struct rt *rt, struct capability_manager manager,
                                         struct cap_id cap, bool *close)
{
    struct capability_manager_list_params_builder params;
    struct capability_edge_info_list edges;
    struct capability_edge_info_reader edge;
    struct client client;

    client_open(&client, rt, manager.cap, CLIENT_ROOM_SMALL);
    params = capability_manager_list_request(&client.call);
    capability_manager_list_params_set_first_slot(params, cap_id_slot(cap));
    capability_manager_list_params_set_max_edges(params, 1);
    edges = capability_manager_list_results_get_edges(capability_manager_list_invoke(&client.call));
    edge = capability_edge_info_list_get(edges, 0);
    *close = capability_edge_info_get_close_on_spawn(edge);
    if (client.call.status == TRANSPORT_OK &&
        (edges.raw.count == 0 || capability_edge_info_get_cap_id(edge) != cap.raw)) {
        client.call.status = EXCEPTION_REASON_STALE_CAPABILITY;
    } else if (client.call.status == TRANSPORT_OK && capability_edge_info_get_revoked(edge)) {
        client.call.status = EXCEPTION_REASON_REVOKED_CAPABILITY;
    }
    return client_close(&client);
}

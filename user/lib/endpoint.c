/* SPDX-License-Identifier: MIT */
/* EndpointFactory and Endpoint. */
#include "user/lib/endpoint.h"

#include "user/lib/facet.h"

/* The capability of an answer that must have one; sets the outcome when it has none. */
static struct cap_id answer_cap(struct client *client, uint32_t index)
{
    struct cap_id cap = client_received(client, index);

    if (client->call.status == TRANSPORT_OK && cap.raw == 0) {
        client->call.status = TRANSPORT_BAD_MESSAGE;
    }
    return cap;
}

int32_t endpoint_client_create(struct rt *rt, struct endpoint_factory factory,
                               const struct manifest_export *limits, struct endpoint_owner *owner)
{
    struct client client;
    struct endpoint_limits_builder builder;

    client_open(&client, rt, factory.cap, CLIENT_ROOM_SMALL);
    builder =
        endpoint_factory_create_params_init_limits(endpoint_factory_create_request(&client.call));
    endpoint_limits_set_message_bytes(builder, limits->message_bytes);
    endpoint_limits_set_capabilities(builder, limits->capabilities);
    endpoint_limits_set_queue_length(builder, limits->queue_length);
    owner->cap = answer_cap(&client, endpoint_factory_create_results_get_endpoint(
                                         endpoint_factory_create_invoke(&client.call)));
    return client_close(&client);
}

int32_t endpoint_client_mint(struct rt *rt, struct endpoint_owner owner,
                             const struct endpoint_session *session, struct cap_id *session_cap)
{
    struct client client;
    struct endpoint_mint_params_builder params;

    client_open(&client, rt, owner.cap, CLIENT_ROOM_SMALL);
    params = endpoint_mint_request(&client.call);
    endpoint_mint_params_set_interface_id(params, session->interface_id);
    facet_client_set(endpoint_mint_params_init_facet(params), session->facet);
    endpoint_mint_params_set_badge(params, session->badge);
    endpoint_mint_params_set_transfer_mode(params, (enum authority_transfer_mode)session->mode);
    *session_cap =
        answer_cap(&client, endpoint_mint_results_get_client(endpoint_mint_invoke(&client.call)));
    return client_close(&client);
}

int32_t endpoint_client_info(struct rt *rt, struct endpoint_owner owner, struct endpoint_seen *seen)
{
    struct endpoint_info_results_reader results;
    struct client client;

    client_open(&client, rt, owner.cap, CLIENT_ROOM_SMALL);
    (void)endpoint_info_request(&client.call);
    results = endpoint_info_invoke(&client.call);
    *seen = (struct endpoint_seen){
        .waiting_calls = endpoint_info_results_get_waiting_calls(results),
        .waiting_receivers = endpoint_info_results_get_waiting_receivers(results),
        .open_badges = endpoint_info_results_get_open_badges(results),
    };
    return client_close(&client);
}

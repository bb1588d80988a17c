/* SPDX-License-Identifier: MIT */
/* EndpointFactory and Endpoint. */
#include "user/lib/endpoint.h"

int32_t endpoint_client_create(struct rt *rt, struct endpoint_factory factory,
                               const struct endpoint_client_limits *limits,
                               struct endpoint_owner *owner)
{
    struct client_call call;
    struct client_target target = {
        .cap = factory.cap,
        .interface_id = ENDPOINT_FACTORY_INTERFACE_ID,
        .method = ENDPOINT_FACTORY_METHOD_CREATE,
        .request_bytes = RT_RING_BLOCK_BYTES,
        .result_bytes = RT_RING_BLOCK_BYTES,
    };

    if (client_begin(&call, rt, &target) == TRANSPORT_OK) {
        struct capn_struct_builder parameters =
            client_parameters(&call, (struct capn_size){.pointers = 1});
        struct capn_struct_builder s =
            capn_init_struct(capn_set_pointer(parameters, 0), (struct capn_size){.data_words = 2});

        capn_set_u32(s, 0, limits->message_bytes, 4096);
        capn_set_u16(s, 4, limits->capabilities, 4);
        capn_set_u32(s, 8, limits->queue_length, 64);
        if (client_send(&call) == TRANSPORT_OK) {
            owner->cap = client_result_cap(&call, capn_get_pointer(client_results(&call), 0));
            call.status = owner->cap.raw == 0 ? TRANSPORT_BAD_MESSAGE : TRANSPORT_OK;
        }
    }
    return client_end(&call);
}

int32_t endpoint_client_mint(struct rt *rt, struct endpoint_owner owner,
                             const struct endpoint_session *session, struct cap_id *client)
{
    struct client_call call;
    struct client_target target = {
        .cap = owner.cap,
        .interface_id = ENDPOINT_INTERFACE_ID,
        .method = ENDPOINT_METHOD_MINT,
        .request_bytes = RT_RING_BLOCK_BYTES,
        .result_bytes = RT_RING_BLOCK_BYTES,
    };

    if (client_begin(&call, rt, &target) == TRANSPORT_OK) {
        struct capn_struct_builder parameters =
            client_parameters(&call, (struct capn_size){.data_words = 3, .pointers = 1});

        capn_set_u64(parameters, 0, session->interface_id, 0);
        capn_set_u64(parameters, 8, session->badge, 0);
        capn_set_u16(parameters, 16, (uint16_t)session->mode, 0);
        client_facet_write(capn_set_pointer(parameters, 0), session->facet);
        if (client_send(&call) == TRANSPORT_OK) {
            *client = client_result_cap(&call, capn_get_pointer(client_results(&call), 0));
            call.status = client->raw == 0 ? TRANSPORT_BAD_MESSAGE : TRANSPORT_OK;
        }
    }
    return client_end(&call);
}

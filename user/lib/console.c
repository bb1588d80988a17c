/* SPDX-License-Identifier: MIT */
/* Console. */
#include "user/lib/console.h"

int32_t console_client_write(struct rt *rt, struct console console, const char *text,
                             uint32_t length)
{
    struct client_call call;
    struct client_target target = {
        .cap = console.cap,
        .interface_id = CONSOLE_INTERFACE_ID,
        .method = CONSOLE_METHOD_WRITE,
        .request_bytes = (uint32_t)(3 + capn_data_words(length)) * CAPN_WORD_BYTES,
        .result_bytes = RT_RING_BLOCK_BYTES,
    };
    struct capn_struct_builder parameters;

    if (length > CONSOLE_TEXT_MAX) {
        return TRANSPORT_TOO_LARGE;
    }
    if (client_begin(&call, rt, &target) == TRANSPORT_OK) {
        parameters = client_parameters(&call, (struct capn_size){.pointers = 1});
        capn_write_data(capn_set_pointer(parameters, 0),
                        (struct capn_data){.bytes = (const uint8_t *)text, .length = length});
        (void)client_send(&call);
    }
    return client_end(&call);
}

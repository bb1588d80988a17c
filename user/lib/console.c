/* SPDX-License-Identifier: MIT */
/* Console. */
#include "user/lib/console.h"

int32_t console_client_write(struct rt *rt, struct console console, const char *text,
                             uint32_t length)
{
    struct client client;
    struct client_room room = CLIENT_ROOM_SMALL;
    struct capn_data bytes = {.bytes = (const uint8_t *)text, .length = length};

    if (length > CONSOLE_TEXT_MAX) {
        return TRANSPORT_TOO_LARGE;
    }
    room.request_bytes += (uint32_t)capn_data_words(length) * CAPN_WORD_BYTES;
    client_open(&client, rt, console.cap, room);
    console_write_params_set_bytes(console_write_request(&client.call), bytes);
    (void)console_write_invoke(&client.call);
    return client_close(&client);
}

/* SPDX-License-Identifier: MIT */
/*
 * The boot console: the first serial port (16550 at 0x3f8), 115200 8N1, written by polling. Its
 * FIFO takes 16 bytes once the transmitter says it is empty. Without a port the wait for it is
 * bounded and the bytes are dropped: a machine without a serial line still boots.
 */
#include "kernel/arch/x86_64/registers.h"
#include "kernel/arch/x86_64/serial.h"

enum {
    COM1 = 0x3f8,
    SERIAL_DATA = COM1,
    SERIAL_INTERRUPTS = COM1 + 1,
    SERIAL_FIFO = COM1 + 2,
    SERIAL_LINE = COM1 + 3,
    SERIAL_MODEM = COM1 + 4,
    SERIAL_STATUS = COM1 + 5,

    LINE_DIVISOR = 0x80,
    LINE_8N1 = 0x03,
    FIFO_ENABLE_CLEAR = 0x07,
    MODEM_READY = 0x03,
    STATUS_TRANSMIT_EMPTY = 0x20,

    FIFO_BYTES = 16,
    POLLS_MAX = 200000, /* 16 bytes at 115200 baud are 1.4 ms; a poll is a microsecond at most */
};

void serial_init(void)
{
    port_write_u8(SERIAL_INTERRUPTS, 0);
    port_write_u8(SERIAL_LINE, LINE_DIVISOR);
    port_write_u8(SERIAL_DATA, 1);
    port_write_u8(SERIAL_INTERRUPTS, 0);
    port_write_u8(SERIAL_LINE, LINE_8N1);
    port_write_u8(SERIAL_FIFO, FIFO_ENABLE_CLEAR);
    port_write_u8(SERIAL_MODEM, MODEM_READY);
}

static void transmitter_wait(void)
{
    for (unsigned poll = 0; poll < POLLS_MAX; poll++) {
        if ((port_read_u8(SERIAL_STATUS) & STATUS_TRANSMIT_EMPTY) != 0) {
            return;
        }
    }
}

void arch_console_write(const char *bytes, size_t count)
{
    size_t done = 0;
    size_t chunk;

    while (done < count) {
        transmitter_wait();
        chunk = count - done < FIFO_BYTES ? count - done : FIFO_BYTES;
        port_write_bytes(SERIAL_DATA, bytes + done, chunk);
        done += chunk;
    }
}

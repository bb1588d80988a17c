/* SPDX-License-Identifier: MIT */
/* Just enough of the opcode map to tell the causes of a general-protection fault apart. */
#include "kernel/arch/x86_64/instruction.h"

/* The prefixes of an instruction, and where its opcode begins. */
struct prefixes {
    size_t length;
    bool operand_size; /* 66 */
    bool repeat;       /* F2 or F3: a scalar operation, which needs no alignment */
    bool vex_map1;     /* the opcode lies in map 0F without saying so */
};

static struct prefixes prefixes_read(const uint8_t *code, size_t length)
{
    struct prefixes found = {.length = 0};

    while (found.length < length) {
        uint8_t byte = code[found.length];

        if (byte == 0x66) {
            found.operand_size = true;
        } else if (byte == 0xf2 || byte == 0xf3) {
            found.repeat = true;
        } else if (byte != 0x67 && byte != 0x2e && byte != 0x36 && byte != 0x3e && byte != 0x26 &&
                   byte != 0x64 && byte != 0x65 && byte != 0xf0 && (byte & 0xf0) != 0x40) {
            break;
        }
        found.length++;
    }
    if (found.length < length && code[found.length] == 0xc5) {
        found.length += 2;
        found.vex_map1 = true;
    } else if (found.length + 1 < length && code[found.length] == 0xc4) {
        found.vex_map1 = (code[found.length + 1] & 0x1f) == 1;
        found.length += 3;
    }
    return found;
}

static bool is_between(uint8_t byte, uint8_t first, uint8_t last)
{
    return byte >= first && byte <= last;
}

static bool is_privileged(uint8_t opcode)
{
    return opcode == 0xf4 || opcode == 0xfa || opcode == 0xfb ||                 /* hlt cli sti */
           is_between(opcode, 0xe4, 0xe7) || is_between(opcode, 0xec, 0xef) ||   /* in, out */
           is_between(opcode, 0x6c, 0x6f) ||                                     /* ins, outs */
           opcode == 0xcd || opcode == 0xcf || is_between(opcode, 0xca, 0xcb) || /* int iret retf */
           opcode == 0x8e; /* mov to a segment register */
}

/* FF /3 and FF /5: a call or jump through a segment or gate. */
static bool is_far_transfer(const uint8_t *code, size_t length)
{
    unsigned operation = length > 1 ? code[1] >> 3 & 7 : 0;

    return code[0] == 0xff && (operation == 3 || operation == 5);
}

static bool is_privileged_0f(uint8_t opcode)
{
    return opcode <= 0x01 ||
           is_between(opcode, 0x06, 0x09) || /* descriptor tables, sysret, caches */
           is_between(opcode, 0x20, 0x23) || /* control and debug registers */
           is_between(opcode, 0x30, 0x35) || /* MSRs, counters, sysenter */
           opcode == 0xa1 || opcode == 0xa9 || opcode == 0xb2 || opcode == 0xb4 || opcode == 0xb5;
}

/* Vector operations whose memory operand must be aligned, and the state-saving ones. */
static bool is_aligned_0f(uint8_t opcode, const struct prefixes *prefixes)
{
    if (is_between(opcode, 0x28, 0x29) || opcode == 0x2b || opcode == 0xe7 || opcode == 0xae ||
        opcode == 0xc7) {
        return true;
    }
    if (prefixes->repeat || prefixes->vex_map1) {
        return false;
    }
    return is_between(opcode, 0x14, 0x15) || is_between(opcode, 0x51, 0x5f) || opcode == 0xc2 ||
           opcode == 0xc6 ||
           (prefixes->operand_size &&
            (is_between(opcode, 0x60, 0x76) || opcode == 0x7f || is_between(opcode, 0xd0, 0xfe)));
}

enum instruction_kind instruction_classify(const uint8_t *code, size_t length)
{
    struct prefixes prefixes = prefixes_read(code, length);
    size_t at = prefixes.length;

    if (at >= length) {
        return INSTRUCTION_OTHER;
    }
    if (!prefixes.vex_map1 && code[at] != 0x0f) {
        return is_privileged(code[at]) || is_far_transfer(code + at, length - at)
                   ? INSTRUCTION_PRIVILEGED
                   : INSTRUCTION_OTHER;
    }
    at += !prefixes.vex_map1;
    if (at >= length) {
        return INSTRUCTION_OTHER;
    }
    if (!prefixes.vex_map1 && is_privileged_0f(code[at])) {
        return INSTRUCTION_PRIVILEGED;
    }
    return is_aligned_0f(code[at], &prefixes) ? INSTRUCTION_ALIGNED : INSTRUCTION_OTHER;
}

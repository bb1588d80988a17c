/* SPDX-License-Identifier: MIT */
/*
 * A plugin for the emulator that counts what a stretch of the guest's execution is made of.
 *
 *   -plugin tally.so,begin=ADDR,end=ADDR,out=FILE[,watch=NAME:ADDR]...
 *
 * Sections run from the guest's execution of `begin` to that of `end`. For each, in order, FILE
 * gets section INSTRUCTIONS class NAME COUNT         costly instructions by kind, those that were
 * executed watch NAME COUNT         executions of the instruction at ADDR: calls of a function at
 * ADDR COUNT            every address that was executed, with profile=1 only Counting changes
 * nothing that the guest can see: under the deterministic clock the same instructions run with the
 * plugin and without it.
 *
 * The emulator's headers are not packaged, so the part of its plugin interface (version 1, QEMU
 * docs/devel/tcg-plugins) that is used is declared here.
 *
 * An instruction is sorted by its bytes: prefixes are passed over, then the opcode is looked at.
 * One translated instruction is one slot with its counter; an address translated twice has two.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct qemu_info qemu_info_t;

enum {
    QEMU_PLUGIN_CB_NO_REGS = 0,
    QEMU_PLUGIN_INLINE_ADD_U64 = 0,
};

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                                  void (*callback)(qemu_plugin_id_t,
                                                                   struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
                                                   void (*callback)(unsigned, void *), int flags,
                                                   void *data);
extern void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int operation,
                                                       void *counter, uint64_t value);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
                                                        size_t index);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

#define EXPORTED __attribute__((visibility("default")))

EXPORTED extern const int qemu_plugin_version;
EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                 char **argv);
const int qemu_plugin_version = 1;

enum class {
    CLASS_OTHER,
    CLASS_SYSCALL,
    CLASS_SYSRET,
    CLASS_IRET,
    CLASS_MOV_CR0,
    CLASS_MOV_CR3,
    CLASS_MOV_CR,
    CLASS_WRMSR,
    CLASS_SWAPGS,
    CLASS_FSGSBASE,
    CLASS_XSAVE,
    CLASS_XRSTOR,
    CLASS_INVLPG,
    CLASS_LOCKED,
    CLASS_FENCE,
    CLASS_CPUID,
    CLASS_PORT,
    CLASS_COUNT,
};

static const char *const class_names[CLASS_COUNT] = {
    "other", "syscall", "sysret", "iret",   "mov-cr0", "mov-cr3", "mov-cr", "wrmsr", "swapgs",
    "fs-gs", "xsave",   "xrstor", "invlpg", "locked",  "fence",   "cpuid",  "port",
};

enum {
    SLOTS_MAX = 1 << 18,
    WATCHES_MAX = 32,
};

struct slot {
    uint64_t address;
    uint64_t count;
    enum class class;
};

static struct slot *slots;
static unsigned slot_count;
static uint64_t begin_address;
static uint64_t end_address;
static bool profile;
static FILE *out;
static struct {
    char name[64];
    uint64_t address;
} watches[WATCHES_MAX];
static unsigned watch_count;

/* The two-byte opcodes, `code` behind the 0f. */
static enum class class_of_two(const uint8_t *code, size_t left, bool repeated) {
    uint8_t modrm = left > 1 ? code[1] : 0; unsigned reg = modrm >> 3 & 7;
    bool memory = modrm >> 6 != 3;

    switch (code[0]){case 0x05 : return CLASS_SYSCALL; case 0x07 : return CLASS_SYSRET;
                     case 0x22 : return reg == 0 ? CLASS_MOV_CR0
                     : reg == 3                  ? CLASS_MOV_CR3
                                                 : CLASS_MOV_CR;
                     case 0x30 : return CLASS_WRMSR;
                     case 0xa2 : return CLASS_CPUID;
                     case 0x01 : return modrm == 0xf8 ? CLASS_SWAPGS
                     : reg == 7 && memory             ? CLASS_INVLPG
                                                      : CLASS_OTHER;
                     case 0xae : if (!memory){return repeated && reg < 4 ? CLASS_FSGSBASE
                                                     : reg >= 5          ? CLASS_FENCE
                                                                         : CLASS_OTHER;}
return reg == 0 || reg == 4 || reg == 6 ? CLASS_XSAVE
       : reg == 1 || reg == 5           ? CLASS_XRSTOR
                                        : CLASS_OTHER;
default:
return CLASS_OTHER;
}
}

static enum class class_of(const uint8_t *code, size_t size) {
    bool repeated = false; size_t at = 0;

    for (; at < size; at++){uint8_t byte = code[at];

                            if (byte == 0xf0){return CLASS_LOCKED;}
repeated |= byte == 0xf3;
if (byte != 0x66 && byte != 0xf2 && byte != 0xf3 && byte != 0x2e && byte != 0x36 && byte != 0x3e &&
    byte != 0x26 && byte != 0x64 && byte != 0x65 && byte >> 4 != 4) {
    break;
}
}
if (at == size) {
    return CLASS_OTHER;
}
if (code[at] == 0x0f && at + 1 < size) {
    return class_of_two(code + at + 1, size - at - 1, repeated);
}
if ((code[at] == 0x86 || code[at] == 0x87) && at + 1 < size && code[at + 1] >> 6 != 3) {
    return CLASS_LOCKED; /* xchg with memory locks by itself */
}
if (code[at] == 0xcf) {
    return CLASS_IRET;
}
return (code[at] >= 0xe4 && code[at] <= 0xe7) || (code[at] >= 0xec && code[at] <= 0xef)
           ? CLASS_PORT
           : CLASS_OTHER;
}

static void section_begin(unsigned cpu, void *data)
{
    (void)cpu;
    (void)data;
    for (unsigned i = 0; i < slot_count; i++) {
        slots[i].count = 0;
    }
}

static void section_end(unsigned cpu, void *data)
{
    uint64_t by_class[CLASS_COUNT] = {0};
    uint64_t by_watch[WATCHES_MAX] = {0};
    uint64_t total = 0;

    (void)cpu;
    (void)data;
    for (unsigned i = 0; i < slot_count; i++) {
        total += slots[i].count;
        by_class[slots[i].class] += slots[i].count;
        for (unsigned j = 0; j < watch_count; j++) {
            by_watch[j] += slots[i].address == watches[j].address ? slots[i].count : 0;
        }
    }
    fprintf(out, "section %" PRIu64 "\n", total);
    for (unsigned i = CLASS_OTHER + 1; i < CLASS_COUNT; i++) {
        if (by_class[i] != 0) {
            fprintf(out, "class %s %" PRIu64 "\n", class_names[i], by_class[i]);
        }
    }
    for (unsigned j = 0; j < watch_count; j++) {
        fprintf(out, "watch %s %" PRIu64 "\n", watches[j].name, by_watch[j]);
    }
    for (unsigned i = 0; profile && i < slot_count; i++) {
        if (slots[i].count != 0) {
            fprintf(out, "at %" PRIx64 " %" PRIu64 "\n", slots[i].address, slots[i].count);
        }
    }
    fflush(out);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    size_t count = qemu_plugin_tb_n_insns(tb);

    (void)id;
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t address = qemu_plugin_insn_vaddr(insn);
        struct slot *slot;

        if (slot_count == SLOTS_MAX) {
            fprintf(stderr, "tally: more than %d instructions\n", SLOTS_MAX);
            exit(1);
        }
        slot = &slots[slot_count++];
        *slot = (struct slot){
            .address = address,
            .class = class_of(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn))};
        if (address == end_address) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, section_end, QEMU_PLUGIN_CB_NO_REGS, NULL);
        }
        qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &slot->count,
                                                   1);
        if (address == begin_address) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, section_begin, QEMU_PLUGIN_CB_NO_REGS,
                                                   NULL);
        }
    }
}

/* One NAME=VALUE of the command line; false: not one of ours. */
static bool option_read(const char *option)
{
    const char *value = strchr(option, '=');
    const char *colon;

    if (value == NULL) {
        return false;
    }
    value++;
    if (strncmp(option, "begin=", 6) == 0) {
        begin_address = strtoull(value, NULL, 0);
    } else if (strncmp(option, "end=", 4) == 0) {
        end_address = strtoull(value, NULL, 0);
    } else if (strncmp(option, "profile=", 8) == 0) {
        profile = *value == '1';
    } else if (strncmp(option, "out=", 4) == 0) {
        out = fopen(value, "w");
        return out != NULL;
    } else if (strncmp(option, "watch=", 6) == 0 && watch_count < WATCHES_MAX) {
        colon = strchr(value, ':');
        if (colon == NULL || (size_t)(colon - value) >= sizeof(watches[0].name)) {
            return false;
        }
        memcpy(watches[watch_count].name, value, (size_t)(colon - value));
        watches[watch_count++].address = strtoull(colon + 1, NULL, 0);
    } else {
        return false;
    }
    return true;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!option_read(argv[i])) {
            fprintf(stderr, "tally: bad option %s\n", argv[i]);
            return 1;
        }
    }
    slots = calloc(SLOTS_MAX, sizeof(*slots));
    if (out == NULL || slots == NULL) {
        fprintf(stderr, "tally: out=FILE is needed\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}

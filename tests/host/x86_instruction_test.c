/* SPDX-License-Identifier: MIT */
/* The causes of general-protection faults, by instructions as the assembler writes them. */
#include "tests/host/support.h"

#include "kernel/arch/x86_64/instruction.c"

struct sample {
    const char *text;
    enum instruction_kind kind;
    uint8_t length;
    uint8_t code[INSTRUCTION_BYTES_MAX];
};

static const struct sample samples[] = {
    {"hlt", INSTRUCTION_PRIVILEGED, 1, {0xf4}},
    {"cli", INSTRUCTION_PRIVILEGED, 1, {0xfa}},
    {"in $0x64,%al", INSTRUCTION_PRIVILEGED, 2, {0xe4, 0x64}},
    {"out %eax,(%dx)", INSTRUCTION_PRIVILEGED, 1, {0xef}},
    {"rep insb", INSTRUCTION_PRIVILEGED, 2, {0xf3, 0x6c}},
    {"int $0x30", INSTRUCTION_PRIVILEGED, 2, {0xcd, 0x30}},
    {"iretq", INSTRUCTION_PRIVILEGED, 2, {0x48, 0xcf}},
    {"mov %eax,%ss", INSTRUCTION_PRIVILEGED, 2, {0x8e, 0xd0}},
    {"mov %rax,%cr3", INSTRUCTION_PRIVILEGED, 3, {0x0f, 0x22, 0xd8}},
    {"mov %r8,%dr7", INSTRUCTION_PRIVILEGED, 4, {0x41, 0x0f, 0x23, 0xf8}},
    {"wrmsr", INSTRUCTION_PRIVILEGED, 2, {0x0f, 0x30}},
    {"sysretq", INSTRUCTION_PRIVILEGED, 3, {0x48, 0x0f, 0x07}},
    {"lgdt (%rax)", INSTRUCTION_PRIVILEGED, 3, {0x0f, 0x01, 0x10}},
    {"movaps 1(%rax),%xmm0", INSTRUCTION_ALIGNED, 4, {0x0f, 0x28, 0x40, 0x01}},
    {"movdqa (%rax),%xmm8", INSTRUCTION_ALIGNED, 5, {0x66, 0x44, 0x0f, 0x6f, 0x00}},
    {"vmovaps (%rax),%ymm0", INSTRUCTION_ALIGNED, 4, {0xc5, 0xfc, 0x28, 0x00}},
    {"addps (%rax),%xmm0", INSTRUCTION_ALIGNED, 3, {0x0f, 0x58, 0x00}},
    {"fxsave (%rax)", INSTRUCTION_ALIGNED, 3, {0x0f, 0xae, 0x00}},
    {"cmpxchg16b (%rax)", INSTRUCTION_ALIGNED, 4, {0x48, 0x0f, 0xc7, 0x08}},
    {"addsd (%rax),%xmm0", INSTRUCTION_OTHER, 4, {0xf2, 0x0f, 0x58, 0x00}},
    {"movups (%rax),%xmm0", INSTRUCTION_OTHER, 3, {0x0f, 0x10, 0x00}},
    {"movdqu (%rax),%xmm0", INSTRUCTION_OTHER, 4, {0xf3, 0x0f, 0x6f, 0x00}},
    {"vaddps (%rax),%ymm0,%ymm0", INSTRUCTION_OTHER, 4, {0xc5, 0xfc, 0x58, 0x00}},
    {"mov (%rax),%rax", INSTRUCTION_OTHER, 3, {0x48, 0x8b, 0x00}},
    {"movzbl (%rax),%eax", INSTRUCTION_OTHER, 3, {0x0f, 0xb6, 0x00}},
    {"lcall *(%rax)", INSTRUCTION_PRIVILEGED, 2, {0xff, 0x18}},
    {"call *(%rax)", INSTRUCTION_OTHER, 2, {0xff, 0x10}},
    {"push (%rax)", INSTRUCTION_OTHER, 2, {0xff, 0x30}},
    {"ret", INSTRUCTION_OTHER, 1, {0xc3}},
};

static void samples_are_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(samples); i++) {
        if (instruction_classify(samples[i].code, samples[i].length) != samples[i].kind) {
            fail_msg("%s is judged wrongly", samples[i].text);
        }
    }
}

/* Cut anywhere, nothing beyond is read (the sanitizers see) and nothing is made up. */
static void cut_instructions_are_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(samples); i++) {
        for (size_t length = 0; length < samples[i].length; length++) {
            uint8_t *cut = malloc(length + 1);
            enum instruction_kind kind;

            assert_non_null(cut);
            memcpy(cut, samples[i].code, length);
            kind = instruction_classify(cut, length);
            assert_true(kind == INSTRUCTION_OTHER || kind == samples[i].kind);
            free(cut);
        }
    }
    for (unsigned prefix = 0; prefix < 256; prefix++) {
        uint8_t code[INSTRUCTION_BYTES_MAX];

        memset(code, (int)prefix, sizeof(code));
        (void)instruction_classify(code, sizeof(code));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_told_apart),
        cmocka_unit_test(cut_instructions_are_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

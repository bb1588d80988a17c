# SPDX-License-Identifier: MIT
#
# Choices: compiler, folders, flags. Nothing here builds anything.
#
#   CC=gcc (default) | clang    clang builds into out/clang/
#   V=1                         show every command
#   ORIGINS=1                   MSan tells where an uninitialised value came from (slow)
#   KERNEL=release | debug      which kernel the interactive commands boot

SHELL := /bin/sh
# An empty environment is enough: without a PATH make itself would find no program.
ifeq ($(PATH),)
export PATH := /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
endif
.DEFAULT_GOAL := all
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# As many jobs as processors, unless the caller chose; a make inside a make keeps its parent's.
ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif
endif

ifeq ($(origin CC),default)
CC := gcc
endif
ifneq ($(filter clang clang-14,$(CC)),)
COMPILER := clang
override CC := clang-14
OUT := out/clang
else
COMPILER := gcc
OUT := out
endif
# Bare names, so that a command line says the same thing on every machine.
AR := ar
LD := ld
NM := nm
OBJCOPY := objcopy
PYTHON := python3

ARCH := x86_64

ifeq ($(V),1)
Q :=
say =
else
Q := @
say = $(info $(empty)  $(1)  $(2))
endif
empty :=

# ---- flags -----------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
    -Wvla -Wundef -Werror
# Paths in debug information are relative to the tree, so that two folders give the same bytes.
COMMON_FLAGS := -std=gnu11 -pipe -g -iquote . $(WARNINGS) -ffile-prefix-map=$(CURDIR)=. -fno-common

# A freestanding file never calls a function it does not name: gcc would otherwise turn loops into
# calls of memset and memcpy, inside memset and memcpy too.
# -fbuiltin keeps the meaning of memcpy and its like known, so that a copy of a few words is moves.
ifeq ($(COMPILER),gcc)
NO_HIDDEN_CALLS := -fno-tree-loop-distribute-patterns
UBSAN_TRAP := -fsanitize=undefined -fsanitize-undefined-trap-on-error
# gcc's conversion warnings look at the instrumented expressions and see what is not there; every
# file is compiled without the sanitizer too.
INSTRUMENTED := -Wno-conversion
else
NO_HIDDEN_CALLS :=
UBSAN_TRAP := -fsanitize=undefined -fsanitize-trap=undefined
INSTRUMENTED :=
endif

FREESTANDING_FLAGS := $(COMMON_FLAGS) -O2 -ffreestanding -fbuiltin -fno-pic -fno-pie -fno-stack-protector \
    -fcf-protection=none -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections \
    -fno-omit-frame-pointer $(NO_HIDDEN_CALLS)

# An ISA is chosen by include path: its arch_types.h is the one kernel/arch/arch.h finds.
KERNEL_FLAGS := $(FREESTANDING_FLAGS) -iquote kernel/arch/$(ARCH) -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fstack-usage
# So is what a variant of the kernel does in the same place: kernel/<variant>/*_hooks.h.
KERNEL_RELEASE_FLAGS := $(KERNEL_FLAGS) -DASSERTS_AGAIN=0 -iquote kernel/release -momit-leaf-frame-pointer
KERNEL_MEASURE_FLAGS := $(KERNEL_FLAGS) -DASSERTS_AGAIN=0 -iquote kernel/measure -iquote kernel/release -momit-leaf-frame-pointer
KERNEL_DEBUG_FLAGS := $(KERNEL_FLAGS) -iquote kernel/debug $(UBSAN_TRAP) $(INSTRUMENTED)
KERNEL_LINK_FLAGS := -nostdlib -static -z max-page-size=4096 -z noexecstack --build-id=none \
    --no-warn-rwx-segments --gc-sections

USER_FLAGS := $(FREESTANDING_FLAGS) -fstack-usage
USER_LINK_FLAGS := -nostdlib -static -z max-page-size=4096 -z noexecstack --build-id=none \
    --gc-sections

# Hidden: else a shared library that calls, say, sched_yield() would find the kernel's function.
HOST_FLAGS := $(COMMON_FLAGS) -fvisibility=hidden -iquote kernel/arch/host -iquote kernel/debug -O2 -fno-omit-frame-pointer
HOST_LIBS := -lpthread
SANITIZE_asan := -fsanitize=address,undefined -fno-sanitize-recover=all $(INSTRUMENTED)
# gcc warns that its thread sanitizer does not follow fences; kernel/mem/shootdown.c, which has them,
# is explored by seeded schedules on one host thread instead.
SANITIZE_tsan := -fsanitize=thread $(if $(filter gcc,$(COMPILER)),-Wno-tsan)
SANITIZE_msan := -fsanitize=memory -fno-sanitize-recover=all $(if $(ORIGINS),-fsanitize-memory-track-origins)

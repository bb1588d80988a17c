# SPDX-License-Identifier: MIT
#
# libFuzzer targets: fuzz/NAME_fuzz.c becomes out/fuzz/bin/NAME, linked with everything the host
# has, under ASan and UBSan; and out/fuzz-msan/bin/NAME, under MSan. Other files of fuzz/ are shared by all of them. Corpora lie in
# fuzz/corpus/NAME/; a run never writes there.

FUZZ_DIR := $(OUT)/fuzz
FUZZ_CC := clang-14
FUZZ_FLAGS = $(HOST_FLAGS) -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
FUZZ_RUNS ?= 10000
FUZZ_SECONDS ?= 5
FUZZ_SOURCES := $(sort $(wildcard fuzz/*_fuzz.c))
FUZZ_SUPPORT := $(sort $(filter-out %_fuzz.c,$(wildcard fuzz/*.c)) $(SCHEMA_TEST_SOURCES))
FUZZ_PROGRAMS := $(patsubst fuzz/%_fuzz.c,$(FUZZ_DIR)/bin/%,$(FUZZ_SOURCES))
# What MSan watches: not the host kernel, which keeps its own memory where MSan does, nor a C++ library
# that was not built for it.
FUZZ_MSAN_DIR := $(OUT)/fuzz-msan
FUZZ_MSAN_FLAGS = $(HOST_FLAGS) -O1 -fsanitize=fuzzer-no-link,memory -fno-sanitize-recover=all
FUZZ_MSAN_PROGRAMS := $(patsubst fuzz/%_fuzz.c,$(FUZZ_MSAN_DIR)/bin/%,$(filter-out \
    fuzz/bootinfo_fuzz.c fuzz/dispatch_fuzz.c,$(FUZZ_SOURCES)))
# A target that compares with the C++ library of Cap'n Proto is written in its language.
FUZZ_CXX := clang++-14
FUZZ_CXX_FLAGS := -std=c++17 -pipe -g -O1 -iquote . -Wall -Wextra -Werror \
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
FUZZ_CXX_SOURCES := $(sort $(wildcard fuzz/*_fuzz.cc))
FUZZ_CXX_PROGRAMS := $(patsubst fuzz/%_fuzz.cc,$(FUZZ_DIR)/bin/%,$(FUZZ_CXX_SOURCES))
# Tools whose sources a target may call: everything but their main files.
FUZZ_TOOL_SOURCES := $(sort $(filter-out %/main.c,$(wildcard tools/mkmanifest/*.c)))

$(eval $(call variant,$(FUZZ_DIR),FUZZ_FLAGS,$(FUZZ_CC)))
$(eval $(call archive,$(FUZZ_DIR)/libfuzz.a,$(call objects,$(FUZZ_DIR),$(CORE_SOURCES) \
    $(CAPNP_SOURCES) $(KERNEL_HOST_SOURCES) tools/host_kernel_image.c $(FUZZ_SUPPORT) \
    $(FUZZ_TOOL_SOURCES))))
$(eval $(call archive,$(FUZZ_DIR)/libhost.a,$(call objects,$(FUZZ_DIR),tools/host_assert.c)))
DEPENDENCIES += $(patsubst fuzz/%.c,$(FUZZ_DIR)/fuzz/%.d,$(FUZZ_SOURCES)) \
    $(patsubst fuzz/%.cc,$(FUZZ_DIR)/fuzz/%.d,$(FUZZ_CXX_SOURCES))

$(FUZZ_DIR)/bin/%: $(FUZZ_DIR)/fuzz/%_fuzz.o $(FUZZ_DIR)/libfuzz.a $(FUZZ_DIR)/libhost.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined $(FUZZ_LINK_$*) \
	    -o $@ $(filter %.o,$^) \
	    -Wl,--start-group $(FUZZ_DIR)/libfuzz.a $(FUZZ_DIR)/libhost.a -Wl,--end-group \
	    -ljansson $(HOST_LIBS)

# The other files of a target lie in a folder of its name.
define fuzz_folder
DEPENDENCIES += $(patsubst %.c,$(1)/%.d,$(3))
$(1)/$(or $(4),bin)/$(2): $(call objects,$(1),$(3))
endef
FUZZ_FOLDERS := $(patsubst fuzz/%_fuzz.c,%,$(wildcard $(patsubst fuzz/%/.,fuzz/%_fuzz.c,$(wildcard fuzz/*/.))))
$(foreach f,$(FUZZ_FOLDERS),$(foreach d,$(FUZZ_DIR) $(FUZZ_MSAN_DIR),$(eval $(call \
    fuzz_folder,$(d),$(f),$(sort $(wildcard fuzz/$(f)/*.c))))))

# Comparisons of the kernel's are not traced, nor those of the core's structures that it keeps: checks
# compare so much that it would take two thirds of the time, and the inputs of the targets that run
# them are made of choices, not of magic words. What reads foreign bytes is traced.
FUZZ_UNTRACED := answer cap_table deadline_heap endpoint frame_bitmap grant hold_edge ledger offence park \
    region run_queue sched_context slab transfer
$(FUZZ_DIR)/kernel/%.o $(FUZZ_DIR)/fuzz/dispatch/%.o $(FUZZ_UNTRACED:%=$(FUZZ_DIR)/core/%.o): \
    FUZZ_FLAGS += -fno-sanitize-coverage=trace-cmp

# The dispatcher's target plays the programs of a host kernel, in whose place the linker puts a few
# functions (fuzz/dispatch/rig.c), and keeps the kernel's data together (state.ld).
DISPATCH_DIR := $(FUZZ_DIR)/fuzz/dispatch
DISPATCH_WRAPPED := arch_context_resume arch_idle arch_console_write host_page_show host_page_hide \
    host_signals_init frame_alloc kmem_alloc
FUZZ_LINK_dispatch := $(foreach f,$(DISPATCH_WRAPPED),-Wl,--wrap=$(f)) -Wl,-T,fuzz/dispatch/state.ld
$(FUZZ_DIR)/bin/dispatch: $(DISPATCH_DIR)/errors.o \
    $(DISPATCH_DIR)/system.o fuzz/dispatch/state.ld

$(DISPATCH_DIR)/errors.c: tools/check_opcodes.py $(wildcard docs/abi/*.md)
	$(Q)mkdir -p $(@D) && $(PYTHON) $< --table $@
$(DISPATCH_DIR)/errors.o: $(DISPATCH_DIR)/errors.c fuzz/dispatch/pages.h
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -c -o $@ $<
$(DISPATCH_DIR)/stubs/actor: tools/host_programs.py
	$(Q)mkdir -p $(@D) && $(PYTHON) $< stub actor $@
$(DISPATCH_DIR)/system.bin: fuzz/dispatch/system.json $(HOST_DIR)/bin/mkmanifest $(DISPATCH_DIR)/stubs/actor
	$(call say,PACK,$@)
	$(Q)$(HOST_DIR)/bin/mkmanifest --output $@ --binaries $(DISPATCH_DIR)/stubs $<
$(DISPATCH_DIR)/system.o: $(DISPATCH_DIR)/system.bin
	$(Q)printf '.section .rodata\n.balign 8\n.globl dispatch_manifest\ndispatch_manifest: .incbin "%s"\n.globl dispatch_manifest_end\ndispatch_manifest_end:\n.section .note.GNU-stack,"",@progbits\n' $< | \
	    $(FUZZ_CC) -x assembler -c -o $@ -

$(FUZZ_DIR)/fuzz/%_fuzz.o: fuzz/%_fuzz.cc
	$(call say,CXX,$@)
	$(Q)mkdir -p $(@D) && $(FUZZ_CXX) $(FUZZ_CXX_FLAGS) -MMD -MP -c -o $@ $<

$(FUZZ_CXX_PROGRAMS): $(FUZZ_DIR)/bin/%: $(FUZZ_DIR)/fuzz/%_fuzz.o $(FUZZ_DIR)/libfuzz.a \
    $(FUZZ_DIR)/libhost.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(FUZZ_CXX) $(FUZZ_CXX_FLAGS) -fsanitize=fuzzer,address,undefined -o $@ $< \
	    -Wl,--start-group $(FUZZ_DIR)/libfuzz.a $(FUZZ_DIR)/libhost.a -Wl,--end-group -lcapnp -lkj

$(eval $(call variant,$(FUZZ_MSAN_DIR),FUZZ_MSAN_FLAGS,$(FUZZ_CC)))
$(eval $(call archive,$(FUZZ_MSAN_DIR)/libfuzz.a,$(call objects,$(FUZZ_MSAN_DIR),$(CORE_SOURCES) \
    $(CAPNP_SOURCES) $(FUZZ_SUPPORT) $(FUZZ_TOOL_SOURCES) tools/host_assert.c)))
DEPENDENCIES += $(patsubst fuzz/%.c,$(FUZZ_MSAN_DIR)/fuzz/%.d,$(FUZZ_SOURCES)) $(FUZZ_MSAN_DIR)/tests/msan/jansson.d
$(FUZZ_MSAN_DIR)/bin/%: $(FUZZ_MSAN_DIR)/fuzz/%_fuzz.o $(FUZZ_MSAN_DIR)/libfuzz.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(FUZZ_CC) $(FUZZ_MSAN_FLAGS) -fsanitize=fuzzer,memory -o $@ $(filter %.o,$^) \
	    $(if $(filter %/jansson.o,$^),-Wl$(comma)--wrap=json_loadb) $(FUZZ_MSAN_DIR)/libfuzz.a \
	    -ljansson $(HOST_LIBS)
$(FUZZ_MSAN_DIR)/bin/mkmanifest_json: $(FUZZ_MSAN_DIR)/tests/msan/jansson.o

FUZZ_ALL_PROGRAMS := $(FUZZ_PROGRAMS) $(FUZZ_CXX_PROGRAMS) $(FUZZ_MSAN_PROGRAMS)
.PHONY: fuzz-build fuzz-build-all fuzz-smoke
fuzz-build-all: $(FUZZ_ALL_PROGRAMS)
	@:
fuzz-build: ## build the fuzz targets into out/fuzz/bin and out/fuzz-msan/bin
	$(call setup,build test)
	$(Q)$(MAKE) fuzz-build-all

fuzz-smoke: ## run each fuzz target on its corpus, then a bounded while (FUZZ_RUNS FUZZ_SECONDS)
	$(call setup,build test)
	$(Q)$(MAKE) fuzz-build-all
	@$(PYTHON) tools/fuzz_smoke.py $(if $(RESULT),--result $(RESULT)) --runs $(FUZZ_RUNS) \
	    --seconds $(FUZZ_SECONDS) $(if $(TEST),$(filter %/$(TEST),$(FUZZ_ALL_PROGRAMS)),$(FUZZ_ALL_PROGRAMS))
.PHONY: fuzz-bench
fuzz-bench: ## how many inputs of its corpus the dispatcher's fuzz target does in a second of a processor
	$(call setup,build test)
	$(Q)$(MAKE) $(FUZZ_DIR)/bin/dispatch
	@$(PYTHON) tools/fuzz_smoke.py --rate $(FUZZ_DIR)/bin/dispatch
SUITES_FUZZ := $(if $(FUZZ_SOURCES)$(FUZZ_CXX_SOURCES),fuzz-smoke)
SUITES_BUILD += $(if $(FUZZ_SOURCES)$(FUZZ_CXX_SOURCES),fuzz-build-all)

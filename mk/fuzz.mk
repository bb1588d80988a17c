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
    fuzz/bootinfo_fuzz.c,$(FUZZ_SOURCES)))
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
	$(Q)mkdir -p $(@D) && $(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined -o $@ $< \
	    -Wl,--start-group $(FUZZ_DIR)/libfuzz.a $(FUZZ_DIR)/libhost.a -Wl,--end-group \
	    -ljansson $(HOST_LIBS)

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
SUITES_FUZZ := $(if $(FUZZ_SOURCES)$(FUZZ_CXX_SOURCES),fuzz-smoke)
SUITES_BUILD += $(if $(FUZZ_SOURCES)$(FUZZ_CXX_SOURCES),fuzz-build-all)

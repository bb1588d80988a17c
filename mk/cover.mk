# SPDX-License-Identifier: MIT
#
# Branch coverage of core/: everything once more in out/cover with clang's source-based coverage, run
# and judged by tools/coverage.py. The host tests, the fuzz targets on their corpora; not the
# simulator, whose runs end without a word to the profile.

COVER_DIR := $(OUT)/cover
HOST_cover_FLAGS = $(HOST_FLAGS) -O1 -fprofile-instr-generate -fcoverage-mapping
HOST_TESTS_OF_cover := $(HOST_TEST_SOURCES)
HOST_TEST_LIBRARIES_cover := $(HOST_TEST_LIBRARIES_plain)
$(eval $(call host_variant,$(COVER_DIR),HOST_cover_FLAGS,clang-14,cover))
COVER_LIBRARIES := $(HOST_LIBRARIES_cover) $(addprefix $(COVER_DIR)/,libmkmanifest.a libtestschema.a \
    libhost.a)
COVER_SUPPORT := $(call objects,$(COVER_DIR),$(filter-out %_fuzz.c,$(wildcard fuzz/*.c)))
COVER_FUZZERS := $(patsubst fuzz/%_fuzz.c,$(COVER_DIR)/fuzzers/%,$(FUZZ_SOURCES))
DEPENDENCIES += $(COVER_SUPPORT:.o=.d) $(patsubst fuzz/%.c,$(COVER_DIR)/fuzz/%.d,$(FUZZ_SOURCES))

$(foreach f,$(FUZZ_FOLDERS),$(eval $(call fuzz_folder,$(COVER_DIR),$(f),$(sort $(wildcard \
    fuzz/$(f)/*.c)),fuzzers)))
$(COVER_DIR)/fuzzers/%: $(COVER_DIR)/fuzz/%_fuzz.o $(COVER_SUPPORT) $(COVER_LIBRARIES)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && clang-14 $(HOST_cover_FLAGS) -fsanitize=fuzzer $(FUZZ_LINK_$*) -o $@ \
	    $(filter %.o,$^) -Wl,--start-group $(COVER_LIBRARIES) -Wl,--end-group -ljansson $(HOST_LIBS)
$(COVER_DIR)/fuzzers/dispatch: $(COVER_DIR)/fuzz/dispatch/errors.o $(DISPATCH_DIR)/system.o \
    fuzz/dispatch/state.ld
$(COVER_DIR)/fuzz/dispatch/errors.o: $(DISPATCH_DIR)/errors.c fuzz/dispatch/pages.h
	$(Q)mkdir -p $(@D) && clang-14 $(HOST_cover_FLAGS) -c -o $@ $<

.PHONY: coverage coverage-build
coverage-build: $(HOST_TESTS_cover) $(COVER_FUZZERS)
	@:
coverage: ## measure the branches of core/ that tests and fuzzers take; fails below 95 % or for one not listed
	$(call setup,build test)
	$(Q)$(MAKE) coverage-build
	@$(PYTHON) tools/coverage.py --out $(COVER_DIR) --accepted tests/coverage/accepted.txt $(if $(ONLY),--only $(ONLY)) \
	    --tests $(HOST_TESTS_cover) --fuzzers $(COVER_FUZZERS)

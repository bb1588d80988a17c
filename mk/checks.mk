# SPDX-License-Identifier: MIT
#
# Checks of the tree itself.

# Every include edge and, of what is built, every symbol edge. The stamp makes the repeat free.
EDGES_STAMP := $(OUT)/edges.checked
EDGES_SOURCES := $(sort $(SHARED_SOURCES) $(KERNEL_PORTABLE_SOURCES) $(KERNEL_ARCH_SOURCES) \
    $(wildcard */*.h */*/*.h */*/*/*.h))

$(EDGES_STAMP): $(KERNEL_OBJECTS) $(USER_DIR)/librt.a $(USER_OBJECTS) $(EDGES_SOURCES) \
    tools/check_edges.py tools/check_halts.py docs/halt-policy.md
	$(call say,EDGES,$@)
	$(Q)$(PYTHON) tools/check_edges.py --objects $(OUT) --nm $(NM)
	$(Q)$(PYTHON) tools/check_halts.py
	$(Q)touch $@

# Every opcode has its page, and every error a page documents has its test.
OPCODES_STAMP := $(OUT)/opcodes.checked
$(OPCODES_STAMP): tools/check_opcodes.py abi/ring.h abi/errors.def kernel/dispatch/submission.c \
    $(wildcard docs/abi/*.md tests/host/*.[ch] tests/programs/*.c tests/programs/*/*.[ch] \
    tests/scenes/*.json)
	$(call say,OPCODES,$@)
	$(Q)$(PYTHON) tools/check_opcodes.py
	$(Q)mkdir -p $(@D) && touch $@

.PHONY: edges-check
edges-check: ## check that each part uses only the parts below it
	$(call setup,build)
	$(Q)$(MAKE) $(EDGES_STAMP)

.PHONY: test-tools
test-tools: ## run the tests of the tools (TEST=name for one)
	$(call setup,build run iso test)
	$(Q)$(MAKE) build $(SIM_DIR)/hunt
	@$(PYTHON) tools/run_tool_tests.py $(if $(RESULT),--result $(RESULT)) $(TEST)

.PHONY: fmt-check fmt pins-check rt-check clang-check
fmt-check: ## check format, licence lines and marks of every source
	$(call setup,build test)
	@$(PYTHON) tools/check_format.py

fmt: ## rewrite the C sources as fmt-check wants them
	$(call setup,build test)
	@$(PYTHON) tools/check_format.py --fix

pins-check: ## compare this machine's inputs with tools/pins.txt
	@$(PYTHON) tools/check_pins.py

TEST_PROGRAMS := $(sort $(foreach f,$(filter tests/%,$(PROGRAM_FOLDERS)),$(notdir $(f:/=))) \
    $(notdir $(PROGRAM_FILES:.c=)))
rt-check: ## check the programs: entry ABI, freestanding, no writable code, one way into the kernel
	$(call setup,build)
	$(Q)$(MAKE) user
	@$(PYTHON) tools/rt_check.py $(result) --programs $(USER_DIR)/debug \
	    $(addprefix --hostile ,$(TEST_PROGRAMS)) $(notdir $(PROGRAM_BINARIES))

# What `make` builds and what the host tests are, all of it.
clang-check: ## build everything a second time with clang 14
	$(call setup,build test)
	$(Q)$(MAKE) CC=clang build host-tests

# With a default system there is an ISO to compare; before that, what there is.
SHIPPED_TARGETS = kernel-release user systems $(if $(filter %/default.bin,$(SYSTEMS)),iso-file)
.PHONY: reproducible-check
reproducible-check: ## build again in another folder and compare kernel, programs, systems and ISO
	$(call setup,build iso)
	$(Q)$(MAKE) $(SHIPPED_TARGETS)
	@$(PYTHON) tools/reproducible_check.py $(result) --make '$(MAKE)' $(SHIPPED_TARGETS)

.PHONY: readme-check
readme-check: ## check README.md: commands, paths, and the output of make run
	$(call setup,build run)
	$(Q)$(MAKE) build
	@$(PYTHON) tools/check_readme.py $(result) --make '$(MAKE)'

.PHONY: claims-check
claims-check: ## check that the evidence CLAIMS.md names is there and run by a command
	$(call setup,build)
	@$(PYTHON) tools/check_claims.py

.PHONY: demos-check
demos-check: ## boot the systems of demos/ and compare what they print with their pages
	$(call setup,build run)
	$(Q)$(MAKE) build
	@$(PYTHON) tools/check_demos.py $(result) --out $(OUT)

.PHONY: debug-check
debug-check: ## check that make debug shows frames of programs and of the kernel
	$(call setup,build run debug)
	$(Q)$(MAKE) boot-files KERNEL=debug
	@$(PYTHON) tools/debug_check.py $(result) --make '$(MAKE)'

.PHONY: run-check
run-check: ## check make run with a terminal, without one, with guests that fail; boot the ISO
	$(call setup,build run iso)
	$(Q)$(MAKE) build iso-file
	@$(PYTHON) tools/run_check.py $(result) --make '$(MAKE)' --out $(OUT)

# SPDX-License-Identifier: MIT
#
# What people type. Each command first installs the packages it needs (SETUP=no leaves that out),
# then builds, then does its work. A target's help is the text after `##`.

SMP ?= 4
ACCEL ?= tcg
KERNEL ?= release
SYSTEM ?= default
DEBUG_SMP ?= 1
SETUP ?= yes
TIMEOUT ?= 120
KERNEL_IMAGE = $(OUT)/kernel/$(KERNEL)/kernel.elf

# $(call setup,GROUPS)
ALL_GROUPS := build run iso debug test prove fresh
setup = $(if $(filter no,$(SETUP)),@:,@tools/setup.sh $(1))

.PHONY: all build
all: ## build the kernels, the programs, the tools and the systems
	$(call setup,build)
	$(Q)$(MAKE) build

build: kernel user host systems $(EDGES_STAMP) $(OPCODES_STAMP)
	@:

# ---- booting -----------------------------------------------------------------------------------

.PHONY: boot-files run run-spawn run-smoke iso debug
boot-files: $(KERNEL_IMAGE) $(OUT)/systems/$(SYSTEM).bin
	@:

run: ## build and boot in QEMU, terminal attached (SMP=4 ACCEL=tcg or kvm KERNEL=release or debug)
	$(call setup,build run)
	$(Q)$(MAKE) boot-files
	@$(PYTHON) tools/qemu.py --kernel $(KERNEL_IMAGE) --module $(OUT)/systems/$(SYSTEM).bin \
	    --smp $(SMP) --accel $(ACCEL) --timeout $(TIMEOUT)

run-spawn: ## boot systems/spawn: init spawns, refuses bad grants, waits
	@$(MAKE) run SYSTEM=spawn

run-smoke: ## boot systems/smoke: the runtime's own smoke programs
	@$(MAKE) run SYSTEM=smoke

debug: ## boot under GDB with the symbols of kernel and programs (GDB_SCRIPT=file: unattended)
	$(call setup,build run debug)
	$(Q)$(MAKE) boot-files KERNEL=debug
	@$(PYTHON) tools/debug.py --kernel $(OUT)/kernel/debug/kernel.elf \
	    --module $(OUT)/systems/$(SYSTEM).bin --manifest systems/$(SYSTEM).json \
	    --programs $(USER_DIR)/debug --smp $(DEBUG_SMP) $(if $(GDB_SCRIPT),--script $(GDB_SCRIPT))

ISO := $(OUT)/capos.iso
$(ISO): $(OUT)/kernel/release/kernel.elf $(OUT)/systems/default.bin tools/make_iso.py tools/pins.txt
	$(call say,ISO,$@)
	$(Q)$(PYTHON) tools/check_pins.py --group build --group iso
	$(Q)$(PYTHON) tools/make_iso.py --kernel $< --module $(OUT)/systems/default.bin --output $@

iso: ## build out/capos.iso, which boots under BIOS and UEFI
	$(call setup,build iso)
	$(Q)$(MAKE) iso-file
	@echo $(ISO)

.PHONY: iso-file
iso-file: $(ISO)
	@:

# ---- testing -----------------------------------------------------------------------------------

# What `make test` runs, in this order; each is a target here, and each can be run alone. Those in
# the last line boot the default system.
SUITES ?= fmt-check edges-check claims-check pins-check manifests-check generated-code-check rt-check test-tools test-host \
    test-sanitize clang-check capnp-conformance $(SUITES_FUZZ) $(SUITES_SIM) mutate-sample prove-quick prove-wp-quick reproducible-check test-boot \
    $(if $(filter %/default.bin,$(SYSTEMS)),debug-check run-check readme-check demos-check bench-exact)

.PHONY: test test-host test-boot test-core test-sanitize
test: ## run every test; the last line is `N passed, N failed`
	$(call setup,build run iso debug test prove)
	$(Q)$(MAKE) build host-tests sanitize-build $(SUITES_BUILD)
	@$(PYTHON) tools/run_suites.py --make '$(MAKE)' $(if $(filter file,$(origin SUITES)),--page README.md) \
	    $(SUITES)

result = $(if $(RESULT),--result $(RESULT))

test-host: ## run the host tests (TEST=name for one)
	$(call setup,build test)
	$(Q)$(MAKE) host-tests
	@$(PYTHON) tools/run_host_tests.py $(result) \
	    $(if $(TEST),$(HOST_DIR)/tests/$(TEST),$(HOST_TESTS_plain))

test-core: ## run the host tests of core/ alone
	$(call setup,build test)
	$(Q)$(MAKE) $(CORE_TESTS)
	@$(PYTHON) tools/run_host_tests.py --name 'core tests' $(result) $(CORE_TESTS)

SANITIZED_TESTS := $(HOST_TESTS_asan) $(HOST_TESTS_tsan) $(HOST_TESTS_msan)
.PHONY: sanitize-build
sanitize-build: $(SANITIZED_TESTS)
	@:
test-sanitize: ## run the host tests under ASan with UBSan, TSan and MSan
	$(call setup,build test)
	$(Q)$(MAKE) sanitize-build
	@$(PYTHON) tools/run_host_tests.py --name 'sanitized host tests' --full-names $(result) \
	    $(if $(TEST),$(filter %/$(TEST),$(SANITIZED_TESTS)),$(SANITIZED_TESTS))

test-boot: ## run the scenes of tests/scenes (SCENE=name for one, 'name[smp=4]' for a variant)
	$(call setup,build run iso)
	$(Q)$(MAKE) build
	@$(PYTHON) tools/scene.py $(result) --out $(OUT) $(if $(SCENE),'$(SCENE)')

.PHONY: test-fresh
test-fresh: ## follow the README in a bare Debian root with an empty environment (as root)
	$(call setup,fresh)
	@tools/test_fresh.sh

.PHONY: bench bench-exact bench-page
bench: ## measure everything, print the table, write out/bench.json and the table of docs/performance.md
	$(call setup,build run test)
	$(Q)$(MAKE) build
	@$(PYTHON) tools/bench.py $(result) --make '$(MAKE)' --page docs/performance.md

bench-page: ## give docs/performance.md today's rows, with the values it has
	$(call setup,build)
	@$(PYTHON) tools/bench.py --measure-nothing --page docs/performance.md

bench-exact: ## measure and judge the rows in instructions and bytes
	$(call setup,build run)
	$(Q)$(MAKE) build
	@$(PYTHON) tools/bench.py $(result) --exact

# ---- inputs ------------------------------------------------------------------------------------

.PHONY: doctor pins-update clean help
doctor: ## tell what is missing on this machine, by package and version
	@command -v $(PYTHON) >/dev/null || { tools/setup.sh --list $(ALL_GROUPS); exit 1; }
	@$(PYTHON) tools/check_pins.py --doctor

pins-update: ## accept this machine's boot inputs in tools/pins.txt, showing the difference
	@$(PYTHON) tools/check_pins.py --update
	@git --no-pager diff -- tools/pins.txt 2>/dev/null || :

clean: ## remove everything that was built
	$(Q)rm -rf out

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' mk/*.mk | sort | \
	    awk -F'|' '{ printf "%-26s %s\n", $$1, $$2 }'

include $(wildcard $(sort $(DEPENDENCIES)))

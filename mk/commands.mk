# SPDX-License-Identifier: MIT
#
# What people type. Each command first installs the packages it needs (SETUP=no leaves that out),
# then builds, then does its work. A target's help is the text after `##`.

SMP ?= 4
ACCEL ?= tcg
KERNEL ?= release
SYSTEM ?= default
SETUP ?= yes
TIMEOUT ?= 120
KERNEL_IMAGE = $(OUT)/kernel/$(KERNEL)/kernel.elf

# $(call setup,GROUPS)
setup = $(if $(filter no,$(SETUP)),@:,@tools/setup.sh $(1))

.PHONY: all build
all: ## build the kernels, the programs, the tools and the systems
	$(call setup,build)
	$(Q)$(MAKE) build

build: kernel user host systems edges-check
	@:

# ---- booting -----------------------------------------------------------------------------------

.PHONY: run run-built run-spawn run-smoke iso debug
run: ## build and boot in QEMU, terminal attached (SMP=4 ACCEL=tcg or kvm KERNEL=release or debug)
	$(call setup,build run)
	$(Q)$(MAKE) $(KERNEL_IMAGE) $(OUT)/systems/$(SYSTEM).bin
	@$(PYTHON) tools/qemu.py --kernel $(KERNEL_IMAGE) --module $(OUT)/systems/$(SYSTEM).bin \
	    --smp $(SMP) --accel $(ACCEL) --timeout $(TIMEOUT)

run-spawn: ## boot systems/spawn: init spawns, refuses bad grants, waits
	@$(MAKE) run SYSTEM=spawn

run-smoke: ## boot systems/smoke: the runtime's own smoke programs
	@$(MAKE) run SYSTEM=smoke

ISO := $(OUT)/capos.iso
$(ISO): $(OUT)/kernel/release/kernel.elf $(OUT)/systems/default.bin tools/make_iso.py tools/pins.txt
	$(call say,ISO,$@)
	$(Q)$(PYTHON) tools/check_pins.py --group build --group iso
	$(Q)$(PYTHON) tools/make_iso.py --kernel $< --module $(OUT)/systems/default.bin --output $@

iso: ## build out/capos.iso, which boots under BIOS and UEFI
	$(call setup,build iso)
	$(Q)$(MAKE) $(ISO)
	@echo $(ISO)

# ---- testing -----------------------------------------------------------------------------------

.PHONY: test-host test-boot
test-host: ## run the host tests (TEST=name for one)
	$(call setup,build test)
	$(Q)$(MAKE) host-tests
	@$(PYTHON) tools/run_host_tests.py $(if $(RESULT),--result $(RESULT)) \
	    $(if $(TEST),$(HOST_DIR)/tests/$(TEST),$(HOST_TESTS_plain))

test-boot: ## boot the scenes of tests/scenes (SCENE=name for one, NAME[smp=4] for a variant)
	$(call setup,build run iso)
	$(Q)$(MAKE) build
	@$(PYTHON) tools/scene.py $(if $(RESULT),--result $(RESULT)) --out $(OUT) $(if $(SCENE),'$(SCENE)')

# ---- inputs ------------------------------------------------------------------------------------

.PHONY: doctor pins-update clean help
doctor: ## tell what is missing on this machine, by package and version
	@command -v $(PYTHON) >/dev/null || { echo "  MISSING  python3 (tools/setup.sh build)"; exit 1; }
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

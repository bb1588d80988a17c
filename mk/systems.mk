# SPDX-License-Identifier: MIT
#
# Bootable compositions: systems/NAME.json and the programs it names become out/systems/NAME.bin.
# The JSON is evaluated from systems/NAME.cue and checked in, so that building needs no CUE.

SYSTEM_SOURCES := $(sort $(wildcard systems/*.json))
MKMANIFEST := $(filter %/mkmanifest,$(HOST_TOOLS))
SYSTEMS := $(if $(MKMANIFEST),$(patsubst systems/%.json,$(OUT)/systems/%.bin,$(SYSTEM_SOURCES)))

$(OUT)/systems/%.bin: systems/%.json $(MKMANIFEST) $(PROGRAM_BINARIES)
	$(call say,PACK,$@)
	$(Q)mkdir -p $(@D) && $(MKMANIFEST) --output $@ --binaries $(USER_DIR)/bin $<

.PHONY: systems manifests manifests-check
systems: $(SYSTEMS)
	@:

manifests: ## evaluate systems/*.cue into systems/*.json with the pinned CUE (needs Go 1.25)
	$(call setup,build)
	@$(PYTHON) tools/make_manifests.py

manifests-check: ## check that systems/*.json are what their CUE sources say (needs no CUE)
	$(call setup,build)
	@$(PYTHON) tools/check_manifests.py $(if $(RESULT),--result $(RESULT))

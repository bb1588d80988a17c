# SPDX-License-Identifier: MIT
#
# Bootable compositions: systems/NAME.json and the programs it names become out/systems/NAME.bin.

SYSTEM_SOURCES := $(sort $(wildcard systems/*.json))
MKMANIFEST := $(filter %/mkmanifest,$(HOST_TOOLS))
SYSTEMS := $(if $(MKMANIFEST),$(patsubst systems/%.json,$(OUT)/systems/%.bin,$(SYSTEM_SOURCES)))

$(OUT)/systems/%.bin: systems/%.json $(MKMANIFEST) $(PROGRAM_BINARIES)
	$(call say,PACK,$@)
	$(Q)mkdir -p $(@D) && $(MKMANIFEST) --output $@ --binaries $(USER_DIR)/bin $<

.PHONY: systems manifests
systems manifests: $(SYSTEMS)
	@:

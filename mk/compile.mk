# SPDX-License-Identifier: MIT
#
# How a source becomes an object, for each variant of the build.
#
# A variant is a folder under out/ and one set of flags. Its flags and object lists are kept in
# stamp files, rewritten only when they change, so that a changed flag or a removed source rebuilds
# what it must and nothing else.

# $(call remember,FILE,TEXT): FILE's time changes only when TEXT does.
remember = $(if $(and $(wildcard $(1)),$(call same,$(file < $(1)),$(2))),,$(shell mkdir -p $(dir $(1)) || :)$(file > $(1),$(2)))
same = $(if $(subst x$(strip $(1)),,x$(strip $(2)))$(subst x$(strip $(2)),,x$(strip $(1))),,same)

# $(call objects,FOLDER,SOURCES)
objects = $(addprefix $(1)/,$(patsubst %.S,%.S.o,$(patsubst %.c,%.o,$(2))))

# $(call variant,FOLDER,FLAGS-VARIABLE,COMPILER): rules that compile any source of the tree into FOLDER.
define variant
$(call remember,$(1)/flags,$(3) $($(2)))
VARIANT_FOLDERS += $(1)
$(1)/%.o: %.c $(1)/flags
	$$(call say,CC,$$@)
	$(Q)mkdir -p $$(@D) && $(3) $$($(2)) $$(EXTRA_FLAGS) -MMD -MP -c -o $$@ $$<
$(1)/%.S.o: %.S $(1)/flags
	$$(call say,AS,$$@)
	$(Q)mkdir -p $$(@D) && $(3) $$(filter-out -fstack-usage,$$($(2))) -MMD -MP -c -o $$@ $$<
endef

# $(call archive,FILE,OBJECTS): always written afresh, so that no member outlives its source.
define archive
$(call remember,$(1).list,$(2))
DEPENDENCIES += $(patsubst %.o,%.d,$(2))
$(1): $(2) $(1).list
	$$(call say,AR,$$@)
	$(Q)rm -f $$@ && $(AR) rcsD $$@ $(2)
endef

# SPDX-License-Identifier: MIT
#
# User programs: services/NAME/, demos/NAME/, tests/programs/NAME.c or tests/programs/NAME/, each
# one static ELF. out/user/debug/NAME has the symbols; out/user/bin/NAME is what manifests carry.
# A folder called `support` is no program but a library for its neighbours.

USER_DIR := $(OUT)/user
USER_SCRIPT := user/rt/user.ld
RT_SOURCES := $(sort $(wildcard user/rt/*.c user/rt/*.S user/lib/*.c user/lib/*/*.c)) $(SHARED_SOURCES)
SUPPORT_SOURCES := $(sort $(wildcard demos/support/*.c tests/programs/support/*.c))

PROGRAM_FOLDERS := $(filter-out %/support/,$(sort $(dir \
    $(wildcard services/*/*.c demos/*/*.c tests/programs/*/*.c))))
PROGRAM_FILES := $(sort $(wildcard tests/programs/*.c))
PROGRAMS := $(foreach f,$(PROGRAM_FOLDERS),$(notdir $(patsubst %/,%,$(f)))) \
    $(notdir $(PROGRAM_FILES:.c=))
ifneq ($(words $(PROGRAMS)),$(words $(sort $(PROGRAMS))))
$(error two programs of one name under services/, demos/ and tests/programs/: $(strip \
    $(foreach p,$(sort $(PROGRAMS)),$(if $(word 2,$(filter $(p),$(PROGRAMS))),$(p)))))
endif

$(eval $(call variant,$(USER_DIR),USER_FLAGS,$(CC)))
$(eval $(call archive,$(USER_DIR)/librt.a,$(call objects,$(USER_DIR),$(RT_SOURCES))))
$(eval $(call archive,$(USER_DIR)/libsupport.a,$(call objects,$(USER_DIR),$(SUPPORT_SOURCES))))

# $(call program,NAME,SOURCES)
define program
DEPENDENCIES += $(patsubst %.o,%.d,$(call objects,$(USER_DIR),$(2)))
USER_OBJECTS += $(call objects,$(USER_DIR),$(2))
$$(call remember,$(USER_DIR)/lists/$(1),$(2))
$(USER_DIR)/debug/$(1): $(call objects,$(USER_DIR),$(2)) $(USER_DIR)/libsupport.a \
    $(USER_DIR)/librt.a $(USER_SCRIPT) $(USER_DIR)/flags $(USER_DIR)/lists/$(1)
	$$(call say,LINK,$$@)
	$(Q)mkdir -p $$(@D) && $(LD) $(USER_LINK_FLAGS) -T $(USER_SCRIPT) -o $$@ \
	    $(call objects,$(USER_DIR),$(2)) --start-group $(USER_DIR)/libsupport.a \
	    $(USER_DIR)/librt.a --end-group
endef
$(foreach f,$(PROGRAM_FOLDERS),$(eval $(call program,$(notdir $(patsubst %/,%,$(f))),$(strip \
    $(sort $(wildcard $(f)*.c $(f)*.S))))))
$(foreach f,$(PROGRAM_FILES),$(eval $(call program,$(notdir $(f:.c=)),$(f))))

$(USER_DIR)/bin/%: $(USER_DIR)/debug/%
	$(Q)mkdir -p $(@D) && $(OBJCOPY) --strip-all $< $@

PROGRAM_BINARIES := $(addprefix $(USER_DIR)/bin/,$(PROGRAMS))

.PHONY: user user-objects
user-objects: $(USER_DIR)/librt.a $(USER_DIR)/libsupport.a $(USER_OBJECTS)
	@:
ifneq ($(wildcard $(USER_SCRIPT)),)
user: $(USER_DIR)/librt.a $(PROGRAM_BINARIES)
	@:
else
PROGRAM_BINARIES :=
user: user-objects
	@:
endif

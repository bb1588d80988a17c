# SPDX-License-Identifier: MIT
#
# What runs on the building machine: core and Cap'n Proto as libraries, the portable kernel on
# kernel/arch/host, the tools, the host tests and the simulator; the same again under sanitizers.

HOST_DIR := $(OUT)/host
CORE_SOURCES := $(sort $(wildcard core/*.c core/*/*.c))
CAPNP_SOURCES := $(sort $(wildcard capnp/runtime/*.c schema/generated/*.c))
KERNEL_HOST_SOURCES := $(if $(wildcard kernel/arch/host/*.c),$(sort $(KERNEL_PORTABLE_SOURCES) \
    $(wildcard kernel/arch/host/*.c kernel/debug/*.c)))
HOST_TEST_SOURCES := $(sort $(wildcard tests/host/*_test.c))
HOST_TEST_SUPPORT := $(sort $(filter-out %_test.c,$(wildcard tests/host/*.c tests/host/support/*.c)) \
    $(SCHEMA_TEST_SOURCES))
SIM_SOURCES := $(sort $(wildcard sim/*.c))

HOST_asan_FLAGS = $(HOST_FLAGS) -O1 $(SANITIZE_asan)
HOST_tsan_FLAGS = $(HOST_FLAGS) -O1 $(SANITIZE_tsan)
HOST_msan_FLAGS = $(HOST_FLAGS) -O1 $(SANITIZE_msan)

# $(call host_variant,FOLDER,FLAGS-VARIABLE,COMPILER,SUFFIX)
define host_variant
$(call variant,$(1),$(2),$(3))
$(call archive,$(1)/libcore.a,$(call objects,$(1),$(CORE_SOURCES)))
$(call archive,$(1)/libcapnp.a,$(call objects,$(1),$(CAPNP_SOURCES)))
$(call archive,$(1)/libkernel_host.a,$(call objects,$(1),$(KERNEL_HOST_SOURCES) tools/host_kernel_image.c))
$(call archive,$(1)/libhost.a,$(call objects,$(1),tools/host_assert.c))
$(call archive,$(1)/libtestsupport.a,$(call objects,$(1),$(HOST_TEST_SUPPORT)))
HOST_LIBRARIES_$(4) := $(addprefix $(1)/,libcore.a libcapnp.a libkernel_host.a)
HOST_TESTS_$(4) := $(patsubst tests/host/%.c,$(1)/tests/%,$(HOST_TEST_SOURCES))
HOST_SIMS_$(4) := $(patsubst sim/%.c,$(1)/sim/%,$(filter sim/%_main.c sim/sim.c,$(SIM_SOURCES)))
DEPENDENCIES += $(patsubst %.o,%.d,$(call objects,$(1),$(HOST_TEST_SOURCES)))

$(1)/tests/%: $(1)/tests/host/%.o $(1)/libtestsupport.a $(1)/libkernel_host.a $(1)/libcore.a \
    $(1)/libcapnp.a
	$$(call say,LINK,$$@)
	$(Q)mkdir -p $$(@D) && $(3) $$($(2)) -o $$@ $$< -Wl,--start-group $(1)/libtestsupport.a \
	    $(1)/libkernel_host.a $(1)/libcore.a $(1)/libcapnp.a -Wl,--end-group -lcmocka $(HOST_LIBS)
endef
$(eval $(call host_variant,$(HOST_DIR),HOST_FLAGS,$(CC),plain))
$(eval $(call host_variant,$(OUT)/host-asan,HOST_asan_FLAGS,$(CC),asan))
$(eval $(call host_variant,$(OUT)/host-tsan,HOST_tsan_FLAGS,$(CC),tsan))
$(eval $(call host_variant,$(OUT)/host-msan,HOST_msan_FLAGS,clang-14,msan))

# ---- the simulator: sim/*.c is one program over the host kernel ---------------------------------

define sim_program
DEPENDENCIES += $(patsubst %.o,%.d,$(call objects,$(1),$(SIM_SOURCES)))
$(1)/sim/sim: $(call objects,$(1),$(SIM_SOURCES)) $(HOST_LIBRARIES_$(4))
	$$(call say,LINK,$$@)
	$(Q)mkdir -p $$(@D) && $(3) $$($(2)) -o $$@ $(call objects,$(1),$(SIM_SOURCES)) \
	    -Wl,--start-group $(HOST_LIBRARIES_$(4)) -Wl,--end-group $(HOST_LIBS)
HOST_SIMS_$(4) := $(if $(SIM_SOURCES),$(1)/sim/sim)
endef
$(eval $(call sim_program,$(HOST_DIR),HOST_FLAGS,$(CC),plain))
$(eval $(call sim_program,$(OUT)/host-asan,HOST_asan_FLAGS,$(CC),asan))

# ---- tools: tools/NAME/*.c becomes out/host/bin/NAME --------------------------------------------

HOST_TOOL_FOLDERS := $(sort $(dir $(wildcard tools/*/*.c)))
HOST_TOOLS := $(foreach f,$(HOST_TOOL_FOLDERS),$(HOST_DIR)/bin/$(notdir $(patsubst %/,%,$(f))))

define host_tool
DEPENDENCIES += $(patsubst %.o,%.d,$(call objects,$(HOST_DIR),$(2)))
$$(call remember,$(HOST_DIR)/lists/$(1),$(2))
$(HOST_DIR)/bin/$(1): $(call objects,$(HOST_DIR),$(2)) $(HOST_DIR)/libcore.a \
    $(HOST_DIR)/libcapnp.a $(HOST_DIR)/libhost.a $(HOST_DIR)/lists/$(1)
	$$(call say,LINK,$$@)
	$(Q)mkdir -p $$(@D) && $(CC) $(HOST_FLAGS) -o $$@ $(call objects,$(HOST_DIR),$(2)) \
	    -Wl,--start-group $(HOST_DIR)/libcore.a $(HOST_DIR)/libcapnp.a $(HOST_DIR)/libhost.a \
	    -Wl,--end-group \
	    $$(HOST_TOOL_LIBS_$(1)) $(HOST_LIBS)
endef
HOST_TOOL_LIBS_mkmanifest := -ljansson
$(foreach f,$(HOST_TOOL_FOLDERS),$(eval $(call host_tool,$(notdir $(patsubst %/,%,$(f))),$(strip \
    $(sort $(wildcard $(f)*.c))))))

.PHONY: host host-tests host-tools sim
host: $(HOST_LIBRARIES_plain) $(HOST_TOOLS)
	@:
host-tools: $(HOST_TOOLS)
	@:
host-tests: $(HOST_TESTS_plain)
	@:
sim: $(HOST_SIMS_plain)
	@:

# The tests of core/ are those named after one of its files.
CORE_TESTS := $(sort $(foreach s,$(CORE_SOURCES) $(wildcard core/*.h),$(filter \
    $(HOST_DIR)/tests/$(basename $(notdir $(s)))_test,$(HOST_TESTS_plain))))

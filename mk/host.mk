# SPDX-License-Identifier: MIT
#
# What runs on the building machine: core and Cap'n Proto as libraries, the portable kernel on
# kernel/arch/host, the tools, the host tests and the simulator; the same again under sanitizers.

HOST_DIR := $(OUT)/host
CORE_SOURCES := $(sort $(wildcard core/*.c core/*/*.c))
CAPNP_SOURCES := $(sort $(wildcard capnp/runtime/*.c schema/generated/*.c))
KERNEL_HOST_SOURCES := $(if $(wildcard kernel/arch/host/*.c),$(sort $(KERNEL_PORTABLE_SOURCES) \
    $(wildcard kernel/arch/host/*.c kernel/arch/host/*.S kernel/debug/*.c)))
HOST_TEST_SOURCES := $(sort $(wildcard tests/host/*_test.c))
HOST_TEST_SUPPORT := $(sort $(filter-out %_test.c,$(wildcard tests/host/*.c tests/host/support/*.c)))
SIM_SOURCES := $(wildcard sim/sim.c)

# Which tests a sanitizer runs. TSan watches threads, so it runs the tests that have some. MSan does
# without the host kernel, which changes stacks and maps memory where MSan keeps its own.
HOST_TESTS_OF_asan := $(HOST_TEST_SOURCES)
HOST_TESTS_OF_tsan := $(filter %_threads_test.c,$(HOST_TEST_SOURCES))
HOST_TESTS_OF_msan := $(filter-out tests/host/machine_%,$(HOST_TEST_SOURCES))
HOST_TESTS_OF_plain := $(HOST_TEST_SOURCES)

# The test that stands in for the kernel's allocators.
HOST_TEST_WRAP_machine_failures_test := -Wl,--wrap=frame_alloc,--wrap=frame_run_take,--wrap=kmem_alloc

# The test that kills a process at the moment when its thread begins to wait, is told when one leaves
# its CPU, and stands in for the answer to a link and for the program's memory.
HOST_TEST_WRAP_machine_enter_test := -Wl,--wrap=sched_thread_wait,--wrap=cpu_run,--wrap=handoff_relay,--wrap=arch_copy_from_user

# What its tests are linked with; the little that those with threads need, so that no more is built.
HOST_TEST_LIBRARIES_plain := libtestsupport.a libtestschema.a libmkmanifest.a libkernel_host.a \
    libcore.a libcapnp.a
HOST_TEST_LIBRARIES_asan := $(HOST_TEST_LIBRARIES_plain)
HOST_TEST_LIBRARIES_msan := $(HOST_TEST_LIBRARIES_plain)
# MSan wants every library instrumented, which jansson is not.
HOST_TEST_SUPPORT_msan := tests/msan/jansson.c
HOST_TEST_LINK_msan := -Wl,--wrap=json_loadb
HOST_TEST_LIBRARIES_tsan := libtestsupport.a libcore.a libcapnp.a

HOST_asan_FLAGS = $(HOST_FLAGS) -O1 $(SANITIZE_asan)
HOST_tsan_FLAGS = $(HOST_FLAGS) -O1 $(SANITIZE_tsan)
HOST_msan_FLAGS = $(HOST_FLAGS) -O1 $(SANITIZE_msan)

# ---- programs of the host kernel: each a relocatable object that shows its entry alone ----------
#
# A program's object has its own copy of the runtime and of core, so that neither its names nor its
# data meet the kernel's. What it lacks are the functions of user/rt/syscall.h, which
# kernel/arch/host supplies.

HOST_USER_DIR := $(OUT)/host-user
HOST_USER_FLAGS := $(filter-out -fno-pic -fno-pie -fstack-usage,$(USER_FLAGS)) -fpie
HOST_PROGRAM_FOLDERS := $(if $(wildcard kernel/arch/host/*.c),$(filter services/% demos/%,$(PROGRAM_FOLDERS)))
# Scenes of tests/scenes that the host kernel runs too, without those of their processes that need a
# real processor (one that interrupts a loop, an address space that is a program's alone), and the
# test programs that they start.
HOST_SCENES := $(if $(wildcard kernel/arch/host/*.c),budget capabilities capset console-paths contiguous crowd delegation \
    endpoint-errors endpoints exhaustion fault-endpoint forged kin loans mapping-parts opcodes park passing peers pipeline quota races ring sessions \
    slices spawn-abuse starved unusual vanish)
HOST_SCENE_WITHOUT := ring-tick exhaust-frames
HOST_SCENE_PROGRAMS := $(if $(HOST_SCENES),budget caps capset console_paths delegates endpoint_errors endpoints \
    exhaust faults forged kin lends loans opcodes park parts passing peers pipeline quota races ring runs sessions slices spawn_abuse spin starved trial \
    unusual vanish)
HOST_PROGRAMS := $(foreach f,$(HOST_PROGRAM_FOLDERS),$(notdir $(patsubst %/,%,$(f)))) $(HOST_SCENE_PROGRAMS)
HOST_PROGRAM_OBJECTS := $(patsubst %,$(HOST_USER_DIR)/programs/%.o,$(HOST_PROGRAMS))
HOST_PROGRAM_STUBS := $(addprefix $(HOST_USER_DIR)/stubs/,$(HOST_PROGRAMS))
HOST_RT_SOURCES := $(filter-out user/rt/syscall.S,$(RT_SOURCES))
# Systems whose every process runs such a program. Their `"binary": "NAME"` pairs are read by make
# itself, because a make that has yet to install Python reads this too.
comma := ,
system_binaries = $(sort $(patsubst @@%,%,$(filter @@%,$(subst $(comma), ,$(subst ", ,$(subst \
    "binary": ",@@,$(file < $(1))))))))
HOST_SYSTEMS := $(foreach s,$(sort $(wildcard systems/*.json)),$(if $(filter-out $(HOST_PROGRAMS), \
    $(or $(call system_binaries,$(s)),none)),,$(patsubst systems/%.json,$(HOST_USER_DIR)/systems/%.bin,$(s)))) \
    $(patsubst %,$(HOST_USER_DIR)/systems/%.bin,$(HOST_SCENES))

$(eval $(call variant,$(HOST_USER_DIR),HOST_USER_FLAGS,$(CC)))
$(eval $(call archive,$(HOST_USER_DIR)/librt.a,$(call objects,$(HOST_USER_DIR),$(HOST_RT_SOURCES))))
$(eval $(call archive,$(HOST_USER_DIR)/libsupport.a,$(call objects,$(HOST_USER_DIR),$(SUPPORT_SOURCES))))

# $(call host_program,NAME,SOURCES)
define host_program
DEPENDENCIES += $(patsubst %.o,%.d,$(call objects,$(HOST_USER_DIR),$(2)))
$(HOST_USER_DIR)/programs/$(1).o: $(call objects,$(HOST_USER_DIR),$(2)) $(HOST_USER_DIR)/libsupport.a $(HOST_USER_DIR)/librt.a
	$$(call say,LINK,$$@)
	$(Q)mkdir -p $$(@D) && $(LD) -r -u _start -o $$@.all $(call objects,$(HOST_USER_DIR),$(2)) \
	    --start-group $(HOST_USER_DIR)/libsupport.a $(HOST_USER_DIR)/librt.a --end-group
	$(Q)$(OBJCOPY) --redefine-sym _start=host_program_$(1) --keep-global-symbol=host_program_$(1) \
	    $$@.all $$@
endef
$(foreach f,$(HOST_PROGRAM_FOLDERS),$(eval $(call host_program,$(notdir $(patsubst %/,%,$(f))),$(strip \
    $(sort $(wildcard $(f)*.c))))))
$(foreach p,$(HOST_SCENE_PROGRAMS),$(eval $(call host_program,$(p),$(sort $(wildcard \
    tests/programs/$(p).c tests/programs/$(p)/*.c)))))

$(HOST_USER_DIR)/stubs/%: tools/host_programs.py
	$(Q)mkdir -p $(@D) && $(PYTHON) $< stub $* $@

$(HOST_USER_DIR)/systems/%.bin: systems/%.json $(HOST_DIR)/bin/mkmanifest $(HOST_PROGRAM_STUBS)
	$(call say,PACK,$@)
	$(Q)mkdir -p $(@D) && $(HOST_DIR)/bin/mkmanifest --output $@ \
	    --binaries $(HOST_USER_DIR)/stubs $<

$(HOST_USER_DIR)/systems/%.bin: $(HOST_USER_DIR)/scenes/%.json $(HOST_DIR)/bin/mkmanifest $(HOST_PROGRAM_STUBS)
	$(call say,PACK,$@)
	$(Q)mkdir -p $(@D) && $(HOST_DIR)/bin/mkmanifest --output $@ \
	    --binaries $(HOST_USER_DIR)/stubs $<

$(HOST_USER_DIR)/scenes/%.json: tests/scenes/%.json tools/host_programs.py
	$(Q)mkdir -p $(@D) && $(PYTHON) tools/host_programs.py manifest $< $@ \
	    --without $(HOST_SCENE_WITHOUT)

$(HOST_USER_DIR)/programs.c: $(HOST_SYSTEMS) tools/host_programs.py $(HOST_USER_DIR)/programs.list
	$(Q)$(PYTHON) tools/host_programs.py table $@ --programs $(HOST_PROGRAMS) \
	    --systems $(HOST_SYSTEMS)
$(call remember,$(HOST_USER_DIR)/programs.list,$(HOST_PROGRAMS) $(HOST_SYSTEMS))

$(HOST_USER_DIR)/programs.o: $(HOST_USER_DIR)/programs.c
	$(Q)$(CC) $(HOST_FLAGS) -c -o $@ $<

$(HOST_USER_DIR)/libprograms.a: $(HOST_USER_DIR)/programs.o $(HOST_PROGRAM_OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^
HOST_PROGRAM_LIBRARY := $(if $(HOST_PROGRAMS),$(HOST_USER_DIR)/libprograms.a)

# $(call host_variant,FOLDER,FLAGS-VARIABLE,COMPILER,SUFFIX)
define host_variant
$(call variant,$(1),$(2),$(3))
$(call archive,$(1)/libcore.a,$(call objects,$(1),$(CORE_SOURCES)))
$(call archive,$(1)/libcapnp.a,$(call objects,$(1),$(CAPNP_SOURCES)))
$(call archive,$(1)/libkernel_host.a,$(call objects,$(1),$(KERNEL_HOST_SOURCES) tools/host_kernel_image.c))
$(call archive,$(1)/libhost.a,$(call objects,$(1),tools/host_assert.c))
$(call archive,$(1)/libmkmanifest.a,$(call objects,$(1),$(filter-out %/main.c,$(wildcard tools/mkmanifest/*.c))))
$(call archive,$(1)/libtestsupport.a,$(call objects,$(1),$(HOST_TEST_SUPPORT) $(HOST_TEST_SUPPORT_$(4))))
$(call archive,$(1)/libtestschema.a,$(call objects,$(1),$(SCHEMA_TEST_SOURCES)))
HOST_LIBRARIES_$(4) := $(addprefix $(1)/,libcore.a libcapnp.a libkernel_host.a)
HOST_TESTS_$(4) := $(patsubst tests/host/%.c,$(1)/tests/%,$(HOST_TESTS_OF_$(4)))
HOST_SIMS_$(4) := $(patsubst sim/%.c,$(1)/sim/%,$(filter sim/%_main.c sim/sim.c,$(SIM_SOURCES)))
DEPENDENCIES += $(patsubst %.o,%.d,$(call objects,$(1),$(HOST_TEST_SOURCES)))

$(1)/tests/%: $(1)/tests/host/%.o $(addprefix $(1)/,$(HOST_TEST_LIBRARIES_$(4))) $(HOST_PROGRAM_LIBRARY)
	$$(call say,LINK,$$@)
	$(Q)mkdir -p $$(@D) && $(3) $$($(2)) -o $$@ $$< -Wl,--start-group \
	    $(addprefix $(1)/,$(HOST_TEST_LIBRARIES_$(4))) $(HOST_PROGRAM_LIBRARY) -Wl,--end-group \
	    $(HOST_TEST_LINK_$(4)) $$(HOST_TEST_WRAP_$$(notdir $$@)) -lcmocka -ljansson $(HOST_LIBS)
endef
$(eval $(call host_variant,$(HOST_DIR),HOST_FLAGS,$(CC),plain))
$(eval $(call host_variant,$(OUT)/host-asan,HOST_asan_FLAGS,$(CC),asan))
$(eval $(call host_variant,$(OUT)/host-tsan,HOST_tsan_FLAGS,$(CC),tsan))
$(eval $(call host_variant,$(OUT)/host-msan,HOST_msan_FLAGS,clang-14,msan))

# ---- systems on the host kernel under many seeds: sim/sim.c (the rest of sim/: mk/sim.mk) -------

define sim_program
DEPENDENCIES += $(patsubst %.o,%.d,$(call objects,$(1),$(SIM_SOURCES)))
$(1)/sim/sim: $(call objects,$(1),$(SIM_SOURCES)) $(HOST_LIBRARIES_$(4)) $(HOST_PROGRAM_LIBRARY)
	$$(call say,LINK,$$@)
	$(Q)mkdir -p $$(@D) && $(3) $$($(2)) -o $$@ $(call objects,$(1),$(SIM_SOURCES)) \
	    -Wl,--start-group $(HOST_LIBRARIES_$(4)) $(HOST_PROGRAM_LIBRARY) -Wl,--end-group $(HOST_LIBS)
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

# The emulator's plugin that tallies costly instructions for the bench rows.
TALLY := $(if $(wildcard bench/tally.c),$(HOST_DIR)/tally.so)
$(HOST_DIR)/tally.so: bench/tally.c $(HOST_DIR)/flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(HOST_FLAGS) -shared -fPIC -MMD -MP -MF $(@:.so=.d) -o $@ $<
DEPENDENCIES += $(TALLY:.so=.d)

.PHONY: host host-tests host-tools sim-build
host: $(HOST_LIBRARIES_plain) $(HOST_TOOLS) $(HOST_SIMS_plain) $(TALLY)
	@:
host-tools: $(HOST_TOOLS)
	@:
host-tests: $(HOST_TESTS_plain)
	@:
sim-build: $(HOST_SIMS_plain)
	@:

# The tests of core/ are those named after one of its files.
CORE_TESTS := $(sort $(foreach s,$(CORE_SOURCES) $(wildcard core/*.h),$(filter \
    $(HOST_DIR)/tests/$(basename $(notdir $(s)))_test,$(HOST_TESTS_plain))))

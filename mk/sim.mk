# SPDX-License-Identifier: MIT
#
# The simulator. out/host/sim/sim runs the systems of systems/ under many seeds (sim/sim.c). The rest
# is a variant of its own, out/sim: the kernel with a switch point at each atomic (sim/shim), the
# hunt (sim/hunt) and the reference model (sim/model*.c).

SIM_DIR := $(OUT)/sim
SIM_FLAGS = -iquote sim/shim $(HOST_FLAGS)
SIM_MODEL_SOURCES := $(sort $(wildcard sim/model*.c))
SIM_HUNT_SOURCES := $(sort $(wildcard sim/hunt/*.c)) $(SIM_MODEL_SOURCES)

# Functions of the kernel that sim/hunt/observe.c and faults.c stand in for.
SIM_WRAPPED := submission_dispatch thread_start lock_check_release thread_retire object_init \
    frame_alloc kmem_alloc kmem_free arch_ipi_send quick_drain quick_submission \
    quick_wake_and_wait promised_begin relay_begin lone_call lone_duplicate lone_release \
    dispatch_enter handoff_call handoff_relay arch_context_load arch_context_save submission_call_target \
    submission_call_broken arch_lock_point fault_call_send fault_call_complete uses_init \
    frame_free frame_run_take frame_reserve_fill frame_reserve_release frames_cache_drain
SIM_WRAP := $(foreach f,$(SIM_WRAPPED),-Wl,--wrap=$(f))

$(eval $(call variant,$(SIM_DIR),SIM_FLAGS,$(CC)))
$(eval $(call archive,$(SIM_DIR)/libcore.a,$(call objects,$(SIM_DIR),$(CORE_SOURCES))))
$(eval $(call archive,$(SIM_DIR)/libcapnp.a,$(call objects,$(SIM_DIR),$(CAPNP_SOURCES))))
$(eval $(call archive,$(SIM_DIR)/libkernel.a,$(call objects,$(SIM_DIR),$(KERNEL_HOST_SOURCES) \
    tools/host_kernel_image.c)))
DEPENDENCIES += $(patsubst %.o,%.d,$(call objects,$(SIM_DIR),$(SIM_HUNT_SOURCES)))
SIM_LIBRARIES := $(addprefix $(SIM_DIR)/,libkernel.a libcore.a libcapnp.a)

$(SIM_DIR)/stubs/actor: tools/host_programs.py
	$(Q)mkdir -p $(@D) && $(PYTHON) $< stub actor $@

$(SIM_DIR)/system.bin: sim/hunt/system.json $(HOST_DIR)/bin/mkmanifest $(SIM_DIR)/stubs/actor
	$(call say,PACK,$@)
	$(Q)$(HOST_DIR)/bin/mkmanifest --output $@ --binaries $(SIM_DIR)/stubs $<

$(SIM_DIR)/system.o: $(SIM_DIR)/system.bin
	$(Q)printf '.section .rodata\n.balign 8\n.globl hunt_manifest\nhunt_manifest: .incbin "%s"\n.globl hunt_manifest_end\nhunt_manifest_end:\n.section .note.GNU-stack,"",@progbits\n' $< | \
	    $(CC) -x assembler -c -o $@ -

SIM_HUNT_OBJECTS := $(call objects,$(SIM_DIR),$(SIM_HUNT_SOURCES)) $(SIM_DIR)/system.o
$(SIM_DIR)/hunt: $(SIM_HUNT_OBJECTS) $(SIM_LIBRARIES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(SIM_FLAGS) $(SIM_WRAP) -o $@ $(SIM_HUNT_OBJECTS) $(SIM_LINK)

SIM_LINK := -Wl,--start-group $(SIM_LIBRARIES) -Wl,--end-group $(HOST_LIBS)
SEED ?= 1
STEPS ?= 400
RUNS ?= 1
hunt_arguments = --seed $(SEED) --steps $(STEPS) $(if $(SCHEDULE),--schedule $(SCHEDULE)) \
    $(if $(CPUS),--cpus $(CPUS)) $(if $(KEEP),--keep $(KEEP)) $(if $(STORY),--story) \
    $(if $(TWIN),--twin) $(if $(LOOK),--look $(LOOK))

.PHONY: sim
sim: ## run a system of generated programs under SEED=n for STEPS=m acts (RUNS=k seeds; LOOK=1: at everything, at each step)
	$(call setup,build)
	$(Q)$(MAKE) $(SIM_DIR)/hunt
	@$(SIM_DIR)/hunt $(hunt_arguments) --runs $(RUNS)

# A budget in operations, so that it finds the same on every machine. 0 acts: the seed chooses. Two
# hunts beside each other, one over the odd seeds, which have 2 or 4 CPUs, and one over the even.
SIM_SMOKE_OPERATIONS ?= 1200000
SIM_SMOKE_HALF = --steps 0 --stride 2 --operations $(shell expr $(SIM_SMOKE_OPERATIONS) / 2)
SIM_TWIN_RUNS ?= 300
SIM_BUG_TWIN_RUNS ?= 60
# One after another, and no seed that either half of sim-smoke does not come to.
SIM_BUG_OPERATIONS ?= $(shell expr $(SIM_SMOKE_OPERATIONS) \* 11 / 12)
.PHONY: sim-smoke sim-bugs
sim-smoke: ## run the simulator for a fixed budget; part of make test
	$(call setup,build)
	$(Q)$(MAKE) $(SIM_DIR)/hunt
	@$(SIM_DIR)/hunt --twin --steps 40 --runs $(SIM_TWIN_RUNS)
	@$(SIM_DIR)/hunt $(SIM_SMOKE_HALF) --seed 2 > $(SIM_DIR)/even.log & even=$$!; \
	    trap 'kill $$even' INT TERM; \
	    $(SIM_DIR)/hunt $(SIM_SMOKE_HALF) --seed 1; odd=$$?; \
	    wait $$even; even=$$?; cat $(SIM_DIR)/even.log; exit $$((odd | even))

sim-bugs: ## plant each bug of sim/bugs and see that the simulator finds it (BUG=name for one, SEED=n for the first seed)
	$(call setup,build)
	$(Q)$(MAKE) $(SIM_DIR)/hunt
	@$(PYTHON) tools/sim_bugs.py $(result) --out $(OUT) --compiler '$(CC)' --flags '$(SIM_FLAGS)' \
	    --wrap '$(SIM_WRAP)' --objects '$(SIM_HUNT_OBJECTS)' --rest '$(SIM_LINK)' \
	    --operations $(SIM_BUG_OPERATIONS) --twins $(SIM_BUG_TWIN_RUNS) --seed $(SEED) $(BUG)
.PHONY: sim-bench
sim-bench: ## the simulator's operations a minute on two processors, and the interleavings of sim-smoke's budget
	$(call setup,build)
	$(Q)$(MAKE) $(SIM_DIR)/hunt
	@{ $(SIM_DIR)/hunt --steps 0 --operations 400000 --seed 1 & \
	    $(SIM_DIR)/hunt --steps 0 --operations 400000 --seed 100001; wait; } | \
	    awk '/operations a minute/ { sum += $$(NF - 3) } \
	        END { print "bench sim_operations", sum, "operations/minute" }'
	@$(SIM_DIR)/hunt --steps 0 --operations $(SIM_SMOKE_OPERATIONS) | sed -n \
	    's/.* \([0-9]*\) interleavings;.*/bench sim_interleavings \1 interleavings/p'
SUITES_SIM := sim-smoke sim-bugs
SUITES_BUILD += $(SIM_DIR)/hunt

# ---- the explorer: ring, lock and wake-up under C11's release/acquire, on the C that ships -------

EXPLORE_DIR := $(OUT)/explore
EXPLORE_FLAGS = -iquote sim/explore/shim -iquote kernel/release $(HOST_FLAGS)
EXPLORE_SOURCES := $(sort $(wildcard sim/explore/*.c)) core/ring.c core/answer.c core/park.c \
    core/run_queue.c kernel/lock.c kernel/cpu.c
$(eval $(call variant,$(EXPLORE_DIR),EXPLORE_FLAGS,$(CC)))
DEPENDENCIES += $(patsubst %.o,%.d,$(call objects,$(EXPLORE_DIR),$(EXPLORE_SOURCES)))

$(EXPLORE_DIR)/explore: $(call objects,$(EXPLORE_DIR),$(EXPLORE_SOURCES))
	$(call say,LINK,$@)
	$(Q)$(CC) $(EXPLORE_FLAGS) -o $@ $^

.PHONY: explore
explore: ## explore ring, lock and wake-up under C11 release/acquire; weaken each order and see it noticed
	$(call setup,build test)
	$(Q)$(MAKE) $(EXPLORE_DIR)/explore
	@$(PYTHON) tools/explore.py $(result) $(EXPLORE_DIR)/explore
.PHONY: explore-bench
explore-bench: ## how many executions the explorer goes through, as a row of make bench
	$(call setup,build)
	$(Q)$(MAKE) $(EXPLORE_DIR)/explore
	@$(PYTHON) tools/explore.py --bench $(EXPLORE_DIR)/explore
SUITES_SIM += explore
SUITES_BUILD += $(EXPLORE_DIR)/explore
SUITES_BUILD += $(SIM_DIR)/hunt

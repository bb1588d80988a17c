# SPDX-License-Identifier: MIT
#
# The kernel, three times: debug (UBSan traps, lock-order checks of kernel/debug/) and release
# (kernel/release/), and measure, a release kernel with probes (kernel/measure/).
#
# The image carries a table of its own symbols and an id made of its own contents. Both come from
# linking it more than once: an image without them, one with the table at its true size, and the
# last, whose table tools/kernel_symbols.py compares with the addresses that really came out.

SHARED_SOURCES := $(sort $(wildcard core/*.c core/*/*.c capnp/runtime/*.c schema/generated/*.c))
KERNEL_PORTABLE_SOURCES := $(sort $(wildcard kernel/*.c $(foreach d,boot mem sched ipc object \
    dispatch dev,kernel/$(d)/*.c)))
KERNEL_ARCH_SOURCES := $(sort $(wildcard kernel/arch/$(ARCH)/*.c kernel/arch/$(ARCH)/*.S))
KERNEL_SCRIPT := kernel/arch/$(ARCH)/kernel.ld
KERNELS :=

# $(call kernel,NAME,FLAGS-VARIABLE,WHOSE-SHARED-OBJECTS): the last is NAME unless given.
define kernel
$(call variant,$(OUT)/kernel/$(1),$(2),$(CC))
KERNEL_OBJECTS_$(1) := $(call objects,$(OUT)/kernel/$(or $(3),$(1)),$(SHARED_SOURCES)) \
    $(call objects,$(OUT)/kernel/$(1),\
    $(if $(KERNEL_ARCH_SOURCES),$(KERNEL_PORTABLE_SOURCES) $(KERNEL_ARCH_SOURCES) \
    $(sort $(wildcard kernel/$(1)/*.c) $(KERNEL_SHARED_$(1)))))
DEPENDENCIES += $$(KERNEL_OBJECTS_$(1):.o=.d)
$$(call remember,$(OUT)/kernel/$(1)/objects.list,$$(KERNEL_OBJECTS_$(1)))
KERNEL_OBJECTS += $$(KERNEL_OBJECTS_$(1))
KERNELS += $(OUT)/kernel/$(1)/kernel.elf

$(OUT)/kernel/$(1)/kernel.elf: $$(KERNEL_OBJECTS_$(1)) $(OUT)/kernel/$(1)/objects.list \
    $(KERNEL_SCRIPT) tools/kernel_symbols.py kernel/symbols.h
	$$(call say,LINK,$$@)
	$(Q)$(PYTHON) tools/kernel_symbols.py --output $$@ --script $(KERNEL_SCRIPT) \
	    --cc '$(CC) $$($(2))' --ld '$(LD) $(KERNEL_LINK_FLAGS)' \
	    --objects $(OUT)/kernel/$(1)/objects.list
endef
$(eval $(call kernel,debug,KERNEL_DEBUG_FLAGS))
$(eval $(call kernel,release,KERNEL_RELEASE_FLAGS))
# The release kernel that also measures itself. What it shares with programs knows of no variant, so
# that it takes the release kernel's objects.
KERNEL_SHARED_measure := $(filter-out %/irq_probe.c,$(wildcard kernel/release/*.c))
$(eval $(call kernel,measure,KERNEL_MEASURE_FLAGS,release))

.PHONY: kernel kernel-objects kernel-release
kernel-release: $(filter %/release/kernel.elf,$(KERNELS))
	@:
kernel-objects: $(KERNEL_OBJECTS)
	@:
ifneq ($(wildcard $(KERNEL_SCRIPT)),)
kernel: $(KERNELS)
	@:
else
KERNELS :=
kernel: kernel-objects
	@:
endif

# SPDX-License-Identifier: MIT
#
# Schemas and the C made from them.
#
#   make generated-code         write schema/generated/ anew
#   make generated-code-check   fail unless that would change nothing
#
# The compiler is pinned by path and version: its output is part of the trusted base, and another
# one may lay out or order things differently.

CAPNP_COMPILER := /usr/bin/capnp
CAPNP_VERSION := Cap'n Proto version 0.9.2
SCHEMA_SOURCES := $(sort $(wildcard schema/*.capnp))
SCHEMA_GENERATED := schema/generated
CAPNPC_C := $(HOST_DIR)/bin/capnpc-c

# The generator stands on the runtime alone, so that it can be built when generated code is broken.
CAPNPC_C_SOURCES := $(sort $(wildcard capnp/capnpc-c/*.c capnp/runtime/*.c))
$(call remember,$(HOST_DIR)/lists/capnpc-c,$(CAPNPC_C_SOURCES))
DEPENDENCIES += $(patsubst %.o,%.d,$(call objects,$(HOST_DIR),$(CAPNPC_C_SOURCES)))
$(CAPNPC_C): $(call objects,$(HOST_DIR),$(CAPNPC_C_SOURCES)) $(HOST_DIR)/lists/capnpc-c
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(HOST_FLAGS) -o $@ $(filter %.o,$^)
host host-tools: $(if $(wildcard capnp/capnpc-c/*.c),$(CAPNPC_C))

# $(call schema_compile,PLUGIN,FOLDER,SCHEMAS): the pinned compiler, or a refusal that says what
# was found. The plugin is named with a slash, else the compiler looks for it in PATH.
schema_compile = found="$$($(CAPNP_COMPILER) --version 2>&1)"; \
    if [ "$$found" != "$(CAPNP_VERSION)" ]; then \
        echo "$(CAPNP_COMPILER): found \"$$found\", pinned is \"$(CAPNP_VERSION)\" (Debian: capnproto)" >&2; \
        exit 1; \
    fi; \
    mkdir -p $(2) && $(CAPNP_COMPILER) compile --no-standard-import -I/usr/include -Icapnp/capnpc-c \
        --src-prefix=$(dir $(firstword $(3))) -o$(CURDIR)/$(1):$(2) $(3)

.PHONY: generated-code generated-code-check
generated-code: $(CAPNPC_C) ## write schema/generated anew from the schemas
	$(Q)rm -f $(SCHEMA_GENERATED)/*.c $(SCHEMA_GENERATED)/*.h
	$(Q)$(call schema_compile,$(CAPNPC_C),$(SCHEMA_GENERATED),$(SCHEMA_SOURCES))

generated-code-check: $(CAPNPC_C) ## compare schema/generated with what the schemas give today
	$(Q)rm -rf $(OUT)/schema/check
	$(Q)$(call schema_compile,$(CAPNPC_C),$(OUT)/schema/check,$(SCHEMA_SOURCES))
	$(Q)diff -ru $(SCHEMA_GENERATED) $(OUT)/schema/check || { \
	    echo "schema/generated is not what capnpc-c makes of schema/*.capnp: run make generated-code" >&2; \
	    exit 1; }

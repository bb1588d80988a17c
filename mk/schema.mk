# SPDX-License-Identifier: MIT
#
# Schemas and the C made from them.
#
# The compiler is pinned by path and version: its output is part of the trusted base, and another
# one may lay out or order things differently.

CAPNP_COMPILER := /usr/bin/capnp
CAPNP_VERSION := Cap'n Proto version 0.9.2
SCHEMA_SOURCES := $(sort $(wildcard schema/*.capnp))
SCHEMA_GENERATED := schema/generated
SCHEMA_HOST := $(OUT)/host
CAPNPC_C := $(SCHEMA_HOST)/bin/capnpc-c

# The generator stands on the runtime alone, so that it can be built when generated code is broken.
CAPNPC_C_SOURCES := $(sort $(wildcard capnp/capnpc-c/*.c capnp/runtime/*.c))
$(call remember,$(SCHEMA_HOST)/lists/capnpc-c,$(CAPNPC_C_SOURCES))
DEPENDENCIES += $(patsubst %.o,%.d,$(call objects,$(SCHEMA_HOST),$(CAPNPC_C_SOURCES)))
$(CAPNPC_C): $(call objects,$(SCHEMA_HOST),$(CAPNPC_C_SOURCES)) $(SCHEMA_HOST)/lists/capnpc-c
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
    mkdir -p $(2) && $(CAPNP_COMPILER) compile --no-standard-import \
        -I/usr/include -Icapnp/capnpc-c --src-prefix=$(dir $(firstword $(3))) \
        -o$(CURDIR)/$(1):$(2) $(3)

# Every getter and setter of a schema, called by code that is generated for tests only.
SCHEMA_VISIT := CAPNPC_C_VISIT=tests/capnp/visit.h

# ---- The tests' schema: what the generator makes of it is checked in to be looked at ------------

FEATURES_SOURCE := tests/capnp/features.capnp
FEATURES_GOLDEN := tests/capnp/golden

.PHONY: generated-code generated-code-check capnpc-c
capnpc-c: $(CAPNPC_C)
	@:
generated-code: ## make schema/generated/ anew, and the generator's golden output
	$(call setup,build test)
	$(Q)$(MAKE) capnpc-c
	$(Q)rm -f $(SCHEMA_GENERATED)/*.[ch] $(FEATURES_GOLDEN)/*.[ch]
	$(Q)$(call schema_compile,$(CAPNPC_C),$(SCHEMA_GENERATED),$(SCHEMA_SOURCES))
	$(Q)export $(SCHEMA_VISIT); $(call schema_compile,$(CAPNPC_C),$(FEATURES_GOLDEN),$(FEATURES_SOURCE))

# $(call drift,CHECKED-IN,NEW)
drift = diff -ru $(1) $(2) || { \
    echo "$(1) is not what capnpc-c makes of its schema today: run make generated-code" >&2; exit 1; }

generated-code-check: ## compare schema/generated/ with what the schemas give today
	$(call setup,build test)
	$(Q)$(MAKE) capnpc-c
	$(Q)rm -rf $(OUT)/schema/check $(OUT)/schema/golden
	$(Q)$(call schema_compile,$(CAPNPC_C),$(OUT)/schema/check,$(SCHEMA_SOURCES))
	$(Q)$(call drift,$(SCHEMA_GENERATED),$(OUT)/schema/check)
	$(Q)export $(SCHEMA_VISIT); $(call schema_compile,$(CAPNPC_C),$(OUT)/schema/golden,$(FEATURES_SOURCE))
	$(Q)$(call drift,$(FEATURES_GOLDEN),$(OUT)/schema/golden)

# ---- Visitors of the system's schemas -----------------------------------------------------------

SCHEMA_VISIT_DIR := $(OUT)/schema/visit
SCHEMA_VISIT_STAMP := $(OUT)/schema/visit.stamp
SCHEMA_VISIT_SOURCES := $(if $(SCHEMA_SOURCES),$(SCHEMA_VISIT_DIR)/index.visit.c) \
    $(patsubst schema/%.capnp,$(SCHEMA_VISIT_DIR)/%.visit.c,$(SCHEMA_SOURCES))
$(SCHEMA_VISIT_STAMP): $(CAPNPC_C) $(SCHEMA_SOURCES)
	$(Q)rm -rf $(SCHEMA_VISIT_DIR)
	$(Q)export $(SCHEMA_VISIT); $(call schema_compile,$(CAPNPC_C),$(SCHEMA_VISIT_DIR),$(SCHEMA_SOURCES))
	$(Q)touch $@
$(SCHEMA_VISIT_SOURCES): $(SCHEMA_VISIT_STAMP)
	@:

# What host tests and fuzz targets link: tests/capnp/, the golden code, the visitors.
SCHEMA_TEST_SOURCES := $(sort $(filter-out %_main.c,$(wildcard tests/capnp/*.c)) \
    $(wildcard $(FEATURES_GOLDEN)/*.c)) $(SCHEMA_VISIT_SOURCES)

# ---- Conformance with the reference -------------------------------------------------------------

N ?= 200
CONFORMANCE := $(OUT)/schema/conformance
CONFORMANCE_SOURCES := tests/capnp/conformance_main.c $(filter tests/capnp/%,$(SCHEMA_TEST_SOURCES)) \
    $(sort $(wildcard capnp/runtime/*.c))
ORACLE := $(OUT)/schema/oracle
DEPENDENCIES += $(OUT)/host/tests/capnp/conformance_main.d
$(CONFORMANCE): $(call objects,$(SCHEMA_HOST),$(CONFORMANCE_SOURCES))
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(HOST_FLAGS) -o $@ $^

$(ORACLE): tests/capnp/oracle.cc
	$(call say,CXX,$@)
	$(Q)mkdir -p $(@D) && g++ -std=c++17 -O1 -Wall -Wextra -Wno-unused-parameter -o $@ $< \
	    -lcapnpc -lcapnp-rpc -lcapnp -lkj-async -lkj

.PHONY: capnp-conformance conformance-build
conformance-build: $(CONFORMANCE) $(ORACLE)
	@:
capnp-conformance: ## random messages through our code and the reference's, both ways (N=200)
	$(call setup,build test)
	$(Q)$(MAKE) conformance-build
	@$(PYTHON) tests/capnp/conformance.py $(result) --ours $(CONFORMANCE) --oracle $(ORACLE) \
	    --count $(N)
SUITES_BUILD += $(if $(SCHEMA_SOURCES),conformance-build)

# ---- The corpus of fuzz/capn_schema_fuzz.c: one message for each type and method ----------------

CORPUS := $(OUT)/schema/corpus
CORPUS_SOURCES := tests/capnp/corpus_main.c $(SCHEMA_TEST_SOURCES) \
    $(sort $(wildcard capnp/runtime/*.c schema/generated/*.c))
DEPENDENCIES += $(OUT)/host/tests/capnp/corpus_main.d
$(CORPUS): $(call objects,$(SCHEMA_HOST),$(CORPUS_SOURCES))
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(HOST_FLAGS) -o $@ $^

.PHONY: capn-schema-corpus
capn-schema-corpus: ## write fuzz/corpus/capn_schema/ anew from the schemas
	$(call setup,build test)
	$(Q)$(MAKE) $(CORPUS)
	$(Q)rm -rf fuzz/corpus/capn_schema && mkdir -p fuzz/corpus/capn_schema
	$(Q)$(CORPUS) fuzz/corpus/capn_schema

# ---- What the schemas may never change again: tests/vintage/README.md ---------------------------

VINTAGE := $(OUT)/schema/vintage
VINTAGE_SOURCES := tests/capnp/vintage_main.c tests/capnp/vintage.c \
    $(sort $(wildcard capnp/runtime/*.c schema/generated/*.c))
DEPENDENCIES += $(OUT)/host/tests/capnp/vintage_main.d
$(VINTAGE): $(call objects,$(SCHEMA_HOST),$(VINTAGE_SOURCES))
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(HOST_FLAGS) -o $@ $^

.PHONY: schema-vintage
schema-vintage: ## add new declarations to tests/vintage/schema-1.txt, removing none
	$(call setup,build)
	$(Q)$(MAKE) $(VINTAGE)
	$(Q)$(VINTAGE) tests/vintage/schema-1.txt

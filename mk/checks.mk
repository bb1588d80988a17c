# SPDX-License-Identifier: MIT
#
# Checks of the tree itself.

# Every include edge and, of what is built, every symbol edge. The stamp makes the repeat free.
EDGES_STAMP := $(OUT)/edges.checked
EDGES_SOURCES := $(sort $(SHARED_SOURCES) $(KERNEL_PORTABLE_SOURCES) $(KERNEL_ARCH_SOURCES) \
    $(wildcard */*.h */*/*.h */*/*/*.h))

$(EDGES_STAMP): $(KERNEL_OBJECTS) $(USER_DIR)/librt.a $(USER_OBJECTS) $(EDGES_SOURCES) \
    tools/check_edges.py
	$(call say,EDGES,$@)
	$(Q)$(PYTHON) tools/check_edges.py --objects $(OUT) --nm $(NM)
	$(Q)touch $@

.PHONY: edges-check
edges-check: $(EDGES_STAMP) ## check that each part uses only the parts below it
	@:

.PHONY: test-tools
test-tools: ## run the tests of the tools (TEST=name for one)
	@$(PYTHON) tools/run_tool_tests.py $(if $(RESULT),--result $(RESULT)) $(TEST)

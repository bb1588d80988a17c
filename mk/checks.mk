# SPDX-License-Identifier: MIT
#
# Checks of the tree itself.

.PHONY: edges-check
edges-check:
	@:

# SPDX-License-Identifier: MIT
#
# Proofs: each verify/NAME.c is a harness for CBMC that says itself what it proves and what must be
# refuted (tools/prove.py). CBMC lies in out/roots/cbmc, fetched at the first use.

.PHONY: prove
prove: ## prove the harnesses of verify/ and refute their twins (TEST=name for one)
	$(call setup,build)
	@$(PYTHON) tools/prove.py $(result) $(TEST)

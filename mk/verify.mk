# SPDX-License-Identifier: MIT
#
# Proofs, and the bench that needs the C++ library.
#
# Each verify/NAME.c is a harness for CBMC that says itself what it proves and what must be
# refuted (tools/prove.py). CBMC lies in out/roots/cbmc, fetched at the first use.

# Contracts of verify/wp/ are for Frama-C's WP (tools/prove_wp.py).

.PHONY: prove prove-quick prove-wp prove-wp-quick
prove: ## prove the harnesses of verify/ with CBMC and refute their twins (TEST=name for one)
	$(call setup,build)
	@$(PYTHON) tools/prove.py $(result) $(TEST)

prove-quick: ## the proofs that take seconds, as make test runs them
	$(call setup,build)
	@$(PYTHON) tools/prove.py --quick $(result) $(TEST)

prove-wp: ## prove the contracts of verify/wp/, which have no bound, with Frama-C (TEST=name for one)
	$(call setup,build prove)
	@$(PYTHON) tools/prove_wp.py $(result) $(TEST)

prove-wp-quick: ## the same without the twins, as make test runs it
	$(call setup,build prove)
	@$(PYTHON) tools/prove_wp.py --quick $(result) $(TEST)

# ---- the Cap'n Proto runtime against the C++ library, ratios of time -----------------------------
#
# Both as a user would build them: generated code, plain -O2.

CAPNP_BENCH := $(HOST_DIR)/capnp_bench
$(CAPNP_BENCH)/bench: bench/capnp_bench.cc bench/capnp_bench.c bench/capnp_bench.h \
    bench/capnp_bench.capnp $(CAPNPC_C) $(wildcard capnp/runtime/*)
	$(call say,CXX,$@)
	$(Q)rm -rf $(@D) && mkdir -p $(@D)/cxx
	$(Q)$(call schema_compile,$(CAPNPC_C),$(@D)/c,bench/capnp_bench.capnp)
	$(Q)$(CAPNP_COMPILER) compile -oc++:$(@D)/cxx --src-prefix=bench bench/capnp_bench.capnp
	$(Q)cd $(@D) && gcc -std=c11 -O2 -iquote $(CURDIR) -iquote c -c $(CURDIR)/bench/capnp_bench.c \
	    $(CURDIR)/capnp/runtime/*.c
	$(Q)g++ -std=c++17 -O2 -Wall -iquote . -I $(@D)/cxx -o $@ bench/capnp_bench.cc \
	    $(@D)/cxx/capnp_bench.capnp.c++ $(@D)/*.o -lcapnp -lkj

# ---- what a revocation costs, ratios of time ------------------------------------------------------

TABLE_BENCH_SOURCES := bench/host_bench.h tests/host/slot_pages.h core/cap_table.c core/grant.c \
    $(wildcard core/*.h abi/*.h)

GRANT_BENCH := $(HOST_DIR)/grant_bench/bench
$(GRANT_BENCH): bench/grant_bench.c $(TABLE_BENCH_SOURCES)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && gcc -std=gnu11 -O2 -Wall -Wextra -iquote . -o $@ $(filter %.c,$^)

.PHONY: grant-bench
grant-bench: ## time a revocation of 100,000 edges against one of a single edge, as ratios
	$(call setup,build test)
	$(Q)$(MAKE) $(GRANT_BENCH)
	@$(GRANT_BENCH)

# ---- what a lookup and a null call cost, beside the machine's own ring ----------------------------

URING_BENCH := $(HOST_DIR)/uring_bench/bench
URING_BENCH_SOURCES := bench/uring_bench.c bench/null_dispatch.c kernel/dispatch/dispatch.c \
    kernel/dispatch/quick.c core/cap_table.c core/grant.c core/ring.c
# The kernel's dispatch with the hooks of the release kernel, of which only what a null call reaches
# is linked (bench/null_dispatch.c).
URING_BENCH_FLAGS := -std=gnu11 -O2 -Wall -Wextra -ffunction-sections -fdata-sections -iquote . \
    -iquote kernel/arch/host -iquote kernel/release -no-pie -Wl,--gc-sections \
    -Wl,--unresolved-symbols=ignore-all
$(URING_BENCH): $(URING_BENCH_SOURCES) $(TABLE_BENCH_SOURCES) bench/null_dispatch.h \
    $(wildcard kernel/*.h kernel/*/*.h kernel/arch/host/*.h)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && gcc $(URING_BENCH_FLAGS) -o $@ $(URING_BENCH_SOURCES)

.PHONY: uring-bench
uring-bench: ## time a lookup and a null call against an io_uring NOP of this machine, as ratios
	$(call setup,build test)
	$(Q)$(MAKE) $(URING_BENCH)
	@$(URING_BENCH)

.PHONY: capnp-bench capnp-bench-build
capnp-bench-build: $(CAPNP_BENCH)/bench
	@:
capnp-bench: ## time the Cap'n Proto runtime against the C++ library, as ratios
	$(call setup,build test)
	$(Q)$(MAKE) capnp-bench-build
	@$(CAPNP_BENCH)/bench

# ---- mutants: each refusal taken away, one at a time ----------------------------------------------

MUTANT_SAMPLE ?= 72
.PHONY: mutate mutate-sample mutate-steps
mutate: ## take each refusal of core/ and of the dispatch checks away in turn; a test must notice
	$(call setup,build test)
	$(Q)$(MAKE) host-tests
	@$(PYTHON) tools/mutate.py --score $(OUT)/mutants.json $(result)

mutate-sample: ## the same for MUTANT_SAMPLE refusals and those that are new; part of make test
	$(call setup,build test)
	$(Q)$(MAKE) host-tests
	@$(PYTHON) tools/mutate.py --sample $(MUTANT_SAMPLE) $(result)

mutate-steps: ## leave out what core/ (or ONLY=kernel/dispatch) does beside refusing; a test must notice
	$(call setup,build test)
	$(Q)$(MAKE) host-tests
	@$(PYTHON) tools/mutate.py --steps $(if $(ONLY),--only $(ONLY))

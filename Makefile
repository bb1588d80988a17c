# SPDX-License-Identifier: MIT
#
# capOS: `make run` boots it, `make test` tests it, `make help` lists the rest.
#
# This file only names the parts. Every part finds its sources by directory, so a new file joins the
# build by existing; everything that is built lies under out/.

include mk/config.mk
# Several goals: one after the other, each in a make of its own. Most commands build in a second make,
# and two of those at once would write the same files.
ifeq ($(MAKELEVEL)$(if $(word 2,$(MAKECMDGOALS)),several),0several)
.NOTPARALLEL:
.PHONY: $(MAKECMDGOALS)
$(sort $(MAKECMDGOALS)):
	@$(MAKE) $@
else
include mk/compile.mk
include mk/kernel.mk
include mk/user.mk
include mk/schema.mk
include mk/host.mk
include mk/systems.mk
include mk/sim.mk
include mk/fuzz.mk
include mk/cover.mk
include mk/verify.mk
include mk/checks.mk
include mk/commands.mk
endif

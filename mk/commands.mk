# SPDX-License-Identifier: MIT
#
# What people type.

.PHONY: all clean
all: kernel user host systems
	@:

clean:
	$(Q)rm -rf out

include $(wildcard $(sort $(DEPENDENCIES)))

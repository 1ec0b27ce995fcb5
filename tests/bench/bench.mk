# SPDX-License-Identifier: GPL-2.0
# What benchmarks are made of: optimised, as what they measure. Unit tests have the
# same flows from san/libbench.a.

$(BUILD)/lib/libbench.a: $(BUILD)/obj/tests/bench/flowgen.o
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^
$(BUILD)/san/libbench.a: $(BUILD)/san/tests/bench/flowgen.o
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

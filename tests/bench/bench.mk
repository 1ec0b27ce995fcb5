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

# Bytes a flow by column, and what making and reading a block costs.
$(BUILD)/bench/block: $(BUILD)/obj/tests/bench/block.o $(BUILD)/lib/libbench.a $(BUILD)/lib/libweir.a
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(WEIR_LIBS)

bench-block: $(BUILD)/bench/block
	$(BUILD)/bench/block

.PHONY: bench-block

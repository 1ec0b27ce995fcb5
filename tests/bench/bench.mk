# SPDX-License-Identifier: GPL-2.0
# What benchmarks are made of: optimised, as what they measure. Unit tests have the
# same flows from san/libbench.a.

# Packages only: kernels are not for these.
bench-setup:
	LAB_KERNELS=" " tests/setup build bench

bench: bench-store bench-query bench-block bench-kernel

.PHONY: bench bench-setup

$(BUILD)/lib/libbench.a: $(BUILD)/obj/tests/bench/flowgen.o
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^
$(BUILD)/san/libbench.a: $(BUILD)/san/tests/bench/flowgen.o
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

# Flows as a store, a file, or messages: for bench-query, and for tests beside other tools.
$(BUILD)/bench/flows: $(BUILD)/obj/tests/bench/flows.o $(BUILD)/lib/libbench.a $(BUILD)/lib/libweir.a
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) -o $@ $^ $(WEIR_LIBS)

# Bytes a flow by column, and what making and reading a block costs.
$(BUILD)/bench/block: $(BUILD)/obj/tests/bench/block.o $(BUILD)/lib/libbench.a $(BUILD)/lib/libweir.a
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(WEIR_LIBS)

bench-block: bench-setup $(BUILD)/bench/block
	$(BUILD)/bench/block

.PHONY: bench-block

$(BUILD)/bench/query: $(BUILD)/obj/tests/bench/query.o $(BUILD)/lib/libweir.a
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) -o $@ $^ $(WEIR_LIBS)

# make bench-query RECORDS="10000000 100000000" REPEAT=5: these are the defaults. 100 M flows
# take 21 GB in the cache; NFCAPD=lz4 leaves out nfdump's uncompressed form, 15 GB of it.
bench-query: bench-setup $(BUILD)/bench/flows $(BUILD)/bench/query
	tests/bench/bench-query

.PHONY: bench-query

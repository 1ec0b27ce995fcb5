# SPDX-License-Identifier: GPL-2.0
# Programs that measure: built as what they measure is built, without sanitizers.

BENCH := $(BUILD)/bench

$(BUILD)/lib/libnode.a: $(call parts,$(BUILD)/obj,$(NODE_SOURCES))
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

STORE_BENCH := $(patsubst %,$(BUILD)/obj/tests/bench/%.o,store stream player netflow)
$(BENCH)/store: $(STORE_BENCH) $(BUILD)/lib/libbench.a $(BUILD)/lib/libnode.a $(BUILD)/lib/libweir.a
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) -o $@ $^ $(WEIR_LIBS)

bench-store: bench-setup $(BENCH)/store
	tests/bench/bench-store

.PHONY: bench-store

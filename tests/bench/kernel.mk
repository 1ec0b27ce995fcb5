# SPDX-License-Identifier: GPL-2.0
# What the module costs a packet. Kernels and modules are built by the script itself.

READER_BENCH := $(BUILD)/obj/tests/bench/kernel/reader.o \
		$(patsubst %,$(BUILD)/obj/daemon/node/%.o,kernel message)
$(BUILD)/bench/reader: $(READER_BENCH) $(BUILD)/lib/libweir.a
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) -o $@ $^ $(WEIR_LIBS)

# make bench-kernel REPEAT=5 FLOWS="1000 100000 1000000": these are the defaults.
bench-kernel: bench-setup $(BUILD)/bench/reader
	tests/bench/bench-kernel

.PHONY: bench-kernel

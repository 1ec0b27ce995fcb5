# SPDX-License-Identifier: GPL-2.0
# What the tests in tests/cluster run: built with ASan and UBSan, as daemons that
# are killed at random moments are where such mistakes show.

CLUSTER := $(BUILD)/tests/cluster

$(CLUSTER)/simnode: $(BUILD)/san/tests/cluster/simnode.o $(BUILD)/san/tests/cluster/simkernel.o \
		    $(BUILD)/san/libnode.a $(BUILD)/san/libweir.a
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) $(SAN_FLAGS) -o $@ $^ $(WEIR_LIBS)

$(CLUSTER)/weir-master: $(BUILD)/san/daemon/master/main.o $(BUILD)/san/libmaster.a \
			$(BUILD)/san/libweir.a
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) $(SAN_FLAGS) -o $@ $^ $(WEIR_LIBS)

$(CLUSTER)/losesegment: $(BUILD)/san/tests/cluster/losesegment.o $(BUILD)/san/libweir.a
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) $(SAN_FLAGS) -o $@ $^ $(WEIR_LIBS)

cluster-programs: $(CLUSTER)/losesegment $(CLUSTER)/simnode $(CLUSTER)/weir-master $(BUILD)/bin/weir $(BUILD)/bench/flows $(BUILD)/bench/query

.PHONY: cluster-programs

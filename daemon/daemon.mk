# SPDX-License-Identifier: GPL-2.0
# The programs. Objects are built twice when tests are wanted: plain for use, with
# ASan and UBSan (in $(BUILD)/san) for unit tests and fuzz replays.

CC ?= gcc
PACKAGES := libmnl libnl-3.0 libnl-genl-3.0 lmdb libevent libevent_pthreads libcrypto libprotobuf-c \
	    libxxhash libzstd jansson inih
WEIR_CFLAGS = -std=gnu11 -O2 -g -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	      -Wmissing-prototypes -Wno-unused-parameter -fno-strict-aliasing -pthread -MMD -MP \
	      -D_GNU_SOURCE -DWEIR_VERSION='"$(VERSION)"' -I. -I$(BUILD)/gen \
	      $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
WEIR_LIBS = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lm -pthread
SAN_FLAGS := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined

LIB_SOURCES := $(sort $(wildcard daemon/common/*.c daemon/store/*.c daemon/query/*.c daemon/wire/*.c \
		daemon/exchange/*.c))
NODE_SOURCES := $(sort $(wildcard daemon/node/*.c))
MASTER_SOURCES := $(sort $(wildcard daemon/master/*.c))
CLI_SOURCES := $(sort $(wildcard daemon/cli/*.c))
PROGRAM_SOURCES := $(NODE_SOURCES) $(MASTER_SOURCES) $(CLI_SOURCES)
GEN := $(BUILD)/gen/weir.pb-c.h

objects = $(patsubst %.c,$(1)/%.o,$(2))
# all but main.c, for programs' own unit tests
parts = $(filter-out %/main.o,$(call objects,$(1),$(2)))

LIB_OBJECTS = $(call objects,$(BUILD)/obj,$(LIB_SOURCES)) $(BUILD)/obj/weir.pb-c.o
SAN_LIB_OBJECTS = $(call objects,$(BUILD)/san,$(LIB_SOURCES)) $(BUILD)/san/weir.pb-c.o

programs: $(BUILD)/bin/weir $(BUILD)/bin/weir-node $(BUILD)/bin/weir-master

$(BUILD)/gen/weir.pb-c.c $(BUILD)/gen/weir.pb-c.h &: daemon/wire/weir.proto
	@mkdir -p $(BUILD)/gen
	protoc-c --proto_path=daemon/wire --c_out=$(BUILD)/gen daemon/wire/weir.proto

# Generated code is not ours to warn about.
$(BUILD)/obj/weir.pb-c.o: $(BUILD)/gen/weir.pb-c.c
	@mkdir -p $(@D)
	$(CC) -O2 -g -pthread -I$(BUILD)/gen -c -o $@ $<
$(BUILD)/san/weir.pb-c.o: $(BUILD)/gen/weir.pb-c.c
	@mkdir -p $(@D)
	$(CC) -O1 -g -pthread $(SAN_FLAGS) -I$(BUILD)/gen -c -o $@ $<

$(BUILD)/obj/%.o: %.c | $(GEN)
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) $(CFLAGS) -c -o $@ $<
$(BUILD)/san/%.o: %.c | $(GEN)
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) -O1 $(SAN_FLAGS) $(CFLAGS) -c -o $@ $<

# Inner loops over columns, which are worth vectorising; -O2 of gcc 12 hardly does.
COLUMN_OBJECTS := $(patsubst %,$(BUILD)/obj/daemon/store/%.o,address address_read block_write \
		    codec codec_address codec_dictionary decode pack unpack vector)
$(COLUMN_OBJECTS): WEIR_CFLAGS += -O3 -funroll-loops

$(BUILD)/lib/libweir.a: $(LIB_OBJECTS)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^
$(BUILD)/san/libweir.a: $(SAN_LIB_OBJECTS)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

define program
$(BUILD)/bin/$(1): $(call objects,$(BUILD)/obj,$(2)) $(BUILD)/lib/libweir.a
	@mkdir -p $$(@D)
	$(CC) $(WEIR_CFLAGS) $(CFLAGS) $(LDFLAGS) -o $$@ $$^ $$(WEIR_LIBS)
endef
# weir store finds the store by node.conf, and a folder is asked with the node's own answers.
$(eval $(call program,weir,$(CLI_SOURCES) $(filter-out %/main.c,$(NODE_SOURCES))))
$(eval $(call program,weir-node,$(NODE_SOURCES)))
$(eval $(call program,weir-master,$(MASTER_SOURCES)))

# tests/unit/NAME.c: a Check program each, linked with everything but the mains. CLI, node and
# master parts come as archives, so that equal names of statics do not meet.
UNIT_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/fuzz_*.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(UNIT_SOURCES))
FUZZ_TESTS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(FUZZ_SOURCES))

$(BUILD)/san/libnode.a: $(call parts,$(BUILD)/san,$(NODE_SOURCES))
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^
$(BUILD)/san/libmaster.a: $(call parts,$(BUILD)/san,$(MASTER_SOURCES))
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^
$(BUILD)/san/libcli.a: $(call parts,$(BUILD)/san,$(CLI_SOURCES))
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^
# The queries and the filter language a second time, for tests of the engine.
$(BUILD)/san/libnaive.a: $(patsubst %,$(BUILD)/san/tests/unit/%.o,naive naive_pairs random_query language \
			   language_address language_number)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^
SAN_ARCHIVES := $(BUILD)/san/libnaive.a $(BUILD)/san/libbench.a $(BUILD)/san/libcli.a \
		$(BUILD)/san/libnode.a $(BUILD)/san/libmaster.a $(BUILD)/san/libweir.a

# The module's pure parts, built in user space with tests/kshim/ for the kernel's headers.
KMOD_OBJECTS := $(patsubst %,$(BUILD)/san/kmod/%.o,pattern dissect dissect_link dissect_tunnel fragments cache log ledger)
KMOD_OBJECTS += $(patsubst %,$(BUILD)/san/kmod/%.o,record sampling)
KMOD_TESTS := $(patsubst %,$(BUILD)/tests/%,unit/test_pattern unit/test_dissect unit/test_dissect_frame unit/test_fragments unit/test_cache unit/test_captures fuzz/fuzz_dissect)
# Real captures beside their reference.
CAPTURE_OBJECTS := $(patsubst %,$(BUILD)/san/tests/unit/%.o,capture capture_table captured)
$(KMOD_OBJECTS) $(CAPTURE_OBJECTS) $(patsubst $(BUILD)/tests/%,$(BUILD)/san/tests/%.o,$(KMOD_TESTS)): \
	WEIR_CFLAGS += -Itests/kshim
$(BUILD)/san/libkmod.a: $(KMOD_OBJECTS)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^
$(BUILD)/tests/unit/test_captures: $(CAPTURE_OBJECTS)
$(KMOD_TESTS): $(BUILD)/tests/%: $(BUILD)/san/tests/%.o $(BUILD)/san/libkmod.a
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) $(SAN_FLAGS) -o $@ $(filter %.o,$^) $(BUILD)/san/libkmod.a $(shell pkg-config --libs check)

$(filter-out $(KMOD_TESTS),$(UNIT_TESTS)): $(BUILD)/tests/unit/%: $(BUILD)/san/tests/unit/%.o $(SAN_ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) $(SAN_FLAGS) -o $@ $(filter %.o,$^) $(SAN_ARCHIVES) $(WEIR_LIBS) \
		$(shell pkg-config --libs check)
$(filter-out $(KMOD_TESTS),$(FUZZ_TESTS)): $(BUILD)/tests/fuzz/%: $(BUILD)/san/tests/fuzz/%.o $(SAN_ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) $(SAN_FLAGS) -o $@ $< $(SAN_ARCHIVES) $(WEIR_LIBS)

# Crashes: every call that changes a file goes through disk.o.
$(BUILD)/tests/unit/test_store_crash: $(BUILD)/san/tests/unit/disk.o $(BUILD)/san/tests/unit/disk_build.o

test-programs: $(UNIT_TESTS) $(FUZZ_TESTS)

.PHONY: programs test-programs
.SECONDARY:
-include $(shell find $(BUILD)/obj $(BUILD)/san -name '*.d' 2>/dev/null)

# SPDX-License-Identifier: GPL-2.0
# A thin front: the module is Kbuild's, the programs are daemon/daemon.mk's, the
# tests are tests/tests.mk's. Everything made lands in build/.

VERSION := 0.1.0
BUILD ?= build
KDIR ?= /lib/modules/$(shell uname -r)/build

all: help

help:
	@echo 'make demo        two routers, one master, real traffic, one answer (root; some minutes)'
	@echo 'make check       everything CI runs (root)'
	@echo 'make module      build/kmod/RELEASE/weir.ko for the kernel in KDIR'
	@echo 'make programs    build/bin/weir, weir-node, weir-master'
	@echo 'make install     programs, man pages, units; module source for DKMS   [DESTDIR=]'
	@echo 'make dkms        add, build and install the module with DKMS (root)'
	@echo 'make matrix      the module on the kernels of other Debian releases [NAMES=]'
	@echo 'make lab-shell   a shell in a booted lab kernel, weir.ko loaded'
	@echo 'make bench       what follows, one after the other'
	@echo 'make bench-store what ingest costs, beside nfcapd on the same records'
	@echo 'make bench-query what answers cost, beside nfdump over the same flows (RECORDS=, REPEAT=)'
	@echo 'make bench-block what stored blocks take and cost, by column'
	@echo 'make bench-kernel what the module costs a packet, beside conntrack and ipt_NETFLOW (REPEAT=, FLOWS=)'
	@echo 'make lint        checkpatch, sparse, coccinelle, shellcheck'
	@echo 'make clean'

clean:
	rm -rf $(BUILD)

PREFIX ?= /usr/local
UNITDIR ?= /etc/systemd/system
MANUALS = $(patsubst docs/%.scd,$(BUILD)/man/%,$(wildcard docs/*.scd))
MANDIR = $(DESTDIR)$(PREFIX)/share/man

$(BUILD)/man/%: docs/%.scd
	@mkdir -p $(@D)
	scdoc <$< >$@

manuals: $(MANUALS)

# The configuration installed is a commented list of defaults; an existing one is left alone.
install: programs manuals dkms-tree
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(BUILD)/bin/weir
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/sbin $(BUILD)/bin/weir-node $(BUILD)/bin/weir-master
	for page in $(MANUALS); do install -D -m 644 -t $(MANDIR)/man$${page##*.} $$page || exit 1; done
	install -D -m 644 daemon/cli/weir.bash-completion \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/weir
	for unit in weir-node weir-master; do \
		install -d $(DESTDIR)$(UNITDIR) && sed 's#/usr/local/#$(PREFIX)/#' \
			daemon/units/$$unit.service >$(DESTDIR)$(UNITDIR)/$$unit.service || exit 1; \
	done
	install -d -m 755 $(DESTDIR)/etc/weir
	for name in node master; do \
		test -e $(DESTDIR)/etc/weir/$$name.conf || \
			$(BUILD)/bin/weir-$$name --print-config >$(DESTDIR)/etc/weir/$$name.conf || exit 1; \
	done
	@echo "Installed. Next: make dkms, then modprobe weir."

include kmod/kmod.mk
include daemon/daemon.mk
include tests/tests.mk

demo: setup
	tests/demo/run

.PHONY: all help clean manuals install demo

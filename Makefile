# SPDX-License-Identifier: GPL-2.0
# A thin front: the module is Kbuild's, the programs are daemon/daemon.mk's, the
# tests are tests/tests.mk's. Everything made lands in build/.

VERSION := 0.1.0
BUILD ?= build
KDIR ?= /lib/modules/$(shell uname -r)/build

all: help

help:
	@echo 'make demo        two routers, one master, real traffic, one answer (root; under 5 minutes)'
	@echo 'make check       everything CI runs (root)'
	@echo 'make module      build/kmod/RELEASE/weir.ko for the kernel in KDIR'
	@echo 'make programs    build/bin/weir, weir-node, weir-master'
	@echo 'make install     programs, man pages, units; module source for DKMS   [DESTDIR=]'
	@echo 'make dkms        add, build and install the module with DKMS (root)'
	@echo 'make lab-shell   a shell in a booted lab kernel, weir.ko loaded'
	@echo 'make lint        checkpatch, sparse, shellcheck'
	@echo 'make clean'

clean:
	rm -rf $(BUILD)

-include kmod/kmod.mk
include daemon/daemon.mk
-include tests/tests.mk

.PHONY: all help clean

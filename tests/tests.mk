# SPDX-License-Identifier: GPL-2.0
# Tests; included by the Makefile above. See docs/testing.md.
#
#	make check T='unit lab/smoke'	only these suites or tests
#	make check LAB_KERNELS=6.1	only this kernel

LAB_KERNELS ?= 6.1 6.12
export LAB_KERNELS
T ?=

include tests/cluster/cluster.mk
include tests/bench/bench.mk
include tests/bench/store.mk
include tests/bench/kernel.mk

setup:
	tests/setup

# The module for every kernel the lab boots. Sub-makes, because where the
# headers are is known only once setup has run.
lab-modules: setup
	@set -e; for k in $(LAB_KERNELS); do \
		$(MAKE) module KDIR="$$(tests/lab/kernel -k $$k headers)"; \
	done

host-tests: setup
	$(MAKE) -j"$$(nproc)" programs test-programs cluster-programs

check: lab-modules host-tests lint
	tests/run $(T)

check-unit: host-tests
	tests/run $$(tests/run -l | grep -e ^unit/ -e ^fuzz/)

check-lab: lab-modules host-tests
	tests/run lab

# The kernels of other Debian releases, and data races: tests/lab/matrix. Downloads and
# builds much the first time.
matrix: setup
	tests/setup matrix
	tests/lab/matrix $(NAMES)

lab-shell:
	@tests/lab/shell

# Scripts by shellcheck; the module by checkpatch, sparse and the kernel's semantic patches.
SHELL_SCRIPTS = $(shell git ls-files | xargs grep -lE '^\#!/bin/(ba)?sh|^\# shellcheck shell=' 2>/dev/null)

lint: lint-shell lint-kernel lint-cocci

lint-shell:
	shellcheck -x -P SCRIPTDIR -P . -e SC1091,SC2119,SC2120 $(SHELL_SCRIPTS)

lint-kernel:
	$(MAKE) module-lint KDIR="$$(tests/lab/kernel headers)" CHECKPATCH="$$(tests/kernel-scripts)/checkpatch.pl"

lint-cocci:
	tests/coccicheck

.PHONY: matrix setup lab-modules host-tests check check-unit check-lab lab-shell \
	lint lint-shell lint-kernel lint-cocci

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: 6.1 debug
# timeout: 600
#
# The module loaded and unloaded, metering switched, configured, dumped and flushed, subscribers
# killed, namespaces and interfaces made and deleted, all at once under traffic; every ledger is
# exact. For minutes, or the same again:
# tests/lab/run tests/lab/cases/kernel-torture.sh SECONDS SEED
. "${BASH_SOURCE%/*}/kernel-lib.sh"

parameters="table_flows=1024 log_batches=16"
# shellcheck disable=SC2086 # a list of words
load $parameters
keep_branches
network
ip link add up0 type veth peer up1 netns client
ip addr add 10.3.0.1/24 dev up0
ip link set up0 up
ip -n client addr add 10.3.0.2/24 dev up1
ip -n client link set up1 up
# shellcheck disable=SC2086 # a list of words
python3 tests/kernel/torture.py "${1:-20}" "${2:-$RANDOM}" "$module" $parameters
rmmod weir

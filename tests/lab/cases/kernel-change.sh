#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: 6.1 debug
# timeout: 600
# What is metered, where and how changes again and again under traffic: no packet is missed or counted twice.
. "${BASH_SOURCE%/*}/kernel-lib.sh"

load autostart=0 table_flows=1024 log_batches=64
keep_branches
network
in_router python3 tests/kernel/change.py "${1:-600}"
rmmod weir

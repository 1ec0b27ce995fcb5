#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: 6.1 debug
# timeout: 600
# What is counted and how it is kept: sampling, tables of another size, NAT.
. "${BASH_SOURCE%/*}/kernel-lib.sh"

keep_branches
load autostart=0
network
in_router python3 tests/kernel/sampling.py
in_router python3 tests/kernel/resize.py
in_router python3 tests/kernel/nat.py
rmmod weir

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: 6.1 6.12 debug
# timeout: 600
# Packets through a router are counted exactly, in the table and in the stream.
. "${BASH_SOURCE%/*}/kernel-lib.sh"

load
network
in_router python3 tests/kernel/meter.py
rmmod weir
dmesg | grep weir:

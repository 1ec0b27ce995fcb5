#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: 6.1 6.12 debug
# timeout: 600
# A scan against a table and a log that are far too small.
. "${BASH_SOURCE%/*}/kernel-lib.sh"

load autostart=0
network
# neighbour and group messages that the kernel sends when it likes would be lost, too
in_router sysctl -q net.ipv6.conf.all.disable_ipv6=1
in_router python3 tests/kernel/pressure.py
rmmod weir

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: 6.1 debug
# timeout: 600
#
# Random and mutated requests of every command, from many sockets at once, with and without
# the right to send them, under traffic. For longer, or the same again:
# tests/lab/run tests/lab/cases/kernel-netlink-fuzz.sh SECONDS SEED
. "${BASH_SOURCE%/*}/kernel-lib.sh"

load autostart=0
keep_branches
network
ip netns exec client ping -q -f -s 64 10.2.0.2 >/dev/null 2>&1 &
flood=$!
in_router python3 tests/kernel/fuzz.py "${1:-12}" "${@:2}"
kill "$flood"
rmmod weir

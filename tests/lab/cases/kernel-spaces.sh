#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: 6.1 6.12
# timeout: 600
#
# The initial namespace's instance covers the others: each packet once in each namespace it passes, from
# the first packet of a new one on, not where another instance meters; then the
# module goes while it does.
. "${BASH_SOURCE%/*}/kernel-lib.sh"

load table_flows=1024 log_batches=64
keep_branches
network
python3 tests/kernel/spaces.py
ip netns exec client ping -q -f 10.2.0.2 >/dev/null &
flood=$!
sleep 0.5
rmmod weir
kill "$flood"

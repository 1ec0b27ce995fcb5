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

# The command line: only here, and interfaces of other namespaces do not get names of ours.
weir=${WEIR_BUILD:-$PWD/build}/bin/weir
"$weir" set cover=off enabled=off
"$weir" set cover=on enabled=on
[[ $("$weir" get) =~ cover\ +on ]]
answer=$(in_router "$weir" set cover=on 2>&1) && exit 1
[[ $answer = *"only the initial network namespace covers others"* ]]
ip netns exec client ping -q -c 2 127.0.0.1 >/dev/null
number=$(stat -c %i /run/netns/client)
flows=$("$weir" live --json src host 127.0.0.1)
echo "$flows"
[[ $flows =~ \"netns\":\ *$number ]]
[[ $flows != *'"lo"'* ]]

ip netns exec client ping -q -f 10.2.0.2 >/dev/null &
flood=$!
sleep 0.5
rmmod weir
kill "$flood"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The round-trip and response times that a node derives from its records lie between
# what netem delays for certain and what ping and the two ends measured.
#
#	client c1 --- c0 router s0 --- s1 server	netem: c1 and s1, sending
. "${BASH_SOURCE%/*}/kernel-lib.sh"

client_delay=40 server_delay=110	# ms
state=$(mktemp -d)
build=${WEIR_BUILD:-$PWD/build}
export WEIR_BUILD=$build

modprobe sch_netem
network
# without offloads, lest a super-packet be delayed where its packets would not
for end in client:c1 server:s1; do
	ip netns exec "${end%:*}" ethtool -K "${end#*:}" gro off gso off tso off >/dev/null
done
ip netns exec client tc qdisc add dev c1 root netem delay ${client_delay}ms
ip netns exec server tc qdisc add dev s1 root netem delay ${server_delay}ms

load
cat >"$state/node.conf" <<CONF
[node]
name = router
state = $state/node
socket = $state/node.sock
interval = 2s
CONF
in_router "$build/bin/weir-node" -c "$state/node.conf" >"$state/log" 2>&1 &
node=$!
trap 'kill $node 2>/dev/null || true; tail -n 20 "$state/log"' ERR
for _ in $(seq 100); do
	[ -S "$state/node.sock" ] && break
	sleep 0.2
done
in_router python3 tests/kernel/round_trip.py "$state/node.sock" $client_delay $server_delay
kill $node
wait $node || true
rmmod weir

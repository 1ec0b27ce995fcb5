#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: 6.1 6.12 debug
# timeout: 900
# Unload under traffic with a subscriber attached, many times; then delete
# namespaces that meter under traffic.
. "${BASH_SOURCE%/*}/kernel-lib.sh"

rounds=${1:-50}

keep_branches
network
# Traffic the initial namespace sees, on both CPUs.
ip link add up0 type veth peer up1 netns client
ip addr add 10.3.0.1/24 dev up0
ip link set up0 up
ip -n client addr add 10.3.0.2/24 dev up1
ip -n client link set up1 up
traffic=()
for cpu in 0 1; do
	taskset -c $cpu ip netns exec client ping -q -f -s 64 10.3.0.1 >/dev/null 2>&1 &
	traffic+=($!)
done
trap 'kill "${traffic[@]}" 2>/dev/null || true' EXIT

load table_flows=1024 log_batches=16
coproc farewell { exec python3 tests/kernel/farewell.py "$rounds"; }
subscriber=$!
exec {said}<&"${farewell[0]}"	# bash forgets the coprocess's own when that ends
for ((round = 0; round < rounds; round++)); do
	read -r -t 60 -u "$said" word number
	[ "$word $number" = "ready $round" ]
	rmmod weir
	[ ! -e /proc/net/weir ] && [ ! -d /sys/module/weir ]
	[ $((round + 1)) = "$rounds" ] || load table_flows=1024 log_batches=16
done
read -r -t 60 -u "$said" last || true
wait "$subscriber"
echo "$rounds unloads; $last"

load autostart=0 table_flows=1024 log_batches=16
for round in 1 2 3; do
	for ns in a b; do
		ip netns add gone$ns
		ip -n gone$ns link set lo up
	done
	ip link add g0 netns gonea type veth peer g1 netns goneb
	ip -n gonea addr add 10.4.0.1/24 dev g0
	ip -n gonea link set g0 up
	ip -n goneb addr add 10.4.0.2/24 dev g1
	ip -n goneb link set g1 up
	for ns in a b; do
		ip netns exec gone$ns python3 -c "
import sys; sys.path.insert(0, 'tests/kernel')
import weirnl as w
w.Client().config(ENABLED=1)"
	done
	# the flood keeps namespace a alive a moment longer; b goes under it
	ip netns exec gonea timeout 3 ping -q -f 10.4.0.2 >/dev/null 2>&1 &
	sleep 0.5
	ip netns del goneb
	ip netns del gonea
	echo "namespaces gone, round $round"
done
rmmod weir

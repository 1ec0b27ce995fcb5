#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The main job, shown: packets in, one answer from the whole cluster out. internet.sh
# draws the network. Runs in the lab (make demo) or, with make demo HOST=1, on a machine that can load
# modules.

set -euo pipefail
. "${BASH_SOURCE%/*}/internet.sh"
trap internet_cleanup EXIT

seconds=${DEMO_SECONDS:-20}
began=$SECONDS

step() { printf '\n\033[1m[%3ds] %s\033[0m\n' $((SECONDS - began)) "$*"; }
note() { printf '       [%3ds] %s\n' $((SECONDS - began)) "$*"; }
pending() {
	python3 -c 'import json, sys
print(json.load(sys.stdin)["pending"]["packets"], "packets wait for it in the kernel")'
}

traffic() {
	local url

	start iperf_tcp a1 iperf3 --client 10.2.1.2 --time "$seconds" --bitrate 20M
	start ping4 a2 ping -q -i 0.2 -c $((seconds * 5)) 10.2.2.2
	start ping6 a2 ping -q -6 -i 0.2 -c $((seconds * 5)) fd00:2:2::2
	# shellcheck disable=SC2154 # start() sets pid_NAME
	while kill -0 "$pid_iperf_tcp" 2>/dev/null; do
		for url in http://10.2.1.2/page 'http://[fd00:2:1::2]/page' http://10.2.2.2/image; do
			in_ns a2 curl -s -o /dev/null "$url" || true
		done
		in_ns a1 dig +short +time=1 +tries=1 @10.2.1.2 web.example A >>"$dir/dig.log" || true
		in_ns a2 dig +short +time=1 +tries=1 @fd00:2:1::2 web.example AAAA >>"$dir/dig.log" || true
		sleep 0.3
	done
}

main() {
	local n

	step "Kernel $(uname -r), $(nproc) CPUs: loading the module"
	load_module
	step "A small internet: two routers, four hosts, one master, IPv4 and IPv6"
	topology
	configure
	step "Starting weir-master, and weir-node on both routers"
	start master master "$bin/weir-master" -c "$dir/master.conf"
	start_node r1
	start_node r2
	await "connection of both nodes to the master" 60 connected
	weir_master nodes

	step "Real traffic for ${seconds}s: HTTP, DNS, iperf3, ping"
	servers
	traffic &
	local traffic=$!
	pids+=("$traffic")
	sleep $((seconds / 3))
	note "kill -9 of weir-node on r1, under traffic; the kernel keeps its records"
	# shellcheck disable=SC2154
	kill -9 "$pid_r1"
	wait "$pid_r1" 2>/dev/null || true
	[ ! -e "/proc/$pid_r1" ] || die "weir-node on r1 survived kill -9"
	sleep 4
	note "r1 without its daemon: $(in_ns r1 "$bin/weir" stat --json | pending)"
	start_node r1
	note "weir-node on r1 started again; the flow with most bytes in its kernel now:"
	while kill -0 "$traffic" 2>/dev/null; do
		in_ns r1 "$bin/weir" live --limit 1 --sort bytes 2>/dev/null | sed -n 2p
		sleep 4
	done
	wait "$traffic"

	step "Letting the last flows end, and the master catch up"
	for n in 1 2; do in_ns r$n "$bin/weir" flush >/dev/null; done
	await "an exact ledger on the master" 60 "weir_master audit >/dev/null 2>&1"

	for n in 1 2; do
		step "Kernel of r$n"
		in_ns r$n "$bin/weir" stat
	done
	step "The cluster: top talkers"
	weir_master top --by host -n 8
	step "The cluster: top services"
	weir_master top --by service -n 8
	step "Newest flows to or from the web server, from both routers"
	weir_master flows 'host 10.2.1.2 and port 80' --limit 6
	step "What iperf3 itself says it received (payload, without headers)"
	grep receiver "$dir/iperf_tcp.log"
	weir_master top 'src host 10.1.1.2 and dst port 5201' --by src,dst -n 2
	step "Nodes"
	weir_master nodes
	step "The ledger, recounted from every stored record"
	weir_master audit --deep
	step "Done: nothing lost, nothing counted twice, with a kill -9 in the middle"
}

main

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The main job, shown: packets in, one answer from the whole cluster out.
#
#	 a1 ---+                                +--- b1   web, DNS, iperf3
#	       |                                |
#	       r1 ------ 10.0.0.0/30 ---------- r2
#	       |  \                           /  |
#	 a2 ---+   \                         /   +--- b2   web
#	            +------- master --------+
#
# r1 and r2 are routers and weir nodes: namespaces with the module metering in them
# and a weir-node each. The hosts behind them run ordinary programs. Site A is
# 10.1.0.0/16 and fd00:1::/32, site B 10.2.0.0/16 and fd00:2::/32.
#
# Runs in the lab (make demo) or, with make demo HOST=1, on a machine that can load modules. It
# touches nothing but namespaces named weir-*, a folder of its own and, if it was not loaded, the
# module.

set -euo pipefail

bin=${WEIR_BUILD:?folder with bin/ and the module}/bin
module=${WEIR_MODULE:?the weir.ko to load}
seconds=${DEMO_SECONDS:-20}
dir=$(mktemp -d "${TMPDIR:-/tmp}/weir-demo.XXXXXX")
began=$SECONDS
loaded=
pids=()

step() { printf '\n\033[1m[%3ds] %s\033[0m\n' $((SECONDS - began)) "$*"; }
note() { printf '       %s\n' "$*"; }
die() {
	printf 'demo: %s\n' "$*" >&2
	exit 1
}
in_ns() {
	local ns=weir-$1

	shift
	ip netns exec "$ns" "$@"
}

cleanup() {
	local status=$?

	[ $status = 0 ] || tail -n 20 "$dir"/*.log 2>/dev/null || true
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
	for ns in a1 a2 b1 b2 r1 r2 master; do ip netns del weir-$ns 2>/dev/null || true; done
	[ -z "$loaded" ] || rmmod weir || true
	rm -rf "$dir"
}
trap cleanup EXIT

# Poll until CONDITION holds; a sentence says what did not happen.
await() {
	local what=$1 limit=$((SECONDS + $2)) condition=$3

	until eval "$condition"; do
		[ $SECONDS -lt $limit ] || die "$what did not happen within $2 s"
		sleep 0.2
	done
}

# start NAME NAMESPACE COMMAND...: in the background, its output in $dir/NAME.log.
start() {
	local name=$1

	in_ns "$2" "${@:3}" >>"$dir/$name.log" 2>&1 &
	pids+=($!)
	eval "pid_$name=$!"
}

# --- topology -----------------------------------------------------------------

link() {	# NS1 IF1 ADDRESS1,.. NS2 IF2 ADDRESS2,..
	ip link add "$2" netns "weir-$1" type veth peer name "$5" netns "weir-$4"
	for address in ${3//,/ }; do in_ns "$1" ip addr add "$address" dev "$2" nodad; done
	for address in ${6//,/ }; do in_ns "$4" ip addr add "$address" dev "$5" nodad; done
	in_ns "$1" ip link set "$2" up
	in_ns "$4" ip link set "$5" up
}

topology() {
	local ns host

	for ns in a1 a2 b1 b2 r1 r2 master; do
		ip netns add weir-$ns
		in_ns $ns ip link set lo up
	done
	for ns in r1 r2; do
		in_ns $ns sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	done
	link a1 eth0 10.1.1.2/24,fd00:1:1::2/64 r1 a1 10.1.1.1/24,fd00:1:1::1/64
	link a2 eth0 10.1.2.2/24,fd00:1:2::2/64 r1 a2 10.1.2.1/24,fd00:1:2::1/64
	link b1 eth0 10.2.1.2/24,fd00:2:1::2/64 r2 b1 10.2.1.1/24,fd00:2:1::1/64
	link b2 eth0 10.2.2.2/24,fd00:2:2::2/64 r2 b2 10.2.2.1/24,fd00:2:2::1/64
	link r1 core 10.0.0.1/30,fd00::1/64 r2 core 10.0.0.2/30,fd00::2/64
	link r1 mgmt 10.9.1.1/30 master r1 10.9.1.2/30
	link r2 mgmt 10.9.2.1/30 master r2 10.9.2.2/30
	for host in a1:1:1 a2:1:2 b1:2:1 b2:2:2; do
		IFS=: read -r ns site n <<<"$host"
		in_ns "$ns" ip route add default via "10.$site.$n.1"
		in_ns "$ns" ip -6 route add default via "fd00:$site:$n::1"
	done
	in_ns r1 ip route add 10.2.0.0/16 via 10.0.0.2
	in_ns r2 ip route add 10.1.0.0/16 via 10.0.0.1
	in_ns r1 ip -6 route add fd00:2::/32 via fd00::2
	in_ns r2 ip -6 route add fd00:1::/32 via fd00::1
}

# --- daemons --------------------------------------------------------------------

configure() {
	local n

	cat >"$dir/master.conf" <<-CONF
	[master]
	name = master
	state = $dir/master
	socket = $dir/master.sock
	listen = 0.0.0.0:7410
	CONF
	for n in 1 2; do
		cat >"$dir/r$n.conf" <<-CONF
		[node]
		name = r$n
		state = $dir/r$n
		socket = $dir/r$n.sock
		interval = 2s

		[kernel]
		active_timeout = 5s
		idle_timeout = 3s

		[master demo]
		address = 10.9.$n.2:7410
		CONF
	done
}

start_node() { start "$1" "$1" "$bin/weir-node" -c "$dir/$1.conf"; }
weir_master() { "$bin/weir" "$@" --master --socket "$dir/master.sock"; }
stored() { "$bin/weir" nodes --json --node --socket "$dir/$1.sock" >/dev/null 2>&1; }
connected() {
	[ "$(weir_master nodes --json 2>/dev/null | grep -c '"connected": *true')" = 2 ]
}

# --- traffic --------------------------------------------------------------------

servers() {
	mkdir -p "$dir/www"
	head -c 300000 /dev/urandom >"$dir/www/page"
	head -c 4000000 /dev/urandom >"$dir/www/image"
	for ns in b1 b2; do
		start web_$ns $ns python3 -m http.server --bind :: --directory "$dir/www" 80
	done
	start dns b1 dnsmasq --no-daemon --no-resolv --no-hosts --user=root --conf-file=/dev/null \
		--address=/web.example/10.2.1.2 --address=/web.example/fd00:2:1::2
	start iperf b1 iperf3 --server
	for ns in b1 b2; do
		await "web server in $ns" 20 "in_ns a1 curl -s -o /dev/null 'http://10.2.${ns#b}.2/page'"
	done
	await "DNS server" 20 "in_ns a1 dig +short +time=1 +tries=1 @10.2.1.2 web.example >/dev/null"
}

traffic() {
	local url

	start iperf_tcp a1 iperf3 --client 10.2.1.2 --time "$seconds" --bitrate 20M
	start ping4 a2 ping -q -i 0.2 -c $((seconds * 5)) 10.2.2.2
	start ping6 a2 ping -q -6 -i 0.2 -c $((seconds * 5)) fd00:2:2::2
	while kill -0 "$pid_iperf_tcp" 2>/dev/null; do
		for url in http://10.2.1.2/page 'http://[fd00:2:1::2]/page' http://10.2.2.2/image; do
			in_ns a2 curl -s -o /dev/null "$url" || true
		done
		in_ns a1 dig +short +time=1 +tries=1 @10.2.1.2 web.example A >>"$dir/dig.log" || true
		in_ns a2 dig +short +time=1 +tries=1 @fd00:2:1::2 web.example AAAA >>"$dir/dig.log" || true
		sleep 0.3
	done
}

# --- the story ------------------------------------------------------------------

main() {
	local n

	step "Kernel $(uname -r), $(nproc) CPUs: loading the module"
	if [ ! -d /sys/module/weir ]; then
		insmod "$module"
		loaded=1
	fi
	step "A small internet: two routers, four hosts, one master, IPv4 and IPv6"
	topology
	configure
	step "Starting weir-master, and weir-node on both routers"
	start master master "$bin/weir-master" -c "$dir/master.conf"
	start_node r1
	start_node r2
	await "connection of both nodes to the master" 30 connected
	weir_master nodes

	step "Real traffic for ${seconds}s: HTTP, DNS, iperf3, ping"
	servers
	(
		sleep $((seconds / 3))
		note "[$((SECONDS - began))s] kill -9 of weir-node on r1, under traffic"
		kill -9 "$pid_r1"
	) &
	pids+=($!)
	(
		sleep $((seconds / 3 + 4))
		note "[$((SECONDS - began))s] weir-node on r1 starts again"
	) &
	pids+=($!)
	# The restart itself is in this shell, which owns the list of processes.
	traffic &
	pids+=($!)
	local traffic=$!
	sleep $((seconds / 3 + 4))
	start_node r1
	while kill -0 "$traffic" 2>/dev/null; do
		note "[$((SECONDS - began))s] r1: $(in_ns r1 "$bin/weir" live --limit 1 --sort bytes 2>/dev/null | tail -n 1)"
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

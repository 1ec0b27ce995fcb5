# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A small internet of network namespaces with weir in it; sourced by the demo and by lab cases.
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
# Touches nothing but namespaces named weir-*, the folder $dir and, if it was not
# loaded, the module; internet_cleanup takes all of it away again.

bin=${WEIR_BUILD:?folder with bin/ and kmod/}/bin
module=${WEIR_MODULE:-$WEIR_BUILD/kmod/$(uname -r)/weir.ko}
dir=$(mktemp -d "${TMPDIR:-/tmp}/weir.XXXXXX")
loaded=
pids=()
namespaces=(a1 a2 b1 b2 r1 r2 master)

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}
# nsenter and not ip netns exec: no mount of another sysfs for each command.
in_ns() { nsenter --net="/run/netns/weir-$1" -- "${@:2}"; }

internet_cleanup() {
	local status=$? pid ns

	[ $status = 0 ] || tail -n 20 "$dir"/*.log 2>/dev/null || true
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
	for ns in "${namespaces[@]}"; do ip netns del "weir-$ns" 2>/dev/null || true; done
	[ -z "$loaded" ] || rmmod weir || true
	rm -rf "$dir"
	return $status
}

load_module() {
	[ -d /sys/module/weir ] && return
	[ -f "$module" ] || die "no $module: make module KDIR=/lib/modules/$(uname -r)/build"
	insmod "$module"
	loaded=1
}

# Poll until CONDITION holds; a sentence says what did not happen.
await() {	# WHAT SECONDS CONDITION
	local limit=$((SECONDS + $2))

	until eval "$3"; do
		[ $SECONDS -lt $limit ] || die "$1 did not happen within $2 s"
		sleep 0.2
	done
}

# start NAME NAMESPACE COMMAND...: in the background, its output in $dir/NAME.log, its process id
# in $pid_NAME. nsenter becomes the command, so a kill -9 of that id is one of the command.
start() {
	nsenter --net="/run/netns/weir-$2" -- "${@:3}" >>"$dir/$1.log" 2>&1 &
	pids+=($!)
	printf -v "pid_$1" %s $!
}

# --- topology -----------------------------------------------------------------

# Addresses and routes are written down first and set in one go for each namespace: under
# emulation each process costs more than what it does.
plan() { printf '%s\n' "${@:2}" >>"$dir/plan.$1"; }	# NS COMMAND...

link() {	# NS1 IF1 ADDRESS4 ADDRESS6 NS2 IF2 ADDRESS4 ADDRESS6
	ip link add "$2" netns "weir-$1" type veth peer name "$6" netns "weir-$5"
	plan "$1" "addr add $3 dev $2" "addr add $4 dev $2 nodad" "link set $2 up"
	plan "$5" "addr add $7 dev $6" "addr add $8 dev $6 nodad" "link set $6 up"
}

topology() {
	local ns host site n

	for ns in "${namespaces[@]}"; do
		ip netns add "weir-$ns"
		plan "$ns" "link set lo up"
	done
	for ns in r1 r2; do
		in_ns $ns sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	done
	link a1 eth0 10.1.1.2/24 fd00:1:1::2/64 r1 a1 10.1.1.1/24 fd00:1:1::1/64
	link a2 eth0 10.1.2.2/24 fd00:1:2::2/64 r1 a2 10.1.2.1/24 fd00:1:2::1/64
	link b1 eth0 10.2.1.2/24 fd00:2:1::2/64 r2 b1 10.2.1.1/24 fd00:2:1::1/64
	link b2 eth0 10.2.2.2/24 fd00:2:2::2/64 r2 b2 10.2.2.1/24 fd00:2:2::1/64
	link r1 core 10.0.0.1/30 fd00::1/64 r2 core 10.0.0.2/30 fd00::2/64
	link r1 mgmt 10.9.1.1/30 fd00:9:1::1/64 master r1 10.9.1.2/30 fd00:9:1::2/64
	link r2 mgmt 10.9.2.1/30 fd00:9:2::1/64 master r2 10.9.2.2/30 fd00:9:2::2/64
	for host in a1:1:1 a2:1:2 b1:2:1 b2:2:2; do
		IFS=: read -r ns site n <<<"$host"
		plan "$ns" "route add default via 10.$site.$n.1" \
			"route add default via fd00:$site:$n::1"
	done
	plan r1 "route add 10.2.0.0/16 via 10.0.0.2" "route add fd00:2::/32 via fd00::2"
	plan r2 "route add 10.1.0.0/16 via 10.0.0.1" "route add fd00:1::/32 via fd00::1"
	for ns in "${namespaces[@]}"; do
		ip -n "weir-$ns" -batch "$dir/plan.$ns"
	done
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
connected() {
	[ "$(weir_master nodes --json 2>/dev/null | grep -o '"connected": *true' | wc -l)" = 2 ]
}

# --- traffic --------------------------------------------------------------------

servers() {
	mkdir -p "$dir/www"
	head -c 300000 /dev/urandom >"$dir/www/page"
	head -c 4000000 /dev/urandom >"$dir/www/image"
	for ns in b1 b2; do
		start web_$ns $ns busybox httpd -f -p '[::]:80' -h "$dir/www"
	done
	start dns b1 dnsmasq --no-daemon --no-resolv --no-hosts --user=root --conf-file=/dev/null \
		--address=/web.example/10.2.1.2 --address=/web.example/fd00:2:1::2
	start iperf b1 iperf3 --server
	for ns in b1 b2; do
		await "an answer of the web server in $ns" 40 "in_ns a1 curl -s -o /dev/null 'http://10.2.${ns#b}.2/page'"
	done
	await "an answer of the DNS server" 40 "in_ns a1 dig +short +time=1 +tries=1 @10.2.1.2 web.example >/dev/null"
}

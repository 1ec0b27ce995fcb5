# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by the kernel cases. Runs inside the lab, in a checkout with weir.ko
# built for the running kernel.
#
#	   client          router          server
#	  10.1.0.2 c1---c0 10.1.0.1
#	  fd01::2          fd01::1
#	                   10.2.0.1 s0---s1 10.2.0.2
#	                   fd02::1          fd02::2

set -euo pipefail

module=${WEIR_BUILD:-$PWD/build}/kmod/$(uname -r)/weir.ko
export PYTHONDONTWRITEBYTECODE=1

load() {
	[ -f "$module" ] || {
		echo "no $module: make module KDIR=\$(tests/lab/kernel headers)"
		exit 1
	}
	insmod "$module" "$@"
}

# Metering that begins or ends would switch netfilter's static branches on and off, that
# is, rewrite kernel code that the other CPU is executing. QEMU 7.2 with one thread a
# CPU can keep a translation of the int3 that is there for a moment, and the guest then
# spins on it for ever. Chains of our own keep the branches as they are: they are
# the whole kernel's, so chains of one namespace will do.
keep_branches() {
	local family hook

	for family in ip ip6 bridge; do
		for hook in prerouting input forward output postrouting; do
			nft -f - <<-NFT 2>/dev/null || [ "$family" = bridge ]
				table $family keep { chain $hook { type filter hook $hook priority 0; }; }
			NFT
		done
	done
	for hook in ingress egress; do	# egress came after 5.10
		nft -f - <<-NFT 2>/dev/null || true
			table netdev keep { chain $hook { type filter hook $hook device lo priority 0; }; }
		NFT
	done
}

in_router() {
	ip netns exec router "$@"
}

addresses() {	# NAMESPACE DEVICE IPV4 IPV6
	ip -n "$1" addr add "$3/24" dev "$2"
	ip -n "$1" addr add "$4/64" dev "$2" nodad
	ip -n "$1" link set "$2" up
}

network() {
	local ns

	for ns in client router server; do
		ip netns add "$ns"
		ip -n "$ns" link set lo up
		ip netns exec "$ns" sysctl -q net.ipv6.conf.default.router_solicitations=0
	done
	ip link add c0 netns router type veth peer c1 netns client
	ip link add s0 netns router type veth peer s1 netns server
	addresses client c1 10.1.0.2 fd01::2
	addresses router c0 10.1.0.1 fd01::1
	addresses router s0 10.2.0.1 fd02::1
	addresses server s1 10.2.0.2 fd02::2
	in_router sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	ip -n client route add default via 10.1.0.1
	ip -n client route add default via fd01::1
	ip -n server route add default via 10.2.0.1
	ip -n server route add default via fd02::1
	ip netns exec client sysctl -q net.ipv4.ping_group_range='0 0'
	in_router ping -q -c 1 -W 5 10.1.0.2 >/dev/null
	in_router ping -q -c 1 -W 5 fd02::2 >/dev/null
}

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: 6.1 6.12
# timeout: 600
#
# Each packet is counted once in netdev and bridge mode, and in modes together.
#
# Beside the network of kernel-lib.sh, in the router:
#	client c1.5 10.15.0.2 --- c0.5 10.15.0.1; tunnels between c1 and c0, N.2 --- N.1 of 10.21.0.0 ...
#	guest  m1 10.2.0.9, a macvlan of s0
#	left  10.5.0.2 l1---l0 [br0 10.5.0.1] r0---r1 10.5.0.3 right
#	                                      t0---t1 10.5.0.4 third
#	      l1.7 10.17.0.2                         r1.7 10.17.0.3
. "${BASH_SOURCE%/*}/kernel-lib.sh"

# NAMESPACE ADDRESS ROUTER-END PEER-END: a host on a port of br0
port() {
	ip netns add "$1"
	ip link add "$3" netns router type veth peer "$4" netns "$1"
	ip netns exec "$1" sysctl -q net.ipv6.conf.default.disable_ipv6=1
	ip -n "$1" addr add "$2/24" brd + dev "$4"
	ip -n "$1" link set "$4" up
	ip -n router link set "$3" up master br0
	ip -n "$1" route add default via 10.5.0.1
}

# NAMESPACE END LOCAL REMOTE: its ends of all tunnels
tunnels() {
	ip -n "$1" link add ipip1 type ipip local "$3" remote "$4"
	ip -n "$1" link add gre1 type gre local "$3" remote "$4" key 9
	ip -n "$1" link add vxlan1 type vxlan id 9 dstport 4789 local "$3" remote "$4"
	ip -n "$1" link set vxlan1 address "02:00:00:00:23:0$2"
	ip -n "$1" neigh add "10.23.0.$6" lladdr "02:00:00:00:23:0$6" dev vxlan1
	ip -n "$1" addr add "10.21.0.$2/24" dev ipip1
	ip -n "$1" addr add "10.22.0.$2/24" dev gre1
	ip -n "$1" addr add "10.23.0.$2/24" dev vxlan1
	ip -n "$1" addr add "10.24.0.$2/32" dev lo
	ip -n "$1" addr add "10.25.0.$2/24" dev "$5"
	for dev in ipip1 gre1 vxlan1; do
		ip netns exec "$1" sysctl -q "net.ipv6.conf.$dev.disable_ipv6=1"
		ip -n "$1" link set "$dev" up
	done
	ip -n "$1" route add "10.24.0.$6/32" via "$4" src "10.24.0.$2"
}

# NAMESPACE DIRECTION SOURCE DESTINATION SPI MODE [OUTER-SOURCE OUTER-DESTINATION]
ipsec() {
	local from=${7:-$3} to=${8:-$4}

	ip -n "$1" xfrm state add src "$from" dst "$to" proto esp spi "$5" reqid "$5" mode "$6" \
		auth 'hmac(sha256)' "0x$(printf '%064d' 1)" enc 'cbc(aes)' "0x$(printf '%032d' 2)" sel src "$3" dst "$4"
	ip -n "$1" xfrm policy add src "$3" dst "$4" dir "$2" \
		tmpl src "$from" dst "$to" proto esp reqid "$5" mode "$6"
}

keep_branches
load autostart=0
network
for module in br_netfilter ipip ip_gre vxlan esp4 8021q macvlan; do
	modprobe "$module" 2>/dev/null || true
done

ip -n router link add br0 type bridge mcast_snooping 0
ip -n router addr add 10.5.0.1/24 brd + dev br0
ip -n router link set br0 up
port left 10.5.0.2 l0 l1
port right 10.5.0.3 r0 r1
port third 10.5.0.4 t0 t1
for end in left:l1:2 right:r1:3; do
	IFS=: read -r ns dev host <<<"$end"
	ip -n "$ns" link add "$dev.7" link "$dev" type vlan id 7
	ip -n "$ns" addr add "10.17.0.$host/24" dev "$dev.7"
	ip -n "$ns" link set "$dev.7" up
done
for end in client:c1:2 router:c0:1; do
	IFS=: read -r ns dev host <<<"$end"
	ip -n "$ns" link add "$dev.5" link "$dev" type vlan id 5
	ip -n "$ns" addr add "10.15.0.$host/24" dev "$dev.5"
	ip -n "$ns" link set "$dev.5" up
done
ip netns add guest
ip -n router link add m1 link s0 type macvlan mode bridge
ip -n router link set m1 netns guest
ip -n guest addr add 10.2.0.9/24 dev m1
ip -n guest link set m1 up

tunnels client 2 10.1.0.2 10.1.0.1 c1 1
tunnels router 1 10.1.0.1 10.1.0.2 c0 2
for ns in client router; do
	there=out back=in
	[ "$ns" = client ] || { there=in back=out; }
	ipsec "$ns" "$there" 10.24.0.2 10.24.0.1 0x101 tunnel 10.1.0.2 10.1.0.1
	ipsec "$ns" "$back" 10.24.0.1 10.24.0.2 0x102 tunnel 10.1.0.1 10.1.0.2
	ipsec "$ns" "$there" 10.25.0.2 10.25.0.1 0x103 transport
	ipsec "$ns" "$back" 10.25.0.1 10.25.0.2 0x104 transport
	ip netns exec "$ns" sysctl -q net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
done
for dev in c0 c0/5 s0 br0; do
	in_router sysctl -q "net.ipv4.conf.${dev}.rp_filter=0"
done

for pair in left:10.5.0.3 left:10.5.0.4 right:10.5.0.4 left:10.17.0.3 router:10.5.0.2 router:10.5.0.3 \
	router:10.5.0.4 client:10.15.0.1 guest:10.2.0.2 client:10.21.0.1 client:10.22.0.1 \
	client:10.23.0.1 client:10.24.0.1 client:10.25.0.1; do
	ip netns exec "${pair%:*}" ping -q -c 1 -W 5 "${pair#*:}" >/dev/null ||
		{ echo "no answer: $pair"; exit 1; }
done
# shellcheck disable=SC2086 # a list of words
in_router python3 tests/kernel/modes.py ${WEIR_TESTS:-}
rmmod weir

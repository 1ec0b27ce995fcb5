#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: 6.1 6.12
# timeout: 600
#
# Each packet is counted once, where the kernel shows it to netfilter twice: loopback, looped
# multicast, br_netfilter, VRF and routes between VRFs, IPVS. In routed and ingress mode, changed
# at run time.
#
# Beside the network of kernel-lib.sh, in the router:
#	left 10.5.0.2 l1---l0 [br0 10.5.0.1] r0---r1 10.5.0.3 right
#	red  10.6.0.2 d1---d0 10.6.0.1 (vrf red)   10.7.0.1 b0---b1 10.7.0.2 blue (vrf blue)
. "${BASH_SOURCE%/*}/kernel-lib.sh"

once() { in_router python3 tests/kernel/once.py "$@"; }
from() { ip netns exec "$1" python3 tests/kernel/once.py send "${@:2}"; }

# NAMESPACE ADDRESS ROUTER-END [PEER-END]: a host on a cable to the router
host() {
	ip netns add "$1"
	ip link add "$3" netns router type veth peer "$4" netns "$1"
	ip -n "$1" addr add "$2/24" dev "$4"
	ip -n "$1" link set "$4" up
	ip -n router link set "$3" up
}

keep_branches
load autostart=0
network

modprobe br_netfilter
host left 10.5.0.2 l0 l1
host right 10.5.0.3 r0 r1
ip -n router link add br0 type bridge
ip -n router link set l0 master br0
ip -n router link set r0 master br0
ip -n router addr add 10.5.0.1/24 dev br0
ip -n router link set br0 up
ip -n left route add default via 10.5.0.1
in_router sysctl -q net.bridge.bridge-nf-call-iptables=1

modprobe vrf
for vrf in red:10:d:6 blue:20:b:7; do
	IFS=: read -r name table end net <<<"$vrf"
	host "$name" "10.$net.0.2" "${end}0" "${end}1"
	ip -n router link add "$name" type vrf table "$table"
	ip -n router link set "$name" up
	ip -n router link set "${end}0" master "$name"
	ip -n router addr add "10.$net.0.1/24" dev "${end}0"
	ip -n "$name" route add default via "10.$net.0.1"
done
ip -n router route add 10.7.0.0/24 dev blue vrf red
ip -n router route add 10.6.0.0/24 dev red vrf blue
in_router sysctl -q net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
for dev in d0 b0 red blue; do in_router sysctl -q "net.ipv4.conf.$dev.rp_filter=0"; done
for pair in left:10.5.0.3 left:10.5.0.1 red:10.6.0.1 blue:10.7.0.1; do
	ip netns exec "${pair%:*}" ping -q -c 1 -W 5 "${pair#*:}" >/dev/null
done

# PORT: the same in each mode, but for ports and hooks
forwarded_and_looped() {
	from client 10.2.0.2 $(($1 + 1))
	once expect "forwarded" $(($1 + 1)) 7 - 0 "observed=$2"
	from router 127.0.0.1 $(($1 + 2))
	once expect "loopback" $(($1 + 2)) 7 LOOPBACK 7
	from router 239.1.1.1 $(($1 + 3)) s0
	once expect "own multicast" $(($1 + 3)) 7
	from left 10.5.0.3 $(($1 + 4))
	once expect "bridged" $(($1 + 4)) 0 BRIDGED 7
	from left 10.2.0.2 $(($1 + 5))
	once expect "routed in from a bridge" $(($1 + 5)) 7 - 0 "observed=$2"
	from left 10.5.0.1 $(($1 + 6))
	once expect "to the host from a bridge" $(($1 + 6)) 7
	from left 10.5.0.255 $(($1 + 7))
	once expect "broadcast in a bridge" $(($1 + 7)) 7
	from router 10.5.0.3 $(($1 + 8))
	once expect "sent through a bridge" $(($1 + 8)) 7
	from red 10.6.0.1 $(($1 + 9))
	once expect "into a VRF" $(($1 + 9)) 7
	from router 10.6.0.2 $(($1 + 10)) red
	once expect "out of a VRF" $(($1 + 10)) 7 L3MASTER 7
	from red 10.7.0.2 $(($1 + 11))
	once expect "from VRF to VRF" $(($1 + 11)) 7
	from router 10.6.0.1 $(($1 + 12)) red
	once expect "inside a VRF" $(($1 + 12)) 7 L3MASTER 7
}

virtual_server() {
	if modprobe ip_vs 2>/dev/null && modprobe ip_vs_rr 2>/dev/null &&
		command -v ipvsadm >/dev/null; then
		in_router ipvsadm -A -u "10.1.0.1:$1" -s rr
		in_router ipvsadm -a -u "10.1.0.1:$1" -r "10.2.0.2:$1" -m
		from client 10.1.0.1 "$1"
		once expect "a virtual server" "$1" 7
	else
		echo "no ipvsadm or ip_vs here: not tried"
	fi
}

once on routed
forwarded_and_looped 7000 1
virtual_server 7099
echo "ingress"
once on ingress
forwarded_and_looped 7100 4
virtual_server 7199
once on routed
from client 10.2.0.2 7201
once expect "routed again" 7201 7 - 0 observed=1
rmmod weir

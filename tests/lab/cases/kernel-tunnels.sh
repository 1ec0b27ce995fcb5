#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: 6.1 debug
# timeout: 600
#
# Looking into tunnels, and not: IPIP and its kin, GRE, VXLAN, GENEVE, GTP-U. The client sends
# super-packets through them, the router meters and forwards them, and its card towards the
# server can nothing, so that they are cut there: what the server's card counts is what the router
# must have counted. Fragments find their ports.
. "${BASH_SOURCE%/*}/kernel-lib.sh"

in_client() { ip netns exec client "$@"; }
in_server() { ip netns exec server "$@"; }

tunnels=()
# NAME KIND ID FAMILY OPTIONS...: a tunnel from client to server; KIND as in enum weir_tunnel
tunnel() {
	local name=$1 kind=$2 id=$3 family=$4 near far inner=fd11:${#tunnels[@]}:: bits=64 nodad=nodad
	shift 4
	[ "$family" = 4 ] && near=10.1.0.2 far=10.2.0.2
	[ "$family" = 6 ] && near=fd01::2 far=fd02::2
	[ "$1" = sit ] || inner=10.1${#tunnels[@]}.0. bits=24 nodad=
	if [ "$1" = geneve ]; then	# which finds its own address
		ip -n client link add "t$name" type "$@" remote "$far"
		ip -n server link add "t$name" type "$@" remote "$near"
	else
		ip -n client link add "t$name" type "$@" local "$near" remote "$far"
		ip -n server link add "t$name" type "$@" local "$far" remote "$near"
	fi
	ip -n client link set "t$name" addrgenmode none
	ip -n server link set "t$name" addrgenmode none
	ip -n client addr add "${inner}1/$bits" dev "t$name" $nodad
	ip -n server addr add "${inner}2/$bits" dev "t$name" $nodad
	ip -n client link set "t$name" up
	ip -n server link set "t$name" up
	tunnels+=("$name,$kind,$id,${inner}2")
}

load autostart=0
network

in_server nft -f - <<-NFT
	table netdev count {
		chain in {
			type filter hook ingress device s1 priority 0
			# the router itself asks whether its neighbour is still there
			icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
			ip daddr 10.2.0.2 counter
			ip6 daddr fd02::2 counter
		}
	}
NFT
in_router ethtool -K s0 tx off sg off tso off gso off >/dev/null

tunnel ipip 1 0 4 ipip
tunnel sit 1 0 4 sit
tunnel ip6tnl 1 0 6 ip6tnl mode any
tunnel gre 2 7 4 gre key 7 csum
tunnel gretap 2 8 4 gretap key 8
tunnel vxlan 3 42 4 vxlan id 42 dstport 4789
tunnel vxlan6 3 43 6 vxlan id 43 dstport 4789
tunnel geneve 4 44 4 geneve id 44
ip -n client link set tvxlan6 mtu 1430
ip -n server link set tvxlan6 mtu 1430

echo "looked into:"
in_router python3 tests/kernel/tunnels.py 0x3e "${tunnels[@]}"
echo "not looked into:"
in_router python3 tests/kernel/tunnels.py 0 "${tunnels[@]}"
rmmod weir

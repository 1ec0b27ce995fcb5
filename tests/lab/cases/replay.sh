#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
# by hand: yes
# Real captures through a veth give the reference's packets, bytes and TCP flags, per five-tuple, in
# routed mode: those that routing delivers whole. See replay-arrival.sh for all of them.
#
#	sender  out ---- in  meter: every address is its own, INPUT drops behind the meter
. "${BASH_SOURCE%/*}/kernel-lib.sh"

captures=$PWD/../shared/pcaps
if [ ! -d "$captures" ]; then
	echo "skipped: the captures are not in ../shared/pcaps"
	exit 4
fi

load
ip netns add sender
ip netns add meter
ip link add out netns sender mtu 65535 type veth peer name in netns meter mtu 65535
for pair in sender:out meter:in; do
	ns=${pair%:*} dev=${pair#*:}
	ip netns exec "$ns" sysctl -q net.ipv6.conf."$dev".router_solicitations=0 \
		net.ipv6.conf."$dev".accept_ra=0 net.ipv6.conf."$dev".addr_gen_mode=1
	ip netns exec "$ns" ethtool -K "$dev" gro off gso off tso off >/dev/null
	ip -n "$ns" link set lo up
	ip -n "$ns" link set "$dev" up
done
ip netns exec meter sysctl -q net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.in.rp_filter=0 \
	net.ipv4.conf.all.accept_local=1 net.ipv4.conf.in.accept_local=1 net.ipv4.conf.all.route_localnet=1
ip -n meter addr add 192.0.2.1/24 dev in
ip -n meter -6 addr add 2001:db8:ffff::1/64 dev in nodad
ip -n meter route add local default dev lo
ip -n meter -6 route add local default dev lo
# No ip_forward, so nothing is forwarded; and nothing may answer, an answer would be a flow too.
ip netns exec meter nft -f - <<'NFT'
table inet quiet {
	chain input { type filter hook input priority 1000; policy drop; }
}
NFT
mac=$(ip -n meter -j link show in | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["address"])')
ip netns exec meter python3 -c '
import sys; sys.path.insert(0, "tests/kernel")
import weirnl
weirnl.Client().config(ENABLED=1)'
WEIR_METER_NS=meter ip netns exec sender python3 tests/kernel/replay.py "$captures" out "$mac"
rmmod weir

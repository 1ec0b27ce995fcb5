#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 1800
# All real captures through a veth are metered as the reference says.
#
#	sender  out ---- in  meter: everything is dropped behind the meter
#
# Arguments choose runs, each MODE[,OPTION]...: see tests/kernel/replay_arrival.py. By themselves: each
# fragment as it comes and checksums as they are, and the opposite of both.
#
#	tests/lab/run -t 1800 tests/lab/cases/replay-arrival.sh netdev ingress,repair
. "${BASH_SOURCE%/*}/kernel-lib.sh"

captures=${WEIR_CAPTURES:-$PWD/../shared/pcaps}
if [ ! -d "$captures" ]; then
	echo "skipped: the captures are not in ../shared/pcaps"
	exit 4
fi
if [ $# = 0 ]; then
	set -- ingress,vlans ingress,defrag,repair
fi

network() {
	local ns dev pair

	ip netns add sender
	ip netns add meter
	ip link add out netns sender mtu 65535 type veth peer name in netns meter mtu 65535
	for pair in sender:out meter:in; do
		ns=${pair%:*} dev=${pair#*:}
		ip netns exec "$ns" ethtool -K "$dev" gro off gso off tso off >/dev/null
		ip -n "$ns" link set "$dev" addrgenmode none
		ip -n "$ns" link set lo up
		ip -n "$ns" link set "$dev" up
	done
	# behind weir, whose hooks are just after those that put fragments together
	ip netns exec meter nft -f - <<-'NFT'
	table inet quiet {
		chain rest { type filter hook prerouting priority -350; policy drop; }
	}
	NFT
}

# Connection tracking that somebody uses. What is incomplete stays, whatever the clock says.
defrag() {
	ip netns exec meter nft -f - <<-'NFT'
	table inet tracked {
		chain in { type filter hook input priority 0; ct state new counter; }
	}
	NFT
	ip netns exec meter sysctl -q net.ipv4.ipfrag_max_dist=0 net.ipv4.ipfrag_time=100000 \
		net.ipv4.ipfrag_high_thresh=268435456 net.netfilter.nf_conntrack_frag6_timeout=100000 \
		net.netfilter.nf_conntrack_frag6_high_thresh=268435456
}

replay() {	# MODE OPTION...
	local mode=$1 option
	shift

	network
	for option; do
		if [ "$option" = defrag ]; then
			defrag
		fi
	done
	ip netns exec meter python3 - "$mode" <<-'PYTHON'
	import sys; sys.path.insert(0, "tests/kernel")
	import weirnl as w
	modes = {"ingress": w.WEIR_MODE_INGRESS, "netdev": w.WEIR_MODE_NETDEV}
	interfaces = {"INTERFACES": "in"} if sys.argv[1] == "netdev" else {}
	w.Client().config(ENABLED=1, MODES=1 << modes[sys.argv[1]], **interfaces)
	PYTHON
	echo "$mode $*"
	WEIR_METER_NS=meter ip netns exec sender tests/kernel/replay_arrival.py --mode "$mode" \
		"${@/#/--}" "$captures" out in || failed=1
	ip netns del meter
	ip netns del sender
}

load
failed=0
for run; do
	IFS=, read -ra words <<<"$run"
	replay "${words[@]}"
done
rmmod weir
exit $failed

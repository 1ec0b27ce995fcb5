#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# iperf3's own byte count and the interfaces' counters agree with the flows, to the byte.
#
# Interface counters are of frames: IP length plus 14 bytes of Ethernet header for each packet. iperf3
# counts payload: IP length less 20 (IP) and 20 (TCP) bytes of header and the TCP options.
set -euo pipefail
. tests/demo/internet.sh
trap internet_cleanup EXIT

load_module
topology
configure
for pair in a1:eth0 a2:eth0 b1:eth0 b2:eth0 r1:a1 r1:a2 r1:core r2:core r2:b1 r2:b2; do
	# One packet a frame, so that interface counters count packets and not super-packets.
	in_ns "${pair%:*}" ethtool -K "${pair#*:}" tso off gso off gro off tx off >/dev/null 2>&1 || true
done
start master master "$bin/weir-master" -c "$dir/master.conf"
start_node r1
start_node r2
await "connection of both nodes to the master" 30 connected
start iperf b1 iperf3 --server
await "iperf3 server" 20 "in_ns b1 ss -Hltn 'sport = :5201' | grep -q ."

counters() { in_ns r1 python3 tests/kernel/wire.py "$@"; }
counters before "$dir/counters" a1
in_ns a1 iperf3 --client 10.2.1.2 --bytes 8M --json --set-mss 1000 >"$dir/iperf.json"
in_ns a2 ping -q -c 20 -i 0.05 10.2.2.2 >/dev/null
counters after "$dir/counters" a1 "$dir/r1.sock" "$dir/iperf.json"

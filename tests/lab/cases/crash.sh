#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
# kill -9 of node and master at 20 random moments under traffic: nothing lost, nothing twice.
set -euo pipefail
. tests/demo/internet.sh
trap internet_cleanup EXIT

kills=${CRASH_KILLS:-20}

start_master() { start master master "$bin/weir-master" -c "$dir/master.conf"; }

# Many short flows, so that every commit has something to lose.
chatter() {
	in_ns a1 python3 - <<'PY'
import socket, time
targets = [(socket.AF_INET, ("10.2.1.2", 0)), (socket.AF_INET6, ("fd00:2:1::2", 0))]
n = 0
while True:
    for family, (host, _) in targets:
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            for _ in range(20):
                n += 1
                s.sendto(bytes(n % 400), (host, 1024 + n % 20000))
    time.sleep(0.05)
PY
}

load_module
topology
configure
start_master
start_node r1
start_node r2
await "connection of both nodes to the master" 30 connected
chatter &
chatter=$!
pids+=("$chatter")

RANDOM=$(date +%s)
for ((i = 1; i <= kills; i++)); do
	sleep "$(printf '0.%02d' $((RANDOM % 100)))"
	case $((i % 3)) in
	0) victim=master ;;
	1) victim=r1 ;;
	2) victim=r2 ;;
	esac
	process=pid_$victim
	kill -9 "${!process}"
	wait "${!process}" 2>/dev/null || true
	sleep "$(printf '0.%02d' $((RANDOM % 100)))"
	if [ "$victim" = master ]; then start_master; else start_node "$victim"; fi
	echo "kill $i of $kills: $victim"
done
sleep 3
kill "$chatter"
wait "$chatter" 2>/dev/null || true

for n in r1 r2; do
	await "an attached weir-node on $n" 30 "in_ns $n '$bin/weir' flush >/dev/null 2>&1"
	in_ns $n python3 tests/kernel/stored.py "$dir/$n.sock"
done
await "an exact ledger on the master" 60 "weir_master audit --deep >/dev/null 2>&1"
weir_master audit --deep
weir_master nodes

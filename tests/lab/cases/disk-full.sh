#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A full disk stops storing with a sentence and loses nothing; records wait in the kernel, or are refused and
# summed up, as when_full says; storing resumes when there is room.
set -euo pipefail
. tests/demo/internet.sh
trap 'umount --lazy "$dir/r1" 2>/dev/null || true; internet_cleanup' EXIT

ballast() { dd if=/dev/zero of="$dir/r1/ballast" bs=64k 2>/dev/null || true; }
burst() {
	in_ns a1 python3 - <<'PY'
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    for n in range(4000):
        s.sendto(b"x" * 64, ("10.2.2.2", 1024 + n))
PY
}

load_module
topology
configure
sed -i '/^interval/a min_free = 1M\nwhen_full = wait' "$dir/r1.conf"
mkdir -p "$dir/r1"
mount -t tmpfs -o size=32M,mode=0700 weir-disk "$dir/r1"
start master master "$bin/weir-master" -c "$dir/master.conf"
start_node r1
start_node r2
await "connection of both nodes to the master" 30 connected
burst
ballast
burst
in_ns r1 "$bin/weir" flush
await "a sentence about the full disk" 30 "grep -qi 'no room\|full\|no space' '$dir/r1.log'"
burst
in_ns r1 "$bin/weir" flush
grep -i 'no room\|full\|no space' "$dir/r1.log"
[ "$(grep -ci 'no room\|full\|no space' "$dir/r1.log")" -le 3 ] || die "the full disk floods the log"
in_ns r1 python3 - <<'PY' || die "the kernel does not keep what the full disk cannot take"
import sys; sys.path.insert(0, "tests/kernel")
import weirnl
stats = weirnl.check_ledgers(weirnl.Client())
print("pending in the kernel:", stats["PENDING"])
sys.exit(0 if stats["PENDING"][0] >= 4000 else 1)
PY
rm "$dir/r1/ballast"
in_ns r1 python3 tests/kernel/stored.py "$dir/r1.sock"
in_ns r2 python3 tests/kernel/stored.py "$dir/r2.sock"
await "an exact ledger on the master" 60 "weir_master audit --deep >/dev/null 2>&1"
tail -n 5 "$dir/r1.log"

# The other policy: acknowledged, refused, in every sum.
kill "$(cat "$dir/r1/lock")"
await "the end of the node" 30 "! in_ns r1 \"$bin/weir\" nodes --node --socket '$dir/r1.sock' >/dev/null 2>&1"
sed -i 's/^min_free.*/min_free = 8M/; s/^when_full.*/when_full = summaries/' "$dir/r1.conf"
start_node r1
await "connection of both nodes to the master" 30 connected
dd if=/dev/zero of="$dir/r1/ballast" bs=64k count=$((($(stat -f -c '%a*%S' "$dir/r1") - (4 << 20)) >> 16)) 2>/dev/null
burst
in_ns r1 "$bin/weir" flush
await "a sentence about records refused" 30 "grep -q 'records are refused' '$dir/r1.log'"
burst
in_ns r1 "$bin/weir" flush
refused() {
	in_ns r1 "$bin/weir" audit --node --socket "$dir/r1.sock" --json | python3 -c '
import json, sys
for check in json.load(sys.stdin)["checks"]:
    for term in check["terms"]:
        if check["hop"] == "stream" and term["name"] == "refused":
            print(term["flows"])'
}
enough() { [ "$(refused)" -ge 4000 ]; }
await "refused records" 30 enough
in_ns r1 python3 - <<'PY' || die "the kernel keeps what was refused"
import sys, time; sys.path.insert(0, "tests/kernel")
import weirnl
for _ in range(60):
    stats = weirnl.check_ledgers(weirnl.Client())
    if stats["PENDING"][0] < 4000:
        sys.exit(0)
    time.sleep(0.5)
sys.exit(1)
PY
in_ns r1 "$bin/weir" audit --deep --node --socket "$dir/r1.sock"
rm "$dir/r1/ballast"
burst
in_ns r1 "$bin/weir" flush
await "records stored again" 60 "grep -q 'records are stored again' '$dir/r1.log'"
await "an exact ledger on the master" 60 "weir_master audit --deep >/dev/null 2>&1"
echo "refused: $(refused)"

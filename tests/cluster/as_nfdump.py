#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
"""weir flows --output nfdump is what nfdump itself writes of the same flows: every column of every line,
its heads and its closing summary. The flows go to nfcapd as NetFlow 9, which is written here."""

import glob
import ipaddress
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import Cluster, WEIR, free_port, say, skip, wait_for  # noqa: E402

for program in ("nfcapd", "nfdump"):
    if not shutil.which(program):
        skip(f"{program} is not installed")

SHOWN = 2000
# Element of NetFlow 9 and its bytes, behind the addresses: ports, protocol, flags, TOS, counters, first and last
# packet in ms of the exporter's uptime, interfaces, VLAN, MACs.
ELEMENTS = ((7, 2), (11, 2), (4, 1), (6, 1), (5, 1), (1, 8), (2, 8), (22, 4), (21, 4), (10, 4), (14, 4), (58, 2),
            (56, 6), (80, 6))
PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "icmp6": 58}
BITS = "CEUAPRSF"

cluster = Cluster(nodes=1, batches=60, rate=400)
cluster.start()
wait_for("everything at the master", 120, cluster.settled)
SOCKET = ["--node", "--socket", f"{cluster.folder}/n1.sock"]


def weir(*words):
    return subprocess.run([WEIR, "flows", "--limit", str(SHOWN), *words, *SOCKET], capture_output=True, text=True,
                          timeout=60, check=True).stdout


def flowset(number, content):
    content += b"\0" * (-len(content) % 4)
    return struct.pack("!HH", number, len(content) + 4) + content


def template(number, addresses, icmp):
    """Type and code of ICMP have an element of their own, where others have the destination port."""
    elements = tuple((32 if icmp and element == 11 else element, length) for element, length in ELEMENTS)
    fields = tuple((element, 16 if 27 in addresses else 4) for element in addresses) + elements
    return flowset(0, struct.pack("!HH", number, len(fields)) + b"".join(struct.pack("!HH", *f) for f in fields))


def mac(text):
    return bytes.fromhex(text.replace(":", "")) if text else bytes(6)


def record(flow, base_ms):
    flags = sum(1 << (7 - i) for i, letter in enumerate(BITS) if letter in flow.get("tcp_flags", ""))
    dport = flow.get("dport", flow.get("icmp_type", 0) * 256 + flow.get("icmp_code", 0))
    return (ipaddress.ip_address(flow["src"]).packed + ipaddress.ip_address(flow["dst"]).packed +
            struct.pack("!HHBBBQQIIIIH", flow.get("sport", 0), dport, PROTOCOLS[flow["proto"]], flags, flow["tos"],
                        flow["bytes"], flow["packets"], flow["start_ns"] // 10**6 - base_ms,
                        flow["end_ns"] // 10**6 - base_ms, flow["in_if"], flow["out_if"], flow.get("vlan", 0)) +
            mac(flow.get("src_mac")) + mac(flow.get("dst_mac")))


def send(flows, port):
    """NetFlow 9 from an exporter that booted an hour before the first flow."""
    base_ms = (min(f["start_ns"] for f in flows) // 10**9 - 3600) * 1000
    uptime_ms = max(f["end_ns"] for f in flows) // 10**6 - base_ms
    uptime_ms += -(base_ms + uptime_ms) % 1000  # the header has whole seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        sequence = 0
        for number, v6, icmp in ((256, False, False), (257, True, False), (258, False, True), (259, True, True)):
            these = [f for f in flows if (":" in f["src"]) == v6 and ("icmp" in f["proto"]) == icmp]
            for at in range(0, len(these), 10):
                sets = template(number, (27, 28) if v6 else (8, 12), icmp)
                sets += flowset(number, b"".join(record(f, base_ms) for f in these[at:at + 10]))
                s.sendto(struct.pack("!HHIIII", 9, 11, uptime_ms, (base_ms + uptime_ms) // 1000, sequence, 1) + sets,
                         ("127.0.0.1", port))
                sequence += 1
                time.sleep(0.002)


def collect(flows):
    folder, port = f"{cluster.folder}/nfcapd", free_port()
    os.mkdir(folder)
    collector = subprocess.Popen(["nfcapd", "-w", folder, "-b", "127.0.0.1", "-p", str(port), "-t", "3600"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("nfcapd", 10, lambda: f"{port:04X}" in open("/proc/net/udp", encoding="ascii").read())
    send(flows, port)
    time.sleep(1)
    collector.send_signal(signal.SIGTERM)
    collector.wait(timeout=20)
    return glob.glob(f"{folder}/nfcapd.*")[0]


def ask_nfdump(file, zone):
    return subprocess.run(["nfdump", "-r", file, "-o", "csv"], capture_output=True, text=True, check=True,
                          env={**os.environ, "TZ": zone}).stdout


def split(text):
    """Head, rows, and the closing lines."""
    lines = text.splitlines()
    end = lines.index("Summary")
    return lines[0], [line.split(",") for line in lines[1:end]], lines[end:]


flows = [json.loads(line) for line in weir("--json").splitlines()]
assert {f["proto"] for f in flows} == set(PROTOCOLS) and any(":" in f["src"] for f in flows)
file = collect(flows)
for zone in ("UTC", "EST5", "Europe/Berlin"):
    theirs = split(ask_nfdump(file, zone))
    ours = split(subprocess.run([WEIR, "flows", "--limit", str(SHOWN), "--output", "nfdump", *SOCKET],
                                capture_output=True, text=True, check=True, env={**os.environ, "TZ": zone}).stdout)
    assert ours[0] == theirs[0], "other heads"
    heads = theirs[0].split(",")
    # The exporter, and when it was heard: weir has none.
    known = [i for i, head in enumerate(heads) if head not in ("ra", "eng", "exid", "tr")]
    assert all(len(row) == len(heads) for row in ours[1])
    mine = sorted(tuple(row[i] for i in known) for row in ours[1])
    real = sorted(tuple(row[i] for i in known) for row in theirs[1])
    assert len(mine) == len(real) == SHOWN, (len(mine), len(real))
    for a, b in zip(mine, real):
        assert a == b, [(heads[i], x, y) for i, x, y in zip(known, a, b) if x != y]
    assert ours[2] == theirs[2], (ours[2], theirs[2])
say(f"{SHOWN} flows, {len(heads)} columns, in three time zones: to the letter what nfdump writes")
cluster.finish()

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Compare stored flows with an interface's counters and with iperf3's count.

    wire.py before FILE INTERFACE
    wire.py after  FILE INTERFACE NODE-SOCKET IPERF-JSON
"""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import stored

ETHERNET = 14


def counters(interface):
    text = subprocess.run(["ip", "-s", "-j", "link", "show", "dev", interface], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    stats = json.loads(text)[0]["stats64"]
    return {f"{way}_{what}": stats[way][what]
            for way in ("rx", "tx") for what in ("packets", "bytes")}


def flows(path):
    weir = os.path.join(os.environ["WEIR_BUILD"], "bin/weir")
    text = subprocess.run([weir, "flows", "--node", "--socket", path, "--limit", "0", "--json"],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def total(flows_chosen):
    chosen = list(flows_chosen)
    return sum(f["packets"] for f in chosen), sum(f["bytes"] for f in chosen)


def main():
    what, file, interface = sys.argv[1:4]
    if what == "before":
        with open(file, "w") as out:
            json.dump(counters(interface), out)
        return 0
    with open(file) as before:
        start = json.load(before)
    now = counters(interface)
    path, iperf = sys.argv[4:]
    sys.argv[1:] = [path]
    stored.main()
    every = flows(path)
    wrong = 0

    # Frames of the interface that are not in a flow of the host behind it are ARP and neighbour
    # discovery: few and small.
    host = "10.1.1.2"
    inward = total(f for f in every if f["src"] == host)
    outward = total(f for f in every if f["dst"] == host)
    for name, have, packets, octets in (("in", inward, "rx_packets", "rx_bytes"),
                                        ("out", outward, "tx_packets", "tx_bytes")):
        seen = now[packets] - start[packets], now[octets] - start[octets]
        spare = seen[0] - have[0], seen[1] - have[1] - ETHERNET * have[0]
        print(f"{name}: interface {seen}, flows {have}, left over {spare} (ARP, ND)")
        # an ARP frame is 42 bytes, a neighbour solicitation 86, a multicast report up to 130
        if not 0 <= spare[0] <= 20 or not 42 * spare[0] <= spare[1] <= 130 * spare[0]:
            wrong += 1

    with open(iperf) as text:
        end = json.load(text)["end"]
    retransmits = end["sum_sent"]["retransmits"]
    data = max((f for f in every if f["src"] == host and f.get("dport") == 5201),
               key=lambda f: f["bytes"])
    stream = [f for f in every if f["src"] == host and f.get("sport") == data["sport"]]
    packets, octets = total(stream)
    # 20 + 20 + 12 (timestamps); the SYN has 8 more of options; 37 bytes are iperf3's cookie
    payload = octets - 52 * packets - 8
    want = end["sum_sent"]["bytes"] + 37
    print(f"iperf3 sent {want} bytes with {retransmits} retransmissions; flows say {payload}")
    # Having lost segments, iperf3 may end with what it wrote to its socket unsent.
    least = end["sum_received"]["bytes"] + 37 if retransmits else want
    if payload < least or (retransmits == 0 and payload != want):
        wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

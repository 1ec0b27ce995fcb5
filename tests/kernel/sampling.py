#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""SAMPLING: what is counted and what is left out are all there was, and each record says the rate.

Run inside the router's namespace; kernel-cache.sh makes the network.
"""

import subprocess
import sys

import weirnl as w

# What is sent, to what is answered at once: one flow each way for every port.
SEND = """
import socket, sys
first, flows, count = map(int, sys.argv[1:])
for port in range(first, first + flows):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("10.1.0.2", port))
    s.connect(("10.2.0.2", 7))
    s.settimeout(5)
    for _ in range(count):
        s.send(b"sample")
        assert s.recv(100) == b"sample"
"""

ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.2.0.2", 7))
print("ready", flush=True)
while True:
    data, peer = s.recvfrom(100)
    s.sendto(data, peer)
"""
BYTES = 20 + 8 + len(b"sample")


def send(first, flows, count):
    subprocess.run(["ip", "netns", "exec", "client", sys.executable, "-c", SEND, str(first),
                    str(flows), str(count)], check=True)


def echoes(reader, client):
    """The records of our own traffic so far, by direction and port."""
    client.flush()
    reader.drain(0.5)
    mine = [f for f in reader.flows if f["protocol"] == 17 and 7 in (f["src_port"], f["dst_port"])]
    reader.flows.clear()
    return mine


def counted_and_left(client, before):
    after = w.check_ledgers(client)
    skipped = [after["SKIPPED"][w.WEIR_SKIP_SAMPLED][i] - before["SKIPPED"][w.WEIR_SKIP_SAMPLED][i]
               for i in (1, 2)]
    seen = [after["SEEN"][i] - before["SEEN"][i] for i in (1, 2)]
    assert after["SKIPPED"][w.WEIR_SKIP_SAMPLED][0] == 0
    return seen, skipped


def test_packets(client, reader):
    """Of a thousand packets each way a fifth or so, at random; all of them in SEEN or SKIPPED."""
    client.config(SAMPLING=5, SAMPLING_METHOD=w.WEIR_SAMPLING_PACKETS)
    before = w.check_ledgers(client)
    send(20000, 10, 100)
    seen, skipped = counted_and_left(client, before)
    flows = echoes(reader, client)
    taken = w.totals(flows)
    print(f"one of 5 packets: {taken[1]} of 2000 counted")
    assert all((f["sampling"], f["sampling_method"]) == (5, w.WEIR_SAMPLING_PACKETS)
               for f in flows), flows
    assert taken[2] == taken[1] * BYTES
    # a router's own neighbour discovery may come on top
    assert seen[0] + skipped[0] >= 2000 and seen[0] >= taken[1], (seen, skipped, taken)
    assert seen[1] + skipped[1] >= 2000 * BYTES
    assert 300 < taken[1] < 500, taken      # 400 and five standard deviations
    assert sum(f["out_of_order"] for f in flows) == 0


def test_flows(client, reader):
    """Of 200 conversations some, and of those every packet in both directions."""
    client.config(SAMPLING=4, SAMPLING_METHOD=w.WEIR_SAMPLING_FLOWS)
    before = w.check_ledgers(client)
    send(21000, 200, 3)
    seen, skipped = counted_and_left(client, before)
    flows = echoes(reader, client)
    there = {f["src_port"]: 0 for f in flows if f["dst_port"] == 7}
    back = {f["dst_port"]: 0 for f in flows if f["src_port"] == 7}
    for f in flows:     # a flow may be in two CPUs' tables
        (there if f["dst_port"] == 7 else back)[max(f["src_port"], f["dst_port"])] += f["packets"]
        assert (f["sampling"], f["sampling_method"]) == (4, w.WEIR_SAMPLING_FLOWS), f
    print(f"one of 4 connections: {len(there)} of 200 counted")
    assert there == back, (there, back)
    assert set(there.values()) == {3}, there
    assert 20 < len(there) < 85, len(there)
    assert seen[0] + skipped[0] >= 1200


def test_change(client, reader):
    """A flow in the table ends at its next packet: no record has packets of two rates."""
    client.config(SAMPLING=0)
    send(22000, 20, 2)
    client.config(SAMPLING=2, SAMPLING_METHOD=w.WEIR_SAMPLING_PACKETS)
    send(22000, 20, 20)
    client.config(SAMPLING=0)
    send(22000, 20, 2)
    flows = echoes(reader, client)
    rates = {0: 0, 2: 0}
    for f in flows:
        rates[f["sampling"]] += f["packets"]
        assert f["end_reason"] in (w.WEIR_END_FORCED, w.WEIR_END_IDLE), f
        assert f["packets"] <= (4 if f["sampling"] == 0 else 20), f
    print("packets by rate:", rates)
    assert rates[0] == 2 * 20 * (2 + 2), rates      # none of those is missing
    assert 0 < rates[2] < 2 * 20 * 20
    assert w.check_ledgers(client)["LOST"] == [(0, 0, 0)] * len(client.stats()["LOST"])


def main():
    echo = subprocess.Popen(["ip", "netns", "exec", "server", sys.executable, "-c", ECHO],
                            stdout=subprocess.PIPE, text=True)
    echo.stdout.readline()
    try:
        with w.Client() as client:
            client.config(ENABLED=1)
            reader = w.Reader(client)
            test_packets(client, reader)
            test_flows(client, reader)
            test_change(client, reader)
            assert client.config()["SAMPLING"] == 0
    finally:
        echo.kill()


main()

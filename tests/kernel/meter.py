#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Flows through a router have exactly the packets and bytes that were sent.

Run inside the router's namespace; kernel-meter.sh makes the network:
client 10.1.0.2 fd01::2 - router - server 10.2.0.2 fd02::2
"""

import subprocess
import sys
import threading

import weirnl as w

PAYLOAD = 100
COUNT = 7


def run(namespace, command):
    return subprocess.run(["ip", "netns", "exec", namespace, *command], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def python(namespace, program, *args):
    return run(namespace, [sys.executable, "-c", program, *map(str, args)])


SEND_UDP = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.bind(("", 5555))
for _ in range(int(sys.argv[2])):
    s.sendto(bytes(int(sys.argv[3])), (sys.argv[1], 7777))
"""

TCP_SERVER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], 8888)); s.listen()
print("ready", flush=True)
c, _ = s.accept()
n = 0
while data := c.recv(65536):
    n += len(data)
c.sendall(b"x" * 5000)
c.close()
"""

TCP_CLIENT = """
import socket, sys
s = socket.create_connection((sys.argv[1], 8888))
s.sendall(bytes(int(sys.argv[2])))
s.shutdown(socket.SHUT_WR)
n = 0
while data := s.recv(65536):
    n += len(data)
assert n == 5000
"""


def one(flows, **wanted):
    found = [f for f in flows if all(f[k] == v for k, v in wanted.items())]
    assert len(found) == 1, f"{len(found)} flows with {wanted}: {flows}"
    return found[0]


def merged(flows, **wanted):
    """A flow may be in several CPUs' tables: add it up (see traps: per-CPU duplicates)."""
    found = [f for f in flows if all(f[k] == v for k, v in wanted.items())]
    assert found, f"no flow with {wanted}: {flows}"
    return {"packets": sum(f["packets"] for f in found),
            "bytes": sum(f["bytes"] for f in found),
            "flags": __import__("functools").reduce(lambda a, f: a | f["tcp_flags"], found, 0),
            "all": found}


def interface_bytes(name, what):
    with open(f"/sys/class/net/{name}/statistics/{what}", encoding="ascii") as file:
        return int(file.read())


def test_ping(client, source, target, header, protocol, kind):
    size = header + 8 + PAYLOAD
    run("client", ["ping", "-q", "-c", str(COUNT), "-i", "0.01", "-s", str(PAYLOAD), target])
    flows = client.flows(FILTER_PROTOCOL=protocol)
    there = merged(flows, src=source, dst=target, dst_port=kind[0] * 256)
    back = merged(flows, src=target, dst=source, dst_port=kind[1] * 256)
    for way in (there, back):
        assert (way["packets"], way["bytes"]) == (COUNT, COUNT * size), way
    flow = there["all"][0]
    assert flow["observed"] == w.WEIR_OBSERVED_FORWARD
    assert flow["min_ttl"] == 63
    assert flow["in_ifindex"] and flow["out_ifindex"] and \
        flow["in_ifindex"] != flow["out_ifindex"]
    assert flow["src_mac"] != bytes(6)
    assert flow["end_reason"] == w.WEIR_END_NONE


def test_udp(client, source, target, header):
    python("client", SEND_UDP, target, COUNT, PAYLOAD)
    way = merged(client.flows(FILTER_PORT=5555, FILTER_PROTOCOL=17),
                 src=source, dst=target, src_port=5555, dst_port=7777)
    assert (way["packets"], way["bytes"]) == (COUNT, COUNT * (header + 8 + PAYLOAD)), way


def test_tcp(client, source, target, header):
    volume = 3_000_000
    server = subprocess.Popen(["ip", "netns", "exec", "server", sys.executable, "-c", TCP_SERVER,
                               target], stdout=subprocess.PIPE, text=True)
    server.stdout.readline()
    sent = interface_bytes("c0", "rx_bytes"), interface_bytes("c0", "rx_packets")
    python("client", TCP_CLIENT, target, volume)
    assert server.wait(10) == 0
    flows = client.flows(FILTER_PORT=8888)
    there = merged(flows, src=source, dst=target)
    back = merged(flows, src=target, dst=source)
    for way in (there, back):
        assert way["flags"] & 0x13 == 0x13, way       # SYN, ACK, FIN
    # Without offloads each frame is one packet: Ethernet's 14 bytes are the difference.
    octets = interface_bytes("c0", "rx_bytes") - sent[0]
    frames = interface_bytes("c0", "rx_packets") - sent[1]
    print(f"tcp to {target}: {there['packets']} packets {there['bytes']} bytes, "
          f"interface {frames} frames {octets} bytes, gso "
          f"{any(f['flags'] & w.WEIR_FLOW_GSO for f in there['all'])}")
    headers = there["bytes"] - volume
    assert there["packets"] * (header + 20) <= headers <= there["packets"] * (header + 40)
    assert sum(f["retransmitted"] for f in there["all"]) <= there["packets"] // 10
    assert any(f["payload_ns"] for f in there["all"])
    first = min(there["all"], key=lambda f: f["start_ns"])
    assert first["start_ns"] <= (first["second_ns"] or first["start_ns"])


def test_exact(client):
    """What one flow counts in a table is what its record says, and the ledger too."""
    for _ in range(20):         # a neighbour may be probed meanwhile: then look again
        before = w.check_ledgers(client)
        flows = client.flows()
        answer = client.flush()
        after = w.check_ledgers(client)
        if after["SEEN"] == before["SEEN"]:
            break
    else:
        raise AssertionError("the network never keeps quiet")
    # flows that were due at the same moment were moved by expiry and not by FLUSH
    assert w.totals(flows) == before["TABLE"], (w.totals(flows), before["TABLE"])
    assert answer["LEFT"] == 0
    assert answer["MOVED"] <= before["TABLE"][0]
    assert after["TABLE"] == (0, 0, 0), after
    reader = w.Reader(client)
    for _ in range(20):
        reader.drain()
        settled = w.check_ledgers(client)
        if settled["ACKED"] == settled["SEEN"]:
            break
        client.flush()
    assert settled["ACKED"] == settled["SEEN"] == settled["NUMBERED"], settled
    assert w.totals(reader.flows) == settled["SEEN"], (w.totals(reader.flows), settled)
    assert settled["OWNER"] == client.port
    assert {f["end_reason"] for f in reader.flows} <= {w.WEIR_END_FORCED, w.WEIR_END_DETECTED,
                                                       w.WEIR_END_IDLE, w.WEIR_END_ACTIVE}
    return reader


def test_under_traffic(client, reader):
    """The ledger balances per CPU at every look while packets come in."""
    stop = threading.Event()

    def flood():
        while not stop.is_set():
            run("client", ["ping", "-q", "-f", "-c", "300", "10.2.0.2"])
    threads = [threading.Thread(target=flood) for _ in range(2)]
    for thread in threads:
        thread.start()
    looks = 0
    try:
        for _ in range(150):
            w.check_ledgers(client)
            looks += 1
            if looks % 25 == 0:
                client.flush()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    client.flush()
    reader.drain()
    stats = w.check_ledgers(client)
    assert w.totals(reader.flows) == stats["NUMBERED"]
    print(f"{looks} looks at the ledger under traffic, {stats['SEEN'][1]} packets, exact")


def test_timeouts(client, reader):
    client.config(IDLE_TIMEOUT_MS=300, ACTIVE_TIMEOUT_MS=100_000, FIN_TIMEOUT_MS=200)
    del reader.flows[:]
    python("client", SEND_UDP, "10.2.0.2", 3, 10)
    while not [f for f in reader.flows if f["dst_port"] == 7777]:
        assert reader.take(6), "an idle flow was not reported"
    flow = one(reader.flows, dst_port=7777)
    assert (flow["end_reason"], flow["packets"]) == (w.WEIR_END_IDLE, 3)

    client.config(IDLE_TIMEOUT_MS=60_000, ACTIVE_TIMEOUT_MS=1000)
    del reader.flows[:]
    run("client", ["ping", "-q", "-c", "30", "-i", "0.1", "10.2.0.2"])
    while not [f for f in reader.flows if f["end_reason"] == w.WEIR_END_ACTIVE]:
        assert reader.take(6), "a flow that goes on was not reported"
    client.config(IDLE_TIMEOUT_MS=15_000, ACTIVE_TIMEOUT_MS=60_000, FIN_TIMEOUT_MS=2000)


def main():
    with w.Client() as client:
        client.config(ENABLED=1)
        test_ping(client, "10.1.0.2", "10.2.0.2", 20, 1, (8, 0))
        test_ping(client, "fd01::2", "fd02::2", 40, 58, (128, 129))
        test_udp(client, "10.1.0.2", "10.2.0.2", 20)
        test_udp(client, "fd01::2", "fd02::2", 40)
        test_tcp(client, "10.1.0.2", "10.2.0.2", 20)
        test_tcp(client, "fd01::2", "fd02::2", 40)
        reader = test_exact(client)
        test_under_traffic(client, reader)
        test_timeouts(client, reader)
        assert client.flows(FILTER_ADDR=b"\0" * 16, FILTER_PREFIX=0) is not None
        w.check_ledgers(client)


main()

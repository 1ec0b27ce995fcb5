#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What goes through tunnels, in super-packets and fragments, beside what leaves the router.

    tunnels.py LOOK_INSIDE TUNNEL...

LOOK_INSIDE is the mask of tunnels to look into. TUNNEL is NAME,KIND,ID,ADDRESS: what weir should find
behind the server's ADDRESS in the tunnel; KIND as in enum weir_tunnel.

Runs in the router of kernel-lib.sh, which meters what it forwards. Data go from the client to
the server. The server's network card counts what comes in, when all is cut to what a wire sees
(tables count4 and count6, made by the case): packets and bytes metered must be the same.
"""

import contextlib
import ctypes
import os
import re
import socket
import struct
import subprocess
import sys
import threading

import weirnl as w

CLONE_NEWNET = 0x40000000
SOL_UDP, UDP_SEGMENT = 17, 103
LIBC = ctypes.CDLL(None, use_errno=True)
STREAM = 600000
CLIENT, SERVER, SERVER6 = "10.1.0.2", "10.2.0.2", "fd02::2"


@contextlib.contextmanager
def namespace(name):
    """Sockets and processes made in it are there."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        if LIBC.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), name)
        yield
    finally:
        LIBC.setns(home, CLONE_NEWNET)
        os.close(there)
        os.close(home)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def make(name, address, kind):
    with namespace(name):
        return socket.socket(family_of(address), kind)


def counted():
    """Packets and bytes of IP that came to the server."""
    with namespace("server"):
        text = subprocess.run(["nft", "list", "table", "netdev", "count"], check=True,
                              capture_output=True, text=True).stdout
    found = re.findall(r"packets (\d+) bytes (\d+)", text)
    assert len(found) == 2, text
    return sum(int(p) for p, _ in found), sum(int(b) for _, b in found)


def merged(flows):
    """One of each key: a flow has a record from each CPU that saw packets of it."""
    found = {}
    for flow in flows:
        key = tuple(flow[name] for name in ("src", "dst", "src_port", "dst_port", "protocol",
                                            "tunnel", "tunnel_id", "tos"))
        key += (flow["flags"] & w.WEIR_FLOW_LATER_FRAGMENT,)
        into = found.setdefault(key, flow)
        if into is not flow:
            for name in ("packets", "bytes", "fragments", "retransmitted"):
                into[name] += flow[name]
            for name in ("flags", "tcp_flags"):
                into[name] |= flow[name]
    return list(found.values())


class Meter:
    def __init__(self, look_inside):
        self.client = w.Client()
        self.client.config(ENABLED=1, LOOK_INSIDE=look_inside, IDLE_TIMEOUT_MS=600000,
                           ACTIVE_TIMEOUT_MS=3600000, FIN_TIMEOUT_MS=600000)
        self.look_inside = look_inside
        self.device = socket.if_nametoindex("c0")

    def forwarded(self):
        return merged(flow for flow in self.client.flows() if flow["in_ifindex"] == self.device and
                      flow["observed"] == w.WEIR_OBSERVED_FORWARD)

    def both(self):
        """What was metered and what the server got, at a moment when nothing is on its way."""
        for _ in range(50):
            before = counted()
            flows = self.forwarded()
            if counted() == before:
                return flows, before
        raise TimeoutError("something never stops sending")

    def check(self, what, send, *expected):
        """Nothing is missing or too much; and among it is each of the @expected flows."""
        before, wire = self.both()
        send()
        flows, after = self.both()
        got = tuple(now - then for now, then in zip(w.totals(flows)[1:], w.totals(before)[1:]))
        truth = tuple(now - then for now, then in zip(after, wire))
        print(f"{what}: {got[0]} packets, {got[1]} bytes")
        assert got == truth, f"{what}: metered {got}, the server got {truth}: {flows}"
        for fields in expected:
            match = [flow for flow in flows
                     if all(flow[name] == value for name, value in fields.items())]
            assert len(match) == 1, f"{what}: {len(match)} flows with {fields}: {flows}"
            yield match[0]
        w.check_ledgers(self.client)


def stream(address, port):
    """A TCP connection with data from client to server, closed in both directions."""
    listener = make("server", address, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen()
    sender = make("client", address, socket.SOCK_STREAM)
    sender.settimeout(60)
    sender.connect((address, port))
    receiver, _ = listener.accept()

    def receive():
        got = 0
        while data := receiver.recv(1 << 16):
            got += len(data)
        assert got == STREAM
        receiver.close()

    thread = threading.Thread(target=receive)
    thread.start()
    sender.sendall(bytes(STREAM))
    sender.shutdown(socket.SHUT_WR)
    thread.join()
    assert sender.recv(1) == b""
    sender.close()
    listener.close()


def datagrams(address, port, data, segment=0):
    with make("client", address, socket.SOCK_DGRAM) as sender:
        if segment:
            sender.setsockopt(SOL_UDP, UDP_SEGMENT, segment)
        sender.sendto(data, (address, port))


def through_tunnel(meter, number, tunnel):
    name, kind, ident, address = tunnel.split(",")
    kind, ident, port = int(kind), int(ident), 6000 + number
    looked = meter.look_inside & 1 << kind
    inside = {"tunnel": kind, "tunnel_id": ident, "dst": address, "protocol": 6, "dst_port": port}
    flows = list(meter.check(name, lambda: stream(address, port), *([inside] if looked else [])))
    for flow in flows:
        assert flow["flags"] & w.WEIR_FLOW_GSO, f"{name}: no super-packet, nothing shown"
        assert flow["tcp_flags"] & 0x1b == 0x1b, flow
    if not looked:
        assert not any(flow["tunnel"] == kind for flow in meter.forwarded())
        assert any(flow["flags"] & w.WEIR_FLOW_GSO and flow["dst"] in (SERVER, SERVER6)
                   for flow in meter.forwarded())


def ipv4(src, dst, proto, payload, ident=1):
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, 0, 64, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst)) + payload


def gtp(teid, payload):
    return struct.pack(">BBHI", 0x30, 0xff, len(payload), teid) + payload


def by_hand(meter):
    """What the kernel has no device for here, and what must not be looked into."""
    looked = meter.look_inside & 1 << w.WEIR_TUNNEL_GTPU
    udp = struct.pack(">HHHH", 1111, 2222, 12, 0) + b"data"
    inner = gtp(77, ipv4("10.9.0.1", "10.9.0.2", 17, udp))
    outer = {"dst": SERVER, "dst_port": 2152, "protocol": 17, "tunnel": 0}
    found = {"dst": "10.9.0.2", "dst_port": 2222, "tunnel": w.WEIR_TUNNEL_GTPU, "tunnel_id": 77}
    for _ in meter.check("GTP-U", lambda: datagrams(SERVER, 2152, inner),
                         found if looked else outer):
        pass
    # ten of them in a super-packet have ten insides
    for flow in meter.check("GTP-U, segmented",
                            lambda: datagrams(SERVER, 2152, inner * 10, len(inner)),
                            {**outer, "packets": 10}):
        assert flow["flags"] & w.WEIR_FLOW_GSO, flow


def segmented_inside(meter, tunnel):
    """A super-packet of datagrams in a tunnel."""
    name, kind, ident, address = tunnel.split(",")
    if not meter.look_inside & 1 << int(kind):
        return
    found = {"dst": address, "dst_port": 7003, "tunnel_id": int(ident), "packets": 10}
    for flow in meter.check(f"{name}, segmented inside",
                            lambda: datagrams(address, 7003, bytes(7000), 700), found):
        assert flow["flags"] & w.WEIR_FLOW_GSO, flow


def fragments(meter):
    for address, port in ((SERVER, 7001), (SERVER6, 7002)):
        expected = {"dst": address, "dst_port": port, "packets": 3, "fragments": 3}
        for flow in meter.check(f"fragments to {address}",
                                lambda a=address, p=port: datagrams(a, p, bytes(4000)), expected):
            assert flow["flags"] & w.WEIR_FLOW_FRAGMENTS, flow
            assert not flow["flags"] & w.WEIR_FLOW_LATER_FRAGMENT, flow
    assert not any(flow["flags"] & w.WEIR_FLOW_LATER_FRAGMENT for flow in meter.forwarded())


def main():
    look_inside, *tunnels = sys.argv[1:]
    os.sched_setaffinity(0, {0})    # a datagram's fragments are found on one CPU
    meter = Meter(int(look_inside, 0))
    for number, tunnel in enumerate(tunnels):
        through_tunnel(meter, number, tunnel)
        segmented_inside(meter, tunnel)
    by_hand(meter)
    fragments(meter)
    meter.client.config(ENABLED=0)


main()

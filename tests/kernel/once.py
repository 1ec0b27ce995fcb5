#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""How often a packet is counted.

    once.py on            switch metering on in this namespace
    once.py send ADDRESS PORT [DEVICE]
                          COUNT datagrams, to be told apart by their port
    once.py expect WHAT PORT PACKETS [SKIPPED AT_LEAST]
                          PACKETS went to PORT, and SKIPPED grew by AT_LEAST since "on"
"""

import socket
import sys

import weirnl as w

COUNT = 7


def send(address, port, device=""):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        if device:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        for _ in range(COUNT):
            try:
                s.sendto(b"once", (address, int(port)))
            except ConnectionRefusedError:      # of the one before
                s.sendto(b"once", (address, int(port)))


def expect(what, port, packets, skipped="", at_least="0"):
    client = w.Client()
    stats = w.check_ledgers(client)
    flows = [f for f in client.flows(FILTER_PORT=int(port), FILTER_PROTOCOL=17)
             if f["dst_port"] == int(port)]
    got = sum(f["packets"] for f in flows)
    print(f"{what}: {got} packets in {len(flows)} flows, "
          f"at hooks {sorted(f['observed'] for f in flows)}")
    assert got == int(packets), f"{what}: {got} packets instead of {packets}: {flows}"
    if skipped:
        grew = stats["SKIPPED"][getattr(w, f"WEIR_SKIP_{skipped}")][1]
        assert grew >= int(at_least), f"{what}: {skipped} is {grew}, less than {at_least}"


def main():
    verb, *rest = sys.argv[1:]
    if verb == "on":
        w.Client().config(ENABLED=1, IDLE_TIMEOUT_MS=600000)
    else:
        {"send": send, "expect": expect}[verb](*rest)


main()

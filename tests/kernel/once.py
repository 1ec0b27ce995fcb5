#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""How often a packet is counted.

    once.py on [MODES [INTERFACES]]
                          meter this namespace, in modes as "ingress,bridge" ("routed")
    once.py send ADDRESS PORT [DEVICE]
                          COUNT datagrams, to be told apart by their port
    once.py expect WHAT PORT PACKETS [SKIPPED AT_LEAST [FIELD=VALUE...]]
                          PACKETS went to PORT, SKIPPED ("-": none) grew by AT_LEAST since
                          the last "expect" or "on", and in each flow FIELD is VALUE
"""

import json
import os
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
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for _ in range(COUNT):
            try:
                s.sendto(b"once", (address, int(port)))
            except ConnectionRefusedError:      # of the one before
                s.sendto(b"once", (address, int(port)))


STATE = "/tmp/once.skipped"


def skipped_since(stats):
    """What was skipped, by reason, since the call before."""
    now = [packets for _, packets, _ in stats["SKIPPED"]]
    before = [0] * len(now)
    if os.path.exists(STATE):
        with open(STATE, encoding="ascii") as file:
            before = json.load(file)
    with open(STATE, "w", encoding="ascii") as file:
        json.dump(now, file)
    return [a - b for a, b in zip(now, before)]


def expect(what, port, packets, skipped="-", at_least="0", *fields):
    client = w.Client()
    stats = w.check_ledgers(client)
    flows = [f for f in client.flows(FILTER_PORT=int(port), FILTER_PROTOCOL=17)
             if f["dst_port"] == int(port)]
    got = sum(f["packets"] for f in flows)
    print(f"{what}: {got} packets in {len(flows)} flows, "
          f"at hooks {sorted(f['observed'] for f in flows)}")
    assert got == int(packets), f"{what}: {got} packets instead of {packets}: {flows}"
    grew = skipped_since(stats)
    if skipped != "-":
        grew = grew[getattr(w, f"WEIR_SKIP_{skipped}")]
        assert grew >= int(at_least), f"{what}: {skipped} grew by {grew}, less than {at_least}"
    for field in fields:
        name, _, value = field.partition("=")
        assert {str(f[name]) for f in flows} == {value}, f"{what}: {name} is not {value}: {flows}"


def on(modes="routed", interfaces=""):
    values = {"INTERFACES": interfaces} if interfaces else {}
    bits = sum(1 << getattr(w, f"WEIR_MODE_{name.upper()}") for name in modes.split(","))
    client = w.Client()
    client.config(ENABLED=1, MODES=bits, IDLE_TIMEOUT_MS=600000, **values)
    assert client.config()["MODES"] == bits
    skipped_since(client.stats())


def main():
    verb, *rest = sys.argv[1:]
    {"on": on, "send": send, "expect": expect}[verb](*rest)


main()

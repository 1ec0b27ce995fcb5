#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Settings that change under traffic cost no packet and count none twice: change.py PINGS.

Runs in the router's namespace, where all traffic is pings that wait for each other: to the
server, through it, and to the router itself. Each is a request and a reply.
"""

import random
import re
import subprocess
import sys
import threading

import weirnl as w

ROUTED, INGRESS = 1 << w.WEIR_MODE_ROUTED, 1 << w.WEIR_MODE_INGRESS
NETDEV = 1 << w.WEIR_MODE_NETDEV
REQUEST, REPLY = 8 << 8, 0

# What changes together, so that a failure says what it was.
CHANGES = {
    "modes": lambda rng: {"MODES": rng.choice((ROUTED, INGRESS))},
    "interfaces": lambda rng: {"MODES": rng.choice((ROUTED, INGRESS, ROUTED | NETDEV, NETDEV)),
                               "INTERFACES": rng.choice(("*", "c* s0", "* !lo"))},
    "tables": lambda rng: {"TABLE_FLOWS": rng.choice((64, 512, 4096))},
    "tunnels": lambda rng: {"LOOK_INSIDE": rng.choice((0, 2, 62))},
    "timeouts": lambda rng: {"ACTIVE_TIMEOUT_MS": rng.randint(100, 300),
                             "IDLE_TIMEOUT_MS": rng.randint(100, 300)},
}


class Pings(threading.Thread):
    def __init__(self, address, count):
        super().__init__()
        self.address, self.count, self.failed = address, count, None

    def run(self):
        out = subprocess.run(["ip", "netns", "exec", "client", "ping", "-q", "-f", "-c",
                              str(self.count), self.address], capture_output=True, text=True,
                             check=False).stdout
        sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received",
                                            out).groups())
        if (sent, received) != (self.count, self.count):
            self.failed = f"{self.address}: {sent} sent, {received} came back"


def counted(flows):
    """Packets by address of the server's side and whether they are replies."""
    found = {}
    for flow in flows:
        if flow["protocol"] == 1 and flow["dst_port"] in (REQUEST, REPLY):
            reply = flow["dst_port"] == REPLY
            where = (flow["src" if reply else "dst"], reply)
            found[where] = found.get(where, 0) + flow["packets"]
    return found


def one_life(what, change, count, rng):
    with w.Client() as control, w.Client() as client:
        control.config(MODES=ROUTED, LOOK_INSIDE=0)
        control.config(ENABLED=1)
        reader = w.Reader(client)
        addresses = ("10.2.0.2", "10.1.0.1")
        pings = [Pings(address, count) for address in addresses]
        ended = threading.Event()

        def metering():
            changes = 0
            with w.Client() as changer:
                for ping in pings:
                    ping.start()
                while any(ping.is_alive() for ping in pings):
                    changer.config(**change(rng))
                    changes += 1
                    w.check_ledgers(changer)
                changer.config(ENABLED=0)
            print(f"{what}: {changes} changes", flush=True)
            ended.changes = changes

        thread = threading.Thread(target=metering)
        thread.start()
        while not reader.end:
            reader.take(60)
        thread.join()
        for ping in pings:
            assert not ping.failed, ping.failed
        assert ended.changes > 3, "hardly a change while pings went"
        want = {(address, reply): count for address in addresses for reply in (False, True)}
        got = counted(reader.flows)
        assert got == want, f"{what}: {got} where {want} went"
        stats = control.stats()
        w.check_ledger(stats)
        assert reader.end["NUMBERED"] == w.totals(reader.flows) == stats["SEEN"], stats


def main():
    rng = random.Random(1)
    for what, change in CHANGES.items():
        one_life(what, change, int(sys.argv[1]), rng)


main()

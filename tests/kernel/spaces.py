#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The initial namespace's instance covering the others.

Runs in the initial namespace, beside the network of kernel-lib.sh. What is sent goes
through client, router and server: with COVER one instance sees it in each
of them, and never where another instance meters.
"""

import errno
import os
import subprocess
import sys
import threading
import time

import weirnl as w

HERE = os.path.dirname(os.path.realpath(__file__))
COUNT = 7               # datagrams of once.py
ROUTED, INGRESS = 1 << w.WEIR_MODE_ROUTED, 1 << w.WEIR_MODE_INGRESS

ANSWER = f"""
import sys
sys.path.insert(0, {HERE!r})
import weirnl as w
client = w.Client()
try:
    {{}}
except w.NetlinkError as error:
    print("refused", error.errno, error.message)
"""


def inode(namespace):
    """0: the initial one, as a key has it."""
    return os.stat(f"/run/netns/{namespace}").st_ino


def inside(namespace, statements):
    """Have a client in @namespace do something; what it printed."""
    return subprocess.run(["ip", "netns", "exec", namespace, sys.executable, "-c",
                           ANSWER.format(statements)], check=True, capture_output=True,
                          text=True).stdout


def send(namespace, address, port):
    subprocess.run(["ip", "netns", "exec", namespace, sys.executable, f"{HERE}/once.py", "send",
                    address, str(port)], check=True)


def seen(client, port):
    """Packets to @port by namespace and hook, of the flows in the tables."""
    found = {}
    for flow in client.flows(FILTER_PORT=port, FILTER_PROTOCOL=17):
        if flow["dst_port"] == port:
            where = (flow["netns"], flow["observed"])
            found[where] = found.get(where, 0) + flow["packets"]
    return found


def expect(control, what, port, **where):
    """@where: hook by namespace. Nothing else, and each packet once in each."""
    want = {(inode(ns), hook): COUNT for ns, hook in where.items()}
    got = seen(control, port)
    print(f"{what}: {got}", flush=True)
    assert got == want, f"{what}: {got} where {want} was due"
    w.check_ledgers(control)


OUT, FORWARD, IN = (w.WEIR_OBSERVED_LOCAL_OUT, w.WEIR_OBSERVED_FORWARD, w.WEIR_OBSERVED_LOCAL_IN)


def test_cover(client):
    send("client", "10.2.0.2", 8000)
    expect(client, "not covered", 8000)
    client.config(COVER=1)
    assert client.config()["COVER"] == 1
    send("client", "10.2.0.2", 8001)
    expect(client, "covered", 8001, client=OUT, router=FORWARD, server=IN)
    send("client", "fd02::2", 8002)
    expect(client, "covered, IPv6", 8002, client=OUT, router=FORWARD, server=IN)
    send("client", "127.0.0.1", 8003)
    expect(client, "inside one", 8003, client=OUT)


def test_newcomer(client):
    """A namespace made while covering is covered from its first packet on."""
    for command in ("ip netns add late",
                    "ip link add n0 netns router type veth peer n1 netns late",
                    "ip -n router addr add 10.9.0.1/24 dev n0", "ip -n router link set n0 up",
                    "ip -n late addr add 10.9.0.2/24 dev n1", "ip -n late link set n1 up",
                    "ip -n late route add default via 10.9.0.1"):
        subprocess.run(command.split(), check=True)
    send("late", "10.2.0.2", 8010)
    expect(client, "a newcomer", 8010, late=OUT, router=FORWARD, server=IN)


def test_own(client):
    """A namespace with an instance of its own is left to that, as long as it is on."""
    inside("router", "client.config(ENABLED=1)")
    send("client", "10.2.0.2", 8020)
    expect(client, "the router meters by itself", 8020, client=OUT, server=IN)
    own = inside("router", "print([(f['netns'], f['observed'], f['packets']) for f in "
                           "client.flows(FILTER_PORT=8020)])")
    assert own.strip() == str([(0, FORWARD, COUNT)]), own
    answer = inside("router", "client.config(COVER=1)")
    assert answer.startswith(f"refused {errno.EINVAL} ") and len(answer) > 30, answer
    inside("router", "client.config(ENABLED=0)")
    send("client", "10.2.0.2", 8021)
    expect(client, "and not any more", 8021, client=OUT, router=FORWARD, server=IN)


def test_modes(client):
    """What is covered follows the modes of the instance that covers."""
    client.config(MODES=INGRESS)
    send("client", "10.2.0.2", 8030)
    pre = w.WEIR_OBSERVED_PRE_ROUTING
    expect(client, "ingress", 8030, client=OUT, router=pre, server=pre)
    client.config(MODES=ROUTED)
    send("client", "10.2.0.2", 8031)
    expect(client, "routed again", 8031, client=OUT, router=FORWARD, server=IN)


def test_deleted(client):
    """A namespace that goes in the middle of it; its flows stay and are reported."""
    number = inode("late")
    with subprocess.Popen(["ip", "netns", "exec", "late", "timeout", "10", "ping", "-q", "-f",
                           "10.9.0.1"], stdout=subprocess.DEVNULL) as flood:
        time.sleep(0.5)
        subprocess.run(["ip", "netns", "del", "late"], check=True)
        subprocess.run(["ip", "-n", "router", "link", "del", "n0"], check=True)
        flood.terminate()
    flows = [f for f in client.flows(FILTER_PROTOCOL=1) if f["netns"] == number]
    assert flows and sum(f["packets"] for f in flows) > 0
    w.check_ledgers(client)


def test_stream(client):
    """Records of covered namespaces are numbered, acknowledged and balanced as any."""
    off = threading.Thread(target=lambda: w.Client().config(ENABLED=0))
    with w.Client() as other:
        reader = w.Reader(other)
        send("client", "10.2.0.2", 8040)
        off.start()
        reader.drain(10)
        off.join()
        assert reader.end and reader.end["NUMBERED"] == w.totals(reader.flows)
        spaces = {f["netns"]: f["packets"] for f in reader.flows if f["dst_port"] == 8040}
        assert spaces == {inode(ns): COUNT for ns in ("client", "router", "server")}, spaces
    stats = client.stats()
    w.check_ledger(stats)
    assert stats["ACKED"] == stats["SEEN"], stats


def test_restart(client):
    """COVER is kept while metering is off, and is in force when it begins again."""
    send("client", "10.2.0.2", 8050)
    client.config(ENABLED=1)
    assert seen(client, 8050) == {}
    send("client", "10.2.0.2", 8051)
    expect(client, "on again", 8051, client=OUT, router=FORWARD, server=IN)
    client.config(COVER=0)
    send("client", "10.2.0.2", 8052)
    expect(client, "not covered any more", 8052)


def main():
    with w.Client() as client:
        client.config(ENABLED=1, IDLE_TIMEOUT_MS=600000)
        for test in (test_cover, test_newcomer, test_own, test_modes, test_deleted, test_stream,
                     test_restart):
            print(test.__name__, flush=True)
            test(client)
        client.config(COVER=1)          # for the unloading that follows


main()

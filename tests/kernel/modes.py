#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Each packet is counted once in each mode, and in modes together.

Runs in the router of kernel-modes.sh, which has the drawing. Every check sends COUNT
datagrams to a port of its own and says how many packets with that port there are, which hook has
counted them, and what was skipped.
"""

import ctypes
import itertools
import os
import socket
import struct
import subprocess
import sys
import time

import weirnl as w

COUNT = 7
CLONE_NEWNET = 0x40000000
FORWARD, LOCAL_IN, LOCAL_OUT, PRE_ROUTING, BRIDGE, INGRESS, EGRESS = range(1, 8)
ESP, IPIP, GRE, UDP, VXLAN = 50, 4, 47, 17, 4789
ports = itertools.count(7001)
libc = ctypes.CDLL(None, use_errno=True)


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def inside(namespace, function):
    """Call @function in a namespace, in a process of its own. "router" is where we are."""
    child = os.fork()
    if not child:
        status = 1
        try:
            if namespace != "router":
                with open(f"/run/netns/{namespace}", "rb") as file:
                    if libc.setns(file.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
            function()
            status = 0
        finally:
            sys.stdout.flush()
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status == 0, f"in {namespace}"


def datagrams(address, port, device=None, count=COUNT):
    def send():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            if device:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            if address.startswith("239."):          # a member gets its own back
                s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack(
                    "=4s4si", socket.inet_aton(address), bytes(4), index(device)))
            for _ in range(count):
                try:
                    s.sendto(b"once", (address, port))
                except ConnectionRefusedError:      # of the one before
                    s.sendto(b"once", (address, port))
    return send


class Meter:
    def __init__(self):
        self.client = w.Client()
        self.before = None

    def set(self, modes, interfaces="", quiet=False, **more):
        bits = sum(1 << getattr(w, f"WEIR_MODE_{name.upper()}") for name in modes.split("+"))
        if interfaces:
            more["INTERFACES"] = interfaces
        self.client.config(ENABLED=1, MODES=bits, IDLE_TIMEOUT_MS=600000, **more)
        got = self.client.config()
        assert got["MODES"] == bits and (not interfaces or got["INTERFACES"] == interfaces), got
        if not quiet:
            print(f"{modes} {interfaces}")

    def skipped(self):
        now = [packets for _, packets, _ in w.check_ledgers(self.client)["SKIPPED"]]
        grew = [a - b for a, b in zip(now, self.before or [0] * len(now))]
        self.before = now
        return grew

    def count(self, port):
        flows = self.client.flows(FILTER_PORT=port, FILTER_PROTOCOL=17)
        return [f for f in flows if f["dst_port"] == port]

    def check(self, what, source, address, packets=COUNT, at=None, skip=None, device=None, **fields):
        port = next(ports)
        self.skipped()
        inside(source, datagrams(address, port, device))
        deadline = time.monotonic() + 5
        while True:                 # a softirq may have some of them still
            flows = self.count(port)
            got = sum(f["packets"] for f in flows)
            if got >= packets or time.monotonic() > deadline:
                break
        hooks = sorted({f["observed"] for f in flows})
        print(f"  {what}: {got} packets at {hooks}")
        assert got == packets, f"{what}: {got} packets instead of {packets}: {flows}"
        if at is not None:
            assert hooks == [at], f"{what}: at {hooks} instead of {at}"
        for name, value in fields.items():
            assert {f[name] for f in flows} == {value}, f"{what}: {name} is not {value}: {flows}"
        grew = self.skipped()
        if skip:
            number = grew[getattr(w, f"WEIR_SKIP_{skip}")]
            assert number >= COUNT, f"{what}: {skip} grew by {number}: {grew}"
        return flows

    def outside(self, protocol, source):
        """Packets of a tunnel's protocol from @source so far."""
        return sum(f["packets"] for f in self.client.flows(FILTER_PROTOCOL=protocol)
                   if f["src"] == source and (protocol != UDP or f["dst_port"] == VXLAN))

    def interfaces(self):
        found = self.client.dump(w.WEIR_CMD_GET_INTERFACES)
        return {i["IFNAME"]: (i["SEEN_BY"], i["BYPASS"]) for i in found}


def index(name):
    return socket.if_nametoindex(name)


NETDEV_ONLY = 1 << w.WEIR_MODE_NETDEV
RX_HANDLER = 1 << w.WEIR_BYPASS_RX_HANDLER


def test_netdev(m):
    m.set("netdev", "c0 s0")
    m.check("through", "client", "10.2.0.2", at=INGRESS, skip="OTHER_MODE", in_ifindex=index("c0"))
    m.check("through, IPv6", "client", "fd02::2", at=INGRESS, skip="OTHER_MODE")
    m.check("to the router", "client", "10.1.0.1", at=INGRESS, out_ifindex=0)
    m.check("from the router", "router", "10.2.0.2", at=EGRESS, in_ifindex=0, out_ifindex=index("s0"))
    m.check("from the router, IPv6", "router", "fd02::2", at=EGRESS)
    m.check("own multicast", "router", "239.1.1.1", at=EGRESS, skip="LOOPED", device="s0")
    m.check("VLAN, in", "client", "10.15.0.1", at=INGRESS, vlan_id=5)
    m.check("VLAN, out", "router", "10.15.0.2", at=EGRESS, vlan_id=5)
    m.check("elsewhere", "left", "10.5.0.1", 0)
    m.check("through a macvlan's device", "server", "10.2.0.9", at=INGRESS)
    m.check("from a macvlan", "guest", "10.2.0.2", at=EGRESS)
    seen = m.interfaces()
    assert seen["c0"] == seen["c0.5"] == seen["s0"] == (NETDEV_ONLY, 0), seen
    assert seen["l0"] == (0, RX_HANDLER), seen

    m.set("netdev", "* !s0 !lo")
    m.check("all but one: through", "client", "10.2.0.2", at=INGRESS)
    m.check("all but one: VLAN", "client", "10.15.0.1", at=INGRESS, vlan_id=5, in_ifindex=index("c0"))
    m.check("all but one: to it", "router", "10.2.0.2", 0)
    m.check("bridged", "left", "10.5.0.3", at=INGRESS, skip="OTHER_MODE")
    m.check("to the host by the bridge", "left", "10.5.0.1", at=INGRESS)
    m.check("from the host by the bridge", "router", "10.5.0.3", at=EGRESS, out_ifindex=index("r0"))
    seen = m.interfaces()
    assert seen["br0"][0] == NETDEV_ONLY and seen["s0"] == (0, RX_HANDLER), seen

    m.set("netdev", "*")
    m.check("loopback", "router", "127.0.0.1", at=EGRESS, skip="LOOPBACK")

    m.set("netdev", "c0.5")
    m.check("at the VLAN, in", "client", "10.15.0.1", at=INGRESS, vlan_id=5, in_ifindex=index("c0.5"))
    m.check("at the VLAN, out", "router", "10.15.0.2", at=EGRESS, vlan_id=5)
    m.check("beside the VLAN", "client", "10.1.0.1", 0)


def test_interfaces_come_and_go(m):
    m.set("netdev", "new* renamed")
    run("ip", "link", "add", "new0", "type", "veth", "peer", "new0", "netns", "guest")
    run("ip", "addr", "add", "10.30.0.1/24", "dev", "new0")
    run("ip", "link", "set", "new0", "up")
    run("ip", "-n", "guest", "addr", "add", "10.30.0.2/24", "dev", "new0")
    run("ip", "-n", "guest", "link", "set", "new0", "up")
    m.check("appeared", "guest", "10.30.0.1", at=INGRESS)
    run("ip", "link", "set", "new0", "down")
    run("ip", "link", "set", "new0", "name", "other")
    run("ip", "link", "set", "other", "up")
    m.check("renamed", "guest", "10.30.0.1", 0)
    run("ip", "link", "set", "other", "down")
    run("ip", "link", "set", "other", "name", "renamed")
    run("ip", "link", "set", "renamed", "up")
    m.check("renamed to a name that matches", "guest", "10.30.0.1", at=INGRESS)
    # in a bridge that matches as well: the port has it, and then the bridge
    run("ip", "link", "add", "new1", "type", "bridge")
    run("ip", "addr", "del", "10.30.0.1/24", "dev", "renamed")
    run("ip", "addr", "add", "10.30.0.1/24", "dev", "new1")
    run("ip", "link", "set", "renamed", "master", "new1")
    run("ip", "link", "set", "new1", "up")
    run("ip", "-n", "guest", "neigh", "flush", "all")
    wait(lambda: m.interfaces()["new1"][0] == NETDEV_ONLY)
    m.check("its bridge matches as well", "guest", "10.30.0.1", at=INGRESS, in_ifindex=index("renamed"))
    m.check("out by both", "router", "10.30.0.2", at=EGRESS, out_ifindex=index("renamed"))
    m.set("netdev", "new*")
    m.check("the bridge alone", "guest", "10.30.0.1", at=INGRESS, in_ifindex=index("new1"))
    run("ip", "link", "del", "renamed")
    run("ip", "link", "del", "new1")
    assert "renamed" not in m.interfaces()


def wait(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_bridge(m):
    m.set("bridge")
    m.check("bridged", "left", "10.5.0.3", at=BRIDGE, in_ifindex=index("l0"), out_ifindex=index("r0"))
    m.check("broadcast", "left", "10.5.0.255", at=BRIDGE, skip="FLOODED")
    m.check("in a VLAN", "left", "10.17.0.3", at=BRIDGE, vlan_id=7)
    m.check("to the host", "left", "10.5.0.1", 0)
    m.check("from the host", "router", "10.5.0.3", 0)
    seen = m.interfaces()
    assert seen["l0"] == (1 << w.WEIR_MODE_BRIDGE, 0), seen

    for mode, arriving in (("routed", LOCAL_IN), ("ingress", PRE_ROUTING)):
        m.set(f"{mode}+bridge")
        for netfilter in "1", "0":
            run("sysctl", "-q", f"net.bridge.bridge-nf-call-iptables={netfilter}")
            m.check("bridged", "left", "10.5.0.3", at=BRIDGE,
                    skip="OTHER_MODE" if netfilter == "1" else None)
            m.check("broadcast", "left", "10.5.0.255", skip="FLOODED",
                    at=PRE_ROUTING if netfilter == "1" and mode == "ingress" else BRIDGE)
            m.check("to the host", "left", "10.5.0.1", at=arriving)
            m.check("from the host", "router", "10.5.0.3", at=LOCAL_OUT)
            m.check("routed out", "left", "10.2.0.2", at=FORWARD if mode == "routed" else arriving)
            m.check("routed in", "client", "10.5.0.3", at=FORWARD if mode == "routed" else arriving)


def test_together(m):
    for mode, arriving, through in (("routed", LOCAL_IN, FORWARD), ("ingress", PRE_ROUTING, PRE_ROUTING)):
        m.set(f"{mode}+netdev", "c0")
        m.check("in by it", "client", "10.2.0.2", at=INGRESS, skip="OTHER_MODE")
        m.check("out by it", "server", "10.1.0.2", at=EGRESS if mode == "routed" else PRE_ROUTING,
                skip="OTHER_MODE")
        m.check("out by its VLAN", "server", "10.15.0.2",
                at=EGRESS if mode == "routed" else PRE_ROUTING, skip="OTHER_MODE")
        m.check("to the host", "client", "10.1.0.1", at=INGRESS, skip="OTHER_MODE")
        m.check("to the host by its VLAN", "client", "10.15.0.1", at=INGRESS, skip="OTHER_MODE")
        m.check("from the host", "router", "10.1.0.2", at=EGRESS, skip="OTHER_MODE")
        m.check("from the host by its VLAN", "router", "10.15.0.2", at=EGRESS, skip="OTHER_MODE")
        m.check("past it", "left", "10.2.0.2", at=through)
        m.check("past it to the host", "left", "10.5.0.1", at=arriving)
        m.check("loopback", "router", "127.0.0.1", at=LOCAL_OUT, skip="LOOPBACK")

        m.set(f"{mode}+bridge+netdev", "l0")
        for netfilter in "1", "0":
            run("sysctl", "-q", f"net.bridge.bridge-nf-call-iptables={netfilter}")
            m.check("bridged from it", "left", "10.5.0.3", at=INGRESS, skip="OTHER_MODE")
            m.check("bridged to it", "right", "10.5.0.2", at=EGRESS, skip="OTHER_MODE")
            m.check("bridged past it", "right", "10.5.0.4", at=BRIDGE)
            m.check("to the host", "left", "10.5.0.1", at=INGRESS, skip="OTHER_MODE")
            m.check("to the host past it", "right", "10.5.0.1", at=arriving)
            m.check("from the host", "router", "10.5.0.2", at=LOCAL_OUT, skip="OTHER_MODE")
            m.check("routed from it", "left", "10.2.0.2", at=INGRESS, skip="OTHER_MODE")
            m.check("routed to it", "client", "10.5.0.2", at=through, skip="OTHER_MODE")


def test_wrapped(m):
    """What is inside a tunnel and what is outside are two packets, each counted once."""
    tunnels = (("ipip", "10.21.0", IPIP), ("gre", "10.22.0", GRE), ("vxlan", "10.23.0", UDP),
               ("IPsec tunnel", "10.24.0", ESP), ("IPsec transport", "10.25.0", ESP))
    outer = {"client": "10.1.0.2", "router": "10.1.0.1"}
    for mode, interfaces in (("routed", ""), ("ingress", ""), ("netdev", "c0"), ("routed+netdev", "c0"),
                             ("ingress+netdev", "c0")):
        m.set(mode, interfaces)
        for name, net, protocol in tunnels:
            for source, address in (("client", f"{net}.1"), ("router", f"{net}.2")):
                end = outer[source]
                if name == "IPsec transport":
                    end = f"{net}.2" if source == "client" else f"{net}.1"
                before = m.outside(protocol, end)
                packets = COUNT
                if mode == "netdev":    # sees what is inside when it is received once more
                    packets = COUNT if name == "IPsec tunnel" and source == "client" else 0
                m.check(f"{name} from {source}", source, address, packets)
                got = m.outside(protocol, end) - before
                assert got == COUNT, f"{mode}: {got} packets of {name} outside from {source}"


def start(namespace, function):
    """The same as inside(), not waited for. Return: the process."""
    child = os.fork()
    if not child:
        status = 1
        try:
            inside(namespace, function)
            status = 0
        finally:
            os._exit(status)
    return child


def test_switching(m):
    """Modes and interfaces change under traffic: none is missed, none counted twice."""
    port, packets = next(ports), 20000
    modes = (("ingress", ""), ("routed", ""), ("netdev", "c0"), ("routed", ""), ("netdev", "c*"),
             ("ingress+netdev", "c0"), ("routed+bridge+netdev", "s0 c0"), ("netdev", "c0 l0"),
             ("routed", ""))

    def flood():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for i in range(packets):
                s.sendto(b"once", ("10.2.0.2", port))
                if i % 8 == 0:
                    time.sleep(0.0001)

    m.set("routed")
    sender = start("client", flood)
    changes = 0
    while os.waitpid(sender, os.WNOHANG) == (0, 0):
        m.set(*modes[changes % len(modes)], quiet=True)
        changes += 1
    time.sleep(0.2)
    flows = m.count(port)
    got = sum(f["packets"] for f in flows)
    print(f"  {got} packets in {len(flows)} flows over {changes} changes, at",
          sorted({f["observed"] for f in flows}))
    assert changes > len(modes) and len({f["observed"] for f in flows}) >= 3, changes
    assert got == packets, f"{got} packets instead of {packets}: {flows}"


FLOWTABLE = """
table inet quick {
    flowtable fast {
        hook ingress priority 0
        devices = { c0, s0 }
    }
    chain forward {
        type filter hook forward priority 0;
        udp dport 7000-8000 flow add @fast
    }
}
"""


def test_flowtable(m):
    """The first packets of a connection are routed and the flow says so; interfaces see all."""
    m.set("routed")
    subprocess.run(["nft", "-f", "-"], input=FLOWTABLE, text=True, check=True)
    ways = m.interfaces()
    assert ways["c0"][1] & 1 << w.WEIR_BYPASS_FLOWTABLE and ways["l0"][1] == RX_HANDLER, ways
    # from the second packet on it is not seen; and until the module has found the flowtable, not marked
    wait(lambda: m.check("to the flowtable", "client", "10.2.0.2", 2, at=FORWARD)[0]["flags"]
         & w.WEIR_FLOW_PARTIAL)
    assert m.client.stats()["COUNTERS"][w.WEIR_COUNTER_PARTIAL] >= 1
    flows = m.check("past it", "left", "10.5.0.1", at=LOCAL_IN)
    assert not any(f["flags"] & w.WEIR_FLOW_PARTIAL for f in flows)
    m.set("netdev", "c0 s0")
    assert m.interfaces()["c0"] == (NETDEV_ONLY, 0)
    m.check("to the flowtable", "client", "10.2.0.2", at=INGRESS, skip="OTHER_MODE")
    m.set("netdev", "s0")
    m.check("out of the flowtable", "client", "10.2.0.2", at=EGRESS)
    m.set("routed+netdev", "c0 s0")
    m.check("to the flowtable", "client", "10.2.0.2", at=INGRESS)
    run("nft", "delete", "table", "inet", "quick")
    m.set("routed")
    m.check("without it", "client", "10.2.0.2", at=FORWARD)


def test_vrf(m):
    """A VRF puts its own number in place of the interface a packet came by. Last: it costs routes."""
    run("ip", "link", "add", "vrf0", "up", "type", "vrf", "table", "77")
    for dev in "c0", "s0":
        run("ip", "link", "set", dev, "master", "vrf0")
    try:
        for modes in "netdev", "routed+netdev":
            for interfaces in "c0 s0", "*":
                m.set(modes, interfaces)
                m.check("through a VRF", "client", "10.2.0.2", at=INGRESS, skip="OTHER_MODE",
                        in_ifindex=index("c0"))
                m.check("out of a VRF", "router", "10.2.0.2", at=EGRESS, device="vrf0",
                        out_ifindex=index("s0"))
        for modes, hook in ("routed", FORWARD), ("ingress", PRE_ROUTING):
            m.set(modes)
            m.check("through a VRF", "client", "10.2.0.2", at=hook, in_ifindex=index("c0"))
    finally:
        run("ip", "link", "del", "vrf0")


def main():
    m = Meter()
    tests = sys.argv[1:] or ["netdev", "interfaces_come_and_go", "bridge", "together", "wrapped", "flowtable",
                             "switching", "vrf"]
    m.set("routed")
    for name in tests:
        print(f"== {name}", flush=True)
        globals()[f"test_{name}"](m)
    m.set("routed")
    m.check("routed again", "client", "10.2.0.2", at=FORWARD)
    w.check_ledgers(m.client)


sys.stdout.reconfigure(line_buffering=True)
main()

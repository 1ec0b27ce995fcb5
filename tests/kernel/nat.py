#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Records have the other side of NAT, as `conntrack -L` has it, from the first packet on.

Run inside the router's namespace; kernel-cache.sh makes the network.
"""

import re
import subprocess
import sys
import time

import weirnl as w

RULES = """
table inet nat {
	chain prerouting {
		type nat hook prerouting priority dstnat
		ip daddr 10.1.0.1 udp dport 8080 dnat ip to 10.2.0.2:7
		ip6 daddr fd01::1 udp dport 8080 dnat ip6 to [fd02::2]:7
		iifname c0 udp dport 99 redirect to :5
	}
	chain output {
		type nat hook output priority -100
		ip daddr 10.9.9.9 udp dport 9 dnat ip to 10.2.0.2:7
	}
	chain postrouting {
		type nat hook postrouting priority srcnat
		udp sport 6666 masquerade to :7000-7100
		iifname c0 meta l4proto udp masquerade to :20000-29999
		iifname c0 meta l4proto icmp masquerade
	}
}
"""

ECHO = """
import select, socket, sys
sockets = []
for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((address, int(sys.argv[1])))
    sockets.append(s)
print("ready", flush=True)
while True:
    for s in select.select(sockets, [], [])[0]:
        data, peer = s.recvfrom(100)
        if data != b"silent":
            s.sendto(data, peer)
"""

SEND = """
import socket, sys
address, port, own, data, count = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", int(own)))
s.settimeout(5)
for _ in range(int(count)):
    s.sendto(data.encode(), (address, int(port)))
    if data != "silent":
        assert s.recvfrom(100)[0] == data.encode()
"""
NONE = ("::", 0)


def python(namespace, program, *args, popen=False):
    command = [sys.executable, "-c", program, *map(str, args)]
    if namespace != "router":
        command = ["ip", "netns", "exec", namespace, *command]
    if popen:
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return subprocess.run(command, check=True)


def send(namespace, address, port, own, data="silent", count=1):
    python(namespace, SEND, address, port, own, data, count)


def connection(own, family="ipv4"):
    """What conntrack has of the UDP connection whose first packet came from port @own."""
    out = subprocess.run(["conntrack", "-L", "-f", family, "-p", "udp", "--orig-port-src",
                          str(own)], check=True, capture_output=True, text=True).stdout
    ends = re.findall(r"src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)", out)
    assert len(ends) == 2, f"conntrack has of port {own}: {out}"
    return [((src, int(sport)), (dst, int(dport))) for src, dst, sport, dport in ends]


def flow(client, src, dst):
    """The flow; where packets of it were on several CPUs, each part has to say the same."""
    found = [f for f in client.flows(FILTER_PROTOCOL=17)
             if (f["src"], f["src_port"], f["dst"], f["dst_port"]) == (*src, *dst)]
    assert found and all(other(f) == other(found[0]) for f in found), f"{src} {dst}: {found}"
    return dict(found[0], packets=sum(f["packets"] for f in found))


def other(f):
    return (f["nat_src"], f["nat_src_port"]), (f["nat_dst"], f["nat_dst_port"])


def check(client, name, src, dst, nat_src, nat_dst, **facts):
    f = flow(client, src, dst)
    assert other(f) == (nat_src, nat_dst), f"{name}: {other(f)}, not {(nat_src, nat_dst)}: {f}"
    for fact, value in facts.items():
        assert f[fact] == value, (name, f)
    print(f"{name}: {src} -> {dst}, the other side {other(f)}")


def test_forwarded(client, family, inside, outside, router):
    """One packet and no answer: source NAT comes after we saw it."""
    send("client", outside, 7, 1001)
    (came, _), (_, left) = connection(1001, family)
    assert came[0] == inside and left[0] == router and left[1] >= 20000, left
    check(client, "masquerade", (inside, 1001), (outside, 7), left, NONE, packets=1)
    send("client", outside, 7, 1002, "echo", 3)
    (_, _), (_, left) = connection(1002, family)
    check(client, "with answers", (inside, 1002), (outside, 7), left, NONE, packets=3)
    check(client, "its answers", (outside, 7), (inside, 1002), NONE, left, packets=3)


def test_destination(client, family, inside, public, outside):
    send("client", public, 8080, 1003)
    (_, came), (_, left) = connection(1003, family)
    assert came == (public, 8080)
    check(client, "both", (inside, 1003), (outside, 7), left, came, packets=1)
    send("client", public, 8080, 1004, "echo", 2)
    (_, came), (_, left) = connection(1004, family)
    check(client, "both, with answers", (inside, 1004), (outside, 7), left, came, packets=2)
    check(client, "its answers", (outside, 7), (inside, 1004), came, left, packets=2)


def test_own(client):
    """What the router sends and receives itself."""
    send("router", "10.2.0.2", 7, 6666, "echo", 1)
    (_, _), (_, left) = connection(6666)
    assert 7000 <= left[1] <= 7100
    check(client, "own, masquerade", ("10.2.0.1", 6666), ("10.2.0.2", 7), left, NONE,
          observed=w.WEIR_OBSERVED_LOCAL_OUT, packets=1)
    # an answer is back to the port as it was when it comes to LOCAL_IN
    check(client, "its answer", ("10.2.0.2", 7), ("10.2.0.1", 6666), NONE, left,
          observed=w.WEIR_OBSERVED_LOCAL_IN)
    subprocess.run(["ip", "route", "add", "10.9.9.9", "via", "10.2.0.2"], check=True)
    send("router", "10.9.9.9", 9, 1006)
    # the route decides the source before the destination is another
    source = [f for f in client.flows(FILTER_PORT=1006) if f["src_port"] == 1006]
    assert [f["dst"] for f in source] == ["10.9.9.9"], source
    assert other(source[0])[1] == ("10.2.0.2", 7), source
    echo = python("router", ECHO, 5, popen=True)
    echo.stdout.readline()
    send("client", "10.2.0.2", 99, 1007, "echo", 1)
    echo.kill()
    check(client, "redirect", ("10.1.0.2", 1007), ("10.1.0.1", 5), NONE, ("10.2.0.2", 99),
          observed=w.WEIR_OBSERVED_LOCAL_IN, packets=1)
    check(client, "its answer", ("10.1.0.1", 5), ("10.1.0.2", 1007), ("10.2.0.2", 99), NONE,
          observed=w.WEIR_OBSERVED_LOCAL_OUT, packets=1)


def test_untranslated(client):
    """From the server to the client there is no rule: nothing to tell, and short records."""
    send("server", "10.1.0.2", 7, 1010)
    check(client, "as it is", ("10.2.0.2", 1010), ("10.1.0.2", 7), NONE, NONE)
    # nobody listens there: the error is about that connection and not of it
    errors = [f for f in client.flows(FILTER_PROTOCOL=1) if f["dst_port"] == 3 * 256 + 3]
    assert errors and all(other(f) == (NONE, NONE) for f in errors), errors


def test_icmp(client):
    subprocess.run(["ip", "netns", "exec", "client", "ping", "-q", "-c", "2", "-i", "0.2",
                    "10.2.0.2"], check=True, stdout=subprocess.DEVNULL)
    there = [f for f in client.flows(FILTER_PROTOCOL=1)
             if (f["src"], f["dst_port"]) == ("10.1.0.2", 8 * 256)]
    back = [f for f in client.flows(FILTER_PROTOCOL=1)
            if (f["dst"], f["dst_port"]) == ("10.1.0.2", 0)]
    assert other(there[0]) == (("10.2.0.1", 0), NONE), there
    assert other(back[0]) == (NONE, ("10.2.0.1", 0)), back


def test_stream(client):
    """Records in the stream say the same as the table did."""
    before = {(f["src"], f["src_port"], f["dst"], f["dst_port"]): other(f)
              for f in client.flows(FILTER_PROTOCOL=17)}
    translated = [key for key, nat in before.items() if nat != (NONE, NONE)]
    assert len(translated) > 10, before
    client.flush()
    reader = w.Reader(client)
    reader.drain(0.5)
    after = {(f["src"], f["src_port"], f["dst"], f["dst_port"]): other(f)
             for f in reader.flows if f["protocol"] == 17}
    for key in translated:
        assert after[key] == before[key], (key, after[key], before[key])
    sizes = {message["RECORD_SIZE"] for message in reader.batches.values()}
    assert 192 in sizes, sizes
    w.check_ledgers(client)


def test_ingress(client):
    """There the key is what came in by the wire, and the other side what will leave."""
    client.config(MODES=1 << w.WEIR_MODE_INGRESS)
    send("client", "10.1.0.1", 8080, 1020, "echo", 1)
    (_, came), (_, left) = connection(1020)
    check(client, "ingress", ("10.1.0.2", 1020), came, left, ("10.2.0.2", 7), packets=1)
    check(client, "its answer", ("10.2.0.2", 7), left, came, ("10.1.0.2", 1020), packets=1)
    client.config(MODES=1 << w.WEIR_MODE_ROUTED)


def nat_begins(client):
    """Rules that come while metering is on are noticed within a second or two."""
    subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True)
    deadline = time.monotonic() + 10
    port = 3000
    while True:
        send("client", "10.2.0.2", 7, port)
        if other(flow(client, ("10.1.0.2", port), ("10.2.0.2", 7))) != (NONE, NONE):
            return
        assert time.monotonic() < deadline, "the first packet's translation never showed"
        port += 1
        time.sleep(0.2)


def main():
    echo = python("server", ECHO, 7, popen=True)
    echo.stdout.readline()
    try:
        with w.Client() as client:
            client.config(ENABLED=1, TABLE_FLOWS=4096, IDLE_TIMEOUT_MS=600_000)
            send("client", "10.2.0.2", 7, 999)
            check(client, "before there is NAT", ("10.1.0.2", 999), ("10.2.0.2", 7), NONE, NONE)
            nat_begins(client)
            test_forwarded(client, "ipv4", "10.1.0.2", "10.2.0.2", "10.2.0.1")
            test_forwarded(client, "ipv6", "fd01::2", "fd02::2", "fd02::1")
            test_destination(client, "ipv4", "10.1.0.2", "10.1.0.1", "10.2.0.2")
            test_destination(client, "ipv6", "fd01::2", "fd01::1", "fd02::2")
            test_own(client)
            test_icmp(client)
            test_untranslated(client)
            test_stream(client)
            test_ingress(client)
            client.config(ENABLED=0)
    finally:
        echo.kill()
        subprocess.run(["nft", "flush", "ruleset"], check=True)


main()

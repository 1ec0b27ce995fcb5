# SPDX-License-Identifier: GPL-2.0
"""Inside the machine bench-kernel starts: take the measurements the plan asks for.

    guest.py FOLDER

FOLDER/plan.json says what, FOLDER/results gets a line of JSON for each measurement. CPU
times are of this machine's kernel, as the host gave them; see hookbench.c.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../kernel"))

PLAN = json.load(open(os.path.join(sys.argv[1], "plan.json"), encoding="utf-8"))
PORTS = 7                       # source ports in turn, see pktgen()
HALF_S = 0.5


def run(*command, **env):
    subprocess.run(command, check=True, env={**os.environ, **env})


def modprobe(*words):
    run("modprobe", "-d", PLAN["root"], *words)


def put(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text + "\n")  # pktgen takes the last character away


def get(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def record(**what):
    with open(os.path.join(sys.argv[1], "results"), "a", encoding="ascii") as file:
        file.write(json.dumps(what) + "\n")


def set_up():
    """veth0 sends to veth1, which forwards to sink0."""
    run("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
    run("ip", "link", "add", "sink0", "type", "dummy")
    for name in ("veth0", "veth1", "sink0"):
        put(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "1")    # it has things to say
        run("ip", "link", "set", name, "arp", "off", "up")
    run("ip", "route", "add", "198.18.0.0/15", "dev", "sink0")
    put("/proc/sys/net/ipv4/ip_forward", "1")
    for name in ("all", "veth1"):
        put(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "0")
    run("insmod", PLAN["hookbench"])
    modprobe("pktgen")
    put("/proc/net/pktgen/kpktgend_0", "add_device veth0")


def room(flows):
    """What every contender's table is made for: at least twice the flows, a power of two."""
    return max(1 << (2 * flows - 1).bit_length(), 65536)


@contextlib.contextmanager
def nothing(_):
    yield


@contextlib.contextmanager
def weir(flows):
    """With a subscriber that acknowledges."""
    run("insmod", PLAN["weir"], f"table_flows={room(flows)}")
    reader = subprocess.Popen([PLAN["reader"]], stdout=subprocess.DEVNULL)
    time.sleep(HALF_S)          # it subscribes
    try:
        yield
    finally:
        reader.send_signal(signal.SIGTERM)
        failed = reader.wait()
        run("rmmod", "weir")
    if failed:
        raise RuntimeError("weir's reader missed a record")


@contextlib.contextmanager
def conntrack(flows):
    """With accounting."""
    modprobe("nf_conntrack", "enable_hooks=1", f"hashsize={room(flows)}", "acct=1")
    put("/proc/sys/net/netfilter/nf_conntrack_max", str(room(flows)))
    try:
        yield
    finally:
        modprobe("-r", "nf_conntrack")


@contextlib.contextmanager
def netflow(flows):
    """ipt_NETFLOW as its manual says: a rule in FORWARD; something listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 2055))
        modprobe("iptable_filter")
        for name in PLAN["netflow_needs"]:
            modprobe(name)
        run("insmod", PLAN["netflow"], "destination=127.0.0.1:2055", "protocol=10",
            f"hashsize={room(flows)}", f"maxflows={room(flows)}", "active_timeout=60")
        rule = ("iptables-legacy", "-w", "FORWARD", "-j", "NETFLOW")
        paths = f"{PLAN['netflow_plugins']}:/usr/lib/x86_64-linux-gnu/xtables"
        run(*rule[:2], "-A", *rule[2:], XTABLES_LIBDIR=paths)
        try:
            yield
        finally:
            run(*rule[:2], "-D", *rule[2:], XTABLES_LIBDIR=paths)
            run("rmmod", "ipt_NETFLOW")
            modprobe("-r", "iptable_filter")
            for name in PLAN["netflow_needs"]:
                modprobe("-r", name)


CONTENDERS = {"nothing": nothing, "weir": weir, "conntrack": conntrack, "netflow": netflow}


def hooks(flows, packets):
    put("/proc/hookbench", f"{flows} {packets} 1")
    _, packets, cpu_ns, wall_ns, *_ = map(int, get("/proc/hookbench").split())
    return {"packets": packets, "cpu_ns": cpu_ns, "wall_ns": wall_ns}


def clock():
    return tuple(map(int, get("/proc/hookbench_clock").split()))


def forwarded():
    return int(get("/sys/class/net/sink0/statistics/tx_packets"))


def pktgen(flows, packets):
    """One flow after the other: numbers of addresses and ports with no common factor meet all."""
    addresses = next(n for n in range(-(-flows // PORTS), flows + 1) if n % PORTS)
    mac = get("/sys/class/net/veth1/address").strip()
    first = 0x0a000000
    last = first + addresses - 1
    dotted = [".".join(str(at >> shift & 255) for shift in (24, 16, 8, 0)) for at in (first, last)]
    for line in (f"count {packets}", "pkt_size 60", "clone_skb 0", "delay 0", f"dst_mac {mac}",
                 "dst 198.18.0.1", f"src_min {dotted[0]}", f"src_max {dotted[1]}",
                 "udp_src_min 1024", f"udp_src_max {1024 + PORTS}", "udp_dst_min 9", "udp_dst_max 9"):
        put("/proc/net/pktgen/veth0", line)
    before = forwarded()
    cpu, wall = clock()
    put("/proc/net/pktgen/pgctrl", "start")
    cpu_end, wall_end = clock()
    lost = packets - (forwarded() - before)
    if lost:
        raise RuntimeError(f"{lost} of {packets} packets were not forwarded")
    return {"packets": packets, "cpu_ns": cpu_end - cpu, "wall_ns": wall_end - wall}


def compare():
    for number in range(PLAN["repeat"]):
        for flows in PLAN["flows"]:
            for name in PLAN["contenders"]:
                with CONTENDERS[name](flows):
                    got = hooks(flows, PLAN["packets"])
                    record(kind="hooks", contender=name, flows=flows, number=number, **got)
                if PLAN["path"]:
                    with CONTENDERS[name](flows):
                        pktgen(flows, flows + PORTS)
                        got = pktgen(flows, PLAN["packets"])
                        record(kind="path", contender=name, flows=flows, number=number, **got)
        print(f"repetition {number + 1} of {PLAN['repeat']}", flush=True)


def stream():
    """Records that wait in a full log, to a reader that acknowledges."""
    import weirnl               # pylint: disable=import-outside-toplevel

    for number in range(PLAN["repeat"]):
        run("insmod", PLAN["weir"], "table_flows=64", f"log_batches={PLAN['log_batches']}")
        # far more flows than the table holds: each packet's flow evicts another
        hooks(1 << 24, 1 << 14)
        with weirnl.Client() as client:
            pending = client.request(weirnl.WEIR_CMD_GET_STATS)["PENDING"][0]
        cpu, _ = clock()
        got = subprocess.run([PLAN["reader"], str(pending)], check=True, stdout=subprocess.PIPE).stdout
        records, batches, wall_ns = map(int, got.split())
        record(kind="stream", number=number, records=records, batches=batches, wall_ns=wall_ns,
               cpu_ns=clock()[0] - cpu)
        run("rmmod", "weir")


set_up()
compare()
if "weir" in PLAN["contenders"]:
    stream()

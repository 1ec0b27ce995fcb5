#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
"""Filters and fields with names that only the nodes can resolve: of nodes, sites and interfaces; and
filters of all kinds through the whole way, against a second computation here."""

import datetime
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import Cluster, WEIR, say, wait_for  # noqa: E402

BATCHES = 50
SITES = {"n1": "Berlin Mitte", "n2": "hamburg"}
cluster = Cluster(nodes=2, batches=BATCHES, rate=400)
for name, site in SITES.items():
    path = f"{cluster.folder}/{name}.conf"
    with open(path, encoding="utf-8") as conf:
        text = conf.read()
    with open(path, "w", encoding="utf-8") as conf:
        conf.write(text.replace("[node]\n", f"[node]\nsite = {site}\n"))
cluster.start()
wait_for("everything at the master", 120, cluster.settled)


def weir(*words, node=None, code=0):
    where = ["--node", "--socket", f"{cluster.folder}/{node}.sock"] if node else [
        "--master", "--socket", cluster.socket]
    done = subprocess.run([WEIR, *words, *where], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, (words, node, done)
    return done


def flows(expression, node=None):
    lines = weir("flows", "--limit", "0", "--json", expression, node=node).stdout.splitlines()
    return [json.loads(line) for line in lines]


def groups(*words, node=None):
    lines = weir("top", "--limit", "0", "--output", "jsonl", *words, node=node).stdout.splitlines()
    return [json.loads(line) for line in lines]


# --- Nodes and sites.
ALL = BATCHES * 100
for expression, nodes in (
        ("node n1", ["n1"]), ("node N2", ["n2"]), ("node in {n1 n2 n3}", ["n1", "n2"]), ("node n*", ["n1", "n2"]),
        ("node n", []), ("not node n1", ["n2"]), ('site "Berlin Mitte"', ["n1"]), ("site berlin*", ["n1"]),
        ("site hamburg or node n1", ["n1", "n2"]), ("site hamburg and node n1", []), ("site nowhere", [])):
    found = {}
    for flow in flows(expression):
        found[flow["node"]] = found.get(flow["node"], 0) + 1
    assert found == {node: ALL for node in nodes}, (expression, found)
assert len(flows("node n1", node="n1")) == ALL and not flows("node n1", node="n2")
# Of another namespace, where index 1 is not the lo that is called so here.
FOREIGN = len(flows("not netns 0", node="n1"))
OWN = ALL - FOREIGN
assert FOREIGN and OWN
lines = groups("--by", "node,site,in_name,out_name", "--sum", "flows")
assert sorted((g["node"], g["site"], g["in_name"], g["out_name"], g["flows"]) for g in lines) == \
    [(node, site, name, "", count) for node, site in sorted(SITES.items())
     for name, count in (("#1", FOREIGN), ("lo", OWN))], lines
say("nodes and sites: asked of the master and of a node, in filters and as fields")

# --- Interfaces. All flows of the simulated kernel come in by index 1, which is lo everywhere.
for expression, count in (("in if lo", OWN), ("in if l?", OWN), ("if lo", OWN), ("out if lo", 0), ("out if 0", ALL),
                          ("in if {lo 7}", OWN), ("in if != lo", FOREIGN), ("in if nosuch*", 0), ("in if 1-3", ALL)):
    assert len(flows(expression, node="n1")) == count, expression
done = weir("flows", "tcp and in if nosuch0", node="n1", code=2)
assert done.stderr.splitlines()[:3] == ['weir: there is no interface "nosuch0" here now', "  tcp and in if nosuch0",
                                        "                ^"], done.stderr
# Where no node has it the filter is at fault; were there one that has, the others would be missing.
done = weir("flows", "in if nosuch0", code=2)
assert 'there is no interface "nosuch0" here now' in done.stderr, done
assert done.stderr.splitlines()[1:3] == ["  in if nosuch0", "        ^"], done.stderr
say("interfaces by name; a name that is not there is said, with a caret")

# --- Filters of all kinds.
EVERY = flows("any", node="n1")
assert len(EVERY) == ALL


def is_tcp(flow):
    return flow["proto"] == "tcp"


def rtt(flow):
    """The client's direction only, and from its own record."""
    if not is_tcp(flow) or flow["sport"] <= flow["dport"]:
        return None
    return ns(flow["second"]) - flow["start_ns"]


def ns(text):
    return int(text[17:19]) * 10**9 + int(text[20:29]) + 60 * 10**9 * (
        int(text[14:16]) + 60 * int(text[11:13])) + DAY * days(text)


def days(text):
    return datetime.date.fromisoformat(text[:10]).toordinal() - datetime.date(1970, 1, 1).toordinal()


DAY = 86400 * 10**9
FILTERS = {
    "tcp dst port https or 8080": lambda f: is_tcp(f) and f["dport"] in (443, 8080),
    "src net 10 and dst port > 1023": lambda f: f["src"].startswith("10.") and f.get("dport", 0) > 1023,
    "dscp ef": lambda f: f["tos"] >> 2 == 46,
    "vlan": lambda f: f.get("vlan", 0) > 0,
    "vlan and not dscp {ef}": lambda f: f.get("vlan", 0) > 0 and f["tos"] >> 2 != 46,
    "ttl lt 55": lambda f: f["min_ttl"] < 55,
    "retransmitted > 3 or out-of-order ge 5":
        lambda f: f.get("retransmitted", 0) > 3 or f.get("out_of_order", 0) >= 5,
    "not flags RU and syn": is_tcp,
    "rtt > 20ms": lambda f: (rtt(f) or 0) > 20 * 10**6,
    "rtt <= 20ms": lambda f: rtt(f) is not None and rtt(f) <= 20 * 10**6,
    "bps > 1m": lambda f: f["bytes"] * 8 * 10**9 // f["duration_ns"] > 10**6,
    "bpp 100-600 and packets le 500": lambda f: 100 <= f["bytes"] // f["packets"] <= 600 and f["packets"] <= 500,
    "duration > 0.9s": lambda f: f["duration_ns"] > 900 * 10**6,
    "ether src 2:0:0:0:0:3": lambda f: f.get("src_mac") == "02:00:00:00:00:03",
    "ip6 icmp6 or icmp icmp-type 8": lambda f: f["proto"] == "icmp6" or
                                     (f["proto"] == "icmp" and f["icmp_type"] == 8),
    "bytes > 500Ki && ! udp": lambda f: f["bytes"] > 512000 and f["proto"] != "udp",
}
for expression, holds in FILTERS.items():
    want = [f["start_ns"] for f in EVERY if holds(f)]
    got = [f["start_ns"] for f in flows(expression, node="n1")]
    assert sorted(got) == sorted(want), (expression, len(got), len(want))
    assert 0 < len(want) < ALL, (expression, len(want))
say(f"{len(FILTERS)} filters of all kinds: the flows that are found here, too")
cluster.finish()

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 240
"""Where weir's filters and groups say what nfdump's say, both give the same figures for the same flows.

SEED=N repeats a run. Filters are put together at random of parts that mean the same in both.
"""

import ipaddress
import os
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
import nfdump  # noqa: E402
from cluster import BUILD, say, skip  # noqa: E402

FLOWS, QUERY = f"{BUILD}/bench/flows", f"{BUILD}/bench/query"
COUNT, RANDOM_FILTERS = 100000, 60
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "icmp6": 58, "ipv6-icmp": 58}

# (weir, nfdump); one string: the same in both
PARTS = [
    "proto tcp", "proto udp", "proto icmp", "ipv4", "ipv6", "src net 10.1.0.0/16", "dst net 10.1.0.0/16",
    "net 10.0.0.0/14", "host 10.0.0.1", "src host 10.2.0.1", "dst host 10.1.0.1", "net 2001:db8:3::/48",
    "bytes > 100000", "bytes < 1000", "packets = 1", "packets > 50", "packets <= 3", "tos 184",
    "in if 10", "out if 2", "in if 3", ("proto tcp and port 443", "proto tcp and port 443"),
    "proto udp and dst port 53", "proto tcp and src port 80", "proto tcp and dst port > 30000",
    ("proto tcp and port in {22 25 993}", "proto tcp and port in [22 25 993]"),
    ("host in {10.3.0.1 10.4.0.1}", "ip in [10.3.0.1 10.4.0.1]"),
    ("proto tcp and flags S and not flags A", "proto tcp and flags S and not flags A"),
    ("proto tcp and flags F", "proto tcp and flags F"), ("duration > 5s", "duration > 5000"),
    ("duration < 100ms", "duration < 100"), ("vlan 113", "src vlan 113"),
    ("bpp > 700", "bpp > 700"), ("src mac 02:00:5f:00:00:01", "in src mac 02:00:5f:00:00:01"), "any",
]
# These are asked as they are: what nfdump makes of "not" depends on what is behind it, and two of them
# in a row are not none.
ALONE = [
    "proto tcp and not flags AF", "proto tcp and not flags SF", "flags S and not flags AFRPU",
    "net 10.1.0.0 255.255.0.0", "net 10.1/16", "src ip in [10.1.0.0/16 10.2.0.1]",
    "proto tcp and dst port in [80,443]", "proto tcp and dst port gt 30000", "packets ge 50 and bytes lt 100000",
    "bytes > 64k", "bytes > 1m", "pps > 10", "bps > 100k", "bps > 1m and bpp > 500", "inet6 and not proto udp",
]
# weir's fields, nfdump's options, and which columns of its output are the key
GROUPS = [
    ("src", "srcip", ["sa"]), ("dst", "dstip", ["da"]), ("src,dst", "srcip,dstip", ["sa", "da"]),
    ("proto", "proto", ["pr"]), ("proto,sport", "proto,srcport", ["pr", "sp"]),
    ("src/24,dst/16", "srcip4/24,dstip4/16", ["sa", "da"]), ("src//64", "srcip6/64", ["sa"]),
    ("src,dst,sport", "srcip,dstip,srcport", ["sa", "da", "sp"]), ("in_if,out_if", "inif,outif", ["in", "out"]),
]
TOPS = [("host", "ip"), ("src", "srcip"), ("dst", "dstip"), ("sport", "srcport"), ("proto", "proto"),
        ("in_if", "inif"), ("out_if", "outif"), ("tos", "tos")]


def word(text):
    text = text.strip()
    if text.startswith("0x"):
        return str(int(text, 16))
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return str(PROTOCOLS.get(text, text))


def weir(fields, what="", order="bytes", limit=0):
    """[(key, flows, packets, bytes)]"""
    done = subprocess.run([QUERY, "-n", str(limit), "-o", order, f"{folder}/store", fields, what],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{fields} {what}: {done.stderr}"
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return [(tuple(word(k.split("/")[0]) for k in row[:-3]), *(int(n) for n in row[-3:])) for row in rows]


def theirs(group, columns, what):
    text = nfdump.ask(f"{folder}/nfcapd", "-A", group, "-o",
                      "fmt:|" + "|".join("%" + c for c in columns) + "|%fl|%pkt|%byt|", what)
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [(tuple(word(k) for k in row[:-3]), *(int(n) for n in row[-3:])) for row in rows]


def same(name, got, wanted):
    if sorted(got) != sorted(wanted):
        extra, lacking = sorted(set(got) - set(wanted)), sorted(set(wanted) - set(got))
        raise AssertionError(f"{name}: weir has {len(got)} rows, nfdump {len(wanted)}; only weir: {extra[:3]}, "
                             f"only nfdump: {lacking[:3]}")


def expression(dice, depth):
    """The same in both languages."""
    if depth == 0 or dice.random() < 0.3:
        part = dice.choice(PARTS)
        ours, other = part if isinstance(part, tuple) else (part, part)
        if dice.random() < 0.25:
            return f"not ({ours})", f"not ({other})"
        return f"({ours})", f"({other})"
    a, b = expression(dice, depth - 1), expression(dice, depth - 1)
    how = dice.choice(["and", "or"])
    return f"({a[0]} {how} {b[0]})", f"({a[1]} {how} {b[1]})"


def compare_filters(dice):
    empty = 0
    pairs = [part if isinstance(part, tuple) else (part, part) for part in PARTS]
    pairs += [(part, part) for part in ALONE]
    pairs += [expression(dice, 3) for _ in range(RANDOM_FILTERS)]
    for ours, other in pairs:
        got = weir("proto", ours)
        same(f"{ours} | {other}", got, theirs("proto", ["pr"], other))
        empty += not got
    assert empty < len(pairs) / 3, f"{empty} filters let nothing through: they say little"
    say(f"{len(pairs)} filters, {empty} of which nothing passes: equal flows, packets and bytes by protocol")


def compare_groups():
    total = 0
    for fields, group, columns in GROUPS:
        what = "ipv6" if "//" in fields else "ipv4" if "/" in fields else ""
        got = weir(fields, what)
        same(f"by {fields}", got, theirs(group, columns, what))
        total += len(got)
    say(f"{len(GROUPS)} ways to group: {total} groups are equal")


def compare_tops():
    rows = 0
    for fields, statistic in TOPS:
        for order in ("flows", "packets", "bytes"):
            got = weir(fields, "", order, 20)
            text = nfdump.ask(f"{folder}/nfcapd", "-s", f"{statistic}/{order}", "-n", "20", "-o", "csv")
            cells = [line.split(",") for line in text.splitlines() if line[:2] == "20"]
            wanted = [((word(c[4]),), int(c[5]), int(c[7]), int(c[9])) for c in cells]
            column = {"flows": 1, "packets": 2, "bytes": 3}[order]
            # Those that are equal may come in any order, and of the last ones any may be left out.
            least = got[-1][column]
            assert [row[column] for row in got] == [row[column] for row in wanted], (fields, order, got, wanted)
            same(f"top {fields} by {order}", [r for r in got if r[column] > least],
                 [r for r in wanted if r[column] > least])
            rows += len(got)
    say(f"{len(TOPS) * 3} tops: {rows} lines are equal")


for program in (FLOWS, QUERY, "nfcapd", "nfdump"):
    if not shutil.which(program):
        skip(f"{program} is not there")
seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
say(f"SEED={seed}")
folder = tempfile.mkdtemp(prefix="weir-beside-")
try:
    subprocess.run([FLOWS, "store", f"{folder}/store", str(COUNT)], check=True)
    nfdump.collect(f"{folder}/nfcapd",
                   lambda port: subprocess.run([FLOWS, "send", str(port), str(COUNT)], check=True))
    assert sum(row[1] for row in weir("proto")) == COUNT
    compare_groups()
    compare_tops()
    compare_filters(random.Random(seed))
finally:
    shutil.rmtree(folder, ignore_errors=True)

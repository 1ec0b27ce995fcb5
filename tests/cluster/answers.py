#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 400
"""The cluster's answers are the sum of its nodes' answers; with a node away they bound the truth."""

import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import Cluster, WEIR, say, wait_for  # noqa: E402

PARTIAL = 3
COUNTERS = ("bytes", "packets", "flows")
cluster = Cluster(batches=300, rate=200)
cluster.start()
wait_for("a segment of each", 30, cluster.all_applied)
for _ in range(8):  # while segments come
    done = subprocess.run([WEIR, "audit", "--deep", "--master", "--socket", cluster.socket, "--json"],
                          capture_output=True, text=True, check=False)
    for check in json.loads(done.stdout)["checks"]:
        assert check["hop"] != "master" or check["result"] == "holds", check
wait_for("everything at the master", 60, cluster.settled)


def key_of(line):
    return tuple(str(v) for k, v in sorted(line.items()) if k not in ("low", "high"))


def top(*options, node=None):
    answer = cluster.ask("top", "--limit", "0", *options, node=node)
    assert answer, options
    return {key_of(line): line for line in answer["lines"]}, answer


def truth(*options):
    """What both nodes say, added up by us."""
    sums = {}
    for node in ("n1", "n2"):
        for key, line in top(*options, node=node)[0].items():
            into = sums.setdefault(key, dict.fromkeys(COUNTERS, 0))
            for counter in COUNTERS:
                into[counter] += line["low"][counter]
    return sums


def compare(*options):
    lines, answer = top(*options)
    expected = truth(*options)
    assert answer["exact"], options
    assert set(lines) == set(expected), (options, len(lines), len(expected))
    for key, line in lines.items():
        for counter in COUNTERS:
            assert line["low"][counter] == line["high"][counter] == expected[key][counter], key
    order = [line["low"]["bytes"] for line in answer["lines"]]
    assert order == sorted(order, reverse=True), "not in order"
    say(f"top {' '.join(options)}: {len(lines)} lines, equal to the nodes' sum")


compare("--by", "proto")
compare("--by", "src,dst,sport,dport")
compare("--by", "service")
compare("--by", "host")
compare("--by", "src,dst")
compare("--by", "host/24")  # no dimension of a summary, though host is
compare("--by", "src/16/48,dclass")
compare("--by", "dport", "dst port 53 or bytes > 100k")
compare("--by", "service", "--from", "-1d", "--to", "now")

note = subprocess.run([WEIR, "top", "--master", "--socket", cluster.socket, "--by", "proto"],
                      capture_output=True, text=True, check=True).stderr
assert "from summaries" in note, f"few protocols are proven by summaries: {note}"

def both(verb, *options):
    """The lines of both nodes and those of the master, which are to agree."""
    of = [weir_lines(verb, *options, "--node", "--socket", f"{cluster.folder}/{n}.sock") for n in ("n1", "n2")]
    return of[0], of[1], weir_lines(verb, *options, "--master", "--socket", cluster.socket)


def weir_lines(verb, *options):
    done = subprocess.run([WEIR, verb, "--output", "jsonl", *options], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, (options, done)
    return [json.loads(line) for line in done.stdout.splitlines()]


FIGURES = ("packets", "duration_ns", "min_ttl", "max_rtt_ns")


def compare_groups(verb, *options):
    """Sums add, the least is the least, the largest the largest."""
    one, two, merged = both(verb, *options, "--sum", "packets,duration", "--min", "ttl", "--max", "rtt")
    sums = {}
    for line in one + two:
        key = tuple((k, v) for k, v in line.items() if k.removesuffix("_high") not in FIGURES)
        into = sums.setdefault(key, [0, 0, 1 << 63, 0])
        how = (int.__add__, int.__add__, min, max)
        sums[key] = [f(a, line[name]) for f, a, name in zip(how, into, FIGURES)]
    assert len(merged) == len(sums), (options, len(merged), len(sums))
    for line in merged:
        key = tuple((k, v) for k, v in line.items() if k.removesuffix("_high") not in FIGURES)
        assert [line[name] for name in FIGURES] == sums[key], (line, sums[key])
        assert all(line[name] == line[f"{name}_high"] for name in FIGURES), line
    say(f"{verb} {' '.join(options)}: {len(merged)} groups, equal to the nodes' merged")
    return merged


lines = compare_groups("top", "--by", "src,proto", "--limit", "0")
packets = [line["packets"] for line in lines]
assert packets == sorted(packets, reverse=True), "not in order"
lines = compare_groups("series", "--every", "1s", "--by", "proto")
assert [(line["time"]) for line in lines] == sorted(line["time"] for line in lines)

# Distinct values of both nodes together: counted from the flows themselves.
everything = cluster.ask("flows", "--limit", "0", node="n1") + cluster.ask("flows", "--limit", "0", node="n2")
peers = {}
for flow in everything:
    peers.setdefault(flow["proto"], set()).add((flow["src"], flow["dst"]))
for line in weir_lines("top", "--by", "proto", "--distinct", "src,dst", "--master", "--socket", cluster.socket):
    assert line["distinct_src_dst"] == len(peers[line["proto"]]), line
done = subprocess.run([WEIR, "top", "--by", "src", "--distinct", "src,dst", "--master", "--socket", cluster.socket],
                      capture_output=True, text=True, check=False)
assert done.returncode == 1 and "--node" in done.stderr, done
say("distinct values of both nodes: counted, or refused with a sentence")

for order in ("bytes", "duration", "rtt", "retransmitted"):
    for more in ([], ["--ascending"]):
        one, two, merged = both("flows", "--order", order, "--limit", "50", *more)
        name = {"duration": "duration_ns"}.get(order, order)
        if order != "rtt":
            every = sorted((f.get(name, 0) for f in everything), reverse=not more)[:50]
            assert [f.get(name, 0) for f in merged] == every, (order, more)
        seen = {json.dumps(f) for f in one + two}
        assert all(json.dumps({k: v for k, v in f.items() if k != "node"}) in seen for f in merged)
one, two, merged = both("pairs", "--order", "rtt", "--limit", "40")
rtts = sorted((p["rtt_ns"] or 0 for p in one + two), reverse=True)[:40]
assert [p["rtt_ns"] or 0 for p in merged] == rtts and rtts[-1] > 0, "not the slowest of both"
say("flows and pairs in other orders: the first of both nodes, merged")

# Names that only the nodes know: each answers for itself.
of_node = {name: sum(f["bytes"] for f in cluster.ask("flows", "--limit", "0", node=name)) for name in ("n1", "n2")}
lines = weir_lines("top", "--by", "node,in_name", "--master", "--socket", cluster.socket)
assert {(line["node"], line["in_name"]): line["bytes"] for line in lines} == \
    {(name, "#1" if foreign else "lo"): sum(f["bytes"] for f in cluster.ask("flows", "--limit", "0", node=name)
                                            if bool(f.get("netns")) == foreign)
     for name in of_node for foreign in (False, True)}, lines
lines = weir_lines("top", "--by", "proto", "--sum", "bytes", "node n2", "--master", "--socket", cluster.socket)
assert sum(line["bytes"] for line in lines) == of_node["n2"], lines
done = subprocess.run([WEIR, "flows", "in if nosuch0 and tcp", "--master", "--socket", cluster.socket],
                      capture_output=True, text=True, check=False)
assert done.returncode == 2 and done.stderr.splitlines()[2] == " " * 8 + "^", done
say("nodes and interfaces by name: each node answers for itself, an unknown one is pointed at")

rows = cluster.ask("flows", "--limit", "200")
assert len(rows) == 200
merged = []
for name in ("n1", "n2"):
    merged += cluster.ask("flows", "--limit", "200", node=name)
newest = sorted((row["end_ns"] for row in merged), reverse=True)[:200]
assert [row["end_ns"] for row in rows] == newest, "not the newest of both"
assert {row["node"] for row in rows} == {"n1", "n2"}
say("flows: the newest of both nodes, merged")

bad = subprocess.run([WEIR, "top", "--master", "--socket", cluster.socket, "dst port nonsense"],
                     capture_output=True, text=True, check=False)
assert bad.returncode not in (0, PARTIAL) and "nonsense" in bad.stderr, bad

done = subprocess.run([WEIR, "top", "--by", "dst", "--sum", "packets", "--explain", "--master", "--socket",
                       cluster.socket], capture_output=True, text=True, check=True)
assert all(f"explain: node {name}" in done.stderr for name in ("n1", "n2")), done.stderr

expected = {by: truth("--by", by) for by in ("service", "host", "dport")}
cluster.nodes[1].stop(signal.SIGKILL)
wait_for("the master to notice", 10, lambda: cluster.connected() == 1)


def without_n2(*options):
    done = subprocess.run([WEIR, "top", "--master", "--socket", cluster.socket, "--json",
                           "--limit", "0", *options], capture_output=True, text=True, check=False)
    assert done.returncode == PARTIAL, done
    assert "n2" in done.stderr and "not connected" in done.stderr, done.stderr
    answer = json.loads(done.stdout)
    assert not answer["rest_groups_exact"]
    assert not answer["exact"] and [m["node"] for m in answer["missing"]] == ["n2"], answer
    return answer


for by, sums in expected.items():
    # Few services: every summary names all of them, which proves the answer.
    answer = cluster.ask("top", "--by", by) if by == "service" else without_n2("--by", by)
    for line in answer["lines"]:
        for counter in COUNTERS:
            real = sums[key_of(line)][counter]
            assert line["low"][counter] <= real <= line["high"][counter], (by, line, real)
    say(f"top --by {by} without n2: {len(answer['lines'])} lines bound the truth, n2 is named")
    # Summaries know nothing of a time.
    answer = without_n2("--by", by, "--from", "-1d")
    for line in answer["lines"]:
        assert line["high"] is None, line
        for counter in COUNTERS:
            assert line["low"][counter] <= sums[key_of(line)][counter], (by, line)
done = subprocess.run([WEIR, "top", "--master", "--socket", cluster.socket, "--from", "-1d"],
                      capture_output=True, text=True, check=False)
assert "Lower bounds only" in done.stdout and " .. " not in done.stdout, done
done = subprocess.run([WEIR, "top", "--master", "--socket", cluster.socket, "proto tcp"],
                      capture_output=True, text=True, check=False)
assert done.returncode == PARTIAL and "none of it is counted" in done.stderr, done
done = subprocess.run([WEIR, "top", "--master", "--socket", cluster.socket, "--by", "dst", "--sum", "packets",
                       "--output", "jsonl"], capture_output=True, text=True, check=False)
assert done.returncode == PARTIAL and "n2" in done.stderr, done
assert all(json.loads(line)["packets_high"] is None for line in done.stdout.splitlines()), done.stdout
cluster.nodes[1].start()
cluster.finish()

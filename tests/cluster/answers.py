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
compare("--by", "dport", "dst port 53 or bytes > 100k")
compare("--by", "service", "--from", "-1d", "--to", "now")

note = subprocess.run([WEIR, "top", "--master", "--socket", cluster.socket, "--by", "proto"],
                      capture_output=True, text=True, check=True).stderr
assert "from summaries" in note, f"few protocols are proven by summaries: {note}"

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
cluster.nodes[1].start()
cluster.finish()

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 600
"""Small quotas, a node that is killed: the horizon moves on, and every flow is still in a sum.

A minute is rolled up when it is over, and records go after that: so this takes two of them.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import WEIR, Cluster, say, wait_for  # noqa: E402

QUOTA = 4 << 20


def keys(raw):
    return f"keep_bytes = {raw}\nkeep = 1d\nkeep_minutes = 2h\nkeep_minutes_bytes = 64M"


cluster = Cluster(nodes=1, batches=9000, rate=100, keys=keys(QUOTA))
node = cluster.nodes[0]


def state():
    answer = cluster.ask("nodes", node="n1")
    return answer[0] if answer else None


def disk():
    """Bytes of the partitions, as the quota counts them."""
    total = 0
    for name in os.listdir(f"{cluster.folder}/n1"):
        if not name[:8].isdigit():
            continue
        for file in ("data.mdb", "lock.mdb"):
            try:
                total += os.stat(f"{cluster.folder}/n1/{name}/{file}").st_blocks * 512
            except FileNotFoundError:
                pass
    return total


def reload(raw):
    """A quota that is in force at once; nothing else changes."""
    before = len(node.lines("is in force"))
    cluster.keys = keys(raw)
    cluster.make_node("n1", 100)
    node.process.send_signal(signal.SIGHUP)
    wait_for("the configuration read again", 10,
             lambda: len(node.lines("is in force")) > before)


def whole(verb, *words):
    """An answer of the master that is not complete, and says so by its exit status."""
    done = subprocess.run([WEIR, verb, "--master", "--socket", cluster.socket, "--json", *words],
                          capture_output=True, timeout=30, check=False)
    assert done.returncode, "complete"
    return json.loads(done.stdout)


def top(by, *options):
    return cluster.ask("top", "--by", by, "-n", "1000", *options, node="n1")


cluster.start()
wait_for("a segment applied", 30, cluster.all_applied)
dice = random.Random(int(os.environ.get("SEED", "20261125")))
first = None
horizon = 0
removed = 0
end = time.monotonic() + 300
while time.monotonic() < end and not removed:
    time.sleep(dice.uniform(1, 3))
    if dice.random() < 0.3:
        node.kill()
        node.start()
        wait_for("an answer", 20, state)
    now = state()
    if not now or not now["oldest"]:
        continue
    if first is None:
        first = now["oldest"]
    if now["oldest"] != horizon:
        assert not horizon or now["oldest"] > horizon, "the horizon went back"
        removed += bool(horizon)
        horizon = now["oldest"]
        say(f"records from {horizon} on, {disk() >> 10} kB")
assert removed, "nothing was removed"

# From now on there is room for what comes.
reload(256 << 20)
wait_for("all that the kernel made at the master", 150, cluster.settled)
total = next(c["left"] for c in cluster.settled() if c["hop"] == "kernel")
say(f"{disk() >> 10} kB of records left")

# Exact, whatever is left of the records: there are two protocols.
answer = top("proto")
assert answer["exact"], answer
assert answer["all"] == total, (answer["all"], total)
for figure in ("flows", "packets", "bytes"):
    assert sum(line["low"][figure] for line in answer["lines"]) == total[figure], figure
assert any("no longer held" in note for note in answer["notes"]), answer["notes"]
for note in answer["notes"]:
    say("note: " + note)

# Interfaces are exact too; of hosts there are many, and each is within its bounds in sum.
answer = top("in_if")
assert answer["exact"] and [line["low"] for line in answer["lines"]] == [total], answer
answer = top("host")
low = sum(line["low"]["bytes"] for line in answer["lines"]) + answer["rest"]["bytes"]
high = sum(line["high"]["bytes"] for line in answer["lines"])
assert low == 2 * total["bytes"], (low, total)
say(f"{len(answer['lines'])} hosts, the sum of what they have at most is "
    f"{100 * high / low:.2f} % of all")

# What roll-ups cannot be asked for comes from the records, and says what it lacks.
answer = top("proto", "--", "proto", "tcp")
assert any("not in this answer" in note for note in answer["notes"]), answer
assert 0 < answer["all"]["flows"] < total["flows"]

# A master has the summaries: exact where they are, within bounds where the node cannot help any more.
answer = cluster.ask("top", "--by", "proto")
assert answer["exact"] and answer["all"] == total, answer
# More keys than a summary has: the node is asked, and answers with bounds.
for words in (), ("--from", "-2h"):
    answer = cluster.ask("top", "--by", "host", "-n", "5000", *words)
    assert answer["all"] == total and not answer["exact"], answer["all"]
    assert all(line["low"]["bytes"] <= line["high"]["bytes"] for line in answer["lines"])
    low = sum(line["low"]["bytes"] for line in answer["lines"]) + answer["rest"]["bytes"]
    assert low == 2 * total["bytes"], (low, total)
# What only records can tell: a part of it is gone.
answer = whole("top", "--by", "host", "--", "proto", "tcp")
assert "no longer holds" in answer["missing"][0]["reason"], answer["missing"]
assert 0 < answer["all"]["flows"] < total["flows"], answer["all"]

checks = cluster.audit("--deep")
assert checks, "the deep audit does not balance"
records = next(c for c in checks if c["hop"] == "records")
terms = {term["name"]: term["flows"] for term in records["terms"]}
say(f"audit: {terms}")
assert terms["expired"] > 0 and terms["records"] > 0, terms
assert sum(terms.values()) == total["flows"], terms

# Nothing is to be kept: all goes but what is being written, when the minute is rolled up.
reload(1)
wait_for("one partition left", 150,
         lambda: sum(name[:8].isdigit() for name in os.listdir(f"{cluster.folder}/n1")) == 1)
answer = top("proto")
assert answer["exact"] and answer["all"] == total, answer
say(f"{disk() >> 10} kB left, and every flow in a sum")
cluster.finish()

# And what is on the disk says the same to a reader of its own.
done = subprocess.run([WEIR, "store", "check", "--state", f"{cluster.folder}/n1"],
                      capture_output=True, text=True, timeout=60, check=False)
say(done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr)
assert done.returncode == 0, done.stdout + done.stderr

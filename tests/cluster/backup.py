#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 400
"""Backups of a node that takes in records, restored: the same answers; and shown beside another node's."""

import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import WEIR, SIMNODE, Cluster, Daemon, say, wait_for  # noqa: E402


def store(cluster, node, *words, status=0):
    """weir store ..., of node; its JSON answer."""
    done = subprocess.run([WEIR, "store", *words, "--state", f"{cluster.folder}/{node}", "--json"],
                          capture_output=True, timeout=100, check=False)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout) if done.stdout else None


def answers(cluster, node):
    """What a node says to some questions, in full."""
    asked = [("top", "--by", "src,dst", "--limit", "0"), ("top", "--by", "proto"),
             ("top", "--by", "host", "--limit", "50", "dst port < 1000"),
             ("flows", "--limit", "300", "--order", "bytes")]
    return [cluster.ask(*question, node=node) for question in asked]


def flows(cluster, node):
    """How many records a node answers from."""
    answer = cluster.ask("top", "--by", "proto", "--limit", "0", node=node)
    return sum(line["low"]["flows"] for line in answer["lines"])


cluster = Cluster(batches=1200, rate=200)
cluster.start()
wait_for("segments applied", 30, cluster.all_applied)

# While records come: each backup is the store as of some commit.
backup = f"{cluster.folder}/backup"
last = 0
for turn in range(4):
    made = store(cluster, "n1", "backup", backup, "--verify")
    assert made["damaged"] == 0 and made["records"] >= last, made
    last = made["records"]
    new = f"{cluster.folder}/new{turn}"
    store(cluster, "n1", "restore", backup, "--new", new)
    checked = json.loads(subprocess.run([WEIR, "store", "check", "--state", new, "--json"],
                                        capture_output=True, timeout=100, check=True).stdout)
    assert checked["faults"] == 0 and checked["balanced"], checked
    assert checked["held"]["flows"] == made["records"], (checked, made)
    shutil.rmtree(new)
    assert store(cluster, "n1", "check")["faults"] == 0
say(f"4 backups under load, {last} records in the last")

wait_for("all that the kernels made", 60, cluster.settled)
made = store(cluster, "n1", "backup", backup, "--verify")
assert made["records"] == 1200 * 100, made
# The last acknowledgements of the master may still be on their way.
wait_for("a backup with nothing new", 30,
         lambda: store(cluster, "n1", "backup", backup)["copied"] == 0)

# The restored store, with a node of its own, gives the answers of the first.
want = answers(cluster, "n1")
new = f"{cluster.folder}/r1"
store(cluster, "n1", "restore", backup, "--new", new)
shutil.copy(f"{cluster.folder}/n1.kernel", f"{cluster.folder}/r1.kernel")
conf = cluster.write("r1.conf", f"""
    [node]
    name = n1
    state = {new}
    socket = {cluster.folder}/r1.sock
    interval = 1s
    min_free = 1M
    """)
restored = Daemon("r1", cluster.folder, [SIMNODE, conf, f"{cluster.folder}/r1.kernel", "1200", "200"])
restored.start()
wait_for("the restored node to answer", 30, lambda: cluster.ask("nodes", node="r1"))
got = answers(cluster, "r1")
assert got == want, "the restored store answers otherwise"
checks = cluster.ask("audit", "--deep", node="r1")["checks"]
assert checks and all(check["result"] == "holds" for check in checks), checks
assert restored.stop() == 0
say("restored: the same answers, and the ledger holds")

# Beside the records of another node, which runs.
own = flows(cluster, "n2")
before = answers(cluster, "n2")
store(cluster, "n2", "restore", backup, "--mount", "other")
wait_for("the backup to be shown", 10, lambda: flows(cluster, "n2") == own + 1200 * 100)
checks = cluster.ask("audit", "--deep", node="n2")["checks"]
assert checks and all(check["result"] == "holds" for check in checks), checks
assert store(cluster, "n2", "stat")["mounted"][0]["name"] == "other"
# What a store has itself is not shown twice.
store(cluster, "n1", "restore", backup, "--mount", "mine", status=1)
assert flows(cluster, "n1") == 1200 * 100
store(cluster, "n2", "unmount", "other")
wait_for("the backup to be gone", 10, lambda: flows(cluster, "n2") == own)
assert answers(cluster, "n2") == before
say("mounted beside another node, and unmounted")

# A repair does not touch a store that is in use.
done = subprocess.run([WEIR, "store", "repair", "--yes", "--state", f"{cluster.folder}/n1"],
                      capture_output=True, text=True, check=False)
assert done.returncode == 1 and f"pid {cluster.nodes[0].process.pid}" in done.stderr, done
cluster.finish()

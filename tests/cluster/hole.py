#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 400
"""A segment in the middle of the spool is lost: the master gets all others, and counts that one."""

import glob
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import BUILD, Cluster, say, wait_for  # noqa: E402

LOST = 3
cluster = Cluster(nodes=1, batches=1000, rate=200)
node = cluster.nodes[0]
node.start()


def last_seq(where=None):
    answer = cluster.ask("nodes", node=where)
    return answer[0]["last_seq"] if answer else 0


wait_for("segments without a master", 30, lambda: last_seq("n1") >= 5)
assert node.stop() == 0
partition = sorted(glob.glob(f"{cluster.folder}/n1/[0-9]*"))[0]
subprocess.run([f"{BUILD}/tests/cluster/losesegment", partition, str(LOST)], check=True)
cluster.start()
wait_for("what is behind the hole", 30, lambda: last_seq() >= 8)
say("the master has " + str(last_seq()))
assert len(node.lines(f"segments {LOST} to {LOST} cannot be read")) == 1, "not said, or not once"
(here,) = cluster.ask("nodes")
assert "1 segment" in here["state"], here
for daemon in (node, cluster.master):
    assert daemon.stop() == 0
cluster.failed = False

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 400
"""A master that lost its store is filled again by the nodes, from segment 1, to the byte."""

import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import Cluster, say, wait_for  # noqa: E402

cluster = Cluster(batches=1000, rate=200)
cluster.start()
wait_for("some segments of every node", 40,
         lambda: cluster.all_applied() and
         all(node["last_seq"] >= 4 for node in cluster.ask("nodes")))
time.sleep(2)  # the nodes note what is acknowledged every second
cluster.master.kill()
shutil.rmtree(f"{cluster.folder}/master")
say("the master's store is gone")
cluster.master.start()
cluster.finish()
for node in cluster.nodes:
    assert node.lines("sending from segment 1 of"), f"{node.name} did not begin again"
    assert not node.lines("the gap"), f"{node.name} had dropped something"

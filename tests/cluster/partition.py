#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 400
"""The master stops answering without closing: nodes notice, come back, and nothing is lost."""

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import Cluster, say, wait_for  # noqa: E402

cluster = Cluster(batches=1500, rate=100)
cluster.start()
wait_for("a segment applied", 30, cluster.all_applied)
cluster.master.process.send_signal(signal.SIGSTOP)
say("the master is stopped")
wait_for("nodes to notice", 50,
         lambda: all(n.lines("gave no sign of life") for n in cluster.nodes))
say("the nodes noticed")
answer = cluster.ask("top", node="n1")
assert answer, "a node does not answer without its master"
cluster.master.process.send_signal(signal.SIGCONT)
wait_for("nodes to be back", 40, lambda: cluster.connected() == 2)
say("the nodes are back")
cluster.finish()

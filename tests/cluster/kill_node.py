#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 400
"""kill -9 of nodes at 20 random moments under load: every batch is stored and sent once."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import Cluster, kill_repeatedly  # noqa: E402

cluster = Cluster(batches=2500, rate=200)
cluster.start()
kill_repeatedly(cluster, cluster.nodes, 20)
cluster.finish()

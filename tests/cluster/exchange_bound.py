#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 240
"""A master merges in memory and sends no more than 250000 flows: an export that lacks some says so, one of a node has all."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import WEIR, Cluster, say, wait_for  # noqa: E402
from ipfix import File  # noqa: E402

BATCHES, BOUND = 1300, 250000
cluster = Cluster(nodes=2, batches=BATCHES, rate=3000)
cluster.start()
wait_for("everything at the master", 120, cluster.settled)


def export(*where):
    path = f"{cluster.folder}/out.ipfix"
    done = subprocess.run([WEIR, "export", path, *where], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr, len(File(path).records)


code, said, flows = export("--master", "--socket", cluster.socket)
assert code == 3 and flows == BOUND, (code, said, flows)
assert f"missing: {2 * BATCHES * 100 - BOUND} of {2 * BATCHES * 100} flows" in said, said
code, said, flows = export("--node", "--socket", f"{cluster.folder}/n1.sock")
assert code == 0 and flows == BATCHES * 100, (code, said, flows)
say(f"a master exports {BOUND} flows and says what is missing; a node all {flows}")
cluster.finish()

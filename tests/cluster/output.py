#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
"""The command line ends at once on Ctrl-C and when nobody reads on, in the middle of an answer."""

import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import Cluster, WEIR, say, wait_for  # noqa: E402

SOON = 5
cluster = Cluster(nodes=1, batches=2000, rate=3000)
cluster.start()
wait_for("everything at the master", 120, cluster.settled)
command = [WEIR, "flows", "--node", "--socket", f"{cluster.folder}/n1.sock", "--limit", "0", "--json"]


def begin():
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert os.read(process.stdout.fileno(), 65536), "no flows"
    return process


weir = begin()
weir.send_signal(signal.SIGINT)
sent = time.monotonic()
more = 0
while data := os.read(weir.stdout.fileno(), 65536):
    more += len(data)
    time.sleep(0.01)  # slower than the node: data is always waiting
code = weir.wait(timeout=60)
took = time.monotonic() - sent
assert code == 130 and took < SOON, f"Ctrl-C: ended with {code} after {took:.1f} s, {more} bytes"
say(f"Ctrl-C: {more} bytes later, after {took:.1f} s")

weir = begin()
weir.stdout.close()
closed = time.monotonic()
code = weir.wait(timeout=60)
took = time.monotonic() - closed
assert code == -signal.SIGPIPE and took < SOON, f"head: ended with {code} after {took:.1f} s"
say(f"nobody reads on: ended after {took:.1f} s")

cluster.finish()

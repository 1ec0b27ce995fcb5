#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 400
"""Questions do not hold up the stream: while four askers never stop, the node goes on committing and
acknowledging, the kernel's log never fills up, and in the end everything is there."""

import json
import os
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import Cluster, WEIR, say, wait_for  # noqa: E402

RATE = 200  # batches of 100 records a second
SECONDS = 12
LOG_BATCHES = 1024  # what weir.ko keeps for a subscriber that does not read, on one CPU
QUESTIONS = (
    ("top", "--by", "src,dst,sport,dport", "--limit", "5"),
    ("top", "--by", "src", "--distinct", "dst,dport"),
    ("flows", "--order", "bytes", "--limit", "1000"),
    ("series", "--every", "1s", "--by", "service"),
    ("pairs", "--order", "rtt"),
    ("flows", "--limit", "0"),
)
cluster = Cluster(nodes=1, batches=RATE * SECONDS * 2, rate=RATE)
SOCKET = ["--node", "--socket", f"{cluster.folder}/n1.sock"]


def progress():
    """Batches the kernel has made, and those it was told are on disk (simkernel.c, struct state)."""
    with open(f"{cluster.folder}/n1.kernel", "rb") as f:
        _, _, made, acked = struct.unpack("4Q", f.read(32))
    return made, acked


def watch(seconds):
    """Most batches that waited at a time, the longest time without an acknowledgement, and how many
    batches were acknowledged each second."""
    most, acked, speeds = 0, progress()[1], []
    last, since, pause = acked, time.monotonic(), 0
    end = time.monotonic() + seconds
    second = time.monotonic() + 1
    while time.monotonic() < end:
        made, now = progress()
        most = max(most, made - now)
        if now != last:
            last, since = now, time.monotonic()
        pause = max(pause, time.monotonic() - since)
        if time.monotonic() >= second:
            speeds.append(now - acked)
            acked, second = now, second + 1
        time.sleep(0.02)
    return most, pause, speeds


answers = [0] * len(QUESTIONS)
failures = []
stop = threading.Event()


def ask(which):
    while not stop.is_set():
        done = subprocess.run([WEIR, *QUESTIONS[which], *SOCKET, "--output", "jsonl"], capture_output=True,
                              text=True, timeout=120, check=False)
        if done.returncode:
            failures.append((QUESTIONS[which], done.returncode, done.stderr))
            return
        for line in done.stdout.splitlines():
            json.loads(line)
        answers[which] += 1
        which = (which + 1) % len(QUESTIONS)


cluster.start()
wait_for("the kernel's state", 60, lambda: os.path.exists(f"{cluster.folder}/n1.kernel") and
         os.path.getsize(f"{cluster.folder}/n1.kernel") >= 32)
wait_for("the first batches", 60, lambda: progress()[1] > RATE)
most, pause, alone = watch(SECONDS / 3)
say(f"alone: at most {most} batches waited, {pause:.2f} s between acknowledgements, "
    f"{sum(alone) / len(alone):.0f} a second acknowledged")
askers = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
for asker in askers:
    asker.start()
most, pause, asked = watch(SECONDS)
stop.set()
for asker in askers:
    asker.join()
assert not failures, failures
assert all(answers), f"not every question was answered: {answers}"
say(f"with {sum(answers)} answers meanwhile: at most {most} batches waited, {pause:.2f} s between "
    f"acknowledgements, "
    f"{sum(asked) / len(asked):.0f} a second acknowledged, "
    f"{sum(asked) / len(asked) / (sum(alone) / len(alone)):.2f} of the rate before")
assert most < LOG_BATCHES, f"{most} batches waited: a kernel's log would have been full"
assert progress()[1] > RATE and sum(asked) > 0, "nothing was acknowledged while questions ran"
cluster.finish(seconds=120)

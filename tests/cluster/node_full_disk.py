#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 400
"""A node's disk fills, with either policy: it says so once, counts every flow once, and goes on when there is room."""

import atexit
import errno
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import WEIR, Cluster, say, skip, wait_for  # noqa: E402

disk = tempfile.mkdtemp(prefix="weir-disk-")
atexit.register(os.rmdir, disk)
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "weir-test", disk], check=False).returncode:
    skip("cannot mount a tmpfs here")
atexit.register(subprocess.run, ["umount", "-l", disk])


def fill(leave):
    """Write a file that leaves about so many bytes; the node may take some meanwhile."""
    fd = os.open(f"{disk}/ballast", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        while (fs := os.statvfs(disk)).f_bavail * fs.f_frsize > leave:
            os.write(fd, bytes(min(1 << 16, fs.f_bavail * fs.f_frsize - leave)))
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
    os.close(fd)


def total(cluster, hop, side="left"):
    checks = {c["hop"]: c for c in (cluster.ask("audit", node="n1") or {"checks": []})["checks"]}
    return checks[hop][side]["flows"] if hop in checks else None


def term(cluster, hop, name):
    answer = cluster.ask("audit", node="n1")
    for check in answer["checks"] if answer else []:
        for t in check["terms"]:
            if check["hop"] == hop and t["name"] == name:
                return t["flows"]
    return None


def run(policy):
    folder = f"{disk}/{policy}"
    os.mkdir(folder)
    cluster = Cluster(nodes=1, batches=1500, rate=50, node_state=folder, node_min_free="16M",
                      keys=f"when_full = {policy}\ncommit = 100ms")
    node = cluster.nodes[0]
    cluster.start()
    wait_for("a segment applied", 30, cluster.all_applied)
    fill(8 << 20)
    wait_for("the node to say that the disk is full", 20, lambda: node.lines("the disk is full"))
    say(f"{policy}: " + node.lines("the disk is full")[0].split("error: ")[1].strip())
    acked = total(cluster, "stream")
    time.sleep(4)
    assert len(node.lines("the disk is full")) == 1, "said more than once"
    state = cluster.ask("nodes", node="n1")[0]
    assert not state["storing"] and "disk is full" in state["state"], state
    if policy == "summaries":
        assert total(cluster, "stream") > acked, "nothing was acknowledged"
        assert term(cluster, "stream", "refused") > 0
        # The master has what the records would have said.
        wait_for("summaries at the master", 20, lambda: cluster.ask("top", "--by", "proto")["all"]
                 ["flows"] > acked)
        # Killed in the middle of it, a few times.
        for _ in range(4):
            time.sleep(0.7)
            node.kill()
            node.start()
        wait_for("an answer", 20, lambda: cluster.ask("nodes", node="n1"))
    else:
        assert total(cluster, "stream") == acked, "something was acknowledged"
        assert term(cluster, "stream", "refused") == 0
    # Nothing at all: both wait.
    fill(0)
    time.sleep(2)
    acked = total(cluster, "stream")
    time.sleep(2)
    assert total(cluster, "stream") == acked, "acknowledged without room"
    os.unlink(f"{disk}/ballast")
    wait_for("storing again", 20, lambda: cluster.ask("nodes", node="n1")[0]["storing"])
    say(f"{policy}: storing again, refused {term(cluster, 'stream', 'refused')} flows")
    wait_for("all that the kernel made at the master", 60, cluster.settled_with_refused)
    checks = cluster.audit("--deep")
    assert checks, "the deep audit does not balance"
    by = {c["hop"]: {t["name"]: t["flows"] for t in c["terms"]} for c in checks
          if c["node"] == "n1"}
    refused = by["stream"]["refused"]
    want = cluster.batches * 100
    assert by["stream"]["received"] + refused == want, by
    assert by["records"]["records"] == want - refused, by
    assert sum(by["summary"].values()) == want, by
    assert (refused > 0) == (policy == "summaries"), refused
    top = cluster.ask("top", "--by", "proto")
    assert top["all"]["flows"] == want, top
    if refused:
        notes = cluster.ask("top", "--by", "proto", node="n1")["notes"]
        assert any("not held as records" in note for note in notes), notes
        say("note: " + notes[-1])
        # What only records can tell is not all, and says so, here and at the master.
        part = cluster.ask("top", "--by", "proto", "--", "proto", "tcp", node="n1")
        assert not part["exact"] and part["all"]["flows"] < want, part
        done = subprocess.run([WEIR, "top", "--master", "--socket", cluster.socket, "--json",
                               "proto", "tcp"], capture_output=True, timeout=30, check=False)
        part = json.loads(done.stdout)
        assert "disk was full" in part["missing"][0]["reason"], part["missing"]
    say(f"{policy}: {want} flows = {by['records']['records']} records + {refused} refused, "
        f"all of them in summaries")
    for daemon in cluster.nodes + [cluster.master]:
        assert daemon.stop() == 0, daemon.name
    for daemon in cluster.nodes + [cluster.master]:
        for bad in ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer"):
            assert not daemon.lines(bad), f"{daemon.name}: {bad}, see the log"
    cluster.failed = False
    subprocess.run(["rm", "-r", folder], check=True)


for which in ("summaries", "wait"):
    run(which)

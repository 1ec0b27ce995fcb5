#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 400
"""The master's disk fills: it says so once, answers, loses nothing, and goes on when there is room."""

import atexit
import errno
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import Cluster, say, skip, wait_for  # noqa: E402

disk = tempfile.mkdtemp(prefix="weir-disk-")
atexit.register(os.rmdir, disk)
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "weir-test", disk], check=False).returncode:
    skip("cannot mount a tmpfs here")
atexit.register(subprocess.run, ["umount", "-l", disk])


def fill(leave):
    """Write a file that leaves about so many bytes; the master may take some meanwhile."""
    fd = os.open(f"{disk}/ballast", os.O_WRONLY | os.O_CREAT)
    try:
        while (fs := os.statvfs(disk)).f_bavail * fs.f_frsize > leave:
            os.write(fd, bytes(min(1 << 16, fs.f_bavail * fs.f_frsize - leave)))
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
    os.close(fd)


# min_free = 0: so that LMDB itself runs into the end of the disk.
for min_free in ("0", "4M"):
    cluster = Cluster(batches=800, rate=100, master_state=f"{disk}/m{min_free}", min_free=min_free)
    cluster.start()
    wait_for("a segment applied", 30, cluster.all_applied)
    fill(0 if min_free == "0" else 2 << 20)
    wait_for("the master to say that the disk is full", 30,
             lambda: cluster.master.lines("the disk is full"))
    say("full: " + cluster.master.lines("the disk is full")[0].split("error: ")[1].strip())
    time.sleep(3)
    assert len(cluster.master.lines("the disk is full")) == 1, "said more than once"
    assert cluster.connected() == 2, "does not answer while full"
    os.unlink(f"{disk}/ballast")
    wait_for("taking segments again", 10, lambda: cluster.master.lines("there is room again"))
    say("resumed")
    cluster.finish()

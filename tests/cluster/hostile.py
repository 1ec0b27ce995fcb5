#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 400
"""What is no weir, or a bad one, is closed with one line in the log; the others go on."""

import os
import random
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import Cluster, say, wait_for  # noqa: E402


def attack(port, data, wait_closed=True):
    """Send @data, and see the master close. Our own port, for the log."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        own = s.getsockname()[1]
        try:
            s.sendall(data)
            while wait_closed and s.recv(4096):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass
    return own


def frame(body):
    return struct.pack("!I", len(body)) + body


cluster = Cluster(batches=1000, rate=200)
cluster.start()
wait_for("both nodes connected", 20, lambda: cluster.connected() == 2)

dice = random.Random(7)
attacks = {
    "random bytes": dice.randbytes(100000),
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a length of 4 GB": b"\xff" * 4,
    "an empty frame": frame(b""),
    "a frame of rubbish": frame(b"\xff\xfe\xfd" * 9),
    "thirty thousand empty messages": frame(b"\x4a\x80\xf4\x03" + b"\x12\x00" * 32000),
    "half a frame, then the end": None,
    "a Push before Hello": frame(b"\x22\x02\x0a\x00"),
    "a Hello without an id": frame(b"\x0a\x06\x08\x01\x10\x01\x18\x01"),
}
for name, data in attacks.items():
    if data is None:
        own = attack(cluster.port, struct.pack("!I", 100) + b"abc", wait_closed=False)
    else:
        own = attack(cluster.port, data)
    lines = wait_for(f"a line about {name}", 10,
                     lambda: cluster.master.lines(f"127.0.0.1:{own}:"))
    time.sleep(0.1)
    lines = cluster.master.lines(f"127.0.0.1:{own}:")
    assert len(lines) == 1, (name, lines)
    say(f"{name}: {lines[0].split('127.0.0.1', 1)[1].strip()}")

# Silent ones hold nobody up, and are not kept for ever.
silent = []
for _ in range(500):
    silent.append(socket.create_connection(("127.0.0.1", cluster.port)))
    time.sleep(0.001)
with socket.create_connection(("127.0.0.1", cluster.port), timeout=5) as s:
    s.sendall(frame(b"\x0a\x30\x08\x01\x10\x01\x18\x01\x22\x01x\x2a\x10" + b"i" * 16 +
                    b"\x32\x10" + b"e" * 16 + b"\x3a\x01n"))
    assert s.recv(4096)[4:5] == b"\x12", "no Welcome while others are silent"
assert cluster.connected() >= 2, "a node was turned out"
assert cluster.ask("nodes"), "the master does not answer while others are silent"
silent[0].settimeout(20)
assert silent[0].recv(1) == b"", "a silent connection was kept"
for s in silent:
    s.close()
say("silent connections were closed")

# Nor on the sockets for the command line.
for path in (cluster.socket, f"{cluster.folder}/n1.sock"):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(path)
        assert s.recv(1) == b"", "a silent client was kept"
say("silent clients were closed")

cluster.finish()
for node in cluster.nodes:
    assert len(node.lines(": connected to")) == 1, "a node was disturbed"

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
"""Nodes that answer wrongly, have gaps or another history spoil no more than their own part."""

import hashlib
import json
import os
import pty
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import Cluster, WEIR, say, wait_for  # noqa: E402

PARTIAL = 3
EINVAL = (1 << 64) - 22
TOP, AUDIT = 2, 4


# Just enough of the encoding for daemon/wire/weir.proto.
def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def num(field, n):
    return varint(field << 3) + varint(n) if n else b""


def sub(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def frame(body):
    return struct.pack("!I", len(body)) + body


def totals(flows, packets, octets):
    return num(1, flows) + num(2, packets) + num(3, octets)


def read_varint(data, at):
    n = shift = 0
    while True:
        n |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return n, at


def end(ask, status=0, error="", matched=b"", damaged=0):
    return frame(sub(10, num(1, ask) + num(2, status) + sub(3, error.encode()) + sub(4, matched) +
                     num(7, damaged)))


def line(key, *figures):
    return sub(1, sub(1, key) + sub(2, totals(*figures)))


class Fake:
    """A node as it says Hello; @answer gives the bytes for an Ask."""

    def __init__(self, port, name, answer=None, first=1, last=1, identity=None):
        self.node_id, self.epoch = identity or (os.urandom(16), os.urandom(16))
        self.name, self.answer = name, answer
        self.acks = []
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(frame(sub(1, num(1, 1) + num(2, 1) + num(3, 1) + sub(4, b"fake") + sub(
            5, self.node_id) + sub(6, self.epoch) + sub(7, name.encode()) + num(9, first) + num(
                10, last))))
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        data = b""
        try:
            while more := self.socket.recv(65536):
                data += more
                while len(data) >= 4 and len(data) >= 4 + struct.unpack("!I", data[:4])[0]:
                    bytes_ = struct.unpack("!I", data[:4])[0]
                    self.take(data[4:4 + bytes_])
                    data = data[4 + bytes_:]
        except OSError:
            pass

    def take(self, body):
        _, at = read_varint(body, 1)
        if body[0] == 0x2a:  # Ack: 1 seq, 2 applied
            self.acks.append(body[at + 3])
        if body[0] == 0x3a and self.answer:  # Ask: 1 id, 2 verb
            ask, at = read_varint(body, at + 1)
            self.socket.sendall(self.answer(ask, body[at + 1]))

    def push(self, seq, own, cumulative, prev=bytes(32), wait=True):
        """Own totals as one key of "proto": tcp. The hash of the segment."""
        entry = sub(1, b"\x06") + sub(2, totals(*own))
        now = time.time_ns()
        body = (sub(1, self.node_id) + sub(2, self.epoch) + num(3, seq) + sub(4, prev) + num(
            5, now - 10**9) + num(6, now) + sub(9, totals(*own)) + sub(10, totals(*cumulative)) +
                sub(11, sub(1, b"proto") + sub(2, entry)) + sub(15, b"\x1b[2Jmade up"))
        before = len(self.acks)
        self.socket.sendall(frame(sub(4, sub(1, body))))
        if wait:
            wait_for("an Ack", 10, lambda: len(self.acks) > before)
        return hashlib.sha256(body).digest()

    def close(self):
        before = cluster.connected()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        wait_for("the master to notice", 10, lambda: cluster.connected() < before)


def weir(*options):
    done = subprocess.run([WEIR, *options, "--master", "--socket", cluster.socket, "--json"],
                          capture_output=True, text=True, check=False, timeout=60)
    assert "\033" not in done.stderr + done.stdout, done
    return done, json.loads(done.stdout or "null")


def tcp(answer):
    return next(x for x in answer["lines"] if x["proto"] == "tcp")


cluster = Cluster(nodes=1, batches=100, rate=400)
cluster.start()
wait_for("everything at the master", 60, cluster.settled)
truth = tcp(cluster.ask("top", "--by", "proto"))["low"]["bytes"]


def spoil(what, answer, words):
    """@answer of a node called "bad": it is missing, the other's answer stands."""
    fake = Fake(cluster.port, "bad", answer)
    wait_for("bad connected", 10, lambda: cluster.connected() == 2)
    clocks = {n["name"]: n["clock_offset_ns"] for n in cluster.ask("nodes")}
    assert clocks["bad"] is None, "a clock that was never measured"
    done, found = weir("top", "--by", "proto", "tcp")
    assert done.returncode == PARTIAL and found and not found["exact"], (what, done)
    assert [m["node"] for m in found["missing"]] == ["bad"], (what, found)
    assert words in done.stderr, (what, done.stderr)
    assert tcp(found)["low"]["bytes"] >= truth and tcp(found)["high"] is None, (what, found)
    fake.close()
    say(f"{what}: {done.stderr.strip()}")


spoil("-EINVAL", lambda ask, verb: end(ask, EINVAL, "\x1b[31mno"), "?[31mno")
spoil("keys of another length",
      lambda ask, verb: frame(sub(9, num(1, ask) + sub(3, line(b"long", 1, 2, 3)))) + end(ask),
      "not one to this question")
spoil("damaged blocks",
      lambda ask, verb: frame(sub(9, num(1, ask) + sub(3, line(b"\x06", 1, 2, 3)))) + end(
          ask, matched=totals(1, 2, 3), damaged=3), "3 damaged blocks")

# The verbs that came later: a node that does not know one, or does not keep to it.
EOPNOTSUPP = (1 << 64) - 95
GROUPS = ("top", "--by", "proto", "--sum", "packets")
PACKETS = {x["proto"]: x["low"]["packets"] for x in cluster.ask(*GROUPS)["lines"]}


def groups(keys, *values):
    packed = b"".join(varint(v) for v in values)
    return sub(7, num(1, len(values)) + sub(2, keys) + sub(3, packed))


def spoil_later(what, question, answer, words, right):
    fake = Fake(cluster.port, "bad", answer)
    wait_for("bad connected", 10, lambda: cluster.connected() == 2)
    done = subprocess.run([WEIR, *question, "--master", "--socket", cluster.socket, "--output", "jsonl"],
                          capture_output=True, text=True, check=False, timeout=60)
    rows = [json.loads(x) for x in done.stdout.splitlines()]
    assert done.returncode == PARTIAL and "bad" in done.stderr and words in done.stderr, (what, done)
    assert right(rows), (what, rows[:3])
    fake.close()
    say(f"{what}: {done.stderr.strip()}")


def packets_right(rows):
    return {x["proto"]: x["packets"] for x in rows} == PACKETS and all(x["packets_high"] is None for x in rows)


for question, right in ((GROUPS, packets_right), (("flows", "--order", "bytes"), lambda rows: len(rows) == 20),
                        (("pairs", "--limit", "3"), lambda rows: len(rows) == 3)):
    spoil_later(f"an older version, {question[0]}", question,
                lambda ask, verb: end(ask, EOPNOTSUPP, "what?"), "its version does not know this question", right)
for what, part in (("keys of another length", groups(b"\x06\x06", 1)), ("a value too few", groups(b"\x06\x11", 1)),
                   ("groups too many", sub(7, num(1, 1 << 31) + sub(2, b"\x06") + sub(3, b"\x01")))):
    spoil_later(what, GROUPS, lambda ask, verb, part=part: frame(sub(9, num(1, ask) + part)) + end(ask),
                "not one to this question", packets_right)
# What nodes say of their progress is added up for who looks.
def slowly(ask, verb):
    for blocks in (3, 6, 9):
        fake.socket.sendall(frame(sub(9, num(1, ask) + sub(10, num(1, blocks) + num(2, 12) + num(3, blocks * 1000)))))
        time.sleep(0.7)
    return end(ask)


fake = Fake(cluster.port, "slow", slowly)
wait_for("slow connected", 10, lambda: cluster.connected() == 2)
screen, terminal = pty.openpty()
done = subprocess.run([WEIR, *GROUPS, "--master", "--socket", cluster.socket, "--output", "jsonl"], stderr=terminal,
                      stdout=subprocess.PIPE, text=True, check=False, timeout=60)
os.close(terminal)
shown = ""
try:
    while data := os.read(screen, 65536):
        shown += data.decode()
except OSError:  # nobody has the terminal any more
    os.close(screen)
assert done.returncode == 0 and " blocks, 9.00 k records" in shown and shown.endswith("\r\033[K"), (done, shown)
fake.close()
say("progress of a slow node is shown, and gone in the end")

# A node of which nothing is here yet: summaries prove nothing then.
new = Fake(cluster.port, "new", lambda ask, verb: frame(
    sub(9, num(1, ask) + sub(3, line(b"\x06", 1, 2, 3)))) + end(ask, matched=totals(1, 2, 3)), last=5)
wait_for("new connected", 10, lambda: cluster.connected() == 2)
done, found = weir("top", "--by", "proto")
assert done.returncode == 0 and found["exact"] and not found["notes"], (done, found)
assert tcp(found)["low"]["bytes"] == truth + 3, found
new.close()
done, found = weir("top", "--by", "proto")
assert any("from summaries" in note for note in found["notes"]), found
say("a new node is asked, not passed over")

# Segments 1 and 2 never came. They count in every upper bound, and the sum is whole.
gap = Fake(cluster.port, "gap", first=3, last=3)
gap.push(3, (1, 10, 100), (3, 30, 300))
gap.close()
done, found = weir("top", "--by", "proto")
assert done.returncode == PARTIAL and "2 of its segments never came" in done.stderr, done
assert tcp(found)["low"]["bytes"] == truth + 100, found
assert tcp(found)["high"]["bytes"] == truth + 300, found
assert found["rest"]["bytes"] + sum(x["low"]["bytes"] for x in found["lines"]) == \
    found["all"]["bytes"], found
done, found = weir("top", "--by", "proto", "--from", "-1d")
assert done.returncode == PARTIAL and tcp(found)["high"] is None, found
assert tcp(found)["low"]["bytes"] == truth, found
say("a gap is within the bounds; for a time, nothing of summaries is counted")


# Another history: no equation holds by what follows from the claim itself.
def claim(seq, *figures):
    def check(node, hop, term=b""):
        return sub(5, sub(1, node) + sub(2, hop) + sub(3, b"x") + sub(4, totals(*figures)) + sub(
            5, b"y") + sub(6, totals(*figures)) + num(7, 1) + term + num(10, seq))
    term = sub(9, sub(1, b"in segments") + sub(2, totals(*figures)))
    return lambda ask, verb: frame(sub(9, num(1, ask) + check(b"n1", b"kernel") + check(
        b"n1", b"cluster") + check(b"n1", b"summary", term))) + end(ask)


def audit_of(name):
    _, found = weir("audit")
    checks = found["checks"]
    assert sum(c["hop"] == "cluster" for c in checks) == 1, "a node spoke for the cluster"
    assert sum((c["node"], c["hop"]) == ("n1", "kernel") for c in checks) == 1, "and for another"
    return next(c for c in checks if (c["node"], c["hop"]) == (name, "replication")), found


liar = Fake(cluster.port, "liar", claim(1, 1, 10, 100))
identity = (liar.node_id, liar.epoch)
first = liar.push(1, (1, 10, 100), (1, 10, 100))
assert liar.acks == [1], liar.acks
check, _ = audit_of("liar")
assert check["result"] == "holds", check
liar.answer = claim(4, 4, 40, 400)  # three more are on the way, it followed ours
check, _ = audit_of("liar")
assert check["result"] == "holds" and "3 segments behind" in check["note"], check
liar.close()
liar = Fake(cluster.port, "liar", claim(4, 4, 40, 400), last=4, identity=identity)
wait_for("liar connected", 10, lambda: cluster.connected() == 2)
check, _ = audit_of("liar")
assert check["result"] == "unread", check
liar.push(2, (1, 10, 100), (2, 20, 200), b"x" * 32)
assert liar.acks == [3], liar.acks
check, found = audit_of("liar")
assert check["result"] == "unread" and "histories differ" in check["note"], check
assert not found["balanced"], found
names = {n["name"] for n in cluster.ask("nodes")}
assert names == {"n1", "gap", "liar"}, names
say(f"another history: {check['note']}")
liar.close()

# Segments that come while they are counted again are no difference.
busy = Fake(cluster.port, "busy", claim(0, 0, 0, 0))
done_pushing = threading.Event()


def push_on():
    before, seq = bytes(32), 0
    while not done_pushing.is_set():
        seq += 1
        before = busy.push(seq, (7, 7, 7), (7 * seq,) * 3, before, wait=False)
        time.sleep(0 if seq < 4000 else 0.005)


pusher = threading.Thread(target=push_on, daemon=True)
pusher.start()
wait_for("some thousand segments", 60, lambda: len(busy.acks) > 4000)
for _ in range(10):
    _, found = weir("audit", "--deep")
    check = next(c for c in found["checks"] if (c["node"], c["hop"]) == ("busy", "master"))
    assert check["result"] == "holds", check
done_pushing.set()
pusher.join()
say(f"a deep audit holds at each of 10 times while {len(busy.acks)} segments came")
busy.close()
cluster.failed = False
for daemon in cluster.nodes + [cluster.master]:
    assert daemon.stop() == 0, daemon.name

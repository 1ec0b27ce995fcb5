#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 400
"""What questions may use is bounded: with little memory the answer is the same, made on disk; with no
disk either, and past the time allowed, a sentence names the bound."""

import glob
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import Cluster, WEIR, say, wait_for  # noqa: E402

BATCHES = 1500
cluster = Cluster(nodes=1, batches=BATCHES, rate=2000, keys="query_memory = 512M")
SOCKET = ["--node", "--socket", f"{cluster.folder}/n1.sock"]
MANY = ("top", "--by", "src,dst,sport,dport", "--limit", "0", "--output", "jsonl")
SCAN = ("top", "--by", "src", "--distinct", "dst,sport", "--limit", "0", "--output", "jsonl")
SORTED = ("flows", "--order", "bytes", "--limit", "0", "--output", "jsonl")
PAIRS = ("pairs", "--order", "rtt", "--limit", "0", "--output", "jsonl")


def weir(*words, code=0):
    done = subprocess.run([WEIR, *words, *SOCKET], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == code, (words, done.returncode, done.stderr)
    return done


def again(more):
    """The same node with other bounds."""
    node = cluster.nodes[0]
    assert node.stop() == 0
    path = f"{cluster.folder}/n1.conf"
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"query_.*\n", "", f.read())
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace("min_free = 1M\n", f"min_free = 1M\n{more}\n"))
    node.start()
    wait_for("the node", 30, lambda: subprocess.run([WEIR, "nodes", *SOCKET], capture_output=True,
                                                    check=False).returncode == 0)


cluster.start()
wait_for("everything at the master", 120, cluster.settled)
plenty = {question: weir(*question).stdout for question in (MANY, SCAN, SORTED, PAIRS)}
assert "spilled: 0 bytes" in weir(*MANY, "--explain").stderr
again("query_memory = 1M")
for question, expected in plenty.items():
    done = weir(*question, "--explain")
    assert done.stdout == expected, f"{question}: another answer with less memory"
    spilled = int(re.search(r"spilled: (\d+) bytes", done.stderr).group(1))
    assert spilled, (question, done.stderr)
    say(f"{' '.join(question[:3])}: {len(expected.splitlines())} lines, equal with 1 MiB of memory and "
        f"{spilled} bytes on disk")
left = os.listdir(f"{cluster.folder}/n1/spill")
assert not left, left

again("query_memory = 1M\nquery_spill = 0")
for question in (MANY, SCAN, SORTED, PAIRS):
    done = weir(*question, code=1)
    assert "query_memory" in done.stderr and "query_spill" in done.stderr and not done.stdout, done
again("query_memory = 1M\nquery_spill = 1M")
done = weir(*MANY, code=1)
assert "query_spill" in done.stderr and "disk" in done.stderr and not done.stdout, done
# What needs little is answered all the same.
assert json.loads(weir("top", "--by", "proto", "--json").stdout)["exact"]
say("no memory and no disk: refused with a sentence that names both")

# Ctrl-C in the middle of an answer: the node, which still has most of it, drops the question. It
# answers eight at a time, so had it kept them it would refuse the ninth.
again("query_memory = 512M")
for turn in range(10):
    asking = subprocess.Popen([WEIR, *SORTED, *SOCKET], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert os.read(asking.stdout.fileno(), 1), "no answer"
    asking.send_signal(signal.SIGINT)
    out, errors = asking.communicate(timeout=60)
    assert asking.returncode == 130, (turn, asking.returncode, errors)
    assert out.count(b"\n") < BATCHES * 100 / 2, "it was not cut short"
assert weir("flows", "--limit", "1").stdout
say("Ctrl-C: ten long answers cut short, the node goes on")

# Who does not read on holds an answer up, and the node stops it.
again("query_timeout = 2s")
asking = subprocess.Popen([WEIR, *SORTED, *SOCKET], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
time.sleep(4)
out, errors = asking.communicate(timeout=60)
assert asking.returncode == 1 and b"query_timeout" in errors, (asking.returncode, errors)
say("query_timeout: stopped after 2 s, with a sentence")
cluster.finish()

PAGE = 4096


def runs(path):
    """Where LMDB keeps values of many pages, or kept them: offset and pages."""
    with open(path, "rb") as f:
        data = f.read()
    for number in range(len(data) // PAGE):
        page, _, flags, pages = struct.unpack_from("=QHHI", data, number * PAGE)
        if page == number and flags == 4 and pages > 20:
            yield number * PAGE, pages


def damage(path, offset, pages):
    """A byte of each page: whatever column a question reads, it meets one."""
    with open(path, "r+b") as f:
        for page in range(pages):
            f.seek(offset + page * PAGE + 100)
            byte = f.read(1)
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte[0] ^ 0x55]))


# A damaged block: what is left is a lower bound, and every output says so before the first line.
path = max(glob.glob(f"{cluster.folder}/n1/2*/data.mdb"), key=os.path.getsize)
node = cluster.nodes[0]
node.start()
wait_for("the node", 30, lambda: subprocess.run([WEIR, "nodes", *SOCKET], capture_output=True,
                                                check=False).returncode == 0)
for offset, pages in runs(path):
    damage(path, offset, pages)
    if subprocess.run([WEIR, "top", "--by", "src", *SOCKET], capture_output=True, check=False).returncode:
        break
PARTIAL = 3
for question in (("top", "--by", "src,dst,sport,dport"), ("top", "--by", "src", "--sum", "packets,duration")):
    done = weir(*question, "--limit", "3", "--json", code=PARTIAL)
    answer = json.loads(done.stdout)
    assert "damaged" in done.stderr and not answer["exact"], (done.stderr, answer)
    assert all(line["high"] is None for line in answer["lines"]), answer
    heads, *rows = weir(*question, "--limit", "3", "--csv", code=PARTIAL).stdout.splitlines()
    assert len(rows) == 3 and all(row.endswith("," * heads.count("_high")) for row in rows), rows
    assert "Lower bounds only" in weir(*question, code=PARTIAL).stdout
assert " 1 damaged" in weir("flows", "--order", "bytes", "--explain", code=PARTIAL).stderr
node.stop()
say("a damaged block: exit status 3, lower bounds in every output")

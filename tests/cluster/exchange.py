#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 240
"""Flows go out as IPFIX and come in again: from a node and a cluster, past kill -9, to and from other tools.

A reader of its own, in this file, checks what weir writes; libfixbuf's ipfixDump and nfcapd with nfdump
read it too.
"""

import collections
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
import nfdump  # noqa: E402
from cluster import BUILD, SRC, WEIR, Cluster, say, skip, wait_for  # noqa: E402
from ipfix import ICMP4, File, flow_of  # noqa: E402

FLOWS = f"{BUILD}/bench/flows"
COUNT = 100000
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "icmp6": 58, "ipv6-icmp": 58, "sctp": 132}

for program in (FLOWS, "nfcapd", "nfdump", "ipfixDump"):
    if not shutil.which(program):
        skip(f"{program} is not there")
folder = tempfile.mkdtemp(prefix="weir-exchange-")


def run(*command, code=0):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, f"{command}: {done.returncode}, not {code}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def same(name, got, wanted):
    got, wanted = collections.Counter(got), collections.Counter(wanted)
    if got != wanted:
        raise AssertionError(f"{name}: {sum((got - wanted).values())} too many, such as "
                             f"{list((got - wanted).elements())[:2]}; {sum((wanted - got).values())} missing, "
                             f"such as {list((wanted - got).elements())[:2]}")
    say(f"{name}: {sum(got.values())} flows, the same")


def from_a_cluster():
    cluster = Cluster(nodes=2, batches=100, rate=3000)
    cluster.start()
    wait_for("everything at the master", 60, cluster.settled)
    node = ["--node", "--socket", f"{cluster.folder}/n1.sock"]
    run(WEIR, "export", f"{folder}/n1.ipfix", *node)
    run(WEIR, "export", f"{folder}/both.ipfix", "--master", "--socket", cluster.socket)
    run(WEIR, "export", f"{folder}/few.ipfix", *node, "dst port 443")
    shown = [json.loads(line) for line in
             subprocess.run([WEIR, "flows", *node, "--limit", "0", "--output", "jsonl"],
                            capture_output=True, check=True).stdout.splitlines()]
    one, both = File(f"{folder}/n1.ipfix"), File(f"{folder}/both.ipfix")
    flows = [flow_of(one.fields(r)) for r in one.records]
    assert len(flows) == len(shown) == 10000, (len(flows), len(shown))
    same("export of a node beside weir flows", [f[:7] for f in flows],
         [(s["src"], s["dst"], s.get("sport", 0), s.get("dport", s.get("icmp_type", 0) * 256 + s.get("icmp_code", 0)),
           PROTOCOLS.get(s["proto"]) or int(s["proto"]), s["packets"], s["bytes"]) for s in shown])
    assert sorted(both.domains.values()) == [10000, 10000], both.domains
    few = File(f"{folder}/few.ipfix")
    same("export with a filter", few.records, [r for r, f in zip(one.records, flows) if f[3] == 443])

    said = run(WEIR, "import", f"{folder}/few.ipfix", "--into", f"{cluster.folder}/n1", code=1)
    assert "never mixed" in said, said
    run(WEIR, "import", f"{folder}/n1.ipfix", "--into", f"{folder}/n1")
    run(WEIR, "export", f"{folder}/n1.again", "--state", f"{folder}/n1")
    same("import and export", File(f"{folder}/n1.again").records, one.records)
    os.mkdir(f"{folder}/tmp")
    asked = subprocess.run([WEIR, "flows", "--state", f"{folder}/n1", "--limit", "0", "--output", "jsonl"],
                           env={"TMPDIR": f"{folder}/tmp"}, capture_output=True, check=True).stdout.splitlines()
    for line in shown:  # a folder does not know what interfaces are called
        line.pop("in_name", None), line.pop("out_name", None)
    same("weir flows of the folder", [json.dumps(json.loads(line)) for line in asked],
         [json.dumps(line) for line in shown])
    assert not os.listdir(f"{folder}/tmp"), "something was left behind"
    # A node that is told to write there does not.
    cluster.nodes[0].stop()
    os.rename(f"{cluster.folder}/n1", f"{cluster.folder}/n1.own")
    shutil.copytree(f"{folder}/n1", f"{cluster.folder}/n1")
    cluster.nodes[0].start()
    assert cluster.nodes[0].process.wait(timeout=20) == 1
    assert cluster.nodes[0].lines("imported from elsewhere")
    cluster.nodes[0].process = None
    shutil.rmtree(f"{cluster.folder}/n1")
    os.rename(f"{cluster.folder}/n1.own", f"{cluster.folder}/n1")
    cluster.nodes[0].start()
    cluster.finish()


def the_same_after_kills(path):
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    dice = random.Random(seed)
    into, kills, said = f"{folder}/killed", 0, ""
    say(f"SEED={seed}")
    while kills < 200:  # later ones live longer: the file is read from its beginning each time
        process = subprocess.Popen([WEIR, "import", path, "--into", into], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        try:
            said, _ = process.communicate(timeout=dice.uniform(0.001, 0.1 + kills * 0.04))
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
    assert kills < 200 and ("imported into" in said or "imported before" in said), said
    say(f"{kills} times kill -9; at last: {said.splitlines()[-1]}")
    assert "imported before" in run(WEIR, "import", path, "--into", into, code=1)
    with open(f"{into}/imports", encoding="utf-8") as f:
        lines = [line.split("\t") for line in f]
    assert len(lines) == 1 and lines[0][1] == "done" and lines[0][3] == str(3 * COUNT), lines
    run(WEIR, "export", f"{folder}/killed.ipfix", "--state", into)
    same("import past kill -9", File(f"{folder}/killed.ipfix").records, File(path).records)


def whole_or_not_at_all(state):
    """An export that fails leaves what was there, and nothing else."""
    os.mkdir(f"{folder}/out")
    with open(f"{folder}/out/file", "w", encoding="ascii") as f:
        f.write("what was there")

    def no_more_than_a_megabyte():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    done = subprocess.run([WEIR, "export", f"{folder}/out/file", "--state", state], capture_output=True, text=True,
                          preexec_fn=no_more_than_a_megabyte, check=False)
    assert done.returncode == 1 and "File too large" in done.stderr, done
    assert os.listdir(f"{folder}/out") == ["file"] and os.path.getsize(f"{folder}/out/file") == 14
    say("an export that finds no room leaves the old file")
    # What is no regular file is written to, and stays what it is: a device, a link.
    os.symlink("/dev/full", f"{folder}/out/full")
    said = run(WEIR, "export", f"{folder}/out/full", "--state", state, code=1)
    assert "No space left" in said, said
    assert os.path.islink(f"{folder}/out/full"), "the device is gone"
    os.symlink("file", f"{folder}/out/link")
    run(WEIR, "export", f"{folder}/out/link", "--state", state)
    assert os.path.islink(f"{folder}/out/link") and os.path.getsize(f"{folder}/out/file") > 1 << 20
    assert sorted(os.listdir(f"{folder}/out")) == ["file", "full", "link"], os.listdir(f"{folder}/out")
    say("an export to a device or a link leaves it what it is")


def damaged(path):
    with open(path, "rb") as f:
        data = bytearray(f.read())
    wanted = File(path).records
    middle = len(data) // 2
    data[middle:middle + 20000] = bytes(20000)
    with open(f"{folder}/damaged", "wb") as f:
        f.write(data[:-1000])
    said = run(WEIR, "import", f"{folder}/damaged", "--into", f"{folder}/of-damaged", code=3)
    assert re.search(r"damaged, byte \d+: ", said) and "missing: " in said, said
    run(WEIR, "export", f"{folder}/damaged.again", "--state", f"{folder}/of-damaged")
    got = collections.Counter(File(f"{folder}/damaged.again").records)
    assert not got - collections.Counter(wanted), "flows that nobody wrote"
    lost = len(wanted) - sum(got.values())
    assert 100 < lost < 1000, lost
    say(f"a hole of 20000 bytes and an end cut off: {lost} of {len(wanted)} flows are gone, and this is said")


def read_by_libfixbuf(path):
    text = run("ipfixDump", "--in", path)
    file = File(path)
    count = int(re.search(r"File Stats: .* (\d+) Data Records", text)[1])
    wanted = sorted(flow_of(file.fields(r))[5:7] for r in file.records)
    found = sorted(zip((int(n) for n in re.findall(r"\bpacketDeltaCount : (\d+)", text)),
                       (int(n) for n in re.findall(r"\boctetDeltaCount : (\d+)", text))))
    assert found == wanted, "ipfixDump reads other counters"
    ports = sorted(int(n) for n in re.findall(r"\bdestinationTransportPort : (\d+)", text))
    assert ports == sorted(flow_of(file.fields(r))[3] for r in file.records if r[0] < ICMP4)
    assert "32473" in text and "weirSecondPacketTime" in text and not re.search("(?i)out of sequence", text)
    assert count >= len(wanted)
    say(f"ipfixDump: {len(wanted)} flows, the same, and {count - len(wanted)} records of options")


def replayed_to_nfcapd(path):
    store = f"{folder}/nfcapd"
    nfdump.collect(store, lambda port: run(FLOWS, "replay", str(port), path))
    file = File(path)
    same("what nfdump reads after a replay to nfcapd", nfdump.flows(store),
         [flow_of(file.fields(r)) for r in file.records])


def made_by_softflowd():
    """tests/fuzz/corpus/ipfix/softflowd: softflowd 1.1 on a capture of eleven packets."""
    source = f"{SRC}/tests/fuzz/corpus/ipfix/softflowd"
    run(WEIR, "import", source, "--into", f"{folder}/softflowd")
    run(WEIR, "export", f"{folder}/softflowd.ipfix", "--state", f"{folder}/softflowd")
    file = File(f"{folder}/softflowd.ipfix")
    a, b = "192.0.2.1", "198.51.100.2"
    same("a file of softflowd", [flow_of(file.fields(r))[:7] for r in file.records],
         [(a, b, 40000, 443, 6, 3, 220), (b, a, 443, 40000, 6, 3, 1320), (a, b, 5000, 53, 17, 1, 58),
          (b, a, 53, 5000, 17, 1, 118), (a, b, 0, 8 << 8, 1, 1, 84), (b, a, 0, 0, 1, 1, 84),
          ("2001:db8::1", "2001:db8::2", 6000, 123, 17, 1, 96)])
    lengths = [f[8] - f[7] for f in (flow_of(file.fields(r)) for r in file.records)]
    assert sorted(lengths) == [0, 0, 0, 20, 20, 70, 70], lengths
    with open(source, "rb") as f:
        written_ms = struct.unpack(">I", f.read(8)[4:])[0] * 1000
    assert all(0 <= written_ms - flow_of(file.fields(r))[8] < 60000 for r in file.records)


try:
    run(FLOWS, "ipfix", f"{folder}/some.ipfix", "5000")
    run(FLOWS, "ipfix", f"{folder}/many.ipfix", str(COUNT))
    run(FLOWS, "ipfix", f"{folder}/more.ipfix", str(3 * COUNT))
    read_by_libfixbuf(f"{folder}/some.ipfix")
    made_by_softflowd()
    damaged(f"{folder}/many.ipfix")
    replayed_to_nfcapd(f"{folder}/many.ipfix")
    the_same_after_kills(f"{folder}/more.ipfix")
    whole_or_not_at_all(f"{folder}/killed")
    from_a_cluster()
finally:
    shutil.rmtree(folder, ignore_errors=True)

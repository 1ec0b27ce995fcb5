#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 400
"""Every verb that asks a store, in every output: the columns stay what they are, and the figures are
those that a second computation here finds in the flow records, to the last digit."""

import csv
import datetime
import io
import ipaddress
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import Cluster, WEIR, say, wait_for  # noqa: E402

BATCHES = 200
cluster = Cluster(nodes=1, batches=BATCHES, rate=400)
cluster.start()
wait_for("everything at the master", 120, cluster.settled)
SOCKET = ["--node", "--socket", f"{cluster.folder}/n1.sock"]


def weir(*words, code=0, **more):
    done = subprocess.run([WEIR, *words, *SOCKET], capture_output=True, text=True, timeout=120,
                          check=False, **more)
    assert done.returncode == code, (words, done)
    return done


def rows_of(*words):
    """The CSV as one dict a row; the JSON lines must say the same."""
    text = weir(*words, "--csv").stdout
    return list(csv.DictReader(io.StringIO(text)))


def lines_of(*words):
    return [json.loads(line) for line in weir(*words, "--output", "jsonl").stdout.splitlines()]


FLOWS = lines_of("flows", "--limit", "0")
assert len(FLOWS) == BATCHES * 100, len(FLOWS)

# --- Columns. What stands here is what the manual promises; columns are only added at the end.
SIDE = ["records", "packets", "bytes", "start", "end", "tcp_flags", "retransmitted", "out_of_order",
        "fragments", "min_ttl", "end_reason"]
COLUMNS = {
    ("flows",): "start,end,proto,src,sport,dst,dport,packets,bytes,tcp_flags,tos,in_if,out_if,vlan,"
                "end_reason,observed,min_ttl,retransmitted,out_of_order,duration_ns,fragments,mark,"
                "second,payload,src_mac,dst_mac,in_name,out_name,nat_src,nat_sport,nat_dst,"
                "nat_dport,tunnel,tunnel_id,netns,inner_vlan,mpls,pppoe,sampling,sampling_method,"
                "flow_flags",
    ("top",): "host,bytes,packets,flows,bytes_high,packets_high,flows_high",
    ("top", "--by", "src/24,dport", "--distinct", "dst,proto", "--max", "rtt", "--sum", "duration"):
        "src_24,dport,distinct_dst_proto,max_rtt_ns,duration_ns,"
        "distinct_dst_proto_high,max_rtt_ns_high,duration_ns_high",
    ("series", "--every", "1s"): "time,bytes,packets,flows,bytes_high,packets_high,flows_high",
    ("series", "--by", "proto", "--sum", "flows"): "time,proto,flows,flows_high",
    ("pairs",): "start,end,duration_ns,proto,src,sport,dst,dport,initiator_seen," +
                ",".join(f"{side}_{name}" for side in ("forward", "reverse") for name in SIDE) +
                ",rtt_ns,client_rtt_ns,server_rtt_ns,response_ns",
}
for words, expected in COLUMNS.items():
    # Also of an answer without a row.
    for extra in ([], ["src host 192.0.2.1"]):
        head = weir(*words, *extra, "--csv").stdout.splitlines()[:1]
        assert head == [expected], (words, extra, head)
say(f"columns of {len(COLUMNS)} questions are as documented")


# --- Lists.
def quantity(flow, word):
    if word == "bpp":
        return flow["bytes"] // flow["packets"]
    if word in ("bps", "pps"):
        ns = flow["duration_ns"]
        counted = flow["bytes"] * 8 if word == "bps" else flow["packets"]
        return counted * 10**9 // ns if ns else 0
    return flow.get({"duration": "duration_ns", "ttl": "min_ttl"}.get(word, word), 0)


def newest_first(flows):
    return sorted(flows, key=lambda f: (-f["end_ns"], -f["start_ns"]))


for word in ("bytes", "packets", "duration", "bps", "pps", "bpp", "retransmitted", "out_of_order", "ttl"):
    for ascending in (False, True):
        got = lines_of("flows", "--order", word, "--limit", "70", *(["--ascending"] if ascending else []))
        want = sorted(newest_first(FLOWS), key=lambda f: quantity(f, word) * (1 if ascending else -1))
        assert [(quantity(f, word), f["end_ns"]) for f in got] == \
            [(quantity(f, word), f["end_ns"]) for f in want[:70]], (word, ascending)
assert [f["end_ns"] for f in lines_of("flows", "--limit", "50")] == \
    [f["end_ns"] for f in newest_first(FLOWS)[:50]]
assert [f["end_ns"] for f in lines_of("flows", "--order", "time", "--ascending", "--limit", "50")] == \
    [f["end_ns"] for f in newest_first(FLOWS)[:-51:-1]]
middle = sorted(f["end"] for f in FLOWS)[len(FLOWS) // 2]  # FLOWS is block by block
late = [f for f in FLOWS if f["end"] >= middle]
assert len(lines_of("flows", "--from", middle, "--limit", "0")) == len(late) < len(FLOWS)
early = [f for f in FLOWS if f["start"] < middle]
assert len(lines_of("flows", "--to", middle, "--limit", "0")) == len(early) < len(FLOWS)
chosen = [f for f in FLOWS if f["proto"] == "tcp" and f.get("sport", 0) == 443 and f["bytes"] > 100000]
assert len(lines_of("flows", "proto tcp and src port 443 and bytes > 100k", "--limit", "0")) == len(chosen) > 0
say(f"lists in any order, of any time and filter: as found in {len(FLOWS)} flows")

# What only long records have.
translated = [f for f in FLOWS if "nat_src" in f]
one = translated[0]["nat_src"]
for text, holds in {
        "nat": lambda f: "nat_src" in f,
        f"nat src ip {one}": lambda f: f.get("nat_src") == one,
        f"xip {one} and nport 1027": lambda f: f.get("nat_src") == one and f.get("nat_sport") == 1027,
        "nat dst ip 10.0.0.0/8": lambda f: False,
        "tunnel vxlan and tunnel id 41": lambda f: f.get("tunnel") == "vxlan" and f["tunnel_id"] == 41,
        "netns 4026532001 and not tunnel": lambda f: f.get("netns") == 4026532001 and "tunnel" not in f}.items():
    want = [f for f in FLOWS if holds(f)]
    assert len(lines_of("flows", text, "--limit", "0")) == len(want), (text, len(want))
    assert bool(want) == (text != "nat dst ip 10.0.0.0/8"), text
counts = {row["nat_src"]: int(row["flows"])
          for row in rows_of("top", "--by", "nat_src", "--sum", "flows", "--limit", "0")}
assert counts == {address: len([f for f in FLOWS if f.get("nat_src", "") == address])
                  for address in {f.get("nat_src", "") for f in FLOWS}}, counts
say(f"{len(translated)} flows beyond NAT, in tunnels and namespaces: found by filters and fields")

# CSV, nfdump's CSV, table: the same flows as in JSON.
RECENT = lines_of("flows", "--limit", "300")
table = rows_of("flows", "--limit", "300")
for flow, row in zip(RECENT, table, strict=True):
    for name, text in row.items():
        value = flow.get(name, "0" if name in ("vlan", "mark", "fragments", "retransmitted", "out_of_order",
                                               "flow_flags") else "")
        if name in ("sport", "dport") and name not in flow:
            continue  # types and codes of ICMP have names of their own in JSON
        if name == "tcp_flags" and not value:
            value = "........"
        assert text == str(value), (name, row, flow)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", row["start"]), row
text = weir("flows", "--limit", "300", "-x").stdout.splitlines()
assert text[0].split() == "LAST DURATION PROTO SOURCE DESTINATION IN OUT FLAGS PACKETS BYTES END".split()
assert len(text) == 302 and text[-1].startswith(f"300 of {len(FLOWS)} flows shown"), text[-1]
zone = {**os.environ, "TZ": "EST5"}
there = weir("flows", "--limit", "1", env=zone).stdout.splitlines()[1]
moment = datetime.datetime.fromisoformat(RECENT[0]["end"][:26] + "+00:00") - datetime.timedelta(hours=5)
assert there.startswith(moment.strftime("%Y-%m-%d %H:%M:%S")), (there, moment)
say("CSV and table of flows: those of JSON; tables in the zone of who asks")


# --- Groups.
def network(address, bits4, bits6):
    bits = bits6 if ":" in address else bits4
    whole = bits == (128 if ":" in address else 32)
    return address if whole else str(ipaddress.ip_network(f"{address}/{bits}", strict=False))


FIELDS = {
    "src": lambda f: f["src"], "dst": lambda f: f["dst"], "proto": lambda f: f["proto"],
    "src/24": lambda f: network(f["src"], 24, 128), "dst/16/48": lambda f: network(f["dst"], 16, 48),
    "vlan": lambda f: f.get("vlan", 0), "sport": lambda f: f.get("sport", 0),
    "dport": lambda f: f.get("dport", f.get("icmp_type", 0) * 256 + f.get("icmp_code", 0)),
}


def group(flows, by, figures):
    """figures: [(how, word or fields)], as the options say them."""
    groups = {}
    for flow in flows:
        groups.setdefault(tuple(FIELDS[b](flow) for b in by), []).append(flow)
    found = {}
    for key, members in groups.items():
        found[key] = []
        for how, what in figures:
            if how == "distinct":
                value = len({tuple(FIELDS[w](f) for w in what.split(",")) for f in members})
            else:
                values = [1 if what == "flows" else quantity(f, what) for f in members]
                value = {"sum": sum, "min": min, "max": max}[how](values)
            found[key].append(value)
    return found


def names_of(by, figures):
    unit = {"duration": "duration_ns"}
    columns = []
    for how, what in figures:
        columns.append("distinct_" + what.replace(",", "_").replace("/", "_") if how == "distinct" else
                       ("" if how == "sum" else how + "_") + unit.get(what, what))
    return [b.replace("/", "_") for b in by], columns


USUAL = [("sum", "bytes"), ("sum", "packets"), ("sum", "flows")]
QUESTIONS = [
    (["src"], USUAL, []),
    (["src", "dst", "proto"], USUAL, []),
    (["proto"], USUAL, ["src port 443 or icmp"]),
    (["src/24", "dport"], [("sum", "packets"), ("max", "duration"), ("min", "ttl")], []),
    (["dst/16/48"], [("distinct", "src"), ("distinct", "src,dport"), ("sum", "retransmitted")], []),
    (["src"], [("distinct", "dst,dport")] + USUAL, ["proto tcp"]),
    (["vlan", "proto"], [("sum", "duration"), ("sum", "out_of_order"), ("max", "bps")], []),
]


def matches(flow, more):
    if not more:
        return True
    if more == ["proto tcp"]:
        return flow["proto"] == "tcp"
    return flow.get("sport") == 443 or flow["proto"] == "icmp"


for by, figures, more in QUESTIONS:
    keys, columns = names_of(by, figures)
    want = group([f for f in FLOWS if matches(f, more)], by, figures)
    options = ["--by", ",".join(by), *more]
    if figures != USUAL:
        for how, what in figures:
            if (how, what) not in USUAL or figures[-3:] != USUAL:
                options += [f"--{how}", what]
    got = lines_of("top", "--limit", "0", *options)
    assert {tuple(line[k] for k in keys): [line[c] for c in columns] for line in got} == want, (by, figures)
    assert all(line[f"{c}_high"] == line[c] for line in got for c in columns)
    assert list(got[0]) == keys + columns + [f"{c}_high" for c in columns], got[0]
    assert [line[columns[0]] for line in got] == sorted((v[0] for v in want.values()), reverse=True)
    table = rows_of("top", "--limit", "0", *options)
    assert [{k: str(v) for k, v in line.items()} for line in got] == table, options
    # The document, limited: what it leaves out is counted.
    document = json.loads(weir("top", "--limit", "3", "--json", *options).stdout)
    assert document["exact"] and document["rest_groups"] == max(len(want) - 3, 0), document
    for column, (how, what) in zip(columns, figures):
        shown = [line["low"][column] for line in document["lines"]]
        assert shown == [line[column] for line in got[:3]]
        left = [line[column] for line in got[3:]] or [0]
        if how != "distinct":
            assert document["rest"][column] == {"sum": sum, "min": min, "max": max}[how](left), column
    smallest = lines_of("top", "--limit", "5", "--ascending", *options)
    assert [line[columns[0]] for line in smallest] == sorted(v[0] for v in want.values())[:5]
    last = columns[-1]
    ordered = lines_of("top", "--limit", "5", "--order", last, *options)
    assert [line[last] for line in ordered] == sorted((v[-1] for v in want.values()), reverse=True)[:5]
say(f"{len(QUESTIONS)} questions of weir top, as lines, CSV and document: equal to a second computation")

table = weir("top", "--by", "proto", "-x").stdout.splitlines()
want = group(FLOWS, ["proto"], USUAL)
assert table[0].split() == "PROTO BYTES % PACKETS % FLOWS".split()
for line in table[1:len(want) + 1]:
    proto, octets, _, packets, _, flows = line.split()
    assert [int(octets), int(packets), int(flows)] == want[(proto,)], line
assert table[-1] == "Exact." and table[-2].split()[0] == "all", table

# --- Series.
STEP = 10**9


def bucket(flow):
    return flow["end_ns"] // STEP * STEP


def parse_ns(text):
    whole = datetime.datetime.fromisoformat(text[:19] + "+00:00")
    return int(whole.timestamp()) * 10**9 + int(text[20:29])


got = lines_of("series", "--every", "1s")
steps = {}
for flow in FLOWS:
    into = steps.setdefault(bucket(flow), [0, 0, 0])
    for i, value in enumerate((flow["bytes"], flow["packets"], 1)):
        into[i] += value
for line in got:
    assert [line["bytes"], line["packets"], line["flows"]] == steps.get(parse_ns(line["time"]), [0, 0, 0])
times = [parse_ns(line["time"]) for line in got]
assert times == list(range(min(steps), max(steps) + STEP, STEP)), "a hole, or a step too many"
# The time before the first flow is part of the time asked for.
since = min(steps) // 10**9 - 5
filled = lines_of("series", "--every", "1s", "--from", f"@{since}", "--to", f"@{max(steps) // 10**9 + 1}")
assert parse_ns(filled[0]["time"]) == since * 10**9 and filled[0]["flows"] == 0
assert [line for line in filled if line["flows"]] == got
got = rows_of("series", "--every", "1s", "--by", "proto", "--distinct", "src", "proto udp or icmp")
want = {}
for flow in FLOWS:
    if flow["proto"] in ("udp", "icmp"):
        want.setdefault((bucket(flow), flow["proto"]), set()).add(flow["src"])
assert {(parse_ns(row["time"]), row["proto"]): int(row["distinct_src"]) for row in got} == \
    {key: len(values) for key, values in want.items()}
assert [row["time"] for row in got] == sorted(row["time"] for row in got)
totals = {}
for flow in FLOWS:
    totals[flow["dst"]] = totals.get(flow["dst"], 0) + flow["packets"]
largest = sorted(totals, key=lambda dst: -totals[dst])[:3]
assert totals[largest[2]] > sorted(totals.values())[-4], "a tie: nothing can be said of the order"
want = {}
for flow in FLOWS:
    if flow["dst"] in largest:
        key = bucket(flow), flow["dst"]
        want[key] = want.get(key, 0) + flow["packets"]
for output in ("jsonl", "csv", "table"):
    done = weir("series", "--every", "1s", "--by", "dst", "--limit", "3", "--sum", "packets", "--output", output)
    assert f"{len(totals) - 3} more are left out" in done.stderr, done.stderr
    if output == "jsonl":
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert {(parse_ns(r["time"]), r["dst"]): r["packets"] for r in rows} == want
    else:
        assert len(done.stdout.splitlines()) == len(want) + (2 if output == "table" else 1), done.stdout
table = weir("series", "--every", "1s", "-x").stdout.splitlines()
assert table[0].split() == "TIME BYTES PACKETS FLOWS BITS/S".split()
for line, (_, values) in zip(table[1:], sorted(steps.items())):
    cells = line.split()
    assert [int(c) for c in cells[2:]] == [*values, values[0] * 8], line
say(f"series: {len(steps)} steps, none missing, equal to a second computation")


# --- Conversations: every reply of the simulated kernel has the ports of its request, but is not always seen in
# the same tunnel and namespace: then each is a conversation of its own. Their first start tells them apart.
def ends(flow):
    return (flow["src"], flow.get("sport", 0)), (flow["dst"], flow.get("dport", 0))


def place(flow):
    return flow.get("netns"), flow.get("tunnel"), flow.get("tunnel_id")


conversations = {}
for flow in sorted(FLOWS, key=lambda f: f["start_ns"]):
    if flow["proto"] == "tcp":
        conversations.setdefault((frozenset(ends(flow)), place(flow)), []).append(flow)
started = {(key, members[0]["start_ns"]): members for (key, _), members in conversations.items()}
assert len(started) == len(conversations), (len(started), len(conversations))
got = lines_of("pairs", "proto tcp", "--limit", "0")
assert len(got) == len(conversations), (len(got), len(conversations))
answered = 0
for pair in got:
    members = started[frozenset(ends(pair)), pair["start_ns"]]
    for name, backwards in (("forward", False), ("reverse", True)):
        side = [f for f in members if (ends(f) != ends(pair)) == backwards]
        if not side:
            assert pair[name] is None, pair
            continue
        assert pair[name]["records"] == len(side)
        for counter in ("packets", "bytes"):
            assert pair[name][counter] == sum(f[counter] for f in side), (counter, pair)
        assert pair[name]["retransmitted"] == sum(f.get("retransmitted", 0) for f in side)
        assert parse_ns(pair[name]["start"]) == min(f["start_ns"] for f in side)
    if pair["reverse"] and len(members) == 2:
        forward, reverse = members
        answered += 1
        assert pair["rtt_ns"] == parse_ns(forward["second"]) - forward["start_ns"] > 0, pair
        assert pair["server_rtt_ns"] == reverse["start_ns"] - forward["start_ns"]
        assert pair["response_ns"] == parse_ns(reverse["payload"]) - parse_ns(forward["payload"])
        assert pair["initiator_seen"]
assert answered > len(got) // 8, answered
for order, value in (("rtt", lambda p: p["rtt_ns"] or 0), ("response", lambda p: p["response_ns"] or 0),
                     ("bytes", lambda p: sum(p[s]["bytes"] for s in ("forward", "reverse") if p[s]))):
    ordered = lines_of("pairs", "proto tcp", "--order", order, "--limit", "30")
    assert [value(p) for p in ordered] == sorted((value(p) for p in got), reverse=True)[:30], order
for pair, row in zip(got, rows_of("pairs", "proto tcp", "--limit", "0"), strict=True):
    assert row["rtt_ns"] == ("" if pair["rtt_ns"] is None else str(pair["rtt_ns"]))
    assert row["forward_bytes"] == str(pair["forward"]["bytes"]) and row["src"] == pair["src"]
    assert row["reverse_records"] == str(pair["reverse"]["records"] if pair["reverse"] else 0)
table = weir("pairs", "--limit", "4").stdout.splitlines()
assert "RTT" in table[0] and table[-1].startswith("4 of "), table
say(f"{len(got)} conversations, {answered} of them answered: round trips and counters as computed here")

# --- How an answer came about.
done = weir("top", "--by", "src", "--explain")
figures = dict(re.findall(r"(\w+(?: \w+)?): (\d+)", done.stderr))
assert "explain: blocks:" in done.stderr and "with" in done.stderr, done.stderr
read = re.search(r"explain: read: (\d+) records", done.stderr)
assert int(read.group(1)) == len(FLOWS), done.stderr
assert weir("flows").stderr == "", "nothing is explained that was not asked for"

# --- Mistakes.
done = weir("flows", "src prot 80", code=2)
assert done.stderr.splitlines()[1:3] == ["  src prot 80", "      ^"], done.stderr
done = weir("top", "in if nosuch0", code=2)  # only the node knows its interfaces
assert "nosuch0" in done.stderr and done.stderr.splitlines()[1:3] == ["  in if nosuch0", "        ^"], done.stderr
for words, sentence in (
        (("top", "--by", "source"), "there are src"), (("flows", "--order", "size"), "there are bytes"),
        (("top", "--sum", "rtt"), "--sum: a sum of rtt means nothing"),
        (("pairs", "--order", "ttl"), "there are time, end"), (("series", "--every", "x"), "not a duration"),
        (("series", "--limit", "3"), "groups of --by"), (("flows", "--limt", "3"), "did you mean --limit?"), (("pairs", "--output", "nfdump"), "only flows"),
        (("flows", "--csv", "--json"), "one output at a time"), (("top", "--distinct", "dst,nix"), '"nix"')):
    done = weir(*words, code=2)
    assert sentence in done.stderr and not done.stdout, (words, done)
done = subprocess.run([WEIR, "top", "--socket", f"{cluster.folder}/none"], capture_output=True, text=True,
                      check=False)
assert done.returncode == 1 and "does not run here" in done.stderr, done
say("mistakes: answered with a sentence, a caret where it is a word of a filter, and the right exit status")



# --- Who asks may be another program, or another version: what weir itself would never ask is refused.
def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def num(field, n):
    return varint(field << 3) + varint(n)


def sub(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def ask_raw(verb, *more):
    """The End of the answer to an Ask of these fields: status and sentence."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(f"{cluster.folder}/n1.sock")
        ask = num(1, 1) + num(2, verb) + b"".join(more)
        for body in (sub(1, num(1, 1) + num(2, 1) + num(3, 3)), sub(7, ask)):  # Hello, Ask
            s.sendall(struct.pack("!I", len(body)) + body)
        stream = s.makefile("rb")
        while True:
            body = stream.read(struct.unpack("!I", stream.read(4))[0])
            if body[0] == 0x52:  # End
                break
    return body


LIST, GROUPS, PAIRS = 5, 6, 7
BYTES = sub(14, b"sum bytes")
for what, verb, more, sentence in (
        ("no figures", GROUPS, [sub(6, b"src")], b"1 to 8 figures"),
        ("too many", GROUPS, [sub(6, b"src"), BYTES * 9], b"1 to 8 figures"),
        ("a column that is not there", GROUPS, [sub(6, b"src"), BYTES, num(15, 1)], b"1 to 8 figures"),
        ("a figure unknown", GROUPS, [sub(6, b"src"), sub(14, b"mean bytes")], b"none of sum, min"),
        ("no sum", GROUPS, [sub(6, b"src"), sub(14, b"sum rtt")], b"means nothing"),
        ("no fields", GROUPS, [BYTES], b"a field is missing"),
        ("a field unknown", GROUPS, [sub(6, b"src,from"), BYTES], b"\"from\""),
        ("a list by nothing", LIST, [sub(12, b"nothing")], b"cannot be ordered"),
        ("pairs by nothing", PAIRS, [sub(12, b"ttl")], b"cannot be ordered"),
        ("no verb", 99, [], b"does not know verb 99")):
    answer = ask_raw(verb, *more)
    assert sentence in answer, (what, answer)
assert len(lines_of("flows", "--limit", "5")) == 5
say("questions that weir would never ask are refused with a sentence, and the node goes on")

# --- Ctrl-C ends weir at once even if the node does not answer, and the node drops the question.
node = cluster.nodes[0].process
for verb in ("flows", "top", "series", "pairs") * 4:
    node.send_signal(signal.SIGSTOP)
    asking = subprocess.Popen([WEIR, verb, *SOCKET], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for("a connection", 10, lambda: "sock" in os.readlink(f"/proc/{asking.pid}/fd/3")
             if os.path.exists(f"/proc/{asking.pid}/fd/3") else False)
    time.sleep(0.05)
    asking.send_signal(signal.SIGINT)
    sent = time.monotonic()
    out, errors = asking.communicate(timeout=60)
    assert asking.returncode == 130 and time.monotonic() - sent < 5, (verb, asking.returncode, errors)
    node.send_signal(signal.SIGCONT)
# A node answers eight questions at a time: had it kept these, it would refuse more.
assert len(lines_of("flows", "--limit", "5")) == 5
say("Ctrl-C: status 130 with the node stopped, 16 times; the node goes on")
cluster.finish()

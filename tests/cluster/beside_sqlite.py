#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 240
"""Random groups, filters, orders and distinct counts: SQLite over the same flows gives the same rows.

The flows reach SQLite through IPFIX and a reader that shares nothing with weir. SEED=N repeats a run.
"""

import ipaddress
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/lib")
from cluster import BUILD, say, skip  # noqa: E402
from ipfix import File  # noqa: E402

FLOWS, QUERY = f"{BUILD}/bench/flows", f"{BUILD}/bench/query"
COUNT, QUESTIONS = 40000, 100
NUMBERS = {"sport": 7, "dport": 11, "proto": 4, "version": 60, "tos": 5, "ttl": 52, "flags": 6, "vlan": 58,
           "in_if": 10, "out_if": 14, "end_reason": 136, "start_ms": 152, "end_ms": 153, "bytes": 1, "packets": 2}

# weir's field: SQL. Values are compared as weir prints them, see text_of().
FIELDS = {
    "src": "src", "dst": "dst", "src/24": "mask(src, 24, 128)", "dst/16/48": "mask(dst, 16, 48)",
    "src/8/32": "mask(src, 8, 32)", "sport": "port(proto, sport)", "dport": "dport", "proto": "proto",
    "version": "version", "tos": "tos", "dscp": "tos >> 2", "ttl": "ttl", "flags": "flags", "vlan": "vlan",
    "in_if": "in_if", "out_if": "out_if", "end_reason": "end_reason", "mark": "mark",
    "service": "service(proto, sport, dport)", "time/1s": "end_ms / 1000 * 1000",
    "time/250ms": "end_ms / 250 * 250", "src_mac": "src_mac",
}
# weir's filter: SQL
FILTERS = {
    "tcp": "proto = 6", "udp": "proto = 17", "not tcp": "proto <> 6", "ipv6": "version = 6",
    "ipv4": "version = 4", "src host 10.0.0.1": "src = '10.0.0.1'", "host 10.1.0.1": "'10.1.0.1' IN (src, dst)",
    "src net 10.3.0.0/16": "mask(src, 16, 128) = '10.3.0.0'", "bytes > 20000": "bytes > 20000",
    "packets between": None, "bytes < 500": "bytes < 500", "packets = 1": "packets = 1",
    "dst port 443": "proto IN (6, 17) AND dport = 443", "port in {53 80}":
    "proto IN (6, 17) AND (sport IN (53, 80) OR dport IN (53, 80))",
    "flags S and not flags A": "proto = 6 AND flags & 2 AND NOT flags & 16", "in if 10": "in_if = 10",
    "duration > 2s": "end_ms - start_ms > 2000", "vlan 113": "vlan = 113", "tos 184": "tos = 184", "ttl < 60":
    "ttl < 60", "bpp > 600": "bytes / packets > 600", "mark 17": "mark = 17",
}
del FILTERS["packets between"]


def mask(address, bits4, bits6):
    ip = ipaddress.ip_address(address)
    bits = bits4 if ip.version == 4 else bits6
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False).network_address)


def service(protocol, sport, dport):
    if protocol in (6, 17, 132, 33, 136):
        return f"{protocol}/{min(sport, dport)}"
    return f"{protocol}/{dport}" if protocol in (1, 58) else f"{protocol}/0"


def load(database, path):
    file = File(path)
    names = ["src", "dst", "src_mac", "mark", *NUMBERS]
    database.execute(f"CREATE TABLE flows ({', '.join(names)})")
    rows = []
    for record in file.records:
        f = file.fields(record)

        def number(element, enterprise=0, of=f):
            return int.from_bytes(of.get((enterprise, element), b""), "big")
        src, dst = (8, 12) if (0, 8) in f else (27, 28)
        row = {name: number(element) for name, element in NUMBERS.items()}
        row["dport"] = row["dport"] or number(32) or number(139)
        rows.append([str(ipaddress.ip_address(f[0, src])), str(ipaddress.ip_address(f[0, dst])),
                     f[0, 56].hex(":"), number(4, 32473), *row.values()])
    database.executemany(f"INSERT INTO flows VALUES ({', '.join('?' * len(names))})", rows)
    assert len(rows) == COUNT


def weir(fields, what, order, limit, distinct, memory):
    command = [QUERY, "-r", "-n", str(limit), "-o", order, "-m", str(memory)]
    if distinct:
        command += ["-d", distinct]
    done = subprocess.run([*command, f"{folder}/store", ",".join(fields) or "-", what],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{fields} {what}: {done.stderr}"
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


def sqlite(database, fields, where, order, limit, distinct):
    keys = [FIELDS[f] for f in fields]
    measures = ["count(*)", "sum(packets)", "sum(bytes)"]
    if distinct:
        measures.append("count(DISTINCT " + " || ' ' || ".join(f"({FIELDS[f]})" for f in distinct.split(",")) + ")")
    column = {"flows": 0, "packets": 1, "bytes": 2, "distinct": 3}[order]
    text = f"SELECT {', '.join(keys + measures)} FROM flows WHERE {where}"
    if keys:
        text += f" GROUP BY {', '.join(str(i + 1) for i in range(len(keys)))}"
    else:
        text += " HAVING count(*)"
    rows = [tuple(str(v) for v in row) for row in database.execute(text)]
    rows.sort(key=lambda row: -int(row[len(keys) + column]))
    return rows[:limit] if limit else rows, len(keys) + column


def condition(dice, depth):
    if depth == 0 or dice.random() < 0.4:
        ours, sql = dice.choice(list(FILTERS.items()))
        if dice.random() < 0.2:
            return f"not ({ours})", f"NOT ({sql})"
        return f"({ours})", f"({sql})"
    a, b = condition(dice, depth - 1), condition(dice, depth - 1)
    how = dice.choice(["and", "or"])
    return f"({a[0]} {how} {b[0]})", f"({a[1]} {how} {b[1]})"


def compare(database, dice, number):
    fields = dice.sample(list(FIELDS), dice.choice([0, 1, 1, 2, 2, 3]))
    ours, where = condition(dice, 2) if dice.random() < 0.7 else ("", "1")
    distinct = ",".join(dice.sample([f for f in FIELDS if f not in fields], dice.choice([1, 1, 2])))
    distinct = distinct if dice.random() < 0.5 else ""
    order = dice.choice(["flows", "packets", "bytes"] + (["distinct"] if distinct else []))
    limit = dice.choice([0, 0, 0, 1, 10])
    memory = dice.choice([0, 0, 16])
    question = f"question {number}: by {fields} where {ours} order {order} limit {limit} distinct {distinct}"
    got = weir(fields, ours, order, limit, distinct, memory)
    wanted, column = sqlite(database, fields, where, order, limit, distinct)
    assert [r[column] for r in got] == [r[column] for r in wanted], \
        f"{question}: {got[:3]} ({len(got)}), sqlite {wanted[:3]} ({len(wanted)})"
    # Rows that are equal in what they are ordered by may come in any order, and be cut off anywhere.
    least = got[-1][column] if limit and got else None
    extra = {r for r in got if r[column] != least} ^ {r for r in wanted if r[column] != least}
    assert not extra, f"{question}: not in both: {sorted(extra)[:4]}"
    return len(got)


for program in (FLOWS, QUERY):
    if not os.access(program, os.X_OK):
        skip(f"{program} is not there")
seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
say(f"SEED={seed}")
folder = tempfile.mkdtemp(prefix="weir-beside-")
try:
    subprocess.run([FLOWS, "store", f"{folder}/store", str(COUNT)], check=True)
    subprocess.run([FLOWS, "ipfix", f"{folder}/flows", str(COUNT)], check=True)
    base = sqlite3.connect(":memory:")
    base.create_function("mask", 3, mask, deterministic=True)
    base.create_function("service", 3, service, deterministic=True)
    base.create_function("port", 2, lambda protocol, port: port, deterministic=True)
    load(base, f"{folder}/flows")
    say(f"{COUNT} flows in SQLite")
    random_of = random.Random(seed)
    rows_seen = sum(compare(base, random_of, i) for i in range(QUESTIONS))
    say(f"{QUESTIONS} questions, {rows_seen} rows: the same")
    assert rows_seen > 10000, "that says little"
finally:
    shutil.rmtree(folder, ignore_errors=True)

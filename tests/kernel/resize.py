#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""TABLE_FLOWS changes while metering is on: no flow is lost, the ledger is exact throughout.

Run inside the router's namespace; kernel-cache.sh makes the network.
"""

import errno
import subprocess
import sys
import threading
import time

import weirnl as w

SCAN = """
import socket, sys
first, count, size = map(int, sys.argv[1:])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.1.0.2", 4444))
for port in range(first, first + count):
    s.sendto(bytes(size), ("10.2.0.2", port))
"""

# Until its input ends. Then says how many it sent.
FLOOD = """
import select, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.1.0.2", 4444))
n = 0
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.05)[0]:
    for port in range(30000 + n % 700, 30000 + n % 700 + 50):
        s.sendto(b"x", ("10.2.0.2", port))
    n += 50
print(n)
"""


def scan(first, count, size=10):
    subprocess.run(["ip", "netns", "exec", "client", sys.executable, "-c", SCAN, str(first),
                    str(count), str(size)], check=True)


def scanned(flows):
    """Our own packets by port. A flow is in one table of one CPU, or in several CPUs'."""
    ports = {}
    for f in flows:
        if f["src_port"] == 4444 and f["protocol"] == 17:
            ports[f["dst_port"]] = ports.get(f["dst_port"], 0) + f["packets"]
    return ports


def identity(flows):
    return sorted((f["dst_port"], f["start_ns"], f["packets"], f["bytes"]) for f in flows
                  if f["src_port"] == 4444)


def fresh(client, **config):
    client.config(ENABLED=0, IDLE_TIMEOUT_MS=600_000, ACTIVE_TIMEOUT_MS=600_000, SAMPLING=0,
                  **config)
    client.config(ENABLED=1)


def table_bytes(client, flows):
    return client.stats()["CPUS"] * flows * (192 + 8)


def test_grow_and_shrink(client):
    """Larger keeps every flow as it is; smaller makes records of what does not fit."""
    fresh(client, TABLE_FLOWS=16384, LOG_BATCHES=64)
    reader = w.Reader(client)
    scan(10_000, 1500)
    before, memory = identity(client.flows()), client.stats()["MEMORY"]
    assert len(before) >= 1500, len(before)
    for flows in (65536, 16384):
        client.config(TABLE_FLOWS=flows)
        stats = w.check_ledgers(client)
        assert client.config()["TABLE_FLOWS"] == flows
        assert stats["TABLE_FLOWS"] == flows * stats["CPUS"]
        assert stats["MEMORY"] == memory + table_bytes(client, flows) - table_bytes(client, 16384)
        assert identity(client.flows()) == before, f"flows changed on the way to {flows}"
        assert stats["COUNTERS"][w.WEIR_COUNTER_EVICTED] == 0
    scan(10_000, 1500, 20)      # they are found again where they are now
    assert set(scanned(client.flows()).values()) == {2}
    assert client.stats()["CPUS"] > 1 or len(identity(client.flows())) == len(before)

    client.config(TABLE_FLOWS=64)
    stats = w.check_ledgers(client)
    assert stats["TABLE"][0] <= 64 * stats["CPUS"]
    assert stats["MEMORY"] < memory
    evicted = stats["COUNTERS"][w.WEIR_COUNTER_EVICTED]
    assert evicted >= 1500 - 64 * stats["CPUS"]
    client.config(TABLE_FLOWS=1024)
    client.flush()
    reader.drain(0.5)
    got = scanned(reader.flows)
    assert len(got) == 1500 and set(got.values()) == {2}, (len(got), set(got.values()))
    stats = w.check_ledgers(client)
    assert stats["LOST"] == [(0, 0, 0)] * len(stats["LOST"])
    print(f"1500 flows: 16384, 65536, 16384, 64 places; {evicted} records on the way, none lost")


def test_no_memory(client):
    before, memory = client.config(), client.stats()["MEMORY"]
    try:
        client.config(IDLE_TIMEOUT_MS=1000, TABLE_FLOWS=1 << 24)
        raise AssertionError("gigabytes were granted")
    except w.NetlinkError as error:
        assert error.errno == errno.ENOMEM and "memory" in error.message, error
    assert client.config() == before and client.stats()["MEMORY"] == memory


def test_full_log(client):
    """Nobody reads: what does not fit stays where it is, until somebody does."""
    fresh(client, TABLE_FLOWS=4096, LOG_BATCHES=2)
    # a CPU without flows is done at once, so what is left of the change tells nothing
    after = client.stats()["MEMORY"] - table_bytes(client, 4096) + table_bytes(client, 64)
    scan(20_000, 1500)
    present = identity(client.flows())
    client.config(TABLE_FLOWS=64)
    stats = w.check_ledgers(client)
    assert stats["MEMORY"] > after
    assert stats["TABLE"][0] > 64 * stats["CPUS"], "the log took more than it holds"
    assert stats["LOST"] == [(0, 0, 0)] * len(stats["LOST"])
    try:
        client.config(TABLE_FLOWS=256)
        raise AssertionError("a second change before the first ended")
    except w.NetlinkError as error:
        assert error.errno == errno.EBUSY and "log" in error.message, error
    assert client.config()["TABLE_FLOWS"] == 64
    shown = identity(client.flows())
    assert len(shown) == len(set(shown)) and set(shown) <= set(present), "shown twice, or changed"
    scan(20_000, 1500)          # counted where they are, as far as they are
    w.check_ledgers(client)
    with w.Client() as other:
        reader = w.Reader(other)
        reader.drain(1)
        deadline = time.monotonic() + 10
        while client.stats()["MEMORY"] != after:
            assert time.monotonic() < deadline, "the change never ended"
            reader.take(0.2)
        stats = w.check_ledgers(client)
        assert stats["TABLE"][0] <= 64 * stats["CPUS"]
        client.flush()
        reader.drain(1)
        stats = w.check_ledgers(client)
        assert w.totals(reader.flows) == stats["ACKED"]
        lost = stats["LOST"][w.WEIR_LOST_NO_ROOM][1]
        total = sum(scanned(reader.flows).values())
        assert 3000 - lost <= total <= 3000, (total, lost)
    print(f"a full log: {total} of 3000 packets in records, {lost} counted as lost")


def dump_again_and_again(stop, counts):
    """What is shown is shown once; a dump in whose middle flows moved ends with EINTR."""
    with w.Client() as client:
        while not stop.is_set():
            try:
                flows = client.flows()
            except w.NetlinkError as error:
                assert error.errno == errno.EINTR, error
                counts["interrupted"] += 1
                continue
            if client.stats()["CPUS"] == 1:     # else it may be in several tables
                keys = [(f["src"], f["dst"], f["src_port"], f["dst_port"], f["protocol"])
                        for f in flows if f["src_port"] == 4444]
                counts["twice"] += len(keys) - len(set(keys))
            counts["flows"] += len(flows)
            counts["dumps"] += 1


def test_under_traffic(client):
    fresh(client, TABLE_FLOWS=256, LOG_BATCHES=64)
    flood = subprocess.Popen(["ip", "netns", "exec", "client", sys.executable, "-c", FLOOD],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    flood.stdout.readline()
    stop, counts = threading.Event(), {"dumps": 0, "interrupted": 0, "flows": 0, "twice": 0}
    dumper = threading.Thread(target=dump_again_and_again, args=(stop, counts))
    dumper.start()
    changes = 0
    with w.Client() as other:
        reader = w.Reader(other)
        try:
            for flows in [64, 8192, 128, 1024, 256, 64, 32768] * 6:
                client.config(TABLE_FLOWS=flows)
                w.check_ledgers(client)
                changes += 1
                seen = counts["dumps"]
                while counts["dumps"] == seen and dumper.is_alive():
                    time.sleep(0.01)
                if changes % 5 == 0:
                    client.flush()
                reader.drain(0.02)
        finally:
            sent = int(flood.communicate("")[0])
            stop.set()
            dumper.join()
        client.flush()
        reader.drain(1)
        stats = w.check_ledgers(client)
        assert w.totals(reader.flows) == stats["NUMBERED"] == stats["ACKED"]
        lost = stats["LOST"][w.WEIR_LOST_NO_ROOM][1]
        total = sum(scanned(reader.flows).values())
        assert sent - lost <= total <= sent, (total, sent, lost)
        assert counts["dumps"] >= changes and counts["flows"] and not counts["twice"], counts
    print(f"{changes} changes under traffic: {total} of {sent} packets in records, {lost} lost; "
          f"{counts}")


def main():
    with w.Client() as client:
        client.config(ENABLED=1)
        test_grow_and_shrink(client)
        test_no_memory(client)
        test_full_log(client)
        test_under_traffic(client)
        client.config(ENABLED=0, TABLE_FLOWS=4096, LOG_BATCHES=16)


main()

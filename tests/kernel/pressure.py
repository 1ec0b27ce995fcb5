#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""More flows than a tiny table and a tiny log hold: nothing uncounted."""

import socket
import subprocess
import sys
import time

import weirnl as w

SCAN = """
import socket, sys
first, count = int(sys.argv[1]), int(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(first, first + count):
    s.sendto(b"scan", ("10.2.0.2", 1024 + port % 60000))
"""


def scan(first, count):
    subprocess.run(["ip", "netns", "exec", "client", sys.executable, "-c", SCAN, str(first),
                    str(count)], check=True)


def established(client):
    """A flow with a history, to see that a scan does not drive it out."""
    subprocess.run(["ip", "netns", "exec", "client", "ping", "-q", "-c", "3", "-i", "0.05",
                    "10.2.0.2"], check=True, capture_output=True)
    return [f["start_ns"] for f in client.flows(FILTER_PROTOCOL=1)]


def main():
    with w.Client() as control:
        control.config(ENABLED=0, TABLE_FLOWS=64, LOG_BATCHES=2, IDLE_TIMEOUT_MS=60_000)
        control.config(ENABLED=1)
        pings = established(control)
        for part in range(5):
            scan(part * 1000, 1000)
            w.check_ledgers(control)
        stats = w.check_ledgers(control)
        lost = stats["LOST"][w.WEIR_LOST_NO_ROOM]
        print("after the scan:", {k: stats[k] for k in ("SEEN", "TABLE", "PENDING", "LOST")})
        assert stats["SEEN"][1] >= 5000
        assert lost[1] > 0, "5000 flows fitted 64 places and 2 batches a CPU"
        assert lost[0] == 0, "a packet that found no flow is no flow"
        assert stats["COUNTERS"][w.WEIR_COUNTER_EVICTED] > 0
        assert stats["TABLE"][0] <= stats["TABLE_FLOWS"]
        still = [f["start_ns"] for f in control.flows(FILTER_PROTOCOL=1)]
        assert set(pings) <= set(still), "the scan drove out flows that had a history"

        # expiry with a full log: flows stay, and keep counting
        control.config(IDLE_TIMEOUT_MS=100)
        deadline = time.monotonic() + 10
        while not control.stats()["COUNTERS"][w.WEIR_COUNTER_LOG_FULL]:
            assert time.monotonic() < deadline, "expiry did not notice that the log is full"
            time.sleep(0.1)
        assert control.stats()["TABLE"][0] >= len(pings)

        with w.Client() as client:
            reader = w.Reader(client)
            assert reader.next == 1
            reader.drain(2)
            stats = w.check_ledgers(control)
            assert stats["TABLE"] == (0, 0, 0), stats
            assert stats["PENDING"] == (0, 0, 0), stats
            assert w.totals(reader.flows) == stats["ACKED"]
            assert stats["LOST"][w.WEIR_LOST_NO_ROOM] == lost, "nothing more was lost"
            assert stats["SEEN"][1] == stats["ACKED"][1] + lost[1]
            # with a reader the same scan loses nothing that it keeps up with
            scan(10_000, 200)
            reader.drain(1.5)
            assert control.stats()["LOST"][w.WEIR_LOST_NO_ROOM] == lost
        w.check_ledgers(control)


main()

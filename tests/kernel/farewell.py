#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A subscriber whose instance is taken away, again and again: farewell.py ROUNDS.

Prints "ready" when it owns a stream; then metering must end. Each time it must
get END and every batch END tells of. Ends after ROUNDS instances.
"""

import sys
import time

import weirnl as w


def connect():
    """The family may be gone between two loads of the module."""
    deadline = time.monotonic() + 30
    while True:
        try:
            client = w.Client()
            return client, w.Reader(client)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def listen(round_number):
    client, reader = connect()
    print(f"ready {round_number}", flush=True)
    deadline = time.monotonic() + 30
    while not reader.end:
        assert time.monotonic() < deadline, "no END"
        try:
            reader.take(0.5)
        except w.NetlinkError:          # an ACK too late: the module is gone
            pass
    client.close()
    assert reader.end["SEQ"] == reader.next - 1, (reader.end, reader.next)
    assert not reader.numbered or reader.end["NUMBERED"] == reader.numbered
    return reader.end["NUMBERED"][1]


for number in range(int(sys.argv[1])):
    packets = listen(number)
print(f"last instance: {packets} packets", flush=True)

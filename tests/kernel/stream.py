#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The stream: who owns it, where it resumes, what is refused."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time

import weirnl as w

HERE = os.path.dirname(os.path.realpath(__file__))

OWN = f"""
import sys, time
sys.path.insert(0, {HERE!r})
import weirnl as w
client = w.Client()
client.subscribe()
print("owned", flush=True)
time.sleep(1000)
"""


def refused(number, attribute, function, *args, **kwargs):
    """@function must fail with @number, a sentence, and an attribute if @attribute."""
    try:
        function(*args, **kwargs)
    except w.NetlinkError as error:
        assert error.errno == number, f"{error}, expected {errno.errorcode[number]}"
        assert len(error.message) > 10, f"no sentence: {error!r}"
        assert (error.offset is not None) == attribute, (error, error.offset)
        return error.message
    raise AssertionError(f"not refused: {args} {kwargs}")


def traffic(count=3):
    subprocess.run(["ip", "netns", "exec", "client", "ping", "-q", "-i", "0.01", "-c", str(count),
                    "10.2.0.2"], check=True, capture_output=True)


def make_batches(client, count):
    """@count batches in the log: each flush seals what there is."""
    for _ in range(count):
        traffic(1)
        assert client.flush()["MOVED"]


def await_owner(client, port):
    deadline = time.monotonic() + 5
    while client.stats()["OWNER"] != port:
        assert time.monotonic() < deadline, f"owner {client.stats()['OWNER']}, not {port}"
        time.sleep(0.02)


def test_resume(control):
    make_batches(control, 4)
    with w.Client() as client:
        reader = w.Reader(client)
        first = [reader.take(ack=False) for _ in range(4)]
        assert all(first), "four batches were flushed"
        assert first[0]["SEQ"] == 1
        assert control.stats()["ACKED"] == (0, 0, 0)
        client.ack(reader.instance, 1)
    await_owner(control, 0)

    with w.Client() as client:
        reader = w.Reader(client, reader.instance, 3)
        assert (reader.next, reader.missing) == (3, 0)
        again = [reader.take(ack=False) for _ in range(2)]
        assert again == first[2:], "a batch sent again differs"
        stats = control.stats()
        assert stats["ACKED_SEQ"] == 2, "naming batch 3 proves 1 and 2"
        # an owner may subscribe again, from what it knows
        reader = w.Reader(client, reader.instance, 1)
        assert (reader.next, reader.missing) == (3, 2), (reader.next, reader.missing)
        reader.drain(0.5)
        # another instance: from the oldest held, nothing is acknowledged by it
        make_batches(control, 1)
        reader = w.Reader(client, reader.instance ^ 1, 77)
        assert reader.missing == 0
        assert reader.take()
    await_owner(control, 0)


def test_refusals(control):
    with w.Client() as client, w.Client() as other:
        instance = control.stats()["INSTANCE"]
        last = control.stats()["SEQ"]
        refused(errno.ERANGE, True, client.subscribe, instance, last + 2)
        refused(errno.ERANGE, True, client.subscribe, WINDOW=0)
        refused(errno.EPERM, False, client.ack, instance, 1)
        w.Reader(client).drain(0.3)
        refused(errno.EBUSY, False, other.subscribe)
        refused(errno.EPERM, False, other.ack, instance, last)
        refused(errno.ESTALE, True, client.ack, instance ^ 5, last)
        refused(errno.ERANGE, True, client.ack, instance, last + 1)
        refused(errno.EINVAL, False, client.request, w.WEIR_CMD_ACK)
        client.ack(instance, last)      # again: no harm
        client.ack(instance, 0)
    await_owner(control, 0)


def test_killed(control):
    with subprocess.Popen([sys.executable, "-c", OWN], stdout=subprocess.PIPE,
                          text=True) as owner:
        assert owner.stdout.readline() == "owned\n"
        assert control.stats()["OWNER"]
        with w.Client() as client:
            refused(errno.EBUSY, False, client.subscribe)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    await_owner(control, 0)
    with w.Client() as client:
        w.Reader(client).drain(0.3)


def test_slow_reader(control):
    """A small socket buffer and a window beyond it: late, complete, in order."""
    with w.Client(rcvbuf=4096) as client:
        reader = w.Reader(client, WINDOW=1000)
        make_batches(control, 40)
        time.sleep(0.5)
        reader.drain(2)
        stats = w.check_ledgers(control)
        assert reader.next == stats["SEQ"] + 1, (reader.next, stats["SEQ"])
        assert stats["ACKED"] == stats["NUMBERED"]
        assert stats["LOST"] == [(0, 0, 0)] * len(stats["LOST"])


def test_window(control):
    with w.Client() as client:
        reader = w.Reader(client, WINDOW=2)
        make_batches(control, 5)
        assert reader.take(ack=False) and reader.take(ack=False)
        assert reader.take(0.5) is None, "a third batch within a window of two"
        client.ack(reader.instance, reader.next - 1)
        reader.drain(0.5)
        assert reader.next == control.stats()["SEQ"] + 1


def test_nobody(control):
    """With nobody to read, records share batches and do not wear the log out."""
    before = control.config()
    control.config(IDLE_TIMEOUT_MS=100)
    batches = control.stats()["COUNTERS"][w.WEIR_COUNTER_BATCHES]
    pending = control.stats()["PENDING"][0]
    for _ in range(4):
        traffic(1)
        time.sleep(1.5)         # idle, and the cursor has been round
    stats = control.stats()
    assert stats["PENDING"][0] >= pending + 4, stats
    assert stats["COUNTERS"][w.WEIR_COUNTER_BATCHES] == batches, "sealed for nobody"
    with w.Client() as client:
        reader = w.Reader(client)
        reader.drain(1)
        assert len(reader.flows) >= 4, "a reader gets them"
    control.config(IDLE_TIMEOUT_MS=before["IDLE_TIMEOUT_MS"])
    await_owner(control, 0)


def test_late_ack(control):
    """What is acknowledged after END was sent is not lost."""
    with w.Client() as client:
        reader = w.Reader(client)
        traffic(5)
        off = threading.Thread(target=lambda: w.Client().config(ENABLED=0))
        off.start()
        while not reader.end:
            assert reader.take(10, ack=False) or reader.end, "no END"
        time.sleep(0.2)         # a commit
        client.ack_quietly(reader.instance, reader.next - 1)
        off.join()
        after = control.stats()
        assert after["LOST"] == [(0, 0, 0)] * len(after["LOST"]), after
        assert after["ACKED"] == after["SEEN"] == reader.end["NUMBERED"]
    control.config(ENABLED=1)


def test_end(control):
    """Switching off empties the table to the owner, then says END."""
    with w.Client() as client, w.Client() as listener:
        listener.join("notices")
        reader = w.Reader(client)
        traffic(20)
        before = control.stats()
        control.config(ENABLED=0)
        reader.drain()
        assert reader.end, "no END"
        assert reader.end["SEQ"] == reader.next - 1, "END tells of batches that did not come"
        assert reader.end["NUMBERED"] == reader.numbered
        assert reader.numbered[1] >= before["SEEN"][1]
        after = control.stats()
        assert after["ENABLED"] == 0 and after["CPUS"] == 0 and after["MEMORY"] == 0
        w.check_ledger(after)
        assert after["TABLE"] == after["PENDING"] == (0, 0, 0)
        assert after["SEEN"] == reader.end["NUMBERED"], "every packet had a number"
        refused(errno.ENETDOWN, False, client.subscribe)
        refused(errno.ENETDOWN, False, client.flush)
        refused(errno.ENETDOWN, False, client.dump, w.WEIR_CMD_DUMP_FLOWS)
        control.config(ENABLED=1)
        again = control.stats()
        assert again["INSTANCE"] != reader.instance and again["SEQ"] == 0
        notices = []
        while event := listener.event(0.5):
            notices.append(event[1]["NOTICE"])
        assert w.WEIR_NOTICE_STOPPED in notices and w.WEIR_NOTICE_STARTED in notices, notices


def main():
    with w.Client() as control:
        control.config(ENABLED=1)
        for test in (test_resume, test_refusals, test_killed, test_window, test_slow_reader,
                     test_nobody, test_late_ack, test_end):
            print(test.__name__, flush=True)
            test(control)
            w.check_ledgers(control)


main()

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Requests nobody should send: fuzz.py SECONDS [SEED].

Processes with several sockets each send valid requests of every command, and
the same with attributes dropped, doubled, nested, cut, blown up, and bytes
changed; some sockets never read, some vanish in the middle of a dump. Other
processes do so without the right to. Meanwhile and afterwards the family must
answer, the ledger balance and the configuration be a possible one. That the
kernel did not complain is for the lab to see.
"""

import collections
import ctypes
import errno
import json
import os
import random
import socket
import struct
import sys
import threading
import time

import weirnl as w

PRIVILEGED, UNPRIVILEGED = 3, 2
SOCKETS = 5
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
COMMANDS = {value: name for name, value in vars(w).items() if name.startswith("WEIR_CMD_")}
REQUESTS = [cmd for cmd, name in COMMANDS.items()
            if name not in ("WEIR_CMD_BATCH", "WEIR_CMD_END", "WEIR_CMD_NOTICE")]
DUMPS = [cmd for cmd in REQUESTS
         if COMMANDS[cmd] in ("WEIR_CMD_GET_STATS", "WEIR_CMD_DUMP_FLOWS",
                              "WEIR_CMD_GET_INTERFACES")]
NUMBERS = [0, 1, 2, 3, 7, 63, 64, 65, 99, 100, 127, 128, 129, 255, 256, 1000, 4096, 65535, 65536,
           1 << 22, 1 << 24, (1 << 24) + 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]
PATTERNS = [b"c0 s0", b"c*", b"* !s0", b"", b"!", b"[", b"*" * 30, b"nosuch%d", b"\xff\xfe/",
            b" " * 200, b"a " * 120]


def kind_of(name):
    return 8 if name in w.U64 else 4 if name in w.U32 else 2 if name == "FILTER_PORT" else \
        16 if name == "FILTER_ADDR" else 24 if name in w.TOTALS else 1


class Fuzzer:
    """Makes requests. What it learns from replies makes the next ones go deeper."""

    def __init__(self, rng, family):
        self.rng, self.family = rng, family
        self.known = {"INSTANCE": 0, "SEQ": 0}
        self.busy = False       # a socket that may not even read owns the stream
        self.seq = 0

    def _number(self, size):
        rng = self.rng
        value = rng.choice((rng.choice(NUMBERS), rng.getrandbits(size * 8)))
        return (value & (1 << size * 8) - 1).to_bytes(size, sys.byteorder)

    def _setting(self):
        """One attribute of SET_CONFIG, mostly one it takes."""
        rng = self.rng
        name, value = rng.choice((
            ("ACTIVE_TIMEOUT_MS", rng.randint(100, 5000)),
            ("IDLE_TIMEOUT_MS", rng.randint(100, 3000)),
            ("FIN_TIMEOUT_MS", rng.randint(100, 3000)),
            ("TABLE_FLOWS", 1 << rng.randint(6, 13)),
            ("LOG_BATCHES", 1 << rng.randint(1, 6)),
            ("MODES", rng.choice((1, 2, 4, 8, 5, 9, 13, 14, 3, 16, 0))),
            ("INTERFACES", rng.choice(PATTERNS)),
            ("LOOK_INSIDE", rng.getrandbits(6)),
            ("SAMPLING", rng.choice((0, 1, 2, 10, 1000))),
            ("SAMPLING_METHOD", rng.randint(0, 2)),
            ("COVER", rng.randint(0, 2))))
        kind = getattr(w, f"WEIR_A_{name}")
        if name == "INTERFACES":
            return kind, value + b"\0"
        return kind, value.to_bytes(1 if name == "COVER" else 4, sys.byteorder)

    def valid(self, cmd):
        """Attributes a client of uapi/weir.h could send."""
        rng, known, name = self.rng, self.known, COMMANDS[cmd]
        attrs = []

        def put(attribute, value, size):
            attrs.append((getattr(w, f"WEIR_A_{attribute}"), value.to_bytes(size, sys.byteorder)))

        if name == "WEIR_CMD_SET_CONFIG":
            attrs = [self._setting() for _ in range(rng.randint(0, 3))]
            if rng.random() < 0.1:      # off takes a second or two when the owner is deaf
                put("ENABLED", rng.random() < 0.9, 1)
        elif name == "WEIR_CMD_SUBSCRIBE":
            if rng.random() < 0.8:
                put("INSTANCE", known["INSTANCE"], 8)
                put("SEQ", max(known["SEQ"] + rng.randint(-2, 2), 0), 8)
            if rng.random() < 0.5:
                put("WINDOW", rng.choice((1, 2, 64, 65536)), 4)
        elif name == "WEIR_CMD_ACK":
            put("INSTANCE", known["INSTANCE"], 8)
            put("SEQ", max(known["SEQ"] + rng.randint(-1, 1), 0), 8)
        elif name == "WEIR_CMD_DUMP_FLOWS":
            if rng.random() < 0.4:
                put("FILTER_PROTOCOL", rng.choice((1, 6, 17)), 1)
            if rng.random() < 0.4:
                put("FILTER_PORT", rng.getrandbits(16), 2)
            if rng.random() < 0.4:
                attrs.append((w.WEIR_A_FILTER_ADDR, bytes(10) + b"\xff\xff\x0a\x01\x00\x02"))
                put("FILTER_PREFIX", rng.randint(0, 128), 1)
        return attrs

    def _mutate_attrs(self, attrs):
        rng = self.rng
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(attrs) + 1)
            kind, payload = attrs[at] if at < len(attrs) else self._any()
            action = rng.randrange(8)
            if action == 0 and at < len(attrs):
                del attrs[at]
                continue
            if action == 1:
                kind = rng.randint(0, max(w.NAMES) + 4) | rng.choice((0, 0x8000, 0x4000))
            elif action == 2:
                payload = payload[:rng.randint(0, len(payload))]
            elif action == 3:
                payload += rng.randbytes(rng.choice((1, 3, 4, 60, 4000, 20000)))
            elif action == 4:
                payload = self._number(len(payload)) if 0 < len(payload) <= 8 else \
                    rng.randbytes(len(payload))
            elif action == 5:
                for _ in range(rng.randint(1, 12)):
                    payload = w.attr(kind | rng.choice((0, 0x8000)), payload)
            elif action == 6:
                attrs.append(self._any())
            attrs.insert(at, (kind, payload))   # 7, and the original of most: doubled
            if action < 6 and at + 1 < len(attrs) and rng.random() < 0.7:
                del attrs[at + 1]

    def _any(self):
        name = self.rng.choice(list(w.NAMES.values())).removeprefix("WEIR_A_")
        if name == "INTERFACES":
            return w.WEIR_A_INTERFACES, self.rng.choice(PATTERNS)
        size = kind_of(name)
        return getattr(w, f"WEIR_A_{name}"), self.rng.choice((self._number(size), bytes(size)))

    def _mutate_bytes(self, data):
        rng, data = self.rng, bytearray(data)
        for _ in range(rng.randint(1, 4)):
            action = rng.randrange(4)
            if action == 0 and len(data) > 20:      # the attributes: lengths that lie
                at = rng.randrange(20, len(data)) & ~3
                data[at:at + 2] = rng.choice((0, 1, 3, 4, 5, 255, 65535)).to_bytes(2, "little")
            elif action == 1:
                data[rng.randrange(min(16, len(data)), len(data))] ^= 1 << rng.randrange(8)
            elif action == 2:
                del data[rng.randrange(16, len(data)):]
                if len(data) < 20:
                    data += bytes(4)
            else:
                data += rng.randbytes(rng.randint(1, 7))
        return bytes(data)

    def ack(self):
        self.seq += 1
        body = struct.pack("=BBH", w.WEIR_CMD_ACK, 1, 0) + w.encode(**self.known)
        return struct.pack("=IHHII", 16 + len(body), self.family, w.F_REQUEST | w.F_ACK, self.seq,
                           0) + body

    def message(self):
        rng = self.rng
        cmd = rng.choice(REQUESTS)
        attrs = self.valid(cmd)
        flags = w.F_REQUEST | rng.choice((0, w.F_ACK))
        if cmd in DUMPS and rng.random() < 0.6 or rng.random() < 0.02:
            flags |= w.F_DUMP
        wild = rng.random()
        version = 1
        if wild < 0.5:
            self._mutate_attrs(attrs)
        if wild < 0.1:
            version, cmd = rng.choice(((1, rng.randrange(256)), (rng.randrange(256), cmd)))
        body = struct.pack("=BBH", cmd, version, rng.choice((0, 0, 0, rng.getrandbits(16))))
        for kind, payload in attrs:
            body += w.attr(kind, payload[:65531])
        self.seq += 1
        kind = self.family if wild > 0.02 else rng.choice((0, 1, 2, 3, 15, 0xffff))
        if wild < 0.05:
            flags = rng.getrandbits(16)
        size = 16 + len(body)
        data = struct.pack("=IHHII", size, kind, flags, self.seq, rng.choice((0, 0, 0, 1))) + body
        if 0.3 < wild < 0.6:
            data = self._mutate_bytes(data)
            if rng.random() < 0.8:                  # else the header's length lies
                data = struct.pack("=I", len(data)) + data[4:]
        return data

    def datagram(self):
        data = self.message()
        while self.rng.random() < 0.1:
            data += bytes(-len(data) % 4) + self.message()
        return data


def requests_in(data):
    """What the kernel finds in a datagram: (sequence, type, flags, command) of each message."""
    found = []
    while len(data) >= 16:
        size, kind, flags, seq, _ = struct.unpack_from("=IHHII", data)
        if size < 16 or size > len(data):
            break
        found.append((seq, kind, flags, data[16] if size > 16 else 0))
        data = data[size + 3 & ~3:]
    return found


class Socket:
    def __init__(self, fuzzer, privileged):
        rng = fuzzer.rng
        self.fuzzer, self.privileged = fuzzer, privileged
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, w.NETLINK_GENERIC)
        for option in (w.NETLINK_EXT_ACK, w.NETLINK_CAP_ACK, w.NETLINK_NO_ENOBUFS,
                       w.NETLINK_GET_STRICT_CHK):
            if rng.random() < 0.7:
                self.sock.setsockopt(w.SOL_NETLINK, option, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rng.choice((1, 30000, 1 << 20)))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.sock.bind((0, 0))
        self.sock.setblocking(False)
        self.deaf = rng.random() < 0.2
        self.asked = {}

    def send(self, data):
        for seq, kind, flags, cmd in requests_in(data):
            if kind == self.fuzzer.family and flags & w.F_REQUEST:
                self.asked[seq] = cmd
        try:
            self.sock.send(data)
        except OSError as error:
            assert error.errno in (errno.EAGAIN, errno.ENOBUFS, errno.EMSGSIZE, errno.EINVAL,
                                   errno.ECONNREFUSED), error

    def read(self, results):
        while not self.deaf:
            try:
                data = self.sock.recv(1 << 17)
            except OSError as error:
                assert error.errno in (errno.EAGAIN, errno.ENOBUFS), error
                return
            while len(data) >= 16:
                size, kind, _, seq, _ = struct.unpack_from("=IHHII", data)
                assert 16 <= size <= len(data), "a message from the kernel that ends too soon"
                self._reply(kind, seq, data[16:size], results)
                data = data[size + 3 & ~3:]

    def _reply(self, kind, seq, body, results):
        if kind == self.fuzzer.family:
            message = w.decode(body[4:])
            for name in ("INSTANCE", "SEQ"):
                self.fuzzer.known[name] = message.get(name) or self.fuzzer.known[name]
            if seq in self.asked:
                assert self.privileged, f"answered without the right to ask: {message}"
                results[f"{COMMANDS.get(body[0], body[0])} accepted"] += 1
            elif body[0] == w.WEIR_CMD_BATCH and self.fuzzer.rng.random() < 0.5:
                self.send(self.fuzzer.ack())
        elif kind in (w.NLMSG_ERROR, w.NLMSG_DONE) and seq in self.asked:
            cmd = COMMANDS.get(self.asked[seq], "unknown command")
            number = -struct.unpack_from("=i", body)[0]
            if not number:      # done, or the end of a dump
                assert self.privileged, f"{cmd} was done without the right to"
                results[f"{cmd} accepted"] += 1
            elif number > 0:
                results[f"{cmd} refused"] += 1
                results[f"errno {errno.errorcode.get(number, number)}"] += 1
                self.fuzzer.busy |= number == errno.EBUSY


def worker(seed, seconds, family, privileged, pipe):
    rng = random.Random(seed)
    fuzzer = Fuzzer(rng, family)
    results = collections.Counter()
    sockets = [Socket(fuzzer, privileged) for _ in range(SOCKETS)]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        at = rng.randrange(SOCKETS)
        if rng.random() < (0.3 if fuzzer.busy else 0.01):
            fuzzer.busy = False
            sockets[at].sock.close()
            sockets[at] = Socket(fuzzer, privileged)
        sockets[at].send(fuzzer.datagram())
        results["sent"] += 1
        if rng.random() < 0.8:
            sockets[at].read(results)
    os.write(pipe, json.dumps(results).encode() + b"\n")


def without_rights(number):
    """Nobody in particular; or root of a user namespace, with a network namespace too."""
    libc = ctypes.CDLL(None, use_errno=True)
    if number % 2:
        if libc.unshare(CLONE_NEWUSER | (CLONE_NEWNET if number % 4 == 3 else 0)):
            raise OSError(ctypes.get_errno(), "unshare")
    else:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)


def spawn(function, *args):
    """Run @function in a process; its process number."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        function(*args)
        status = 0
    except BaseException:       # pylint: disable=broad-except
        import traceback
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def run_worker(number, seed, seconds, family, privileged, pipe):
    if not privileged:
        without_rights(number)
    worker(seed * 1000 + number, seconds, family, privileged, pipe)


def possible(config):
    for name in ("ACTIVE_TIMEOUT_MS", "IDLE_TIMEOUT_MS", "FIN_TIMEOUT_MS"):
        assert 100 <= config[name] <= 86400000, config
    for name, low, high in (("TABLE_FLOWS", 64, 1 << 24), ("LOG_BATCHES", 2, 1 << 16)):
        assert low <= config[name] <= high and not config[name] & config[name] - 1, config
    modes = config["MODES"]
    assert modes and modes < 16 and modes & 3 != 3, config


def look():
    """The family answers a newcomer, and what it says is sound."""
    with w.Client() as client:
        possible(client.config())
        try:
            w.check_ledgers(client)
        except w.NetlinkError as error:     # switched off or on between two messages
            if error.errno not in (errno.ENETDOWN, errno.EINTR):
                raise


def settle():
    """After all that, one ordinary life of an instance, to the packet."""
    with w.Client() as control, w.Client() as client:
        control.config(ENABLED=0)
        control.config(TABLE_FLOWS=1024, LOG_BATCHES=16, ACTIVE_TIMEOUT_MS=60000,
                       IDLE_TIMEOUT_MS=15000, FIN_TIMEOUT_MS=2000, MODES=1)
        for name, value in (("COVER", 0), ("SAMPLING", 0), ("LOOK_INSIDE", 0)):
            if name in control.config():
                control.config(**{name: value})
        control.config(ENABLED=1)
        reader = w.Reader(client)
        w.check_ledgers(control)
        time.sleep(1)
        off = threading.Thread(target=lambda: control.config(ENABLED=0))
        off.start()
        reader.drain(10)
        off.join()
        assert reader.end, "no END"
        last = control.stats()
        w.check_ledger(last)
        assert last["SEEN"][1] > 0, "no traffic: nothing was shown"
        assert w.totals(reader.flows) == reader.end["NUMBERED"] == last["ACKED"], last
        control.config(ENABLED=1)


def main():
    seconds = float(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().getrandbits(30)
    print(f"seed {seed}, {seconds:g} s", flush=True)
    with w.Client() as control:
        control.config(ENABLED=1)
        family = control.family
    reading, writing = os.pipe()
    children = {spawn(run_worker, number, seed, seconds, family, number < PRIVILEGED, writing)
                for number in range(PRIVILEGED + UNPRIVILEGED)}
    os.close(writing)
    looks = 0
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            children.discard(pid)
            assert status == 0, f"a worker ended with {status}"
            continue
        look()
        looks += 1
        time.sleep(0.5)
    results = collections.Counter()
    with os.fdopen(reading, "rb") as pipe:
        for line in pipe:
            results.update(json.loads(line))
    settle()
    print(f"{looks} looks;", ", ".join(f"{k} {v}" for k, v in sorted(results.items())))
    for cmd in REQUESTS:
        for word in ("accepted", "refused"):
            assert results[f"{COMMANDS[cmd]} {word}"], f"{COMMANDS[cmd]} was never {word}"


main()

# SPDX-License-Identifier: GPL-2.0
"""Client of the netlink family "weir", for tests: raw sockets, nothing else.

Reads the numbers of commands and attributes from uapi/weir.h, so that a test
and the module cannot disagree about them.
"""

import errno
import functools
import ipaddress
import os
import re
import socket
import struct
import time

NETLINK_GENERIC = 16
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP, NETLINK_NO_ENOBUFS, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 1, 5, 10, 11
NETLINK_GET_STRICT_CHK = 12
SO_RCVBUFFORCE = 33
F_REQUEST, F_ACK, F_DUMP = 1, 4, 0x300
F_CAPPED, F_ACK_TLVS = 0x100, 0x200
NLMSG_ERROR, NLMSG_DONE = 2, 3
GENL_ID_CTRL = 16


def _enums():
    path = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../uapi/weir.h")
    with open(path, encoding="utf-8") as header:
        text = re.sub(r"/\*.*?\*/", "", header.read(), flags=re.S)
    values = {}
    for body in re.findall(r"enum \w+ \{(.*?)\};", text, flags=re.S):
        value = -1
        for item in re.sub(r"#define.*", "", body).split(","):
            name, _, given = (part.strip() for part in item.partition("="))
            if not name:
                continue
            value = int(given, 0) if given else value + 1
            values[name] = value
    for name, given in re.findall(r"#define (WEIR_FLOW_\w+)\s+(0x\w+)", text):
        values[name] = int(given, 16)
    return values


globals().update(_enums())
NAMES = {v: k for k, v in _enums().items() if k.startswith("WEIR_A_")}

U64 = {"INSTANCE", "SEQ", "MISSING", "ACKED_SEQ", "MEMORY", "UPTIME_NS", "MOVED", "LEFT"}
U32 = {"WINDOW", "CPU", "RECORD_SIZE", "OWNER", "CPUS", "NETNS", "MODES", "NOTICE",
       "ACTIVE_TIMEOUT_MS", "IDLE_TIMEOUT_MS", "FIN_TIMEOUT_MS", "TABLE_FLOWS", "LOG_BATCHES",
       "LOOK_INSIDE", "SAMPLING", "SAMPLING_METHOD", "IFINDEX", "SEEN_BY", "BYPASS"}
U8 = {"ENABLED", "FILTER_PREFIX", "FILTER_PROTOCOL", "COVER"}
STRINGS = {"VERSION", "INTERFACES", "IFNAME"}
TOTALS = {"NUMBERED", "SEEN", "TABLE", "PENDING", "ACKED"}

RECORD = struct.Struct("=16s16s2s2sIIHBBBBBBHHIIQQQQQQII6s6sI")
TAIL = struct.Struct("=IIBBHIH2s2sH16s16s")
FIELDS = ("src dst src_port dst_port in_ifindex out_ifindex vlan_id protocol tos ip_version "
          "end_reason observed min_ttl tcp_flags flags mark fragments packets bytes start_ns "
          "end_ns second_ns payload_ns retransmitted out_of_order src_mac dst_mac sampling").split()
TAIL_FIELDS = ("tunnel_id netns tunnel sampling_method inner_vlan_id mpls_label pppoe_session "
               "nat_src_port nat_dst_port reserved nat_src nat_dst").split()
assert RECORD.size == 136 and RECORD.size + TAIL.size == 192


class NetlinkError(OSError):
    """A refusal: errno, the extack sentence, and where the bad attribute is."""

    def __init__(self, number, message, offset):
        super().__init__(number, f"{os.strerror(number)}: {message}")
        self.message = message
        self.offset = offset


def attr(kind, payload):
    size = 4 + len(payload)
    return struct.pack("=HH", size, kind) + payload + bytes(-size % 4)


def attrs_of(data):
    found = []
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        if size < 4:
            raise ValueError("attribute shorter than its header")
        found.append((kind & 0x3FFF, data[4:size]))
        data = data[size + 3 & ~3:]
    return found


def decode(data):
    """Attributes of a weir message by name without WEIR_A_."""
    out = {}
    for kind, value in attrs_of(data):
        name = NAMES.get(kind, "?").removeprefix("WEIR_A_")
        if name in U64:
            out[name] = struct.unpack("=Q", value)[0]
        elif name in U32:
            out[name] = struct.unpack("=I", value)[0]
        elif name in U8:
            out[name] = value[0]
        elif name in TOTALS:
            out[name] = struct.unpack_from("=3Q", value)
        elif name in ("LOST", "SKIPPED"):
            out[name] = [struct.unpack_from("=3Q", value, at) for at in range(0, len(value), 24)]
        elif name == "COUNTERS":
            out[name] = struct.unpack(f"={len(value) // 8}Q", value)
        elif name == "CLOCK_OFFSET_NS":
            out[name] = struct.unpack("=q", value)[0]
        elif name in STRINGS:
            out[name] = value.rstrip(b"\0").decode(errors="replace")
        elif name != "PAD":
            out[name] = value
    return out


def encode(**values):
    """Attributes from NAME=value; bytes go as they are."""
    data = b""
    for name, value in values.items():
        if isinstance(value, str):
            value = value.encode() + b"\0"
        elif not isinstance(value, bytes):
            form = "=Q" if name in U64 else "=I" if name in U32 else \
                "=H" if name == "FILTER_PORT" else "=B"
            value = struct.pack(form, value)
        data += attr(globals()[f"WEIR_A_{name}"], value)
    return data


@functools.lru_cache(maxsize=65536)
def _address(raw):
    address = ipaddress.IPv6Address(raw)
    return str(address.ipv4_mapped or address)


def records(message):
    """The flow records of a BATCH or DUMP_FLOWS message, as dictionaries."""
    data, size = message.get("RECORDS", b""), message["RECORD_SIZE"]
    assert len(data) % size == 0
    flows = []
    for at in range(0, len(data), size):
        flow = dict(zip(FIELDS, RECORD.unpack_from(data, at)))
        tail = data[at + RECORD.size:at + size].ljust(TAIL.size, b"\0")
        flow.update(zip(TAIL_FIELDS, TAIL.unpack_from(tail)))
        for name in ("src", "dst", "nat_src", "nat_dst"):
            flow[name] = _address(flow[name])
        for name in ("src_port", "dst_port", "nat_src_port", "nat_dst_port"):
            flow[name] = int.from_bytes(flow[name], "big")
        flows.append(flow)
    return flows


def totals(flows):
    return (len(flows), sum(f["packets"] for f in flows), sum(f["bytes"] for f in flows))


class Client:
    def __init__(self, rcvbuf=8 << 20):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        for option in (NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_NO_ENOBUFS,
                       NETLINK_GET_STRICT_CHK):
            self.sock.setsockopt(SOL_NETLINK, option, 1)
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, rcvbuf)
        except PermissionError:
            pass
        self.sock.bind((0, 0))
        self.port = self.sock.getsockname()[0]
        self.seq = 0
        self.family = GENL_ID_CTRL
        self.stream = []        # BATCH, END and NOTICE messages read while waiting for a reply
        family = self._request(3, attr(2, b"weir\0"))[0][1]
        found = dict(attrs_of(family))
        self.family = struct.unpack("=H", found[1])[0]
        self.groups = {}
        for _, group in attrs_of(found.get(7, b"")):
            g = dict(attrs_of(group))
            self.groups[g[1].rstrip(b"\0").decode()] = struct.unpack("=I", g[2])[0]

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def join(self, group):
        self.sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, self.groups[group])

    def _receive(self):
        data = self.sock.recv(65536)
        while len(data) >= 16:
            size, kind, flags, seq, _ = struct.unpack_from("=IHHII", data)
            yield kind, flags, seq, data[16:size]
            data = data[size + 3 & ~3:]

    @staticmethod
    def _refusal(flags, body, ended_dump=False):
        number = -struct.unpack_from("=i", body)[0]
        message, offset = "", None
        if flags & F_ACK_TLVS:
            # the end of a dump has no copy of the request's header before its attributes
            at = 4 if ended_dump else \
                20 if flags & F_CAPPED else 4 + struct.unpack_from("=I", body, 4)[0]
            for kind, value in attrs_of(body[at:]):
                if kind == 1:
                    message = value.rstrip(b"\0").decode()
                elif kind == 2:
                    offset = struct.unpack("=I", value)[0]
        return NetlinkError(number, message, offset)

    def _send(self, cmd, payload, flags):
        self.seq += 1
        size = 20 + len(payload)
        self.sock.send(struct.pack("=IHHIIBBH", size, self.family, F_REQUEST | flags, self.seq, 0,
                                   cmd, 1, 0) + payload)

    def _request(self, cmd, payload, flags=F_ACK):
        self._send(cmd, payload, flags)
        replies = []
        self.before_reply = 0
        while True:
            for kind, got, seq, body in self._receive():
                if seq != self.seq:
                    if kind == self.family and seq == 0:
                        self.stream.append((body[0], decode(body[4:])))
                elif kind == NLMSG_ERROR:
                    if struct.unpack_from("=i", body)[0]:
                        raise self._refusal(got, body)
                    return replies
                elif kind == NLMSG_DONE:
                    if struct.unpack_from("=i", body)[0] < 0:
                        raise self._refusal(got, body, ended_dump=True)
                    return replies
                else:
                    if not replies:
                        self.before_reply = len(self.stream)
                    replies.append((body[0], body[4:]))

    def request(self, cmd, payload=b"", **values):
        replies = self._request(cmd, payload + encode(**values))
        return decode(replies[0][1]) if replies else {}

    def dump(self, cmd, payload=b"", **values):
        return [decode(body) for _, body in
                self._request(cmd, payload + encode(**values), F_DUMP)]

    def event(self, timeout=5.0):
        """The next message that answers no request: (command, attributes) or None."""
        deadline = time.monotonic() + timeout
        while not self.stream:
            self.sock.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                for kind, flags, seq, body in self._receive():
                    if kind == NLMSG_ERROR and struct.unpack_from("=i", body)[0]:
                        raise self._refusal(flags, body)
                    if kind == self.family and seq == 0:
                        self.stream.append((body[0], decode(body[4:])))
            except (TimeoutError, BlockingIOError):
                return None
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
            finally:
                self.sock.settimeout(None)
        return self.stream.pop(0)

    # The protocol of uapi/weir.h

    def stats(self):
        return self.request(WEIR_CMD_GET_STATS)

    def stats_per_cpu(self):
        return self.dump(WEIR_CMD_GET_STATS)

    def config(self, **values):
        if values:
            return self.request(WEIR_CMD_SET_CONFIG, **values)
        return self.request(WEIR_CMD_GET_CONFIG)

    def flows(self, **filters):
        return [flow for message in self.dump(WEIR_CMD_DUMP_FLOWS, **filters)
                for flow in records(message)]

    def flush(self):
        return self.request(WEIR_CMD_FLUSH)

    def subscribe(self, instance=0, seq=0, **values):
        answer = self.request(WEIR_CMD_SUBSCRIBE, INSTANCE=instance, SEQ=seq, **values)
        # what came before the reply belongs to an earlier subscription of this socket
        del self.stream[:self.before_reply]
        return answer

    def ack(self, instance, seq):
        self.request(WEIR_CMD_ACK, INSTANCE=instance, SEQ=seq)

    def ack_quietly(self, instance, seq):
        """As weir-node does: a reply would compete with batches for a full socket buffer."""
        self._send(WEIR_CMD_ACK, encode(INSTANCE=instance, SEQ=seq), 0)


class Reader:
    """A subscriber that checks what it gets: numbers without a gap, running totals."""

    def __init__(self, client, instance=0, seq=0, **values):
        self.client = client
        answer = client.subscribe(instance, seq, **values)
        self.instance, self.next = answer["INSTANCE"], answer["SEQ"]
        self.missing = answer["MISSING"]
        self.flows = []
        self.batches = {}
        self.numbered = None        # as the last batch said
        self.end = None

    def take(self, timeout=5.0, ack=True):
        """Receive one batch, or None after @timeout or at the end."""
        while not self.end:
            event = self.client.event(timeout)
            if event is None:
                return None
            cmd, message = event
            if cmd == WEIR_CMD_END:
                assert message["INSTANCE"] == self.instance
                self.end = message
            elif cmd == WEIR_CMD_BATCH:
                return self._check(message, ack)
        return None

    def _check(self, message, ack):
        seq = message["SEQ"]
        assert message["INSTANCE"] == self.instance, message
        assert seq == self.next, f"batch {seq} where {self.next} was due"
        flows = records(message)
        assert flows, "an empty batch"
        mine = totals(flows)
        if self.numbered is not None:
            assert message["NUMBERED"] == tuple(map(sum, zip(self.numbered, mine))), \
                f"batch {seq}: NUMBERED {message['NUMBERED']}, was {self.numbered}, holds {mine}"
        elif seq == 1:
            assert message["NUMBERED"] == mine
        self.numbered = message["NUMBERED"]
        self.next = seq + 1
        self.flows += flows
        self.batches[seq] = message
        if ack:
            self.client.ack_quietly(self.instance, seq)
        return message

    def drain(self, quiet=1.0):
        """Take batches until none comes for @quiet seconds."""
        while self.take(quiet):
            pass
        return self.flows


def check_ledger(stats):
    """The promise: SEEN = TABLE + PENDING + ACKED + sum of LOST."""
    parts = [stats["TABLE"], stats["PENDING"], stats["ACKED"], *stats["LOST"]]
    sums = tuple(map(sum, zip(*parts)))
    assert stats["SEEN"] == sums, f"SEEN {stats['SEEN']} but the parts sum to {sums}: {stats}"


def check_ledgers(client):
    """Each CPU's ledger and their sum, as they are at this moment."""
    for stats in client.stats_per_cpu():
        check_ledger(stats)
    stats = client.stats()
    check_ledger(stats)
    return stats

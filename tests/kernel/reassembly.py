# SPDX-License-Identifier: GPL-2.0
"""What nf_defrag_ipv4 and nf_defrag_ipv6 make of packets: a model.

They sit in front of weir's hooks. What they keep is not seen, the datagram they make of it is.
Written after ip_fragment.c, nf_conntrack_reasm.c and inet_fragment.c of Linux 6.1, without what the
replay switches off: timeouts, limits of memory and of distance.
"""

import struct

import arrival

KEPT, DROPPED = "kept", "dropped"
FRAGMENT, NONE, AH = 44, 59, 51
EXTENSIONS = (0, 43, FRAGMENT, AH, NONE, 60)
LENGTH_MAX = 65535


class Queue:
    """The fragments of one datagram."""

    def __init__(self):
        self.runs = []          # [start, end] of what came one behind the other
        self.data = {}          # by offset
        self.first = None       # header of the fragment at offset 0
        self.length = self.meat = self.ecn = 0
        self.last = False

    def bounds(self, end, more):
        """Whether a fragment up to @end fits with what is known of the length."""
        if not more:
            if end < self.length or (self.last and end != self.length):
                return False
            self.last, self.length = True, end
        elif end > self.length:
            if self.last:
                return False
            self.length = end
        return True

    def insert(self, start, end):
        """inet_frag_queue_insert(): None, or why not."""
        if not self.runs or self.runs[-1][1] < end:
            if self.runs and start < self.runs[-1][1]:
                return "overlap"
            if self.runs and start == self.runs[-1][1]:
                self.runs[-1][1] = end
            else:
                self.runs.append([start, end])
            return None
        for run in self.runs:
            if run[0] < end and start < run[1]:
                return "duplicate" if run[0] <= start and end <= run[1] else "overlap"
        self.runs.append([start, end])
        self.runs.sort()
        return None

    def add(self, start, data, header, ecn):
        self.data[start] = data
        self.meat += len(data)
        self.ecn |= 1 << ecn
        if start == 0:
            self.first = header

    def complete(self):
        return self.first is not None and self.last and self.meat == self.length

    def mixed(self):
        """Fragments with ECN and without: nobody can say which is right."""
        return self.ecn & 1 and self.ecn & ~1

    def payload(self):
        return b"".join(self.data[at] for at in sorted(self.data))


class Reassembly:
    def __init__(self):
        self.queues = {}

    def put(self, ids, packet):
        """The Packet that goes on to the next hook, KEPT or DROPPED."""
        if packet.version == 4:
            return self._ipv4(packet) if packet.ident is not None else packet
        return self._ipv6(ids, packet)

    def _ipv4(self, packet):
        header = (packet.data[0] & 15) * 4
        key = packet.src, packet.dst, packet.proto, packet.ident
        queue = self.queues.setdefault(key, Queue())
        start, end = packet.offset, packet.offset + len(packet.data) - header
        if packet.more:
            end &= ~7
        if not queue.bounds(end, packet.more) or end == start:
            del self.queues[key]
            return DROPPED
        refused = queue.insert(start, end)
        if refused:
            if refused == "overlap":
                del self.queues[key]
            return DROPPED
        queue.add(start, packet.data[header:header + end - start], packet.data[:header],
                  packet.data[1] & 3)
        if not queue.complete():
            return KEPT
        del self.queues[key]
        total = len(queue.first) + queue.length
        if queue.mixed() or total > LENGTH_MAX:
            return DROPPED
        whole = queue.first[:2] + struct.pack(">H", total) + queue.first[4:6] + b"\0\0" + \
            queue.first[8:] + queue.payload()
        return arrival.parse_ipv4(whole, check=False)

    def _ipv6(self, ids, packet):
        data = packet.data
        at = find_fragment_header(data)
        if len(data) == 40 or at is None or is_truncated(data, at):
            return packet
        if at + 8 > len(data):
            return DROPPED
        word, ident = struct.unpack_from(">HI", data, at + 2)
        start, more = word & 0xfff8, bool(word & 1)
        end = start + len(data) - at - 8
        local = data[24] == 0xff or (data[24] == 0xfe and data[25] & 0xc0 == 0x80)
        key = data[8:24], data[24:40], ident, ids if local else None
        queue = self.queues.setdefault(key, Queue())
        if end > LENGTH_MAX:
            return DROPPED
        if more and end & 7:
            del self.queues[key]
            return packet       # -EPROTO lets it pass
        if not queue.bounds(end, more) or end == start:
            return DROPPED
        refused = queue.insert(start, end)
        if refused == "duplicate":
            return KEPT
        if refused:
            del self.queues[key]
            return DROPPED
        # the header with the next one's number in the place of the fragment header's
        queue.add(start, data[at + 8:], (at, data[:at], data[at]),
                  struct.unpack_from(">H", data)[0] >> 4 & 3)
        if not queue.complete():
            return KEPT
        del self.queues[key]
        at, header, kind = queue.first
        if queue.mixed() or at - 40 + queue.length > LENGTH_MAX:
            return KEPT
        return arrival.follow(with_next(header, at, kind, queue.payload()))


def with_next(header, at, kind, payload):
    """The packet without its fragment header at @at."""
    header = bytearray(header)
    where, position = 6, 40
    while position < at:
        length = (header[position + 1] + 2) * 4 if header[where] == AH else \
            (header[position + 1] + 1) * 8
        where, position = position, position + length
    header[where] = kind
    header[4:6] = struct.pack(">H", at - 40 + len(payload))
    return bytes(header) + payload


def find_fragment_header(data):
    """find_prev_fhdr()"""
    kind, at = data[6], 40
    while kind != FRAGMENT:
        if kind not in EXTENSIONS or kind == NONE or len(data) - at < 2:
            return None
        length = (data[at + 1] + 2) * 4 if kind == AH else (data[at + 1] + 1) * 8
        kind, at = data[at], at + length
    return at if at <= len(data) else None


def is_truncated(data, at):
    """ipv6frag_thdr_truncated(): a first fragment without all of its headers."""
    kind = FRAGMENT
    while kind in EXTENSIONS:
        if kind == NONE or at + 2 > len(data):
            return False
        length = (data[at + 1] + 1) * 8
        if kind == FRAGMENT:
            if at + 4 > len(data):
                return False
            if struct.unpack_from(">H", data, at + 2)[0] & 0xfff8:
                return False
            length = 8
        elif kind == AH:
            length = (data[at + 1] + 2) * 4
        kind, at = data[at], at + length
    return at + {6: 20, 17: 8, 58: 8}.get(kind, 1) > len(data)

# SPDX-License-Identifier: GPL-2.0
"""What of a captured frame arrives at NF_INET_PRE_ROUTING, and as which flow: a model.

It does what the kernel does between the driver and that hook (ip_rcv_core, ip6_rcv_core, the
hop-by-hop options, VLAN devices), packet by packet. The reference has the same by five-tuple; that the two
agree is part of the replay. Beyond the reference the model knows what arrives when the
checksums are right, and what fragments and whole datagrams are.

    frame_of(link, data)        the Ethernet frame to send, None: it has no place on a wire
    arrive(frame)               (VLAN tags, Packet or None) at PRE_ROUTING
    arrive_frame(frame)         the same at a device's own hook, where all there is is the frame
    repair(frame)               the frame with a right IPv4 checksum
"""

import collections
import ipaddress
import struct

import capture

ETHERNET, NULL, PPP, RAW, CHDLC, SLL, IPV4, IPV6, SLL2 = 1, 0, 9, 101, 104, 113, 228, 229, 276
TYPE_IPV4, TYPE_IPV6, TYPE_8021Q, TYPE_8021AD = 0x0800, 0x86dd, 0x8100, 0x88a8
TYPE_9100, TYPE_MPLS, TYPE_MPLS_MULTICAST, TYPE_PPPOE = 0x9100, 0x8847, 0x8848, 0x8864
PPP_TYPES = {0x21: TYPE_IPV4, 0x57: TYPE_IPV6, 0x281: TYPE_MPLS}
HOP_BY_HOP, ROUTING, FRAGMENT, AH, DESTINATION = 0, 43, 44, 51, 60
EXTENSIONS = (HOP_BY_HOP, ROUTING, FRAGMENT, AH, DESTINATION)
EXTENSIONS_MAX = 8          # kmod/dissect.c
ETHERNET_HEADER = bytes(6) + b"\x02\0\0\0\0\x01"

# data: from the IP header, without padding. ident: of a fragment, else None; offset, more: of one.
Packet = collections.namedtuple(
    "Packet", "version src dst proto ports bytes flags ident offset more data")


def frame_of(link, data, serial=False):
    """The Ethernet frame of a captured one, destination still to be set. @serial: what came over a
    serial line too, whose packets do not arrive in the reference's view."""
    if link == ETHERNET:
        return data if len(data) >= 14 else None
    kind, at = 0, 0
    if link in (RAW, IPV4, IPV6):
        kind = {4: TYPE_IPV4, 6: TYPE_IPV6}.get(data[0] >> 4 if data else 0, 0)
    elif link == NULL and len(data) >= 4:
        family, at = data[0] | data[3], 4
        kind = TYPE_IPV4 if family == 2 else TYPE_IPV6 if family in (10, 24, 28, 30) else 0
    elif link == SLL and len(data) >= 16:
        kind, at = struct.unpack_from(">H", data, 14)[0], 16
    elif link == SLL2 and len(data) >= 20:
        kind, at = struct.unpack_from(">H", data)[0], 20
    elif serial and link == CHDLC and len(data) >= 4:
        kind, at = struct.unpack_from(">H", data, 2)[0], 4
    elif serial and link == PPP and len(data) >= 4:
        at = 2 if data[:2] == b"\xff\3" else 0
        length = 1 if data[at] & 1 else 2
        kind = PPP_TYPES.get(int.from_bytes(data[at:at + length], "big"), 0)
        at += length
    return ETHERNET_HEADER + struct.pack(">H", kind) + data[at:] if kind else None


def checksum(data):
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def untag(frame):
    """(VLAN tags, ethertype, packet): as it arrives where there is a device for each tag."""
    at, ids = 12, []
    while len(frame) >= at + 6:
        kind, tag = struct.unpack_from(">HH", frame, at)
        if kind not in (TYPE_8021Q, TYPE_8021AD):
            break
        if tag & 0xfff:
            ids.append((kind, tag & 0xfff))
        elif ids:
            return tuple(ids), 0, b""   # a priority tag below a VLAN
        at += 4
    if len(frame) < at + 2:
        return tuple(ids), 0, b""
    return tuple(ids), struct.unpack_from(">H", frame, at)[0], frame[at + 2:]


def options_good(options, total, start):
    """ip6_parse_tlv() for hop-by-hop options; @start: where the header is in the packet."""
    at, count, padding = 2, 0, 0
    while at < len(options):
        kind = options[at]
        if kind == 0:
            padding += 1
            if padding > 7:
                return False
            at += 1
            continue
        if at + 2 > len(options) or at + 2 + options[at + 1] > len(options):
            return False
        length = options[at + 1]
        if kind == 1:
            padding += 2 + length
            if padding > 7 or any(options[at + 2:at + 2 + length]):
                return False
        else:
            count += 1
            if count > 8:
                return False
            if kind == 0x05:
                if length != 2:
                    return False
            elif kind == 0xc2:
                said = struct.unpack_from(">I", options, at + 2)[0] if length == 4 else 0
                if at + start & 3 != 2 or said <= 0xffff or said > total:
                    return False
            elif kind == 0x07:
                if length < 8:
                    return False
            elif kind == 0x31:
                pass        # IOAM: ignored where it is not switched on
            elif kind >> 6:
                return False
            padding = 0
        at += 2 + length
    return True


def parse_ipv4(data, check):
    if len(data) < 20 or data[0] >> 4 != 4:
        return None
    header, total = (data[0] & 15) * 4, struct.unpack_from(">H", data, 2)[0]
    if header < 20 or len(data) < header or total < header or total > len(data):
        return None
    if check and checksum(data[:header]):
        return None
    word = struct.unpack_from(">H", data, 6)[0]
    offset, more = (word & 0x1fff) * 8, bool(word & 0x2000)
    ident = struct.unpack_from(">H", data, 4)[0] if offset or more else None
    ports, flags = upper(data[9], data[header:total], offset, 4)
    return Packet(4, data[12:16], data[16:20], data[9], ports, total, flags, ident, offset, more,
                  data[:total])


def parse_ipv6(data):
    if len(data) < 40 or data[0] >> 4 != 6:
        return None
    total = 40 + struct.unpack_from(">H", data, 4)[0]
    kind, src, dst = data[6], data[8:24], data[24:40]
    loopback = bytes(15) + b"\1"
    if loopback in (src, dst) or src[0] == 0xff or (dst[0] == 0xff and dst[1] & 15 in (0, 1)):
        return None
    if total == 40 and kind == HOP_BY_HOP:
        return None     # a jumbogram: none of the captures has a good one
    if total > len(data):
        return None
    if kind == HOP_BY_HOP:
        length = (data[41] + 1) * 8 if total >= 48 else 1 << 16
        if length > total - 40 or not options_good(data[40:40 + length], total - 40, 40):
            return None
    return follow(data[:total])


def follow(data):
    """The extension headers, as kmod/dissect.c follows them."""
    kind, at, ident, offset, more = data[6], 40, None, 0, False
    for _ in range(EXTENSIONS_MAX):
        if kind not in EXTENSIONS or at + 8 > len(data):
            break
        length = 8 if kind == FRAGMENT else \
            (data[at + 1] + 2) * 4 if kind == AH else (data[at + 1] + 1) * 8
        if at + length > len(data):
            kind, at = data[at], len(data)
            break
        if kind == FRAGMENT:
            word, number = struct.unpack_from(">HI", data, at + 2)
            if word & 0xfff9:
                ident, offset, more = number, word & 0xfff8, bool(word & 1)
        kind, at = data[at], at + length
        if offset:
            break
    ports, flags = upper(kind, data[at:], offset, 6)
    return Packet(6, data[8:24], data[24:40], kind, ports, len(data), flags, ident, offset, more,
                  data)


def upper(proto, l4, offset, version):
    """((source, destination), TCP flags) of what is there of a transport header."""
    if offset:
        return (0, 0), 0
    if proto == (1 if version == 4 else 58):
        return (0, struct.unpack_from(">H", l4)[0] if len(l4) >= 2 else 0), 0
    if proto not in (6, 17, 33, 132, 136) or len(l4) < 4:
        return (0, 0), 0
    flags = l4[13] if proto == 6 and len(l4) >= 14 else 0
    return struct.unpack_from(">HH", l4), flags


def arrive(frame):
    ids, kind, data = untag(frame)
    if kind == TYPE_IPV4:
        return ids, parse_ipv4(data, check=True)
    if kind == TYPE_IPV6:
        return ids, parse_ipv6(data)
    return ids, None


def unwrap(frame):
    """(VLAN ids, ethertype, packet), with what kmod/dissect_link.c steps over taken off."""
    kind, at, ids = struct.unpack_from(">H", frame, 12)[0], 14, []
    while True:
        if kind in (TYPE_8021Q, TYPE_8021AD, TYPE_9100) and len(frame) >= at + 4:
            tag, kind = struct.unpack_from(">HH", frame, at)
            if tag & 0xfff:
                ids.append((kind, tag & 0xfff))
            at += 4
        elif kind in (TYPE_MPLS, TYPE_MPLS_MULTICAST):
            while len(frame) >= at + 4 and not frame[at + 2] & 1:
                at += 4
            at += 4
            if len(frame) <= at:
                return ids, 0, b""
            kind = {4: TYPE_IPV4, 6: TYPE_IPV6}.get(frame[at] >> 4, 0)
        elif kind == TYPE_PPPOE and len(frame) >= at + 8:
            end = at + 6 + struct.unpack_from(">H", frame, at + 4)[0]
            if frame[at:at + 2] != b"\x11\0" or end > len(frame):
                return ids, 0, b""
            short = frame[at + 6] & 1
            kind = frame[at + 6] if short else struct.unpack_from(">H", frame, at + 6)[0]
            kind = PPP_TYPES.get(kind, 0)
            frame, at = frame[:end], at + (7 if short else 8)
        else:
            return ids, kind, frame[at:]


def arrive_frame(frame):
    """Nobody has looked at checksums, addresses or options yet."""
    ids, kind, data = unwrap(frame)
    if kind == TYPE_IPV4:
        return ids, parse_ipv4(data, check=False)
    if kind == TYPE_IPV6 and len(data) >= 40 and data[0] >> 4 == 6:
        total = 40 + struct.unpack_from(">H", data, 4)[0]
        if total <= len(data) and (total > 40 or data[6] != HOP_BY_HOP):
            return ids, follow(data[:total])
    return ids, None


def key_of(packet, ports=None):
    src, dst = ipaddress.ip_address(packet.src), ipaddress.ip_address(packet.dst)
    return capture.Key(packet.version, src, dst, *(ports or packet.ports), packet.proto)


def repair(frame):
    """The frame with a right IPv4 checksum, if it has a whole header behind its tags."""
    at = 12
    while frame[at:at + 2] in (b"\x81\0", b"\x88\xa8") and len(frame) >= at + 6:
        at += 4
    at += 2
    if frame[at - 2:at] != b"\x08\0" or len(frame) < at + 20:
        return frame
    header = (frame[at] & 15) * 4
    if header < 20 or len(frame) < at + header:
        return frame
    zeroed = frame[at:at + 10] + b"\0\0" + frame[at + 12:at + header]
    return frame[:at + 10] + struct.pack(">H", checksum(zeroed)) + frame[at + 12:]

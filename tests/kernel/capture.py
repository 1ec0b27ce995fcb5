# SPDX-License-Identifier: GPL-2.0
"""Read capture files (pcap, pcapng) and the reference flow tables beside them.

frames(path)            yields (link type, time in ns, captured bytes)
reference(path)         yields one Flow a row
corrected(path, file)   the same as {key: Flow}, with the rows of a file of corrections
"""

import collections
import csv
import ipaddress
import os
import struct

Flow = collections.namedtuple(
    "Flow", "key packets bytes tcp_flags nf_packets nf_bytes nfv_packets nfv_bytes frags bad")
# (IP version, source, destination, source port, destination port, protocol)
Key = collections.namedtuple("Key", "version src dst sport dport proto")


def frames(path):
    with open(path, "rb") as file:
        data = file.read()
    magic = data[:4]
    if magic == b"\x0a\x0d\x0d\x0a":
        yield from _pcapng(data)
    elif magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
        yield from _pcap(data, "<", magic[0] == 0x4d)
    elif magic in (b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d"):
        yield from _pcap(data, ">", magic[2] == 0x3c)
    else:
        raise ValueError(f"{path}: not a capture file")


def _pcap(data, order, nanoseconds):
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xffff
    scale = 1 if nanoseconds else 1000
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, captured, _ = struct.unpack_from(order + "IIII", data, at)
        at += 16
        if at + captured > len(data):
            return
        yield link, seconds * 10**9 + fraction * scale, data[at:at + captured]
        at += captured


def _pcapng(data):
    order, links, at = "<", [], 0
    while at + 12 <= len(data):
        if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        kind, length = struct.unpack_from(order + "II", data, at)
        if length < 12 or at + length > len(data):
            return
        body = at + 8
        if kind == 1:
            links.append(struct.unpack_from(order + "H", data, body)[0])
        elif kind == 6:
            interface, high, low, captured = struct.unpack_from(order + "IIII", data, body)
            yield links[interface], (high << 32 | low) * 1000, data[body + 20:body + 20 + captured]
        elif kind == 3:
            captured = min(struct.unpack_from(order + "I", data, body)[0], length - 16)
            yield links[0], 0, data[body + 4:body + 4 + captured]
        at += length


def _flow(row):
    proto, src, dst, sport, dport, packets, octets, flags = row[:8]
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    return Flow(Key(src.version, src, dst, int(sport), int(dport), int(proto)), int(packets),
                int(octets), int(flags, 16), *map(int, row[10:16]))


def reference(path):
    with open(path, newline="") as file:
        for row in list(csv.reader(file))[1:]:
            yield _flow(row)


def corrected(path, corrections):
    """{key: Flow} of the reference with the rows that tests/unit/data/captures.csv has instead."""
    flows = {flow.key: flow for flow in reference(path)}
    name = os.path.basename(path)[:-len(".csv")]
    with open(corrections, newline="") as file:
        for row in csv.reader(file):
            if row[0] == name:
                flow = _flow(row[1:])
                flows[flow.key] = flow
    return {key: flow for key, flow in flows.items() if flow.packets}

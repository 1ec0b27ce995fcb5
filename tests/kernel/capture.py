# SPDX-License-Identifier: GPL-2.0
"""Read capture files (pcap, pcapng) and the reference flow tables beside them.

frames(path)            yields (link type, time in ns, captured bytes)
reference(path)         yields one Flow a row
"""

import collections
import csv
import ipaddress
import struct

Flow = collections.namedtuple(
    "Flow", "key packets bytes tcp_flags nf_packets nf_bytes frags bad")
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


def reference(path):
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            src, dst = ipaddress.ip_address(row["src"]), ipaddress.ip_address(row["dst"])
            key = Key(src.version, src, dst, int(row["sport"]), int(row["dport"]),
                      int(row["proto"]))
            yield Flow(key, int(row["packets"]), int(row["bytes"]), int(row["tcp_flags"], 16),
                       int(row["nf_packets"]), int(row["nf_bytes"]), int(row["frags"]),
                       int(row["bad"]))

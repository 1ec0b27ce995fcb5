# SPDX-License-Identifier: GPL-2.0
"""A reader of IPFIX files as weir writes them, which shares nothing with weir's own."""

import collections
import ipaddress
import struct

IPV4, IPV6, ICMP4, ICMP6 = 256, 257, 258, 259
FLOWS = (IPV4, IPV6, ICMP4, ICMP6, 262, 263, 264, 265)  # the last four: with NAT, tunnels and the like


def messages(data):
    at = 0
    while at < len(data):
        version, length = struct.unpack_from(">HH", data, at)
        assert version == 10 and 16 <= length <= len(data) - at, f"no message at {at}"
        yield data[at:at + length]
        at += length


class File:
    """Records of a file as bytes, by template, and what each template's fields are."""

    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        self.templates, self.records, self.domains = {}, [], collections.Counter()
        for message in messages(data):
            domain = struct.unpack_from(">I", message, 12)[0]
            at = 16
            while at < len(message):
                number, length = struct.unpack_from(">HH", message, at)
                self.take_set(domain, number, message[at + 4:at + length])
                at += length

    def take_set(self, domain, number, body):
        if number == 2:
            self.take_templates(body)
        elif number in FLOWS:
            size = sum(length for _, length in self.templates[number])
            assert len(body) % size == 0
            for at in range(0, len(body), size):
                self.records.append((number, body[at:at + size]))
                self.domains[domain] += 1

    def take_templates(self, body):
        at = 0
        while at < len(body):
            number, count = struct.unpack_from(">HH", body, at)
            at += 4
            fields = []
            for _ in range(count):
                element, length = struct.unpack_from(">HH", body, at)
                at += 4
                enterprise = 0
                if element & 0x8000:
                    enterprise = struct.unpack_from(">I", body, at)[0]
                    at += 4
                fields.append(((enterprise, element & 0x7fff), length))
            self.templates[number] = fields

    def fields(self, record):
        """{(enterprise, element): bytes}"""
        number, data = record
        found, at = {}, 0
        for name, length in self.templates[number]:
            found[name] = data[at:at + length]
            at += length
        return found


def flow_of(fields):
    """What every tool shows of a flow: addresses, ports, protocol, packets, bytes, times in ms, TCP
    flags, interfaces, TOS, VLAN. The type and code of ICMP are the destination port."""
    def number(element):
        return int.from_bytes(fields.get((0, element), b""), "big")
    address = (8, 12) if (0, 8) in fields else (27, 28)
    port = number(11) or number(32) or number(139)
    return (str(ipaddress.ip_address(fields[0, address[0]])), str(ipaddress.ip_address(fields[0, address[1]])),
            number(7), port, number(4), number(2), number(1), number(152), number(153), number(6),
            number(10), number(14), number(5), number(58))

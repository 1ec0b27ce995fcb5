#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Replay captures through a veth into a metering namespace and compare with the reference.

    replay.py CAPTURES-FOLDER SENDING-INTERFACE DESTINATION-MAC

Runs in the sending namespace for the frames; the metering namespace is WEIR_METER_NS (a name of
ip netns). There every address is local and INPUT drops after metering, so each unicast datagram
passes LOCAL_IN exactly once and nothing answers.

Compared: each five-tuple whose datagrams routing delivers whole, that is without
multicast or reserved addresses (routing drops those before any hook of this mode) and without
fragments (LOCAL_IN sees them reassembled). For those, packets and bytes must equal the reference's nf_ columns,
and TCP flags too where every packet of the flow reaches the hook. A five-tuple that
the reference does not know at all is an error as well.
"""

import collections
import csv
import ctypes
import ipaddress
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
import capture
import weirnl

CLONE_NEWNET = 0x40000000
# A datagram to RFC 2544's network behind each capture: when it is in the table, so is
# everything before it.
MARK = ipaddress.ip_address("198.18.0.1")
Sum = collections.namedtuple("Sum", "packets bytes tcp_flags")


def enter(ns):
    fd = os.open(f"/run/netns/{ns}", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), f"setns {ns}")
    os.close(fd)


def qualifies(row):
    """Plain Ethernet, whole frames, and no IPv4 options: routing acts on those before LOCAL_IN."""
    tags = row["tags"].split()
    return row["dlt"] == "1" and not any(
        t.startswith(("l2:eth.", "l2:short", "tun:", "len>", "snapped", "ip4opt")) for t in tags)


def delivered(key):
    """Whether routing hands a datagram with these addresses to LOCAL_IN here."""
    for address in (key.src, key.dst):
        if address.is_multicast or address.is_unspecified or address.is_loopback:
            return False
        if key.version == 4 and (address.is_reserved or address.packed[0] == 0
                                 or address.packed[3] == 255):
            return False
        if key.version == 6 and (address.is_link_local or address.ipv4_mapped):
            return False
    return True


class Sender:
    def __init__(self, interface, mac):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind((interface, 0))
        self.mac = bytes.fromhex(mac.replace(":", ""))

    def send(self, frame):
        if not frame[0] & 1:
            frame = self.mac + frame[6:]
        self.socket.send(frame)

    def mark(self):
        udp = struct.pack(">HHHH", 9, 9, 8, 0)
        header = bytearray(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0,
                                       MARK.packed, MARK.packed))
        header[15] ^= 2     # another source
        total = sum(struct.unpack(">10H", header))
        while total >> 16:
            total = (total & 0xffff) + (total >> 16)
        header[10:12] = struct.pack(">H", total ^ 0xffff)
        self.socket.send(self.mac + bytes(6) + b"\x08\x00" + bytes(header) + udp)


def collect(client, reader):
    """End every flow and take all of them off the stream."""
    mapped = bytes(10) + b"\xff\xff" + MARK.packed
    deadline = time.monotonic() + 20
    while not client.flows(FILTER_ADDR=mapped, FILTER_PREFIX=128):
        if time.monotonic() > deadline:
            raise TimeoutError("the datagram behind the capture was not metered")
    client.flush()
    while any(weirnl.check_ledgers(client)[name][0] for name in ("TABLE", "PENDING")):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the stream does not drain: {client.stats()}")
        reader.take(0.1)
    flows = [flow for flow in reader.flows if flow["dst"] != str(MARK)]
    reader.flows.clear()
    reader.batches.clear()
    return flows


def expected(flows):
    """{key: Sum} of what has one right answer, and the set of all keys the reference knows."""
    sums = {}
    for flow in flows:
        if delivered(flow.key) and flow.frags == 0 and flow.bad == 0:
            flags = flow.tcp_flags if flow.packets == flow.nf_packets else None
            sums[flow.key] = Sum(flow.nf_packets, flow.nf_bytes, flags)
    return sums


def metered(flows):
    sums = collections.defaultdict(lambda: [0, 0, 0])
    for flow in flows:
        src, dst = ipaddress.ip_address(flow["src"]), ipaddress.ip_address(flow["dst"])
        total = sums[capture.Key(flow["ip_version"], src, dst, flow["src_port"],
                                 flow["dst_port"], flow["protocol"])]
        total[0] += flow["packets"]
        total[1] += flow["bytes"]
        total[2] |= flow["tcp_flags"] & 0xff    # the reference keeps the eight of RFC 793 and 3168
    return sums


def compare(name, want, got):
    differences = []
    for key, total in want.items():
        have = got.get(key)
        if total.packets == 0:
            if have:
                differences.append(f"{name}: {key}: metered {have}, none reaches the hook")
        elif not have:
            differences.append(f"{name}: {key}: not metered, reference {total}")
        elif have[:2] != [total.packets, total.bytes] or \
                (total.tcp_flags is not None and key.proto == 6 and have[2] != total.tcp_flags):
            differences.append(f"{name}: {key}: metered {have}, reference {total}")
    return differences


def main():
    folder, interface, mac = sys.argv[1:]
    os.sched_setaffinity(0, {0})    # one receive queue, so frames keep their order
    sender = Sender(interface, mac)
    enter(os.environ["WEIR_METER_NS"])
    client = weirnl.Client()
    reader = weirnl.Reader(client)
    captures = flows = packets = wrong = 0
    with open(f"{folder}/MANIFEST.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if qualifies(row)]
    for row in rows:
        name = row["file"]
        reference = list(capture.reference(f"{folder}/flows/{name}.csv"))
        want = expected(reference)
        if not want:
            continue
        for _, _, frame in capture.frames(f"{folder}/pcap/{name}"):
            sender.send(frame)
        sender.mark()
        got = metered(collect(client, reader))
        differences = compare(name, want, got)
        known = {flow.key for flow in reference}
        whole = all(flow.frags == 0 and flow.bad == 0 for flow in reference)
        if whole:
            differences += [f"{name}: {key}: metered {have}, unknown to the reference"
                            for key, have in got.items() if key not in known]
        captures += 1
        flows += len(want)
        packets += sum(total.packets for total in want.values())
        wrong += bool(differences)
        for line in differences[:8]:
            print(line, flush=True)
    print(f"{captures} captures, {flows} five-tuples, {packets} packets compared; "
          f"{wrong} captures differ")
    return 1 if wrong or captures < 60 else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Replay all captures into a metering interface and compare what was metered with the reference.

    replay_arrival.py [OPTION]... CAPTURES-FOLDER SENDING-INTERFACE METERING-INTERFACE

    --mode ingress      PRE_ROUTING: the reference's nf_ columns
    --mode netdev       the interface's own hook: all that is IP in a frame
    --vlans             there are VLAN devices on the interface: nfv_ columns too
    --defrag            connection tracking puts fragments together before weir sees them
    --repair            IPv4 checksums are made right

Runs in the sending namespace; the metering namespace is WEIR_METER_NS (a name of ip netns), where
everything is dropped after it was metered, and where --vlans makes the devices.

What is expected comes from arrival.py and reassembly.py, packet by packet; that arrival.py is what the
reference says, with the rows corrected that tests/unit/data/captures.csv gives reasons for, is checked for
every five-tuple of every capture. Expected and metered must then be equal, five-tuple by five-tuple and
VLAN by VLAN: packets, bytes, TCP flags, and no flow beyond.
"""

import argparse
import collections
import csv
import ctypes
import fcntl
import ipaddress
import os
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
import arrival
import capture
import reassembly
import weirnl as w

CLONE_NEWNET = 0x40000000
SIOCGIFHWADDR = 0x8927
CORRECTIONS = os.path.join(os.path.dirname(__file__), "../unit/data/captures.csv")
# A datagram to RFC 2544's network behind each capture: when it is metered, so is
# everything before it.
MARK = "198.18.0.1"
OBSERVED = {"ingress": w.WEIR_OBSERVED_PRE_ROUTING, "netdev": w.WEIR_OBSERVED_INGRESS}
FRAME_MAX = 14 + 65535
SHOWN = 8       # differences of a capture


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--mode", choices=OBSERVED, default="ingress")
    for name in ("vlans", "defrag", "repair"):
        p.add_argument(f"--{name}", action="store_true")
    p.add_argument("folder")
    p.add_argument("out")
    p.add_argument("into")
    return p.parse_args()


def enter(ns):
    fd = os.open(f"/run/netns/{ns}", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), f"setns {ns}")
    os.close(fd)


def mac_of(interface):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = fcntl.ioctl(any_socket, SIOCGIFHWADDR, struct.pack("256s", interface.encode()))
    return request[18:24]


class Sender:
    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind((interface, 0))
        self.mac = None

    def send(self, frame):
        self.socket.send(frame if frame[0] & 1 else self.mac + frame[6:])

    def mark(self):
        address = socket.inet_aton(MARK)
        header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, address, address)
        header = header[:10] + struct.pack(">H", arrival.checksum(header)) + header[12:]
        self.send(bytes(12) + b"\x08\0" + header + struct.pack(">HHHH", 9, 9, 8, 0))


class Vlans:
    """A device for each stack of tags, made when a capture comes that has it."""

    def __init__(self, into):
        self.devices = {(): into}
        self.commands = []

    def _need(self, ids):
        if ids in self.devices:
            return
        self._need(ids[:-1])
        name = self.devices[ids] = f"v{len(self.devices)}"
        kind = {arrival.TYPE_8021Q: "802.1Q", arrival.TYPE_8021AD: "802.1ad"}[ids[-1][0]]
        self.commands += [f"link add link {self.devices[ids[:-1]]} name {name} type vlan proto {kind} "
                          f"id {ids[-1][1]}",
                          f"link set {name} addrgenmode none", f"link set {name} up"]

    def make(self, stacks):
        for ids in sorted(stacks):
            self._need(ids)
        if self.commands:
            subprocess.run(["ip", "-batch", "-"], input="\n".join(self.commands), text=True,
                           check=True)
            self.commands.clear()


class Sums(collections.defaultdict):
    """{(Key, VLAN, inner VLAN): [packets, bytes, TCP flags]}"""

    def __init__(self):
        super().__init__(lambda: [0, 0, 0])

    def add(self, key, packets, octets, flags):
        total = self[key]
        total[0] += packets
        total[1] += octets
        total[2] |= flags


class Expected:
    """What the options make of a capture's frames.

    A later fragment is metered with the ports of its first if that one is remembered, which ends with
    time and when there are too many. So it has two right places; .sums has it without ports, .moves
    how much may be in which flow instead.
    """

    def __init__(self, options):
        self.options = options
        self.whole = reassembly.Reassembly() if options.defrag else None
        self.firsts = {}        # of a datagram: the flow of its first fragment
        self.sums = self.moves = None
        self.later = self.moved = 0     # fragments

    def start(self):
        self.sums = Sums()
        self.moves = collections.defaultdict(Sums)

    def add(self, ids, packet):
        if ids and self.options.mode == "ingress" and not self.options.vlans:
            return      # no device takes it
        if self.whole:
            packet = self.whole.put(ids, packet)
            if packet in (reassembly.KEPT, reassembly.DROPPED):
                return
        vlans = ([number for _, number in ids] + [0, 0])[:2]
        flow = arrival.key_of(packet), *vlans
        self.sums.add(flow, 1, packet.bytes, packet.flags)
        if packet.ident is None:
            return
        datagram = (packet.src, packet.dst, packet.ident, *vlans,
                    packet.proto if packet.version == 4 else None)
        if packet.offset == 0:
            self.firsts[datagram] = flow
            return
        self.later += 1
        if self.firsts.get(datagram, flow) != flow:
            self.moves[flow].add(self.firsts[datagram], 1, packet.bytes, packet.flags)

    def settle(self, got):
        """Move what @got shows to have moved, as far as it may."""
        for flow, targets in self.moves.items():
            for target, most in targets.items():
                moved = [min(most[i], max(got[target][i] - self.sums[target][i], 0))
                         if target in got else 0 for i in (0, 1)]
                self.moved += moved[0]
                for i in (0, 1):
                    self.sums[target][i] += moved[i]
                    self.sums[flow][i] -= moved[i]
            if not self.sums[flow][0]:
                del self.sums[flow]


def read(options, name):
    """The capture's frames, as they are sent."""
    for link, _, data in capture.frames(f"{options.folder}/pcap/{name}"):
        frame = arrival.frame_of(link, data, serial=options.mode == "netdev")
        if frame:       # a device takes no more, and an IP packet has no more
            frame = frame[:FRAME_MAX]
            yield arrival.repair(frame) if options.repair else frame


def collect(client, reader):
    """End every flow and take all of them off the stream, once the mark is among them."""
    deadline = time.monotonic() + 60
    flows, marked = [], False
    while not marked:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the datagram behind the capture was not metered: {client.stats()}")
        client.flush()
        while any(w.check_ledgers(client)[name][0] for name in ("TABLE", "PENDING")):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the stream does not drain: {client.stats()}")
            reader.take(0.1)
        marked = any(flow["dst"] == MARK for flow in reader.flows)
        flows += [flow for flow in reader.flows if flow["dst"] != MARK]
        reader.flows.clear()
        reader.batches.clear()
    return flows


def metered(flows, observed):
    sums = Sums()
    for flow in flows:
        if flow["observed"] != observed:
            continue        # this host's own: nobody can keep it from sending all of it
        src, dst = ipaddress.ip_address(flow["src"]), ipaddress.ip_address(flow["dst"])
        key = capture.Key(flow["ip_version"], src, dst, flow["src_port"], flow["dst_port"],
                          flow["protocol"])
        sums.add((key, flow["vlan_id"], flow["inner_vlan_id"]), flow["packets"], flow["bytes"],
                 flow["tcp_flags"] & 0xff)      # the reference has eight
    return sums


def compare(want, got):
    for key in sorted(set(want) | set(got), key=str):
        if want.get(key) != got.get(key):
            yield f"{key}: metered {got.get(key)}, expected {want.get(key)}"


def is_reference(options, flow, have):
    """Whether the model's sums without VLANs and with them can be what the reference says."""
    if options.mode == "netdev":    # all there are but those that are bad
        packets = have[0] + have[2]
        return flow.packets - flow.bad <= packets <= flow.packets and \
            (flow.bad or have[1] + have[3] == flow.bytes)
    if options.repair:              # no fewer, and no more than there are
        return flow.nf_packets <= have[0] and flow.nfv_packets <= have[2] and \
            have[0] + have[2] <= flow.packets
    return have == [flow.nf_packets, flow.nf_bytes, flow.nfv_packets, flow.nfv_bytes]


def check_model(options, name, arrivals):
    """arrival.py is what the reference says."""
    flows = capture.corrected(f"{options.folder}/flows/{name}.csv", CORRECTIONS)
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    for ids, packet in arrivals:
        if packet:
            total = sums[arrival.key_of(packet)]
            total[2 * bool(ids)] += 1
            total[2 * bool(ids) + 1] += packet.bytes
    for key in set(flows) | set(sums):
        if key not in flows:
            yield f"{key}: the model says {sums[key]}, the reference nothing"
        elif not is_reference(options, flows[key], sums[key]):
            yield f"{key}: the model says {sums[key]}, the reference {flows[key]}"


def replay(options, sender, client, reader, expected, vlans, name):
    """The capture's differences, and how many flows and packets were compared."""
    arrive = arrival.arrive_frame if options.mode == "netdev" else arrival.arrive
    frames = list(read(options, name))
    arrivals = [arrive(frame) for frame in frames]
    if vlans:
        vlans.make({tuple(ids) for ids, _ in arrivals})
    expected.start()
    for frame, (ids, packet) in zip(frames, arrivals):
        sender.send(frame)
        if packet:
            expected.add(ids, packet)
    sender.mark()
    got = metered(collect(client, reader), OBSERVED[options.mode])
    expected.settle(got)
    differences = [*compare(expected.sums, got), *check_model(options, name, arrivals)]
    return differences, len(got), sum(total[0] for total in got.values())


def main():
    options = arguments()
    os.sched_setaffinity(0, {0})    # one receive queue, so frames keep their order
    sender = Sender(options.out)
    enter(os.environ["WEIR_METER_NS"])
    sender.mac = mac_of(options.into)
    vlans = Vlans(options.into) if options.vlans and options.mode == "ingress" else None
    expected = Expected(options)
    client = w.Client()
    reader = w.Reader(client)
    with open(f"{options.folder}/MANIFEST.csv", newline="") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    flows = packets = wrong = 0
    for name in names:
        differences, more_flows, more_packets = replay(options, sender, client, reader, expected,
                                                       vlans, name)
        flows += more_flows
        packets += more_packets
        wrong += bool(differences)
        for line in differences[:SHOWN]:
            print(f"{name}: {line}", flush=True)
    print(f"{len(names)} captures, {flows} flows, {packets} packets compared; "
          f"{expected.moved} of {expected.later} later fragments were with their first; "
          f"{wrong} captures differ")
    found = expected.moved or options.defrag    # else nothing was shown of fragments
    return 0 if not wrong and packets and found else 1


if __name__ == "__main__":
    sys.exit(main())

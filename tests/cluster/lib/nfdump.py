# SPDX-License-Identifier: GPL-2.0
"""nfcapd and nfdump, to compare with. They write times in the local zone, so that is UTC here."""

import ipaddress
import json
import os
import signal
import subprocess
import time

from cluster import free_port, wait_for

os.environ["TZ"] = "UTC"
time.tzset()


def collect(store, send):
    """nfcapd writes into the folder `store` what send(port) sends to it."""
    port = free_port()
    os.mkdir(store)
    with open(f"{store}.log", "w", encoding="utf-8") as log:
        collector = subprocess.Popen(["nfcapd", "-w", store, "-b", "127.0.0.1", "-p", str(port), "-t", "86400",
                                      "-B", str(8 << 20)], stdout=log, stderr=log)
    try:
        def listens():
            with open("/proc/net/udp", encoding="ascii") as f:
                return f":{port:04X} " in f.read()
        wait_for("nfcapd", 20, listens)
        send(port)
    finally:
        collector.send_signal(signal.SIGTERM)
        collector.wait(timeout=30)


def ask(store, *options):
    done = subprocess.run(["nfdump", "-R", store, "-q", "-N", "-6", *options], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, f"nfdump {options}: {done.stdout}{done.stderr}"
    return done.stdout


def flow_of(j):
    """As ipfix.flow_of()."""
    def ms(text):
        head, _, rest = text.partition(".")
        return int(time.mktime(time.strptime(head, "%Y-%m-%dT%H:%M:%S"))) * 1000 + int(rest)
    flags = sum(1 << (7 - i) for i, c in enumerate(j.get("tcp_flags", "")) if c != ".")
    if j["proto"] in (1, 58):
        port = j["icmp_type"] * 256 + j["icmp_code"]
    else:
        port = j["dst_port"]
    return (str(ipaddress.ip_address(j.get("src4_addr") or j["src6_addr"])),
            str(ipaddress.ip_address(j.get("dst4_addr") or j["dst6_addr"])), j.get("src_port", 0), port,
            j["proto"], j["in_packets"], j["in_bytes"], ms(j["first"]), ms(j["last"]), flags,
            j["input_snmp"], j["output_snmp"], j["src_tos"], j["src_vlan"])


def flows(store):
    # With -q the brackets around the list are left out.
    return [flow_of(j) for j in json.loads("[" + ask(store, "-o", "json") + "]")]

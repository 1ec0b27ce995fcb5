#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Round-trip and response times from records, beside ping, netem and what the ends measured.

    round_trip.py NODE-SOCKET CLIENT-DELAY-MS SERVER-DELAY-MS

In the node's namespace; what the client and the server send is delayed by so much, one way each. The emulated
clock makes no delay shorter, and how much longer depends on the machine. So there are no
tolerances: each figure lies between the delays that are in it for certain and what an end
measured around it, which are inequalities that hold however slow anything is.
"""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
import weirnl

MS = 1_000_000
THINK_MS = 300          # the server's own time for an answer
PORT = 7777
TARGETS = {"IPv4": "10.2.0.2", "IPv6": "fd02::2"}

# Prints the first round trip of the connection as the kernel measured it (struct tcp_info, tcpi_rtt),
# from SYN ACK to ACK, in whole microseconds.
SERVER = """
import json, socket, struct, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family)
print("ready", flush=True)
c, _ = s.accept()
rtt = struct.unpack_from("=I", c.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 68)[0]
c.recv(100)
time.sleep(int(sys.argv[3]) / 1000)
c.sendall(b"answer")
print(json.dumps({"rtt_ns": (rtt + 1) * 1000}), flush=True)
c.recv(100)
"""

CLIENT = """
import json, socket, sys, time
start = time.monotonic_ns()
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
connected = time.monotonic_ns()
s.sendall(b"question")
assert s.recv(100) == b"answer"
print(json.dumps({"connect_ns": connected - start, "answer_ns": time.monotonic_ns() - connected}))
"""


def python(namespace, program, *args):
    return subprocess.Popen(["ip", "netns", "exec", namespace, sys.executable, "-c", program,
                             *map(str, args)], stdout=subprocess.PIPE, text=True)


def converse(target):
    """What client and server measured of one connection."""
    with python("server", SERVER, target, PORT, THINK_MS) as server:
        server.stdout.readline()
        with python("client", CLIENT, target, PORT) as client:
            ends = json.loads(client.stdout.read())
        ends.update(json.loads(server.stdout.read()))
    if client.returncode or server.returncode:
        sys.exit(f"the conversation with {target} failed")
    return ends


def ping(target):
    """(shortest, longest) in ns."""
    text = subprocess.run(["ip", "netns", "exec", "client", "ping", "-q", "-c", "5", "-i", "0.2",
                           target], check=True, stdout=subprocess.PIPE, text=True).stdout
    least, _, most, _ = text.rsplit("=", 1)[1].split()[0].split("/")
    return float(least) * MS, float(most) * MS


def pair_of(path, target):
    """The conversation as the node has it, once it is stored."""
    weir = os.path.join(os.environ["WEIR_BUILD"], "bin/weir")
    deadline = time.monotonic() + 60
    while True:
        text = subprocess.run([weir, "pairs", f"dst ip {target} and dst port {PORT}", "--node",
                               "--socket", path, "--json"], check=True, stdout=subprocess.PIPE,
                              text=True).stdout
        pairs = [json.loads(line) for line in text.splitlines()]
        if pairs and pairs[0]["reverse"]:
            return pairs[0]
        if time.monotonic() > deadline:
            sys.exit(f"no conversation with {target} is stored: {text}")
        time.sleep(0.5)


def check(what, least, got, most):
    print(f"  {what:<22} {least / MS:9.3f} <= {(got or 0) / MS:9.3f} <= {most / MS:9.3f} ms")
    return got is not None and least <= got <= most


def main():
    path, client_delay, server_delay = sys.argv[1], *(int(word) * MS for word in sys.argv[2:])
    good = True
    for name, target in TARGETS.items():
        echo = ping(target)     # first, and so it is ping that waits for addresses to be resolved
        ends = converse(target)
        weirnl.Client().flush()
        pair = pair_of(path, target)
        print(f"{name}: netem {client_delay / MS:.0f} + {server_delay / MS:.0f} ms, ping "
              f"{echo[0] / MS:.3f} to {echo[1] / MS:.3f} ms, weir {(pair['rtt_ns'] or 0) / MS:.3f} ms; "
              f"records {pair['forward']['records']} + {pair['reverse']['records']}")
        good &= echo[0] >= client_delay + server_delay
        good &= check("server's round trip", server_delay, pair["server_rtt_ns"],
                      ends["connect_ns"] - client_delay)
        good &= check("client's round trip", client_delay, pair["client_rtt_ns"],
                      ends["rtt_ns"] - server_delay)
        good &= check("both", client_delay + server_delay, pair["rtt_ns"],
                      ends["connect_ns"] + ends["rtt_ns"] - client_delay - server_delay)
        good &= check("response", THINK_MS * MS + server_delay, pair["response_ns"],
                      ends["answer_ns"] - client_delay)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-2.0
"""A master and nodes for tests: real daemons on loopback, kernels simulated by simnode.

A kernel makes a fixed number of batches, so in the end every figure is known: what the kernels
numbered, what the nodes stored and what the master has must be equal, to the byte.
"""

import atexit
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SRC = os.environ.get("WEIR_SRC") or os.path.realpath(f"{os.path.dirname(__file__)}/../../..")
BUILD = os.environ.get("WEIR_BUILD") or f"{SRC}/build"
WEIR = f"{BUILD}/bin/weir"
MASTER = f"{BUILD}/tests/cluster/weir-master"
SIMNODE = f"{BUILD}/tests/cluster/simnode"


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(4)


def say(text):
    print(f"{time.monotonic() - START:6.1f}s {text}", flush=True)


START = time.monotonic()


def wait_for(what, seconds, condition):
    """Poll until condition() is true; its last value, or the test fails."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.1)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Daemon:
    """A process that can be killed and started again; its log goes on in one file."""

    def __init__(self, name, folder, command):
        self.name, self.command = name, command
        self.log = f"{folder}/{name}.log"
        self.process = None
        atexit.register(self.stop, signal.SIGKILL)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log, stdout=log)

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        self.process = None
        return code

    def kill(self):
        """kill -9, and nothing else may have ended it."""
        assert self.process.poll() is None, f"{self.name} ended by itself, see {self.log}"
        self.stop(signal.SIGKILL)

    def lines(self, text):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return [line for line in f if text in line]


class Cluster:
    def __init__(self, nodes=2, batches=1500, rate=400, master_state=None, min_free="1M",
                 keys="", node_state=None, node_min_free="1M"):
        for program in (WEIR, MASTER, SIMNODE):
            if not os.access(program, os.X_OK):
                skip(f"{program} is not built (make cluster-programs)")
        self.folder = tempfile.mkdtemp(prefix="weir-cluster-")
        atexit.register(self.clean)
        self.port = free_port()
        self.socket = f"{self.folder}/master.sock"
        self.batches = batches
        # Of every node: more lines of [node], where its store is, and what it keeps free.
        self.keys, self.node_state, self.node_min_free = keys, node_state, node_min_free
        self.failed = True
        conf = self.write("master.conf", f"""
            [master]
            name = master
            state = {master_state or self.folder + "/master"}
            socket = {self.socket}
            listen = 127.0.0.1:{self.port}
            min_free = {min_free}
            """)
        self.master = Daemon("master", self.folder, [MASTER, "-c", conf])
        self.nodes = [self.make_node(f"n{i}", rate) for i in range(1, nodes + 1)]

    def write(self, name, text):
        path = f"{self.folder}/{name}"
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(line.strip() for line in text.splitlines()) + "\n")
        return path

    def make_node(self, name, rate):
        conf = self.write(f"{name}.conf", f"""
            [node]
            name = {name}
            state = {self.node_state or self.folder}/{name}
            socket = {self.folder}/{name}.sock
            interval = 1s
            min_free = {self.node_min_free}
            {self.keys}

            [master it]
            address = 127.0.0.1:{self.port}
            """)
        return Daemon(name, self.folder, [SIMNODE, conf, f"{self.folder}/{name}.kernel",
                                          str(self.batches), str(rate)])

    def start(self):
        self.master.start()
        for node in self.nodes:
            node.start()

    def clean(self):
        if self.failed:
            for daemon in [self.master] + self.nodes:
                if os.path.exists(daemon.log):
                    with open(daemon.log, encoding="utf-8", errors="replace") as f:
                        print(f"--- {daemon.name}\n" + "".join(f.readlines()[-30:]))
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, verb, *options, node=None):
        """The parsed JSON answer (of flows: a list), or None when it is not complete."""
        where = ["--node", "--socket", f"{self.folder}/{node}.sock"] if node else [
            "--master", "--socket", self.socket]
        done = subprocess.run([WEIR, verb, *where, "--json", *options], capture_output=True,
                              timeout=30, check=False)
        if done.returncode:
            return None
        if verb == "flows":
            return [json.loads(line) for line in done.stdout.splitlines()]
        return json.loads(done.stdout)

    def audit(self, *options):
        """All checks, if every one of them holds and none is missing."""
        answer = self.ask("audit", *options)
        if not answer:
            return None
        checks = answer["checks"]
        return checks if checks and all(c["result"] == "holds" for c in checks) else None

    def connected(self):
        return sum(node["connected"] for node in self.ask("nodes") or [])

    def all_applied(self):
        """Every node is known, with a segment at least."""
        nodes = self.ask("nodes") or []
        return len(nodes) == len(self.nodes) and all(node["last_seq"] for node in nodes)

    def settled(self):
        """Everything the kernels made is in the master, and the ledger balances; else None."""
        checks = self.audit()
        if not checks:
            return None
        want = self.batches * 100
        seen = {c["node"]: c["left"]["flows"] for c in checks if c["hop"] == "kernel"}
        here = {c["node"]: c["left"]["flows"] for c in checks if c["hop"] == "replication"}
        names = [node.name for node in self.nodes]
        if all(seen.get(n) == want and here.get(n) == want for n in names):
            return checks
        return None

    def settled_with_refused(self):
        """The same where records may have been refused: those are in segments all the same."""
        checks = self.audit()
        if not checks:
            return None
        want = self.batches * 100
        here = {c["node"]: c["left"]["flows"] for c in checks if c["hop"] == "replication"}
        return checks if all(here.get(node.name) == want for node in self.nodes) else None

    def finish(self, seconds=40):
        """Wait until all has arrived, count every record and segment again, compare, stop."""
        wait_for("all that the kernels made at the master, the ledger balanced", seconds,
                 self.settled)
        checks = self.audit("--deep")
        assert checks, "the deep audit does not balance"
        by = {(c["node"], c["hop"]): c["left"] for c in checks}
        for node in self.nodes:
            kernel = by[node.name, "kernel"]
            for hop in ("stream", "store", "summary", "records", "master", "replication"):
                assert by[node.name, hop] == kernel, (node.name, hop, by[node.name, hop], kernel)
        say(f"{len(checks)} equations hold: kernel = store = every record = master, "
            f"{sum(by[n.name, 'kernel']['bytes'] for n in self.nodes)} bytes")
        for daemon in self.nodes + [self.master]:
            code = daemon.stop()
            assert code == 0, f"{daemon.name} ended with {code}"
        for daemon in self.nodes + [self.master]:
            for bad in ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer"):
                assert not daemon.lines(bad), f"{daemon.name}: {bad}, see the log"
        self.failed = False


def kill_repeatedly(cluster, victims, times, shortest=0.05, longest=0.6):
    """kill -9 one of the victims at random moments and start it again, so many times."""
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    say(f"SEED={seed}")
    dice = random.Random(seed)
    for _ in range(times):
        time.sleep(dice.uniform(shortest, longest))
        victim = dice.choice(victims)
        victim.kill()
        time.sleep(dice.uniform(0, 0.3))
        victim.start()
    say(f"{times} times kill -9")

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Everything at once, under traffic: torture.py SECONDS SEED MODULE [PARAMETER=VALUE...]

Runs in the initial namespace, beside the network of kernel-lib.sh and a veth of
10.3.0.0/24 from the client to here. Each actor is a process: some send, some have
the module loaded and unloaded, metering switched and reconfigured, namespaces
and interfaces made and deleted, tables dumped and flushed; a subscriber of the
initial namespace and one of the router's is killed again and again. Every
look at a ledger must find it balanced, and in the end every instance's ledger must
agree with what its subscriber has in its account, to the packet.
"""

import collections
import contextlib
import ctypes
import errno
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

import account
import weirnl as w

CLONE_NEWNET = 0x40000000
GRACE = 60              # seconds for the actors to end after their time
# What happens to whom asks while others load, unload and switch off.
PASSING = {errno.ENOENT, errno.ENETDOWN, errno.EINTR, errno.EBUSY, errno.ENODEV, errno.ENOMEM,
           errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EPERM, errno.ESTALE, errno.ERANGE,
           errno.EAGAIN}


def enter(namespace):
    """Namespace of the whole process; None: the initial one."""
    if namespace:
        with open(f"/run/netns/{namespace}", "rb") as f:
            if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {namespace}")


class Actor:
    """A process with dice of its own that does something until its time is over."""

    def __init__(self, torture, name, act, namespace=None):
        self.name, self.act, self.namespace = name, act, namespace
        self.until, self.folder = torture.until, torture.folder
        self.rng = random.Random(f"{torture.seed} {name}")
        self.did = collections.Counter()
        self.pid = os.fork()
        if not self.pid:
            self._run()

    def _run(self):
        status = 1
        try:
            enter(self.namespace)
            self.act(self)
            with open(f"{self.folder}/did.{self.name}", "w", encoding="utf-8") as f:
                json.dump(self.did, f)
            status = 0
        except BaseException:   # pylint: disable=broad-except
            print(f"actor {self.name}:", flush=True)
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def goes_on(self):
        return time.monotonic() < self.until

    def sleep(self, low, high):
        time.sleep(min(self.rng.uniform(low, high), max(self.until - time.monotonic(), 0)))

    @contextlib.contextmanager
    def passing(self, what):
        """Others may be in the way of @what."""
        try:
            yield
            self.did[what] += 1
        except OSError as error:
            if error.errno not in PASSING:
                raise
            self.did[f"{what}: {errno.errorcode[error.errno]}"] += 1


def run(*command):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False).returncode


# The actors

def pings(actor):
    """Floods of two flows, which last."""
    while actor.goes_on():
        for address in ("10.2.0.2", "10.3.0.1"):
            run("timeout", "2", "ping", "-q", "-f", "-s", "64", address)
            actor.did["floods"] += 1


def scans(actor):
    """Many short flows, forwarded and to this host, of both families; some fragmented."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four, \
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
        while actor.goes_on():
            port = actor.rng.randrange(1024, 65000)
            with contextlib.suppress(OSError):
                four.sendto(bytes(actor.rng.choice((1, 100, 3000))),
                            (actor.rng.choice(("10.2.0.2", "10.2.0.2", "10.3.0.1")), port))
                six.sendto(bytes(10), ("fd02::2", port % 2048 + 1024))
            actor.did["datagrams"] += 2
            if actor.did["datagrams"] % 200 == 0:
                actor.sleep(0.01, 0.05)


def loads(actor, module, parameters):
    """Whoever reads or subscribes may hold the module for a moment."""
    while actor.goes_on():
        actor.sleep(5, 15)
        tries = time.monotonic() + 20
        while run("rmmod", "weir") and time.monotonic() < tries:
            time.sleep(0.05)
        if not os.path.exists("/sys/module/weir"):
            actor.did["unloads"] += 1
            actor.sleep(0, 0.5)
            assert run("insmod", module, *parameters) == 0, "insmod"


def note_end(actor, stats):
    """An instance is over: its ledger, for the reckoning."""
    w.check_ledger(stats)
    assert stats["TABLE"] == stats["PENDING"] == (0, 0, 0), stats
    with open(f"{actor.folder}/ended", "a", encoding="utf-8") as f:
        f.write(json.dumps({name: stats[name] for name in ("INSTANCE", "SEEN", "ACKED", "LOST")})
                + "\n")


def switches(actor):
    """Metering on and off. Nobody else switches it here, so what is over stays over."""
    while actor.goes_on():
        with actor.passing("on"), w.Client() as client:
            client.config(ENABLED=1)
            actor.sleep(0.5, 4)
            client.config(ENABLED=0)
            stats = client.stats()
            if not stats["ENABLED"]:    # else the module was loaded again meanwhile
                note_end(actor, stats)
        actor.sleep(0, 0.3)


ROUTED, INGRESS, BRIDGE, NETDEV = (1 << mode for mode in (
    w.WEIR_MODE_ROUTED, w.WEIR_MODE_INGRESS, w.WEIR_MODE_BRIDGE, w.WEIR_MODE_NETDEV))
SETTINGS = (
    ("ACTIVE_TIMEOUT_MS", lambda rng: rng.randint(100, 3000)),
    ("IDLE_TIMEOUT_MS", lambda rng: rng.randint(100, 2000)),
    ("FIN_TIMEOUT_MS", lambda rng: rng.randint(100, 500)),
    ("MODES", lambda rng: rng.choice((ROUTED, INGRESS, NETDEV, ROUTED | BRIDGE,
                                      INGRESS | NETDEV, ROUTED | BRIDGE | NETDEV))),
    ("INTERFACES", lambda rng: rng.choice(("*", "c0 s0 up0", "* !c*", "eth* i*", "t*", "e0"))),
    ("LOOK_INSIDE", lambda rng: rng.choice((0, 2, 62))),
    ("TABLE_FLOWS", lambda rng: 1 << rng.randint(6, 13)),
    ("SAMPLING", lambda rng: rng.choice((0, 1, 2, 100))),
    ("SAMPLING_METHOD", lambda rng: rng.randint(0, 1)),
    ("COVER", lambda rng: rng.randint(0, 1)),
)


def configures(actor):
    while actor.goes_on():
        with actor.passing("configurations"), w.Client() as client:
            while actor.goes_on():
                chosen = actor.rng.sample(SETTINGS, actor.rng.randint(1, 2))
                values = {name: value(actor.rng) for name, value in chosen
                          if name != "COVER" or not actor.namespace}
                try:
                    client.config(**values)
                    actor.did["settings"] += len(values)
                except w.NetlinkError as error:     # netdev without INTERFACES; tables that move
                    if error.errno not in (errno.EINVAL, errno.EBUSY):
                        raise
                    actor.did["refused"] += 1
                actor.sleep(0, 0.2)
        actor.sleep(0, 0.2)


def looks(actor):
    """Ledgers balance whenever one looks. Dumps and flushes beside it."""
    while actor.goes_on():
        with actor.passing("visits"), w.Client() as client:
            while actor.goes_on():
                w.check_ledgers(client)
                actor.did["looks"] += 1
                what = actor.rng.randrange(5)
                if what == 0:
                    with actor.passing("dumps"):    # EINTR: tables were changed
                        actor.did["dumped flows"] += len(client.flows())
                elif what == 1:
                    client.flush()
                elif what == 2:
                    actor.did["interfaces"] += len(client.dump(w.WEIR_CMD_GET_INTERFACES))
                actor.sleep(0, 0.1)
        actor.sleep(0, 0.2)


def subscribes(actor):
    """A subscriber that is killed when it suits least."""
    folder = f"{actor.folder}/{actor.namespace or 'initial'}"
    while actor.goes_on():
        pid = os.fork()
        if not pid:
            status = 1
            try:
                while actor.goes_on():
                    with contextlib.suppress(account.Gone), actor.passing("life"):
                        account.live(folder, actor.until)
                    time.sleep(0.02)
                status = 0
            except BaseException:   # pylint: disable=broad-except
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        actor.sleep(0.2, 4)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert status in (0, signal.SIGKILL), f"the subscriber ended with {status:#x}"
        actor.did["killed"] += 1


METER_HERE = """
import sys
sys.path.insert(0, {!r})
import weirnl as w
w.Client().config(ENABLED=1)
"""


def namespaces(actor):
    """Namespaces on cables of the router, some metering, deleted in the middle of it."""
    number = 0
    here = os.path.dirname(os.path.realpath(__file__))
    while actor.goes_on():
        number += 1
        name, net = f"t{number % 3}", number % 200
        if run("ip", "netns", "add", name):
            time.sleep(0.1)
            continue
        run("ip", "link", "add", f"t{number}", "netns", "router", "type", "veth", "peer", "e0",
            "netns", name)
        run("ip", "-n", "router", "addr", "add", f"10.8.{net}.1/24", "dev", f"t{number}")
        run("ip", "-n", "router", "link", "set", f"t{number}", "up")
        run("ip", "-n", name, "addr", "add", f"10.8.{net}.2/24", "dev", "e0")
        run("ip", "-n", name, "link", "set", "e0", "up")
        if actor.rng.random() < 0.7:
            run("ip", "netns", "exec", name, sys.executable, "-c", METER_HERE.format(here))
        with subprocess.Popen(["ip", "netns", "exec", name, "timeout", "2", "ping", "-q", "-f",
                               f"10.8.{net}.1"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as flood:
            actor.sleep(0.1, 1.5)
            run("ip", "netns", "del", name)
            if actor.rng.random() < 0.5:        # the last of it goes with the interface
                run("ip", "-n", "router", "link", "del", f"t{number}")
            flood.terminate()
        actor.did["namespaces"] += 1


def interfaces(actor):
    """Interfaces of the router that come, are renamed, join bridges and go."""
    number = 0
    while actor.goes_on():
        number += 1
        name = f"i{number}"
        kind = actor.rng.choice((("type", "dummy"), ("link", "c0", "type", "vlan", "id",
                                                     str(number % 4000 + 1)),
                                 ("type", "veth", "peer", "name", f"p{number}"),
                                 ("type", "bridge")))
        run("ip", "link", "add", name, *kind) if kind[0] == "type" else \
            run("ip", "link", "add", "name", name, *kind)
        run("ip", "link", "set", name, "up")
        actor.sleep(0, 0.2)
        if actor.rng.random() < 0.5:
            run("ip", "link", "set", name, "down")
            run("ip", "link", "set", name, "name", f"eth{number}")
            name = f"eth{number}"
            run("ip", "link", "set", name, "up")
        actor.sleep(0, 0.2)
        assert run("ip", "link", "del", name) == 0, f"no {name} to delete: {kind}"
        actor.did["interfaces"] += 1


def hotplug(actor):
    """A CPU that goes and comes. Its table stays, and is emptied from elsewhere."""
    path = "/sys/devices/system/cpu/cpu1/online"
    while actor.goes_on():
        for online in "01":
            with actor.passing(f"online {online}"), open(path, "w", encoding="ascii") as f:
                f.write(online)
            actor.sleep(1, 4)


class Torture:
    def __init__(self, seconds, seed):
        self.seed, self.until = seed, time.monotonic() + seconds
        self.folder = tempfile.mkdtemp(prefix="torture.")
        self.actors = []
        for place in ("initial", "router"):
            os.mkdir(f"{self.folder}/{place}")

    def add(self, name, act, namespace=None):
        self.actors.append(Actor(self, name, act, namespace))

    def wait(self):
        """All must end by themselves, and well."""
        waiting = {actor.pid: actor for actor in self.actors}
        deadline = self.until + GRACE
        while waiting:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid in waiting:
                actor = waiting.pop(pid)
                assert status == 0, f"actor {actor.name} ended with {status:#x}"
            elif time.monotonic() > deadline:
                for pid, actor in waiting.items():
                    print(f"{actor.name} does not end:", flush=True)
                    run("sh", "-c", f"cat /proc/{pid}/stack >&2")
                raise AssertionError("actors that do not end")
            else:
                time.sleep(0.1)

    def did(self):
        for actor in self.actors:
            with open(f"{self.folder}/did.{actor.name}", encoding="utf-8") as f:
                yield actor.name, json.load(f)


def sums(*parts):
    return [sum(part) for part in zip(*parts)]


def in_order(*totals):
    return all(low <= high for a, b in zip(totals, totals[1:]) for low, high in zip(a, b))


def agree(mine, ledger):
    """An account and the ledger with which its instance ended."""
    # committed and not acknowledged when it ended: discarded, for the kernel
    assert in_order(ledger["ACKED"], mine["totals"],
                    sums(ledger["ACKED"], ledger["LOST"][w.WEIR_LOST_DISCARDED])), (mine, ledger)
    if mine["end"] and mine["end"]["seq"] == mine["next"] - 1:
        assert sums(mine["totals"], *mine["end"]["lost"]) == ledger["SEEN"], (mine, ledger)


def reckon(folder, place):
    """Return: how many instances were compared, and how many said END to the subscriber."""
    accounts = account.all_accounts(f"{folder}/{place}")
    compared = 0
    with contextlib.suppress(FileNotFoundError):
        with open(f"{folder}/ended", encoding="utf-8") as f:
            for ledger in map(json.loads, f):
                if ledger["INSTANCE"] in accounts:
                    agree(accounts[ledger["INSTANCE"]], ledger)
                    compared += 1
    return compared, sum(1 for mine in accounts.values() if mine["end"])


def last_instance(folder, place, namespace):
    """With nobody in the way: what was received and what was lost is what was seen."""
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            enter(namespace)
            os.mkdir(f"{folder}/{place}.last")
            with w.Client() as control:
                control.config(ENABLED=0)
                control.config(ENABLED=1)
                off = os.fork()
                if not off:
                    time.sleep(2)
                    w.Client().config(ENABLED=0)
                    os._exit(0)
                account.live(f"{folder}/{place}.last", time.monotonic() + 60)
                os.waitpid(off, 0)
                stats = control.stats()
                w.check_ledger(stats)
                mine = account.Account(f"{folder}/{place}.last").now
                assert stats["INSTANCE"] == mine["instance"]
                assert mine["end"] and mine["end"]["seq"] == mine["next"] - 1, mine
                lost = sums(*mine["end"]["lost"])
                assert sums(mine["totals"], lost) == list(stats["SEEN"]), (mine, stats)
                assert stats["SEEN"][1] > 0, "no traffic: nothing was shown"
                print(f"{place}: the last instance saw {stats['SEEN']}, lost {lost}")
            status = 0
        except BaseException:   # pylint: disable=broad-except
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"{place}: the last instance"


def main():
    seconds, seed, module = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    parameters = sys.argv[4:]
    print(f"seed {seed}, {seconds:g} s", flush=True)
    t = Torture(seconds, seed)
    t.add("pings", pings, "client")
    t.add("scans", scans, "client")
    t.add("loads", lambda actor: loads(actor, module, parameters))
    for namespace in (None, "router"):
        place = namespace or "initial"
        t.add(f"switches {place}", switches, namespace)
        t.add(f"configures {place}", configures, namespace)
        t.add(f"looks {place}", looks, namespace)
        t.add(f"subscribes {place}", subscribes, namespace)
    t.add("namespaces", namespaces)
    t.add("interfaces", interfaces, "router")
    if os.path.exists("/sys/devices/system/cpu/cpu1/online"):
        t.add("hotplug", hotplug)
    t.wait()
    for name, did in t.did():
        print(f"{name}: {', '.join(f'{n} {what}' for what, n in sorted(did.items()))}")
        assert did, f"{name} did nothing"
    found = {place: reckon(t.folder, place) for place in ("initial", "router")}
    for place, (compared, ended) in found.items():
        print(f"{place}: {compared} instances agree with their subscriber, {ended} said END to it")
    assert any(compared for compared, _ in found.values()), "nothing to compare"
    flood = subprocess.Popen(["ip", "netns", "exec", "client", "sh", "-c",
                              "ping -q -f -w 20 10.2.0.2 & ping -q -f -w 20 10.3.0.1; wait"],
                             stdout=subprocess.DEVNULL)
    last_instance(t.folder, "initial", None)
    last_instance(t.folder, "router", "router")
    flood.terminate()


main()

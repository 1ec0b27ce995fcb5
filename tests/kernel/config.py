#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Every request out of range is refused with a sentence and the attribute at fault."""

import errno
import os
import sys

import weirnl as w

HEADER = 20     # netlink and generic netlink header: where the first attribute starts


def refused(client, number, cmd, **values):
    """The last of @values is the one at fault."""
    try:
        if cmd == w.WEIR_CMD_DUMP_FLOWS:
            client.dump(cmd, **values)
        else:
            client.request(cmd, **values)
    except w.NetlinkError as error:
        assert error.errno == number, f"{values}: {error}, expected {errno.errorcode[number]}"
        assert len(error.message) > 10, f"{values}: no sentence"
        before = dict(list(values.items())[:-1])
        # the end of a dump brings the sentence, and on older kernels not the place
        if cmd != w.WEIR_CMD_DUMP_FLOWS or error.offset is not None:
            assert error.offset == HEADER + len(w.encode(**before)), (values, error.offset)
        print(f"{values}: {error}")
        return
    raise AssertionError(f"not refused: {values}")


def test_ranges(client):
    before = client.config()
    cases = [
        (errno.EINVAL, {"ENABLED": 2}),
        (errno.EINVAL, {"MODES": 0}),
        (errno.EINVAL, {"MODES": 1 << 31}),
        (errno.EINVAL, {"MODES": 3}),
        (errno.EINVAL, {"MODES": 8}),
        (errno.ERANGE, {"INTERFACES": "x" * 256}),
        (errno.EINVAL, {"LOOK_INSIDE": 1}),
        (errno.EINVAL, {"LOOK_INSIDE": 1 << 31}),
        (errno.ENOMEM, {"TABLE_FLOWS": 1 << 24}),
        (errno.EBUSY, {"LOG_BATCHES": 2 * before["LOG_BATCHES"]}),
        (errno.ERANGE, {"ENABLED": 0, "TABLE_FLOWS": 63}),
        (errno.ERANGE, {"ENABLED": 0, "TABLE_FLOWS": (1 << 24) + 1}),
        (errno.ERANGE, {"ENABLED": 0, "LOG_BATCHES": 1}),
        (errno.ERANGE, {"ENABLED": 0, "LOG_BATCHES": 65537}),
        (errno.ERANGE, {"SAMPLING": (1 << 24) + 1}),
        (errno.ERANGE, {"SAMPLING_METHOD": 2}),
    ]
    for name in ("ACTIVE_TIMEOUT_MS", "IDLE_TIMEOUT_MS", "FIN_TIMEOUT_MS"):
        for value in (0, 99, 86_400_001, 0xFFFFFFFF):
            cases.append((errno.ERANGE, {name: value}))
    # all or nothing: what is right before the fault is not kept either
    cases.append((errno.ERANGE, {"IDLE_TIMEOUT_MS": 5000, "FIN_TIMEOUT_MS": 1}))
    for number, values in cases:
        refused(client, number, w.WEIR_CMD_SET_CONFIG, **values)
        assert client.config() == before, f"{values} left a trace"
    refused(client, errno.EINVAL, w.WEIR_CMD_SET_CONFIG, INSTANCE=1)    # not its attribute
    refused(client, errno.EINVAL, w.WEIR_CMD_GET_CONFIG, MODES=1)
    refused(client, errno.ERANGE, w.WEIR_CMD_DUMP_FLOWS, FILTER_ADDR=bytes(16),
            FILTER_PREFIX=129)
    refused(client, errno.EINVAL, w.WEIR_CMD_DUMP_FLOWS, FILTER_PREFIX=8)
    try:
        client.request(200)
    except w.NetlinkError as error:
        assert error.errno == errno.EOPNOTSUPP, error
    # an attribute cut short
    try:
        client.request(w.WEIR_CMD_SET_CONFIG, w.attr(w.WEIR_A_MODES, b"\0"))
        raise AssertionError("a short attribute was taken")
    except w.NetlinkError as error:
        # EINVAL under strict validation, ERANGE where a kernel knows no such thing
        assert error.errno in (errno.EINVAL, errno.ERANGE) and error.offset == HEADER, error


def test_change(client):
    wanted = {"ACTIVE_TIMEOUT_MS": 1234, "IDLE_TIMEOUT_MS": 567, "FIN_TIMEOUT_MS": 100,
              "SAMPLING": 3, "SAMPLING_METHOD": w.WEIR_SAMPLING_FLOWS}
    client.config(**wanted)
    got = client.config()
    assert wanted.items() <= got.items(), got
    client.config(SAMPLING=0, SAMPLING_METHOD=0)
    client.config(ENABLED=0, TABLE_FLOWS=100, LOG_BATCHES=3)
    got = client.config()
    assert (got["ENABLED"], got["TABLE_FLOWS"], got["LOG_BATCHES"]) == (0, 128, 4), got
    client.config(ENABLED=0)        # off twice is no error
    client.config(ENABLED=1)
    client.config(ENABLED=1)
    stats = client.stats()
    assert stats["TABLE_FLOWS"] == 128 * stats["CPUS"] and stats["LOG_BATCHES"] == 4 * stats["CPUS"]
    assert len(client.stats_per_cpu()) == stats["CPUS"]
    # more than the machine has: refused, and still usable
    client.config(ENABLED=0)
    try:
        client.config(TABLE_FLOWS=1 << 24, LOG_BATCHES=65536, ENABLED=1)
        raise AssertionError("gigabytes were granted")
    except w.NetlinkError as error:
        assert error.errno == errno.ENOMEM and error.message, error
    assert client.config()["TABLE_FLOWS"] == 128
    client.config(ENABLED=1)


def test_unprivileged():
    """Every operation, by a process without CAP_NET_ADMIN."""
    child = os.fork()
    if not child:
        status = 1
        try:
            os.setgid(65534)
            os.setuid(65534)
            with w.Client() as client:
                for cmd in range(w.WEIR_CMD_GET_STATS, w.WEIR_CMD_ACK + 1):
                    for call in (client.request, client.dump):
                        try:
                            call(cmd)
                            raise AssertionError(f"command {cmd} was allowed")
                        except w.NetlinkError as error:
                            assert error.errno in (errno.EPERM, errno.EOPNOTSUPP), (cmd, error)
                            assert call == client.dump or error.errno == errno.EPERM or \
                                cmd == w.WEIR_CMD_DUMP_FLOWS, (cmd, error)
                try:
                    client.join(w_notices)
                    raise AssertionError("the group was open")
                except PermissionError:
                    pass
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status == 0, "see above"


w_notices = "notices"


def main():
    with w.Client() as client:
        client.config(ENABLED=1)
        test_ranges(client)
        test_change(client)
        w.check_ledgers(client)
    test_unprivileged()


sys.stdout.reconfigure(line_buffering=True)
main()

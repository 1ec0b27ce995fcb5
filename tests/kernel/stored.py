#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Is what the kernel numbered what the node stored? Counted apart from `weir audit`.

    stored.py NODE-SOCKET       in the node's namespace, WEIR_BUILD in the environment

Flushes, waits until everything is acknowledged, reads every stored flow and compares
flows, packets and bytes with the kernel's own totals.
"""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
import weirnl


def stored(path):
    weir = os.path.join(os.environ["WEIR_BUILD"], "bin/weir")
    total = [0, 0, 0]
    with subprocess.Popen([weir, "flows", "--node", "--socket", path, "--limit", "0", "--json"],
                          stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            flow = json.loads(line)
            total[0] += 1
            total[1] += flow["packets"]
            total[2] += flow["bytes"]
    if process.returncode:
        sys.exit(f"weir flows: exit status {process.returncode}")
    return tuple(total)


def quiet(client):
    """End all flows, let no more end, and wait until everything is acknowledged.

    The node's own traffic to its master goes on and stays in the table.
    """
    hour = 3_600_000
    client.config(ACTIVE_TIMEOUT_MS=hour, IDLE_TIMEOUT_MS=hour, FIN_TIMEOUT_MS=hour)
    client.flush()
    deadline = time.monotonic() + 90
    while True:
        stats = weirnl.check_ledgers(client)
        if not stats["PENDING"][0]:
            return stats
        if time.monotonic() > deadline:
            sys.exit(f"the kernel still holds records: {stats}")
        time.sleep(0.5)


def main():
    stats = quiet(weirnl.Client())
    total = stored(sys.argv[1])
    lost = [part for part in stats["LOST"] if any(part)]
    print(f"seen {stats['SEEN']}, numbered {stats['NUMBERED']}, stored {total}, lost {lost}")
    if stats["NUMBERED"] != total or stats["ACKED"] != total:
        sys.exit("stored is not what the kernel numbered")
    if lost:
        sys.exit("the kernel lost packets at this load")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0
"""A subscriber that can be killed at any moment and still has its sums right.

Its account is a file: which instance, the next batch, and the totals of all before
it. The file is replaced before a batch is acknowledged, as weir-node commits.
So a new life must be offered exactly the batch the account says is next.
"""

import contextlib
import json
import os
import time

import weirnl as w


class Gone(Exception):
    """The family or the instance is: begin again."""


class Account:
    def __init__(self, folder):
        self.folder = folder
        self.path = f"{folder}/account"
        self.now = {"instance": 0, "next": 1, "totals": [0, 0, 0], "end": None}
        with contextlib.suppress(FileNotFoundError):
            with open(self.path, encoding="utf-8") as f:
                self.now = json.load(f)

    def commit(self):
        with open(f"{self.path}.new", "w", encoding="utf-8") as f:
            json.dump(self.now, f)
        os.rename(f"{self.path}.new", self.path)

    def begin(self, instance):
        """Another instance: what is known of the one before stays for the reckoning."""
        if self.now["instance"]:
            os.rename(self.path, f"{self.folder}/instance.{self.now['instance']}")
        self.now = {"instance": instance, "next": 1, "totals": [0, 0, 0], "end": None}
        self.commit()


def all_accounts(folder):
    """Every instance's last account, by instance."""
    found = {}
    for name in os.listdir(folder):
        if name == "account" or name.startswith("instance.") and not name.endswith(".new"):
            with open(f"{folder}/{name}", encoding="utf-8") as f:
                account = json.load(f)
            found[account["instance"]] = account
    return found


def subscribe(client, account):
    now = account.now
    answer = client.subscribe(now["instance"], now["next"])
    if answer["INSTANCE"] != now["instance"]:
        account.begin(answer["INSTANCE"])
        now = account.now
    assert answer["MISSING"] == 0, f"acknowledged, and not by us: {answer}, {now}"
    assert answer["SEQ"] == now["next"], f"{answer} where the account says {now}"


def take(client, account, message):
    now = account.now
    assert message["INSTANCE"] == now["instance"], (message["INSTANCE"], now)
    assert message["SEQ"] == now["next"], f"batch {message['SEQ']} where {now} was due"
    flows = w.totals(w.records(message))
    assert flows[0], "an empty batch"
    now["totals"] = [a + b for a, b in zip(now["totals"], flows)]
    assert list(message["NUMBERED"]) == now["totals"], \
        f"batch {message['SEQ']}: NUMBERED {message['NUMBERED']}, the account has {now}"
    now["next"] += 1
    account.commit()
    client.ack_quietly(now["instance"], message["SEQ"])


def end(account, message):
    now = account.now
    assert message["INSTANCE"] == now["instance"], (message["INSTANCE"], now)
    now["end"] = {"seq": message["SEQ"], "numbered": list(message["NUMBERED"]),
                  "lost": [list(lost) for lost in message["LOST"]]}
    assert message["SEQ"] >= now["next"] - 1, f"END of {message['SEQ']} batches, the account: {now}"
    if message["SEQ"] == now["next"] - 1:
        assert now["end"]["numbered"] == now["totals"], f"END {now['end']}, the account: {now}"
    account.commit()


def live(folder, until):
    """One life: until @until, or END, or the instance is gone."""
    account = Account(folder)
    with w.Client() as client:
        subscribe(client, account)
        while time.monotonic() < until:
            event = client.event(0.5)
            if event is None:
                if client.stats().get("INSTANCE") != account.now["instance"]:
                    raise Gone
            elif event[0] == w.WEIR_CMD_BATCH:
                take(client, account, event[1])
            elif event[0] == w.WEIR_CMD_END:
                end(account, event[1])
                return

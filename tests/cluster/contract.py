#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 60
"""uapi/weir.yaml says what uapi/weir.h says: every enum, attribute, command and member of a struct, by
name, number, type and place. The header is read through the compiler: its numbers are C's."""

import os
import re
import subprocess
import tempfile

import yaml

SRC = os.environ["WEIR_SRC"]
HEADER = open(f"{SRC}/uapi/weir.h", encoding="utf-8").read()
SPEC = yaml.safe_load(open(f"{SRC}/uapi/weir.yaml", encoding="utf-8"))
CODE = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.S)
WIDTH = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "s64": 8}
DEFINITIONS = {d["name"]: d for d in SPEC["definitions"]}


def c_name(word):
    return word.upper().replace("-", "_")


def enumerators(name):
    """What the header declares in an enum, but its own bounds."""
    body = re.search(rf"enum {name} \{{(.*?)\}};", CODE, re.S)[1]
    return [n for n in re.findall(r"^\s*(WEIR_\w+)\s*[,=]", body, re.M) if not n.endswith("_MAX")]


def ask_compiler(expressions):
    """The values of C expressions, with the header."""
    with tempfile.TemporaryDirectory() as folder:
        lines = "".join(f'printf("%lld\\n", (long long)({e}));' for e in expressions)
        path = f"{folder}/ask.c"
        with open(path, "w", encoding="utf-8") as f:
            f.write('#include <stddef.h>\n#include <stdio.h>\n#include "uapi/weir.h"\n'
                    f"int main(void) {{ {lines} return 0; }}\n")
        subprocess.run([os.environ.get("CC", "cc"), f"-I{SRC}", "-o", f"{folder}/ask", path],
                       check=True)
        out = subprocess.run([f"{folder}/ask"], check=True, capture_output=True, text=True)
    return [int(n) for n in out.stdout.split()]


def check_enum(spec_names, prefix, enum):
    """{name in the spec: number}: all of the header's, and no other."""
    names = [c_name(prefix + n) for n in spec_names]
    assert names == enumerators(enum), (enum, set(names) ^ set(enumerators(enum)))
    for name, number, value in zip(names, spec_names.values(), ask_compiler(names)):
        assert number == value, (name, number, value)


def check_definitions():
    enums = {"observed": "weir_observed", "mode": "weir_mode", "tunnel": "weir_tunnel",
             "sampling": "weir_sampling", "bypass": "weir_bypass",
             "end-reason": "weir_end_reason", "lost": "weir_lost", "skip": "weir_skip",
             "counter": "weir_counter", "notice": "weir_notice"}
    found = {d["name"] for d in SPEC["definitions"] if d["type"] == "enum"}
    assert found == set(enums), found ^ set(enums)
    declared = set(re.findall(r"^enum (weir_\w+) \{", CODE, re.M))
    assert declared == set(enums.values()) | {"weir_cmd", "weir_attr"}, declared
    for name, enum in enums.items():
        spec = DEFINITIONS[name]
        check_enum({e["name"]: spec["value-start"] + i for i, e in enumerate(spec["entries"])},
                   spec["name-prefix"], enum)


def check_struct(name):
    """Members in their order, each where the compiler has it, and nothing behind them."""
    c_struct = f"struct weir_{name}"
    members = re.findall(r"^\s*(__\w+)\s+(\w+)(?:\[\d+\])?;",
                         re.search(rf"{c_struct} \{{(.*?)\}};", CODE, re.S)[1], re.M)
    spec = DEFINITIONS[name]["members"]
    assert [m["name"].replace("-", "_") for m in spec] == [m for _, m in members], name
    places = ask_compiler([e for _, m in members
                           for e in (f"offsetof({c_struct}, {m})", f"sizeof((({c_struct} *)0)->{m})")])
    at = 0
    for i, (member, (c_type, c_member)) in enumerate(zip(spec, members)):
        width = member["len"] if member["type"] == "binary" else WIDTH[member["type"]]
        assert places[2 * i:2 * i + 2] == [at, width], (name, c_member, places, at, width)
        assert (member.get("byte-order") == "big-endian") == (c_type == "__be16"), c_member
        at += width
    assert ask_compiler([f"sizeof({c_struct})"]) == [at], name


def check_attributes():
    attributes = SPEC["attribute-sets"][0]["attributes"]
    check_enum({a["name"]: i + 1 for i, a in enumerate(attributes)}, "weir-a-", "weir_attr")
    for a in attributes:
        said = re.search(rf"\bWEIR_A_{c_name(a['name'])}(?: = 1)?,\s*/\* (.*?) \*/", HEADER)[1]
        kind = re.match(r"[us]\d+\b(?!\[)|string", said)
        if kind:
            assert a["type"] == kind[0], (a["name"], a["type"], said)
        if "bits 1 <<" in said or said.startswith("u32, enum "):
            assert f"enum weir_{a['enum'].replace('-', '_')}" in said, (a["name"], said)
            assert a.get("enum-as-flags", False) == ("bits" in said), a["name"]


def check_operations():
    operations = SPEC["operations"]["list"]
    check_enum({o["name"]: o["value"] for o in operations}, "weir-cmd-", "weir_cmd")
    known = {a["name"] for a in SPEC["attribute-sets"][0]["attributes"]}
    config = {}
    for o in operations:
        for mode in ("do", "dump"):
            for side, what in o.get(mode, {}).items():
                assert set(what["attributes"]) <= known, (o["name"], side)
                config[o["name"], side] = what["attributes"]
    assert config["get-config", "reply"] == config["set-config", "request"]
    # The header's prose has them all.
    prose = re.search(r"SET_CONFIG\s+in: any of(.*?)All or", HEADER, re.S)[1]
    named = set(re.findall(r"\b[A-Z][A-Z_]{4,}\b", prose)) - {"WEIR_MODE_NETDEV"}
    assert {c_name(n) for n in config["set-config", "request"]} == named, named


check_definitions()
check_struct("totals")
check_struct("record")
assert ask_compiler(["WEIR_RECORD_CORE - offsetof(struct weir_record, sampling)"]) == [4]
check_attributes()
check_operations()
print("the two say the same")

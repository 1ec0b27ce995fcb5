#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
#
# The command line against the kernel: stat, live, get, set and flush, what they
# print, and their exit statuses.
#
#	left  l0 -------- r0  right (weir meters here)
#	10.9.0.1/24    10.9.0.2/24
#	fd09::1/64     fd09::2/64
#

. "$WEIR_SRC/tests/lab/lib.sh"
need ip ping python3 setpriv

weir=$WEIR_BUILD/bin/weir

# expect STATUS COMMAND...: stdout to $WEIR_OUT/out, stderr to err
expect() {
	local want=$1 got=0

	shift
	echo "+ $*"
	"$@" >"$WEIR_OUT/out" 2>"$WEIR_OUT/err" || got=$?
	cat "$WEIR_OUT/out" "$WEIR_OUT/err"
	[ "$got" -eq "$want" ] || fail "exit status $got, not $want: $*"
}

says() {
	grep -qF -- "$1" "$WEIR_OUT/out" "$WEIR_OUT/err" || fail "nothing says \"$1\""
}

# json EXPRESSION: over the document d in out
json() {
	python3 -c "import json, sys
d = json.load(open(sys.argv[1]))
assert $1, sys.argv[2]" "$WEIR_OUT/out" "$1" || fail "not so: $1"
}

say "without the module"
expect 1 "$weir" stat
says "modprobe weir"
expect 0 "$weir"
says "usage: weir"

say "with it, but off in this namespace"
load_weir
ns_add left right
veth left l0 10.9.0.1/24,fd09::1/64 right r0 10.9.0.2/24,fd09::2/64
expect 0 in_ns right "$weir" stat
says "weir set enabled on"
expect 1 in_ns right "$weir" live
says "metering is off"

say "on"
expect 0 in_ns right "$weir" set table-flows 1024 active-timeout=90s idle-timeout 10m enabled on
expect 0 in_ns right "$weir" get
expect 0 in_ns right "$weir" get active-timeout
says "90s"
expect 0 in_ns right "$weir" get --json
json 'd["enabled"] is True and d["active-timeout"] == 90 and d["table-flows"] == 1024'

say "settings in words"
expect 0 in_ns right "$weir" set look-inside=vxlan,GRE sampling=10 sampling-method=flows
expect 0 in_ns right "$weir" get look-inside
says "gre,vxlan"
expect 0 in_ns right "$weir" get --json
json 'd["modes"] == ["routed"] and d["look-inside"] == ["gre", "vxlan"] and d["sampling"] == 10'
expect 0 in_ns right "$weir" stat
says "looks inside gre, vxlan; one flow of 10"
expect 0 in_ns right "$weir" set look-inside none sampling 1
expect 2 in_ns right "$weir" set modes routed,bridged
says '"routed,bridged" is not some of routed, ingress, bridge and netdev'
expect 1 in_ns right "$weir" set modes routed,ingress
says "modes"
expect 2 in_ns right "$weir" set mode routed
says "did you mean modes"

say "refusals name the setting"
expect 1 in_ns right "$weir" set active-timeout 0s
says "active-timeout"
expect 1 in_ns right "$weir" set log-batches 4096
says "log-batches"
expect 0 in_ns right "$weir" set table-flows 4096
expect 2 in_ns right "$weir" set active-timeout 5x
says '"5x" is not a duration'
expect 2 in_ns right "$weir" set active-timout 5s
says "did you mean active-timeout"
expect 0 in_ns right "$weir" get active-timeout
says "90s"

say "flows"
wait_for 20 'in_ns left ping -q -c 3 -W 2 10.9.0.2 >/dev/null'
wait_for 20 'in_ns left ping -q -c 2 -W 2 fd09::2 >/dev/null'
expect 0 in_ns right "$weir" live
says "10.9.0.2 echo-request"
says "r0"
says "local"
expect 0 in_ns right "$weir" live icmp and dst host 10.9.0.2
[ "$(wc -l <"$WEIR_OUT/out")" -eq 2 ] || fail "not one flow and its head"
expect 0 in_ns right "$weir" live --json --limit 1 icmp and dst 10.9.0.2
json 'd["packets"] >= 3 and d["bytes"] == 84 * d["packets"] and d["icmp_type"] == 8'
expect 0 in_ns right "$weir" live --csv icmp6
expect 2 in_ns right "$weir" live port many
says "expected a port"

say "statistics"
expect 0 in_ns right "$weir" stat
says "balances to the packet and the byte"
expect 0 in_ns right "$weir" stat --interfaces
says "r0"
expect 0 in_ns right "$weir" stat --interfaces --json
json '[i["seen_by"] for i in d if i["name"] == "r0"] == [["routed"]]'
json 'not any(i["bypass"] for i in d)'
expect 0 in_ns right "$weir" set modes=ingress,netdev interfaces=r*
expect 0 in_ns right "$weir" stat
says "ingress, netdev (of r*)"
expect 0 in_ns right "$weir" stat --interfaces --json
json '[i["seen_by"] for i in d if i["name"] == "r0"] == [["netdev"]]'
expect 0 in_ns right "$weir" set modes=routed interfaces=none
expect 0 in_ns right "$weir" stat -vx
says "own multicast or broadcast coming back"
expect 0 in_ns right "$weir" stat -v --json
json 'd["balanced"] and len(d["per_cpu"]) == d["cpus"]'
json 'sum(c["seen"]["packets"] for c in d["per_cpu"]) >= d["seen"]["packets"] >= 10'
expect 0 in_ns right "$weir"
says "LEDGER"

say "flush"
expect 0 in_ns right "$weir" flush
says "moved to the log"
expect 0 in_ns right "$weir" stat --json
json 'd["balanced"] and d["table"]["packets"] < d["pending"]["packets"]'

say "an ordinary user"
expect 1 in_ns right setpriv --reuid 65534 --clear-groups --inh-caps=-all "$weir" stat
says "CAP_NET_ADMIN"

unload_weir

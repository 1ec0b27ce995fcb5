# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Helpers for lab cases: . "$WEIR_SRC/tests/lab/lib.sh"
#
# Sourcing sets -eu and pipefail, so a command that fails unnoticed ends the
# case as a failure, with its line. The guest's environment:
#
#	WEIR_SRC	the checkout, read-only
#	WEIR_BUILD	what was built: bin/, kmod/RELEASE/weir.ko
#	WEIR_OUT	results folder; what is written there reaches the host

set -Eeuo pipefail
trap 'echo "FAIL: ${BASH_SOURCE[0]##*/} line $LINENO: $BASH_COMMAND"' ERR

# say SENTENCE: progress, seen with tests/lab/run -v and in the log
say() {
	echo "* $*"
}

# fail SENTENCE: end the case as failed, for the reason given
fail() {
	echo "FAIL: $*"
	exit 1
}

# skip SENTENCE: end the case as skipped, for the reason given
skip() {
	echo "SKIP: $*"
	exit 4
}

# need PROGRAM...: fail unless all are there; a missing one is tests/setup's bug
need() {
	local program

	for program; do
		command -v "$program" >/dev/null ||
			fail "no $program here: add its package to tests/packages/lab"
	done
}

# wait_for SECONDS CONDITION: poll a shell condition; fail when time runs out
wait_for() {
	local end=$((SECONDS + $1)) condition=$2

	until eval "$condition"; do
		[ "$SECONDS" -le "$end" ] ||
			fail "waited $1 seconds in vain for: $condition"
		sleep 0.1
	done
}

# ns_add NAME...: network namespaces, with their loopback up and no delay
# before an IPv6 address can be used
ns_add() {
	local ns

	for ns; do
		ip netns add "$ns"
		ip -n "$ns" link set lo up
		in_ns "$ns" sysctl -qw net.ipv6.conf.all.accept_dad=0 \
			net.ipv6.conf.default.accept_dad=0
	done
}

# in_ns NAME COMMAND...: run a command in a namespace
in_ns() {
	ip netns exec "$@"
}

# veth NS1 IF1 ADDRS1 NS2 IF2 ADDRS2: a cable between two namespaces; ADDRS is a
# comma-separated list of ADDRESS/PREFIX, IPv4 and IPv6
veth() {
	ip link add "$2" netns "$1" type veth peer name "$5" netns "$4"
	veth_end "$1" "$2" "$3"
	veth_end "$4" "$5" "$6"
}

veth_end() {
	local address

	for address in ${3//,/ }; do
		ip -n "$1" address add "$address" dev "$2"
	done
	ip -n "$1" link set "$2" up
}

# weir_ko: path of the module for the running kernel
weir_ko() {
	echo "$WEIR_BUILD/kmod/$(uname -r)/weir.ko"
}

# load_weir [PARAMETER=VALUE...]: insert the module and what it depends on
load_weir() {
	local ko depends

	ko=$(weir_ko)
	[ -f "$ko" ] || fail "no $ko: make module KDIR=\$(tests/lab/kernel -k $(uname -r) headers)"
	depends=$(modinfo -F depends "$ko")
	# shellcheck disable=SC2086 # a list of words
	[ -z "$depends" ] || modprobe -a ${depends//,/ }
	insmod "$ko" "$@"
}

# unload_weir: remove the module; what still holds it is a failure
unload_weir() {
	rmmod weir
}

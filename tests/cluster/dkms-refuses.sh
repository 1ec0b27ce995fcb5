#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A kernel that the module cannot be built for is refused by dkms.conf, with the reason in a
# sentence. Kernels are folders with a .config here; nothing is compiled.

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(sed -n 's/^VERSION := //p' Makefile)
make -s dkms-tree DESTDIR="$work"
mkdir "$work/tree"

run_dkms() {
	dkms "$@" --dkmstree "$work/tree" --sourcetree "$work/usr/src" --arch x86_64
}

# kernel NAME OPTION...: a folder that dkms takes for the headers of a kernel
kernel() {
	mkdir -p "$work/$1"
	printf '%s=y\n' "${@:2}" >"$work/$1/.config"
}

# refused NAME SENTENCE: dkms says so, with the status that upgrades pass over
refused() {
	local status=0

	run_dkms build "weir/$version" -k "$1" --kernelsourcedir "$work/$1" \
		>"$work/said" 2>&1 || status=$?
	cat "$work/said"
	[ $status -eq 77 ] || { echo "dkms ended with $status, not with 77"; exit 1; }
	[ "$(grep -cxF "weir cannot be built for kernel $1: $2" "$work/said")" = 1 ] ||
		{ echo "not said once: $2"; exit 1; }
}

not_refused() {
	! grep "cannot be built" "$work/said" || { echo "refused what can be built for"; exit 1; }
}

run_dkms add "weir/$version"
kernel 5.9.0-1-amd64 CONFIG_NETFILTER CONFIG_IPV6
kernel 4.19.0-27-amd64 CONFIG_NETFILTER CONFIG_IPV6
kernel 6.1.0-1-amd64 CONFIG_NETFILTER
kernel 6.1.0-2-amd64 CONFIG_IPV6
refused 5.9.0-1-amd64 "it is older than 5.10"
refused 4.19.0-27-amd64 "it is older than 5.10"
refused 6.1.0-1-amd64 "it has no CONFIG_IPV6"
refused 6.1.0-2-amd64 "it has no CONFIG_NETFILTER"

# What it can be built for gets as far as make, which finds no kernel here.
kernel 10.1.0-1-amd64 CONFIG_NETFILTER CONFIG_IPV6
status=0
run_dkms build "weir/$version" -k 10.1.0-1-amd64 --kernelsourcedir "$work/10.1.0-1-amd64" \
	>"$work/said" 2>&1 || status=$?
cat "$work/said"
[ $status -ne 77 ]
not_refused
run_dkms status | tee "$work/said"
not_refused

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# DKMS adds, builds and installs the module for the running kernel, and it
# loads from where DKMS put it. Compiles in the emulator: that takes long.
# timeout: 3000
set -euo pipefail

command -v dkms >/dev/null || {
	echo "dkms is not installed here"
	exit 4
}
release=$(uname -r)
[ -d "/lib/modules/$release/build/" ] || {
	echo "no headers for $release in the guest"
	exit 4
}
make dkms-tree
make dkms KVER="$release"
dkms status | tee /tmp/status
grep -q "weir.*$release.*installed" /tmp/status
modprobe weir
modinfo -n weir | grep "/lib/modules/$release/updates/dkms/weir.ko"
dmesg | grep 'weir: version'
modprobe -r weir
dkms remove weir/"$(sed -n 's/^VERSION := //p' Makefile)" --all
! modinfo -n weir

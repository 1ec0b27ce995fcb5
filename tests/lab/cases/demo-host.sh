#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# by hand: yes
# timeout: 900
#
# `make demo HOST=1`, word for word, on a machine that may load modules: the
# guest. It gets a copy of the checkout that it can write, and of what is built.

. "$WEIR_SRC/tests/lab/lib.sh"
need make gcc

[ -d "/lib/modules/$(uname -r)/build/" ] || skip "no headers for $(uname -r) in the guest"
mkdir -p /tmp/weir/build
cd /tmp/weir
(cd "$WEIR_SRC" && git ls-files -z | tar -c --null -T - 2>/dev/null) | tar -x
for part in bin obj gen lib "kmod/$(uname -r)"; do
	[ ! -e "$WEIR_BUILD/$part" ] || (cd "$WEIR_BUILD" && tar -c "$part") | tar -x -C build
done
unset WEIR_SRC WEIR_BUILD
make demo HOST=1
[ ! -d /sys/module/weir ] || fail "the demo left its module behind"

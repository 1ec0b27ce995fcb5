#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: 6.1 6.12 debug
#
# The lab itself works: two CPUs, the checkout readable and read-only, a results
# folder that can be written, namespaces that reach each other, and weir.ko,
# where it was built, going in and out.
#
#	left  l0 -------- r0  right
#	10.9.0.1/24    10.9.0.2/24
#	fd09::1/64     fd09::2/64
#

. "$WEIR_SRC/tests/lab/lib.sh"
need ip ping

say "two CPUs"
[ "$(nproc)" -eq 2 ] || fail "this guest has $(nproc) CPUs, not 2"

say "files"
cmp -s "$0" "$WEIR_SRC/tests/lab/cases/smoke.sh" || fail "the checkout is not readable"
touch "$WEIR_SRC/tests/lab/written" 2>/dev/null && fail "the checkout is writable"
echo written >"$WEIR_OUT/written"
[ -d "/lib/modules/$(uname -r)/kernel" ] || fail "no modules for $(uname -r)"

say "two namespaces and a cable"
ns_add left right
veth left l0 10.9.0.1/24,fd09::1/64 right r0 10.9.0.2/24,fd09::2/64
wait_for 10 'in_ns left ping -q -c 1 -W 2 10.9.0.2 >/dev/null'
wait_for 10 'in_ns left ping -q -c 1 -W 2 fd09::2 >/dev/null'

if [ -f "$(weir_ko)" ]; then
	say "weir.ko in and out"
	load_weir
	wait_for 10 'in_ns right ping -q -c 1 -W 2 10.9.0.1 >/dev/null'
	unload_weir
else
	say "no weir.ko for $(uname -r) was built, not loaded"
fi

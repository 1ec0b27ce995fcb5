#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: 6.1 6.12 debug
# Requests out of range and without privilege are refused with a sentence.
. "${BASH_SOURCE%/*}/kernel-lib.sh"

if insmod "$module" idle_timeout_ms=1 2>/dev/null; then
	echo "idle_timeout_ms=1 was taken"
	exit 1
fi
dmesg | grep 'weir: parameter idle_timeout_ms=1: must be between'
load table_flows=1000 log_batches=10
python3 tests/kernel/config.py
rmmod weir

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: 6.1 6.12 debug
# timeout: 600
# A scan against a table and a log that are far too small.
. "${BASH_SOURCE%/*}/kernel-lib.sh"

load autostart=0
network
in_router python3 tests/kernel/pressure.py
rmmod weir

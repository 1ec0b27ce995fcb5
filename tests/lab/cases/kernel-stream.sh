#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernels: 6.1 6.12 debug
# timeout: 600
# Subscribe, resume, acknowledge, release; what is refused; END.
. "${BASH_SOURCE%/*}/kernel-lib.sh"

load autostart=0
network
in_router python3 tests/kernel/stream.py
rmmod weir

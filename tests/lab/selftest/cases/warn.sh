#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The kernel warns; the case itself is content.
insmod "$WEIR_BUILD/lab/warn/warn.ko"
exit 0

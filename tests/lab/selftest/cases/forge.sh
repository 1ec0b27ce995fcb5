#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Success without knowing the nonce is none.
echo "success 0123456789abcdef" >/dev/ttyS1
busybox poweroff -f

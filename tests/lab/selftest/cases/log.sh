#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The log has a complaint that is not a WARN; the case itself is content.
echo "unregister_netdevice: waiting for lo to become free. Usage count = 2" >/dev/kmsg

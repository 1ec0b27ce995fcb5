#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Ends with the status it is told; a skip has a reason.
[ "$1" -ne 4 ] || echo "SKIP: told to"
exit "$1"

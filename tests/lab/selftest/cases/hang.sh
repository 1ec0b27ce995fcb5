#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Never ends.
exec sleep infinity

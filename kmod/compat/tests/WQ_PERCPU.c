// SPDX-License-Identifier: GPL-2.0
/* alloc_workqueue() knows WQ_PERCPU */
#include <linux/workqueue.h>

unsigned int flags = WQ_PERCPU;

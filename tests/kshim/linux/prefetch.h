/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KSHIM_LINUX_PREFETCH_H
#define KSHIM_LINUX_PREFETCH_H

#define prefetchw(x)	__builtin_prefetch(x, 1)

#endif

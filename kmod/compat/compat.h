/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat - one face for kernels that differ
 *
 * Included before every file of the module. Says what a kernel can, never
 * which one it is: WEIR_HAVE_x is defined when compat/tests/x.c compiles.
 */
#ifndef _WEIR_COMPAT_H
#define _WEIR_COMPAT_H

#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

/* A workqueue is bound to CPUs unless told otherwise; newer kernels want it said. */
#ifdef WEIR_HAVE_WQ_PERCPU
#define WEIR_WQ_PERCPU WQ_PERCPU
#else
#define WEIR_WQ_PERCPU 0
#endif

#endif /* _WEIR_COMPAT_H */

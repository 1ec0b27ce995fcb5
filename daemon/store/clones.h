/* SPDX-License-Identifier: GPL-2.0 */
/*
 * clones.h - inner loops compiled for several generations of x86, the best chosen when the
 * program starts. Elsewhere the one that the compiler makes has to do.
 */
#ifndef WEIR_STORE_CLONES_H
#define WEIR_STORE_CLONES_H

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
	!defined(__clang__)
#define WEIR_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
/* The choosing runs before the sanitizers are ready, and clang's has a name that two files cannot share. */
#define WEIR_CLONES
#endif

#endif

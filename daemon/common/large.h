/* SPDX-License-Identifier: GPL-2.0 */
/*
 * large.h - memory of some megabytes that is read in no order.
 *
 * With pages of 4 KB, what does not fit the processor's cache of address translations is found by
 * walking page tables, in a virtual machine two deep. So the kernel is asked for
 * large pages; it gives them as the memory is touched, where it has any.
 */
#ifndef WEIR_COMMON_LARGE_H
#define WEIR_COMMON_LARGE_H

#include <stddef.h>

/* @bytes, with any content, for free(). What lies below @small bytes comes in small pages: the part
 * that a quiet machine uses alone does not take more than it needs. NULL: no memory. */
void *weir_large_alloc(size_t bytes, size_t small);

#endif

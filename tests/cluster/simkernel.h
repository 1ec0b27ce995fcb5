/* SPDX-License-Identifier: GPL-2.0 */
/*
 * simkernel.h - a kernel for weir-node without a module: it makes numbered
 * batches, keeps what is not acknowledged, and survives its subscriber.
 *
 * Batch N is a function of N alone, and the state is a shared mapping of a file,
 * so a kill -9 of the process is to it what the death of a subscriber is to weir.ko.
 * It has no table: what it has seen is acknowledged or pending.
 */
#ifndef WEIR_TESTS_SIMKERNEL_H
#define WEIR_TESTS_SIMKERNEL_H

#include "daemon/node/kernel.h"

/* State in @path (made if absent); stops making batches after @batches; @rate a second. */
int simkernel_open(const char *path, uint64_t batches, uint64_t rate);
extern const struct weir_kernel_ops simkernel_ops;

#endif

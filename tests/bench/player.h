/* SPDX-License-Identifier: GPL-2.0 */
/*
 * player.h - a recorded stream in the place of weir.ko.
 *
 * Another process sends the messages over a local socket, a window of them before an
 * acknowledgement, as the module does over netlink: the node pays for a system call and a
 * copy for each message, parses it with its own parser, and acknowledges. Making
 * and sending is paid for by that process.
 */
#ifndef WEIR_TESTS_PLAYER_H
#define WEIR_TESTS_PLAYER_H

#include "daemon/node/kernel.h"

/* Start to play @path. @log_batches: what the kernel would say that it can hold. */
int weir_player_start(const char *path, unsigned log_batches);
/* Wait until everything was acknowledged: returns how many batches there were, 0 after a
 * failure. *@slowest_ns: the longest time from receiving a batch to acknowledging it. */
uint64_t weir_player_wait(struct weir_totals *played, uint64_t *slowest_ns);

extern const struct weir_kernel_ops weir_player_ops;

#endif

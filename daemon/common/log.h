/* SPDX-License-Identifier: GPL-2.0 */
/*
 * log.h - one line a message on stderr, thread-safe. Under systemd (JOURNAL_STREAM
 * set) lines carry a <priority> prefix; otherwise a time stamp and the level.
 */
#ifndef WEIR_COMMON_LOG_H
#define WEIR_COMMON_LOG_H

#include <stdbool.h>

void weir_log_init(const char *program, bool verbose);
/* Something the operator has to act on; say what to do. */
void weir_log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Something that is wrong but handled. */
void weir_log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A change of state: started, connected, resumed at. */
void weir_log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Shown with -v only. */
void weir_log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

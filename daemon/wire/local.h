/* SPDX-License-Identifier: GPL-2.0 */
/*
 * local.h - the Unix socket where the command line asks. Node and master serve the
 * same: Hello -> Welcome, Ask -> Part*, End, Cancel. Only root and the user the
 * daemon runs as get in, by mode and by peer credentials.
 */
#ifndef WEIR_WIRE_LOCAL_H
#define WEIR_WIRE_LOCAL_H

#include "daemon/wire/job.h"

struct weir_local;

/* @software and @name go into Welcome and must outlive the listener. -EADDRINUSE: another
 * process answers there; the reason is logged. */
int weir_local_start(struct event_base *base, const char *path, const char *software,
		     const char *name, weir_job_run *run, void *arg, struct weir_local **local);
void weir_local_stop(struct weir_local *local);

/* The version to speak with who sent @hello; 0: none in common. */
uint32_t weir_local_version(const Weir__Wire__Hello *hello);

enum {
	WEIR_WIRE_NEWEST = 1,
	WEIR_WIRE_OLDEST = 1,
};

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * module.h - requests to weir.ko (module.c is the only file that speaks libnl).
 *
 * Functions return 0 or a negative errno, and have said a sentence on stderr then,
 * with the kernel's own words where it gave some.
 */
#ifndef WEIR_CLI_MODULE_H
#define WEIR_CLI_MODULE_H

#include "daemon/common/flow.h"
#include "daemon/common/setting.h"

struct weir_cli_module;

/* Connect and find the family. -ENOENT (nothing said when @quiet): the module is not loaded. */
int weir_cli_module_open(struct weir_cli_module **module, bool quiet);
void weir_cli_module_close(struct weir_cli_module *module);

struct weir_cli_stats {
	uint32_t cpu; /* of a dump */
	uint64_t instance, seq, acked_seq, memory_bytes, uptime_ns;
	struct weir_totals seen, table, pending, acked, numbered;
	struct weir_totals lost[__WEIR_LOST_COUNT];
	struct weir_totals skipped[__WEIR_SKIP_COUNT];
	uint64_t counters[__WEIR_COUNTER_COUNT];
	uint32_t owner, table_flows, log_batches, cpus, netns;
	char version[32];
};

typedef void weir_cli_take_stats(void *arg, const struct weir_cli_stats *stats);
/* One call of @take for the sum, or with @per_cpu one for each CPU. */
int weir_cli_module_stats(struct weir_cli_module *module, bool per_cpu, weir_cli_take_stats *take,
			  void *arg);

/* One call of @take with every setting. */
typedef void weir_cli_take_setting(void *arg, const struct weir_setting *setting);
int weir_cli_module_get_config(struct weir_cli_module *module, weir_cli_take_setting *take,
			       void *arg);
int weir_cli_module_set_config(struct weir_cli_module *module,
			       const struct weir_setting *settings, unsigned count);

struct weir_cli_interface {
	uint32_t index, seen_by, bypass; /* bits of enum weir_mode, enum weir_bypass */
	char name[16];
};
typedef void weir_cli_take_interface(void *arg, const struct weir_cli_interface *interface);
/* One call of @take for each interface of the namespace. -EOPNOTSUPP (nothing said when @quiet): the
 * module does not know the command. */
int weir_cli_module_interfaces(struct weir_cli_module *module, bool quiet,
			       weir_cli_take_interface *take, void *arg);

typedef void weir_cli_take_flow(void *arg, const struct weir_flow *flow);
int weir_cli_module_dump(struct weir_cli_module *module, weir_cli_take_flow *take, void *arg);
int weir_cli_module_flush(struct weir_cli_module *module, uint64_t *moved, uint64_t *left);

#endif

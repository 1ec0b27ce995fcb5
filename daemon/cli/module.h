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

struct weir_cli_setting {
	uint16_t attribute; /* WEIR_A_* */
	uint8_t bytes;	    /* 1 or 4 */
	uint32_t value;
};
/* One call of @take with every setting. */
typedef void weir_cli_take_setting(void *arg, const struct weir_cli_setting *setting);
int weir_cli_module_get_config(struct weir_cli_module *module, weir_cli_take_setting *take,
			       void *arg);
int weir_cli_module_set_config(struct weir_cli_module *module,
			       const struct weir_cli_setting *settings, unsigned count);

typedef void weir_cli_take_flow(void *arg, const struct weir_flow *flow);
int weir_cli_module_dump(struct weir_cli_module *module, weir_cli_take_flow *take, void *arg);
int weir_cli_module_flush(struct weir_cli_module *module, uint64_t *moved, uint64_t *left);

/* The name of a setting's attribute ("active-timeout"), as set and get use it; NULL: unknown. */
const char *weir_cli_module_setting_name(uint16_t attribute);

#endif

// SPDX-License-Identifier: GPL-2.0
/* weir.ko - meters packets into flow records and streams them over netlink */

#include <linux/init.h>
#include <linux/module.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "meter.h"
#include "net.h"
#include "netlink.h"
#include "version.h"

static bool autostart = true;
static struct weir_defaults defaults = {
	.active_timeout_ms = 60000,
	.idle_timeout_ms = 15000,
	.fin_timeout_ms = 2000,
};

module_param(autostart, bool, 0444);
MODULE_PARM_DESC(autostart, "meter the initial network namespace from the start (default: 1)");
module_param_named(table_flows, defaults.table_flows, uint, 0444);
MODULE_PARM_DESC(table_flows, "flows a CPU's table holds (default: 0, by the size of the machine)");
module_param_named(log_batches, defaults.log_batches, uint, 0444);
MODULE_PARM_DESC(log_batches, "batches a CPU's log holds (default: 0, by the size of the machine)");
module_param_named(active_timeout_ms, defaults.active_timeout_ms, uint, 0444);
MODULE_PARM_DESC(active_timeout_ms, "a flow that goes on is reported this often (default: 60000)");
module_param_named(idle_timeout_ms, defaults.idle_timeout_ms, uint, 0444);
MODULE_PARM_DESC(idle_timeout_ms, "a flow without packets ends after this (default: 15000)");
module_param_named(fin_timeout_ms, defaults.fin_timeout_ms, uint, 0444);
MODULE_PARM_DESC(fin_timeout_ms, "the same after FIN or RST (default: 2000)");

/* Return: 0 or why the initial namespace could not be metered. Says what it holds. */
static int start_initial(void)
{
	struct weir_net *wn = weir_net_get(&init_net);
	struct weir_meter *m;
	int err;

	if (!autostart) {
		pr_info("version %s, not metering (autostart=0)\n", WEIR_VERSION);
		return 0;
	}
	mutex_lock(&wn->lock);
	err = weir_net_start(wn, NULL);
	mutex_unlock(&wn->lock);
	m = err ? NULL : weir_meter_get(wn);
	if (!m)
		return err;
	pr_info("version %s, %u CPUs with %u flows and %u batches each, %llu KiB\n", WEIR_VERSION,
		m->ncpus, m->table_flows, m->log_batches, weir_meter_memory(m) >> 10);
	weir_meter_put(m);
	return 0;
}

static int __init weir_init(void)
{
	int err;

	err = weir_net_register(&defaults);
	if (err)
		return err;
	err = weir_netlink_register();
	if (err)
		goto unregister_net;
	err = start_initial();
	if (err)
		goto unregister_netlink;
	return 0;

unregister_netlink:
	weir_net_stop_all();
	weir_netlink_unregister();
unregister_net:
	weir_net_unregister();
	pr_err("not loaded: error %d\n", err);
	return err;
}

static void __exit weir_exit(void)
{
	weir_net_stop_all();	/* owners can still acknowledge while it does */
	weir_netlink_unregister();
	weir_net_unregister();
	pr_info("unloaded\n");
}

module_init(weir_init);
module_exit(weir_exit);

MODULE_DESCRIPTION("Flow meter: packets into flow records (RFC 5470), over generic netlink");
MODULE_AUTHOR("The weir developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(WEIR_VERSION);
MODULE_ALIAS_GENL_FAMILY(WEIR_GENL_NAME);

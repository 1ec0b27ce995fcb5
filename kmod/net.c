// SPDX-License-Identifier: GPL-2.0
/*
 * net - metering in one network namespace: switched on, configured, switched off
 *
 * CPUs. Every CPU that is online when metering starts gets a table and a log.
 * One that comes online later works from its first packet on by sharing the
 * table of another, under that one's lock (by_cpu[]); memory stays what it was
 * said to be, and the CPU gets its own when metering is next switched on. A
 * CPU that goes offline leaves its table behind, and expiry empties it from elsewhere.
 * So no hotplug callback is needed, and none can race with a packet.
 *
 * Switching off, in this order: hooks, grace period, expiry, table to log, log
 * to owner, END, references, memory. Everything but the last two steps happens
 * while the instance can still be found, so that acknowledgments and
 * statistics work to the end.
 */

#include <linux/cpumask.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/ktime.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "cover.h"
#include "expire.h"
#include "export.h"
#include "fragments.h"
#include "hooks.h"
#include "meter.h"
#include "net.h"
#include "netlink.h"
#include "ports.h"
#include "resize.h"

enum {
	/* What a CPU gets on a machine with memory to spare: 12.5 and 8 MiB. */
	AUTO_TABLE_FLOWS = 65536,
	AUTO_LOG_BATCHES = 256,
	AUTO_TABLE_FLOWS_MIN = 1024,
	AUTO_LOG_BATCHES_MIN = 16,
	AUTO_SHARE = 32,	/* of RAM, for all CPUs */
};

struct workqueue_struct *weir_wq;
struct workqueue_struct *weir_percpu_wq;

static struct weir_config initial;
static unsigned int net_id __read_mostly;

static LIST_HEAD(nets);
static DEFINE_MUTEX(nets_lock);
static bool exiting;		/* under every weir_net's lock: read; nets_lock: written */

struct weir_net *weir_net_get(struct net *net)
{
	return net_generic(net, net_id);
}

struct net *weir_net_of(const struct weir_net *wn)
{
	return wn->net;
}

static u64 cpu_memory(const struct weir_config *config)
{
	return sizeof(struct weir_cpu) + weir_cache_memory(config->table_flows) +
	       weir_log_memory(config->log_batches) + weir_fragments_memory();
}

u64 weir_meter_memory(struct weir_meter *m)
{
	u64 bytes = m->memory;
	u32 i;

	for (i = 0; i < m->ncpus; i++) {
		spin_lock_bh(&m->cpus[i]->lock);
		bytes += weir_cache_memory(weir_cache_sets(m->cpus[i]) * WEIR_WAYS);
		spin_unlock_bh(&m->cpus[i]->lock);
	}
	return bytes;
}

struct weir_meter *weir_meter_get(struct weir_net *wn)
{
	struct weir_meter *m;

	rcu_read_lock();
	m = rcu_dereference(wn->meter);
	if (m && !refcount_inc_not_zero(&m->refs))
		m = NULL;
	rcu_read_unlock();
	return m;
}

void weir_meter_put(struct weir_meter *m)
{
	if (refcount_dec_and_test(&m->refs))
		complete(&m->unused);
}

static void cpu_free(struct weir_cpu *c)
{
	if (!c)
		return;
	weir_fragments_destroy(c);
	weir_log_destroy(&c->log);
	weir_cache_destroy(&c->old);
	weir_cache_destroy(&c->table);
	kfree(c);
}

static struct weir_cpu *cpu_alloc(struct weir_meter *m, u32 cpu)
{
	const int node = cpu_to_node(cpu);
	struct weir_cpu *c;

	c = kzalloc_node(sizeof(*c), GFP_KERNEL, node);
	if (!c)
		return NULL;
	spin_lock_init(&c->lock);
	c->cpu = cpu;
	c->meter = m;
	get_random_bytes(&c->sampler.random, sizeof(c->sampler.random));
	weir_expire_init_cpu(c);
	if (weir_cache_init(&c->table, m->table_flows, node))
		goto free_cpu;
	if (weir_log_init(&c->log, m->log_batches, node))
		goto free_cpu;
	if (weir_fragments_init(c, node))
		goto free_cpu;
	return c;

free_cpu:
	cpu_free(c);
	return NULL;
}

static void meter_free(struct weir_meter *m)
{
	u32 i;

	for (i = 0; m->cpus && i < m->ncpus; i++)
		cpu_free(m->cpus[i]);
	kvfree(m->by_cpu);
	kvfree(m->cpus);
	kfree(m);
}

/* A table for every CPU online now; CPUs without one share, evenly spread. */
static int meter_map(struct weir_meter *m)
{
	unsigned int cpu;
	u32 n = 0;

	for_each_possible_cpu(cpu) {
		bool online = cpu_online(cpu) && n < m->ncpus;

		if (!online)
			continue;
		m->cpus[n] = cpu_alloc(m, cpu);
		if (!m->cpus[n])
			return -ENOMEM;
		m->by_cpu[cpu] = m->cpus[n++];
		cond_resched();
	}
	m->ncpus = n;	/* fewer, when some went offline meanwhile */
	for_each_possible_cpu(cpu)
		if (!m->by_cpu[cpu])
			m->by_cpu[cpu] = m->cpus[cpu % n];
	return 0;
}

static struct weir_meter *meter_alloc(struct weir_net *wn)
{
	struct weir_meter *m = kzalloc(sizeof(*m), GFP_KERNEL);

	if (!m)
		return NULL;
	m->wn = wn;
	m->ncpus = num_online_cpus();
	m->table_flows = wn->config.table_flows;
	m->log_batches = wn->config.log_batches;
	m->memory = sizeof(*m) + m->ncpus * (cpu_memory(&wn->config) -
					     weir_cache_memory(m->table_flows));
	mutex_init(&m->resize_lock);
	refcount_set(&m->refs, 1);
	init_completion(&m->unused);
	get_random_bytes(&m->hash_key, sizeof(m->hash_key));
	do {
		get_random_bytes(&m->instance, sizeof(m->instance));
	} while (!m->instance);
	m->started_ns = ktime_get_ns();
	weir_expire_init(m);

	m->cpus = kvcalloc(m->ncpus, sizeof(*m->cpus), GFP_KERNEL);
	m->by_cpu = kvcalloc(nr_cpu_ids, sizeof(*m->by_cpu), GFP_KERNEL);
	if (!m->cpus || !m->by_cpu || meter_map(m)) {
		meter_free(m);
		return NULL;
	}
	return m;
}

/* Asking vmalloc for what is not there would set the OOM killer on others. */
static bool fits_memory(const struct weir_config *config)
{
	u64 bytes = num_online_cpus() * cpu_memory(config);

	return bytes >> PAGE_SHIFT < si_mem_available() / 2;
}

void weir_net_apply_timeouts(struct weir_net *wn)
{
	struct weir_meter *m = rcu_dereference_protected(wn->meter, lockdep_is_held(&wn->lock));

	if (!m)
		return;
	WRITE_ONCE(m->active_ns, (u64)wn->config.active_timeout_ms * NSEC_PER_MSEC);
	WRITE_ONCE(m->idle_ns, (u64)wn->config.idle_timeout_ms * NSEC_PER_MSEC);
	WRITE_ONCE(m->fin_ns, (u64)wn->config.fin_timeout_ms * NSEC_PER_MSEC);
}

int weir_net_apply_modes(struct weir_net *wn, const struct weir_config *before,
			 struct netlink_ext_ack *extack)
{
	struct weir_meter *m = rcu_dereference_protected(wn->meter, lockdep_is_held(&wn->lock));
	int err;

	if (!m)
		return 0;
	err = weir_hooks_change(m->watch, &wn->config, extack);
	if (err || !net_eq(wn->net, &init_net))
		return err;
	err = weir_cover_apply(m, &wn->config, extack);
	if (err)
		weir_hooks_change(m->watch, before, NULL);
	return err;
}

/* Hooks in the namespace, and in those it covers. */
static int watch(struct weir_net *wn, struct weir_meter *m, struct netlink_ext_ack *extack)
{
	int err;

	weir_cover_leave(&wn->cover);
	m->watch = weir_hooks_start(wn->net, m, 0, &wn->config, extack);
	if (IS_ERR(m->watch)) {
		err = PTR_ERR(m->watch);
		goto uncovered;
	}
	if (!net_eq(wn->net, &init_net))
		return 0;
	err = weir_cover_apply(m, &wn->config, extack);
	if (!err)
		return 0;
	weir_hooks_stop(m->watch);
	synchronize_rcu();	/* packets inside the hooks */
	weir_hooks_free(m->watch);
uncovered:
	weir_cover_return(&wn->cover);
	return err;
}

void weir_net_apply_sampling(struct weir_net *wn)
{
	struct weir_meter *m = rcu_dereference_protected(wn->meter, lockdep_is_held(&wn->lock));
	u32 i;

	for (i = 0; m && i < m->ncpus; i++) {
		struct weir_cpu *c = m->cpus[i];

		spin_lock_bh(&c->lock);
		weir_sampler_set(&c->sampler, wn->config.sampling, wn->config.sampling_method);
		spin_unlock_bh(&c->lock);
	}
}

struct weir_table *weir_net_prepare_tables(struct weir_net *wn, u32 flows,
					   struct netlink_ext_ack *extack)
{
	struct weir_meter *m = rcu_dereference_protected(wn->meter, lockdep_is_held(&wn->lock));

	return weir_resize_prepare(m, flows, extack);
}

void weir_net_apply_tables(struct weir_net *wn, struct weir_table *tables, bool use)
{
	struct weir_meter *m = rcu_dereference_protected(wn->meter, lockdep_is_held(&wn->lock));

	if (use)
		weir_resize_commit(m, tables, wn->config.table_flows);
	else
		weir_resize_abort(m, tables);
}

void weir_net_follow(struct weir_net *wn)
{
	struct weir_meter *m;

	/* who holds it may be waiting for the tick to end */
	if (!mutex_trylock(&wn->lock))
		return;
	m = rcu_dereference_protected(wn->meter, lockdep_is_held(&wn->lock));
	if (m) {
		weir_nat_follow(m->watch);
		if (net_eq(wn->net, &init_net))
			weir_cover_follow_nat();
	}
	mutex_unlock(&wn->lock);
}

int weir_net_start(struct weir_net *wn, struct netlink_ext_ack *extack)
{
	struct weir_meter *m;
	int err = -ENOMEM;

	if (rcu_access_pointer(wn->meter))
		return 0;
	if (READ_ONCE(exiting)) {
		NL_SET_ERR_MSG_MOD(extack, "the module is being unloaded");
		return -ENODEV;
	}
	if (!fits_memory(&wn->config)) {
		NL_SET_ERR_MSG_MOD(extack,
				   "tables and logs of this size need over half of the free memory");
		return -ENOMEM;
	}
	m = meter_alloc(wn);
	if (!m) {
		NL_SET_ERR_MSG_MOD(extack, "no memory for tables and logs of this size");
		return -ENOMEM;
	}
	err = weir_export_init(m);
	if (err) {
		NL_SET_ERR_MSG_MOD(extack, "no memory for the stream");
		goto free_meter;
	}

	/* Settings before the first packet, packets before anyone can ask. */
	rcu_assign_pointer(wn->meter, m);
	weir_net_apply_timeouts(wn);
	weir_net_apply_sampling(wn);
	err = watch(wn, m, extack);
	if (err)
		goto unpublish;
	weir_expire_start(m);
	weir_net_notice(wn, WEIR_NOTICE_STARTED, m->instance);
	return 0;

unpublish:
	RCU_INIT_POINTER(wn->meter, NULL);
	weir_meter_put(m);
	synchronize_rcu();	/* pairs with the read side of weir_meter_get() */
	weir_expire_stop(m);	/* packets may have queued work */
	wait_for_completion(&m->unused);
	weir_export_destroy(m);
free_meter:
	meter_free(m);
	return err;
}

static void keep_last_ledger(struct weir_net *wn, struct weir_meter *m)
{
	u32 i;

	memset(&wn->last_ledger, 0, sizeof(wn->last_ledger));
	for (i = 0; i < m->ncpus; i++)
		weir_ledger_add(&wn->last_ledger, &m->cpus[i]->ledger);
	wn->last_instance = m->instance;
}

/* The rest of switching off, a grace period after the hooks went. */
static void meter_finish(struct weir_net *wn, struct weir_meter *m)
{
	const u64 instance = m->instance;

	weir_hooks_free(m->watch);
	weir_expire_stop(m);
	weir_export_finish(m);

	RCU_INIT_POINTER(wn->meter, NULL);
	synchronize_rcu();	/* pairs with the read side of weir_meter_get() */
	weir_meter_put(m);
	wait_for_completion(&m->unused);
	weir_export_destroy(m);
	keep_last_ledger(wn, m);
	meter_free(m);
	weir_net_notice(wn, WEIR_NOTICE_STOPPED, instance);
}

void weir_net_stop(struct weir_net *wn)
{
	struct weir_meter *m = rcu_dereference_protected(wn->meter, lockdep_is_held(&wn->lock));

	if (!m)
		return;
	if (net_eq(wn->net, &init_net))
		weir_cover_end();
	weir_hooks_stop(m->watch);
	synchronize_rcu();	/* packets inside the hooks */
	weir_cover_return(&wn->cover);
	meter_finish(wn, m);
}

void weir_net_stop_all(void)
{
	struct weir_net *wn;

	mutex_lock(&nets_lock);
	WRITE_ONCE(exiting, true);
	list_for_each_entry(wn, &nets, list) {
		mutex_lock(&wn->lock);
		weir_net_stop(wn);
		mutex_unlock(&wn->lock);
	}
	mutex_unlock(&nets_lock);
}

void weir_net_notice(struct weir_net *wn, enum weir_notice notice, u64 instance)
{
	const u64 now = ktime_get_ns();
	bool due;

	spin_lock_bh(&wn->notice_lock);
	due = !wn->noticed_ns[notice] || now - wn->noticed_ns[notice] >= NSEC_PER_SEC;
	if (due)
		wn->noticed_ns[notice] = now;
	spin_unlock_bh(&wn->notice_lock);
	if (due)
		weir_netlink_notice(wn->net, notice, instance);
}

static int __net_init net_init(struct net *net)
{
	struct weir_net *wn = weir_net_get(net);

	mutex_init(&wn->lock);
	spin_lock_init(&wn->notice_lock);
	wn->net = net;
	wn->config = initial;
	mutex_lock(&nets_lock);
	list_add_tail(&wn->list, &nets);
	mutex_unlock(&nets_lock);
	weir_cover_init(&wn->cover, net);
	return 0;
}

/* No process is left in the namespace, so no netlink request either. */
static void __net_exit net_pre_exit(struct net *net)
{
	struct weir_net *wn = weir_net_get(net);
	struct weir_meter *m;

	mutex_lock(&nets_lock);
	list_del(&wn->list);
	mutex_unlock(&nets_lock);

	weir_cover_exit(&wn->cover);
	mutex_lock(&wn->lock);
	m = rcu_dereference_protected(wn->meter, lockdep_is_held(&wn->lock));
	if (m)
		weir_hooks_stop(m->watch);
	mutex_unlock(&wn->lock);
}

/* The core has waited for a grace period since net_pre_exit(). */
static void __net_exit net_exit(struct net *net)
{
	struct weir_net *wn = weir_net_get(net);
	struct weir_meter *m;

	weir_cover_free(&wn->cover);
	mutex_lock(&wn->lock);
	m = rcu_dereference_protected(wn->meter, lockdep_is_held(&wn->lock));
	if (m)
		meter_finish(wn, m);
	mutex_unlock(&wn->lock);
	mutex_destroy(&wn->lock);
}

static struct pernet_operations net_ops = {
	.init = net_init,
	.pre_exit = net_pre_exit,
	.exit = net_exit,
	.id = &net_id,
	.size = sizeof(struct weir_net),
};

/* Defaults for this machine: generous, but a small share of its memory. */
static void choose_sizes(const struct weir_defaults *d)
{
	const u64 pages = totalram_pages() / AUTO_SHARE / num_online_cpus();
	bool cut;

	initial.table_flows = d->table_flows ? roundup_pow_of_two(d->table_flows)
					     : AUTO_TABLE_FLOWS;
	initial.log_batches = d->log_batches ? roundup_pow_of_two(d->log_batches)
					     : AUTO_LOG_BATCHES;
	do {
		cut = false;
		if (cpu_memory(&initial) >> PAGE_SHIFT <= pages)
			break;
		if (!d->table_flows && initial.table_flows > AUTO_TABLE_FLOWS_MIN) {
			initial.table_flows /= 2;
			cut = true;
		}
		if (!d->log_batches && initial.log_batches > AUTO_LOG_BATCHES_MIN) {
			initial.log_batches /= 2;
			cut = true;
		}
	} while (cut);
}

static bool refuse(const char *name, unsigned int value, unsigned int min, unsigned int max)
{
	if (value >= min && value <= max)
		return false;
	pr_err("parameter %s=%u: must be between %u and %u\n", name, value, min, max);
	return true;
}

static int check_defaults(const struct weir_defaults *d)
{
	if ((d->table_flows &&
	     refuse("table_flows", d->table_flows, WEIR_TABLE_FLOWS_MIN, WEIR_TABLE_FLOWS_MAX)) ||
	    (d->log_batches &&
	     refuse("log_batches", d->log_batches, WEIR_LOG_BATCHES_MIN, WEIR_LOG_BATCHES_MAX)) ||
	    refuse("active_timeout_ms", d->active_timeout_ms, WEIR_TIMEOUT_MS_MIN,
		   WEIR_TIMEOUT_MS_MAX) ||
	    refuse("idle_timeout_ms", d->idle_timeout_ms, WEIR_TIMEOUT_MS_MIN,
		   WEIR_TIMEOUT_MS_MAX) ||
	    refuse("fin_timeout_ms", d->fin_timeout_ms, WEIR_TIMEOUT_MS_MIN,
		   WEIR_TIMEOUT_MS_MAX))
		return -EINVAL;
	return 0;
}

int weir_net_register(const struct weir_defaults *defaults)
{
	int err = check_defaults(defaults);

	if (err)
		return err;
	initial.active_timeout_ms = defaults->active_timeout_ms;
	initial.idle_timeout_ms = defaults->idle_timeout_ms;
	initial.fin_timeout_ms = defaults->fin_timeout_ms;
	initial.modes = 1 << WEIR_MODE_ROUTED;
	choose_sizes(defaults);

	weir_wq = alloc_workqueue("weir", WQ_UNBOUND, 0);
	if (!weir_wq)
		return -ENOMEM;
	weir_percpu_wq = alloc_workqueue("weir_percpu", WEIR_WQ_PERCPU, 0);
	err = -ENOMEM;
	if (!weir_percpu_wq)
		goto destroy_wq;
	err = weir_export_register();
	if (err)
		goto destroy_percpu_wq;
	err = register_pernet_subsys(&net_ops);
	if (err)
		goto unregister_export;
	err = weir_ports_register();
	if (err)
		goto unregister_pernet;
	return 0;

unregister_pernet:
	unregister_pernet_subsys(&net_ops);
unregister_export:
	weir_export_unregister();
destroy_percpu_wq:
	destroy_workqueue(weir_percpu_wq);
destroy_wq:
	destroy_workqueue(weir_wq);
	return err;
}

void weir_net_unregister(void)
{
	weir_ports_unregister();
	unregister_pernet_subsys(&net_ops);
	weir_export_unregister();
	destroy_workqueue(weir_percpu_wq);
	destroy_workqueue(weir_wq);
	rcu_barrier();
}

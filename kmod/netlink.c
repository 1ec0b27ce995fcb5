// SPDX-License-Identifier: GPL-2.0
/*
 * netlink - the generic netlink family "weir" (see uapi/weir.h)
 *
 * The family runs its operations in parallel: what needs a lock takes that of
 * the namespace (configuration) or of the stream. Requests on a running
 * instance hold a reference to it; so they work until it is gone, and then say
 * ENETDOWN. Dumps are in dump.c.
 */

#include <linux/log2.h>
#include <linux/stringify.h>
#include <linux/ktime.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "dump.h"
#include "expire.h"
#include "export.h"
#include "hooks.h"
#include "meter.h"
#include "net.h"
#include "netlink.h"
#include "version.h"

static struct genl_family family;

enum { GROUP_NOTICES };

static const struct genl_multicast_group groups[] = {
	[GROUP_NOTICES] = {
		.name = WEIR_GENL_NOTICES,
#ifdef GENL_MCAST_CAP_NET_ADMIN
		.flags = GENL_MCAST_CAP_NET_ADMIN,
#endif
	},
};

/* Return: the instance, to be put back; NULL with a sentence when off. */
static struct weir_meter *running(struct genl_info *info)
{
	struct weir_meter *m = weir_meter_get(weir_net_get(genl_info_net(info)));

	if (!m)
		NL_SET_ERR_MSG_MOD(info->extack,
				   "metering is off here; SET_CONFIG with ENABLED = 1 starts it");
	return m;
}

static int put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, WEIR_A_PAD);
}

/* An empty reply to @info, its header in *hdr. */
static struct sk_buff *reply_new(struct genl_info *info, u8 cmd, void **hdr)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);

	if (!skb)
		return NULL;
	*hdr = genlmsg_put_reply(skb, info, &family, 0, cmd);
	if (!*hdr) {
		nlmsg_free(skb);
		return NULL;
	}
	return skb;
}

static int reply_send(struct sk_buff *skb, void *hdr, struct genl_info *info)
{
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}

int weir_netlink_put_ledger(struct sk_buff *skb, const struct weir_ledger *l)
{
	if (nla_put(skb, WEIR_A_SEEN, sizeof(l->seen), &l->seen) ||
	    nla_put(skb, WEIR_A_TABLE, sizeof(l->table), &l->table) ||
	    nla_put(skb, WEIR_A_PENDING, sizeof(l->pending), &l->pending) ||
	    nla_put(skb, WEIR_A_ACKED, sizeof(l->acked), &l->acked) ||
	    nla_put(skb, WEIR_A_LOST, sizeof(l->lost), l->lost) ||
	    nla_put(skb, WEIR_A_SKIPPED, sizeof(l->skipped), l->skipped) ||
	    nla_put(skb, WEIR_A_COUNTERS, sizeof(l->counters), l->counters))
		return -EMSGSIZE;
	return 0;
}

void *weir_netlink_put_header(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd)
{
	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &family,
			   NLM_F_MULTI, cmd);
}

static int put_running(struct sk_buff *skb, struct weir_meter *m)
{
	struct weir_ledger sum = { };
	struct weir_stream_state stream;
	u32 i;

	for (i = 0; i < m->ncpus; i++) {
		struct weir_cpu *c = m->cpus[i];

		spin_lock_bh(&c->lock);
		weir_ledger_add(&sum, &c->ledger);
		spin_unlock_bh(&c->lock);
	}
	weir_export_state(m, &stream);
	if (put_u64(skb, WEIR_A_INSTANCE, m->instance) ||
	    weir_netlink_put_ledger(skb, &sum) ||
	    put_u64(skb, WEIR_A_SEQ, stream.last_seq) ||
	    put_u64(skb, WEIR_A_ACKED_SEQ, stream.acked_seq) ||
	    nla_put(skb, WEIR_A_NUMBERED, sizeof(stream.numbered), &stream.numbered) ||
	    nla_put_u32(skb, WEIR_A_OWNER, stream.owner) ||
	    put_u64(skb, WEIR_A_MEMORY, weir_meter_memory(m)) ||
	    nla_put_u32(skb, WEIR_A_TABLE_FLOWS, READ_ONCE(m->table_flows) * m->ncpus) ||
	    nla_put_u32(skb, WEIR_A_LOG_BATCHES, m->log_batches * m->ncpus) ||
	    nla_put_u32(skb, WEIR_A_CPUS, m->ncpus) ||
	    put_u64(skb, WEIR_A_UPTIME_NS, ktime_get_ns() - m->started_ns))
		return -EMSGSIZE;
	return 0;
}

/* Metering is off: the ledger with which the last instance ended. */
static int put_last(struct sk_buff *skb, struct weir_net *wn)
{
	int err;

	mutex_lock(&wn->lock);
	err = put_u64(skb, WEIR_A_INSTANCE, wn->last_instance) ||
	      weir_netlink_put_ledger(skb, &wn->last_ledger) ||
	      put_u64(skb, WEIR_A_MEMORY, 0) ||
	      nla_put_u32(skb, WEIR_A_CPUS, 0) ? -EMSGSIZE : 0;
	mutex_unlock(&wn->lock);
	return err;
}

static int get_stats(struct sk_buff *request, struct genl_info *info)
{
	struct net *net = genl_info_net(info);
	struct weir_net *wn = weir_net_get(net);
	struct weir_meter *m;
	struct sk_buff *skb;
	void *hdr;
	int err;

	skb = reply_new(info, WEIR_CMD_GET_STATS, &hdr);
	if (!skb)
		return -ENOMEM;
	m = weir_meter_get(wn);
	err = m ? put_running(skb, m) : put_last(skb, wn);
	if (err ||
	    nla_put_u8(skb, WEIR_A_ENABLED, !!m) ||
	    nla_put_s64(skb, WEIR_A_CLOCK_OFFSET_NS, ktime_to_ns(ktime_mono_to_real(0)),
			WEIR_A_PAD) ||
	    nla_put_u32(skb, WEIR_A_NETNS, net->ns.inum) ||
	    nla_put_string(skb, WEIR_A_VERSION, WEIR_VERSION))
		err = -EMSGSIZE;
	if (m)
		weir_meter_put(m);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	return reply_send(skb, hdr, info);
}

static int get_config(struct sk_buff *request, struct genl_info *info)
{
	struct weir_net *wn = weir_net_get(genl_info_net(info));
	struct weir_config config;
	struct sk_buff *skb;
	bool enabled;
	void *hdr;

	mutex_lock(&wn->lock);
	config = wn->config;
	enabled = rcu_access_pointer(wn->meter);
	mutex_unlock(&wn->lock);

	skb = reply_new(info, WEIR_CMD_GET_CONFIG, &hdr);
	if (!skb)
		return -ENOMEM;
	if (nla_put_u8(skb, WEIR_A_ENABLED, enabled) ||
	    nla_put_u32(skb, WEIR_A_MODES, config.modes) ||
	    nla_put_u32(skb, WEIR_A_LOOK_INSIDE, config.look_inside) ||
	    nla_put_string(skb, WEIR_A_INTERFACES, config.interfaces) ||
	    nla_put_u32(skb, WEIR_A_ACTIVE_TIMEOUT_MS, config.active_timeout_ms) ||
	    nla_put_u32(skb, WEIR_A_IDLE_TIMEOUT_MS, config.idle_timeout_ms) ||
	    nla_put_u32(skb, WEIR_A_FIN_TIMEOUT_MS, config.fin_timeout_ms) ||
	    nla_put_u32(skb, WEIR_A_TABLE_FLOWS, config.table_flows) ||
	    nla_put_u32(skb, WEIR_A_LOG_BATCHES, config.log_batches) ||
	    nla_put_u32(skb, WEIR_A_SAMPLING, config.sampling) ||
	    nla_put_u32(skb, WEIR_A_SAMPLING_METHOD, config.sampling_method) ||
	    nla_put_u8(skb, WEIR_A_COVER, config.cover)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	return reply_send(skb, hdr, info);
}

/* What SET_CONFIG takes as a number with bounds. */
static const struct setting {
	u32 attr;
	u32 min;
	u32 max;
	size_t offset;
	bool round;		/* up to a power of two */
	bool while_off;		/* changes only while metering is off */
	const char *range;
} settings[] = {
#define TIMEOUT(name, member)						\
	{								\
		.attr = (name),						\
		.min = WEIR_TIMEOUT_MS_MIN,				\
		.max = WEIR_TIMEOUT_MS_MAX,				\
		.offset = offsetof(struct weir_config, member),		\
		.range = "a timeout is 100 ms to 86400000 ms (a day)",	\
	}
	TIMEOUT(WEIR_A_ACTIVE_TIMEOUT_MS, active_timeout_ms),
	TIMEOUT(WEIR_A_IDLE_TIMEOUT_MS, idle_timeout_ms),
	TIMEOUT(WEIR_A_FIN_TIMEOUT_MS, fin_timeout_ms),
	{
		.attr = WEIR_A_TABLE_FLOWS,
		.min = WEIR_TABLE_FLOWS_MIN,
		.max = WEIR_TABLE_FLOWS_MAX,
		.offset = offsetof(struct weir_config, table_flows),
		.round = true,
		.range = "TABLE_FLOWS is 64 to 16777216 per CPU",
	},
	{
		.attr = WEIR_A_LOG_BATCHES,
		.min = WEIR_LOG_BATCHES_MIN,
		.max = WEIR_LOG_BATCHES_MAX,
		.offset = offsetof(struct weir_config, log_batches),
		.round = true,
		.while_off = true,
		.range = "LOG_BATCHES is 2 to 65536 per CPU",
	},
	{
		.attr = WEIR_A_SAMPLING,
		.max = WEIR_SAMPLING_MAX,
		.offset = offsetof(struct weir_config, sampling),
		.range = "SAMPLING is one packet of so many, up to 16777216; 0 or 1: all",
	},
	{
		.attr = WEIR_A_SAMPLING_METHOD,
		.max = WEIR_SAMPLING_FLOWS,
		.offset = offsetof(struct weir_config, sampling_method),
		.range = "SAMPLING_METHOD is 0 (packets) or 1 (flows)",
	},
};

static int refuse(struct genl_info *info, u32 attr, const char *sentence, int err)
{
	if (info->extack) {
		info->extack->_msg = sentence;
		NL_SET_BAD_ATTR(info->extack, info->attrs[attr]);
	}
	return err;
}

static int read_modes(struct genl_info *info, struct weir_config *config)
{
	struct nlattr *modes = info->attrs[WEIR_A_MODES];
	struct nlattr *interfaces = info->attrs[WEIR_A_INTERFACES];
	int err;

	if (modes)
		config->modes = nla_get_u32(modes);
	if (interfaces && nla_len(interfaces) > sizeof(config->interfaces))
		return refuse(info, WEIR_A_INTERFACES, "INTERFACES is up to 255 bytes", -ERANGE);
	if (interfaces)
		strscpy(config->interfaces, nla_data(interfaces), sizeof(config->interfaces));
	if (!modes && !interfaces)
		return 0;
	err = weir_hooks_check(config, info->extack);
	if (err)
		NL_SET_BAD_ATTR(info->extack, modes ? modes : interfaces);
	return err;
}

static int read_cover(struct genl_info *info, struct weir_config *config)
{
	const struct nlattr *attr = info->attrs[WEIR_A_COVER];

	if (!attr)
		return 0;
	if (nla_get_u8(attr) > 1)
		return refuse(info, WEIR_A_COVER, "COVER is 0 or 1", -EINVAL);
	config->cover = nla_get_u8(attr);
	if (config->cover && !net_eq(genl_info_net(info), &init_net))
		return refuse(info, WEIR_A_COVER,
			      "only the initial network namespace covers others", -EINVAL);
	return 0;
}

/* Put what the request says into @config. @on: metering will be, or stay, on. */
static int read_config(struct genl_info *info, struct weir_config *config, bool on)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *s = &settings[i];
		u32 *at = (u32 *)((u8 *)config + s->offset);
		u32 value;

		if (!info->attrs[s->attr])
			continue;
		value = nla_get_u32(info->attrs[s->attr]);
		if (value < s->min || value > s->max)
			return refuse(info, s->attr, s->range, -ERANGE);
		if (s->round)
			value = roundup_pow_of_two(value);
		if (s->while_off && on && value != *at)
			return refuse(info, s->attr,
				      "LOG_BATCHES changes only while metering is off; send ENABLED = 0 first",
				      -EBUSY);
		*at = value;
	}
	if (info->attrs[WEIR_A_LOOK_INSIDE]) {
		config->look_inside = nla_get_u32(info->attrs[WEIR_A_LOOK_INSIDE]);
		if (config->look_inside & ~WEIR_LOOK_INSIDE_ALL)
			return refuse(info, WEIR_A_LOOK_INSIDE,
				      "LOOK_INSIDE has a bit that this version does not know",
				      -EINVAL);
	}
	err = read_modes(info, config);
	return err ? err : read_cover(info, config);
}

static int set_config(struct sk_buff *request, struct genl_info *info)
{
	struct weir_net *wn = weir_net_get(genl_info_net(info));
	struct nlattr *enabled = info->attrs[WEIR_A_ENABLED];
	struct weir_table *tables = NULL;
	struct weir_config before, config;
	int err = 0;
	bool on;

	if (enabled && nla_get_u8(enabled) > 1)
		return refuse(info, WEIR_A_ENABLED, "ENABLED is 0 or 1", -EINVAL);

	mutex_lock(&wn->lock);
	before = wn->config;
	config = before;
	on = rcu_access_pointer(wn->meter);
	err = read_config(info, &config, on && !(enabled && !nla_get_u8(enabled)));
	if (err)
		goto unlock;
	if (on && !(enabled && !nla_get_u8(enabled)) && config.table_flows != before.table_flows)
		tables = weir_net_prepare_tables(wn, config.table_flows, info->extack);
	if (IS_ERR(tables)) {
		NL_SET_BAD_ATTR(info->extack, info->attrs[WEIR_A_TABLE_FLOWS]);
		err = PTR_ERR(tables);
		goto unlock;
	}

	wn->config = config;
	if (enabled && !nla_get_u8(enabled))
		weir_net_stop(wn);
	else if (enabled && !on)
		err = weir_net_start(wn, info->extack);
	else
		err = weir_net_apply_modes(wn, &before, info->extack);
	if (err) {
		if (info->extack)
			NL_SET_BAD_ATTR(info->extack, on ? info->attrs[WEIR_A_MODES] : enabled);
		wn->config = before;
	}
	weir_net_apply_timeouts(wn);
	weir_net_apply_sampling(wn);
	if (tables)
		weir_net_apply_tables(wn, tables, !err);
unlock:
	mutex_unlock(&wn->lock);
	return err;
}

static int flush(struct sk_buff *request, struct genl_info *info)
{
	struct weir_meter *m = running(info);
	struct sk_buff *skb;
	u64 moved, left;
	void *hdr;
	int err;

	if (!m)
		return -ENETDOWN;
	skb = reply_new(info, WEIR_CMD_FLUSH, &hdr);
	if (!skb) {
		weir_meter_put(m);
		return -ENOMEM;
	}
	err = weir_export_flush(m, &moved, &left, info->extack);
	weir_meter_put(m);
	if (!err && (put_u64(skb, WEIR_A_MOVED, moved) || put_u64(skb, WEIR_A_LEFT, left)))
		err = -EMSGSIZE;
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	return reply_send(skb, hdr, info);
}

struct subscribing {
	struct genl_info *info;
	u64 instance;
};

static int reply_subscribed(void *arg, u64 first, u64 missing)
{
	const struct subscribing *sub = arg;
	struct sk_buff *skb;
	void *hdr;

	skb = reply_new(sub->info, WEIR_CMD_SUBSCRIBE, &hdr);
	if (!skb)
		return -ENOMEM;
	if (put_u64(skb, WEIR_A_INSTANCE, sub->instance) ||
	    put_u64(skb, WEIR_A_SEQ, first) ||
	    put_u64(skb, WEIR_A_MISSING, missing)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	return reply_send(skb, hdr, sub->info);
}

static u64 u64_or_0(const struct nlattr *attr)
{
	return attr ? nla_get_u64(attr) : 0;
}

static int subscribe(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct subscribing sub = { .info = info };
	u32 window = WEIR_WINDOW_DEFAULT;
	struct weir_meter *m;
	int err;

	if (attrs[WEIR_A_WINDOW])
		window = nla_get_u32(attrs[WEIR_A_WINDOW]);
	if (!window || window > WEIR_WINDOW_MAX)
		return refuse(info, WEIR_A_WINDOW, "WINDOW is 1 to 65536 batches", -ERANGE);
	m = running(info);
	if (!m)
		return -ENETDOWN;
	sub.instance = m->instance;
	err = weir_export_subscribe(m, info->snd_portid, u64_or_0(attrs[WEIR_A_INSTANCE]),
				    u64_or_0(attrs[WEIR_A_SEQ]), window, info->extack,
				    reply_subscribed, &sub);
	if (err == -ERANGE)
		NL_SET_BAD_ATTR(info->extack, attrs[WEIR_A_SEQ]);
	weir_meter_put(m);
	return err;
}

static int ack(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct weir_meter *m;
	int err;

	if (!attrs[WEIR_A_INSTANCE] || !attrs[WEIR_A_SEQ]) {
		NL_SET_ERR_MSG_MOD(info->extack, "ACK needs INSTANCE and SEQ");
		return -EINVAL;
	}
	m = running(info);
	if (!m)
		return -ENETDOWN;
	err = weir_export_ack(m, info->snd_portid, nla_get_u64(attrs[WEIR_A_INSTANCE]),
			      nla_get_u64(attrs[WEIR_A_SEQ]), info->extack);
	if (err == -ERANGE)
		NL_SET_BAD_ATTR(info->extack, attrs[WEIR_A_SEQ]);
	else if (err == -ESTALE)
		NL_SET_BAD_ATTR(info->extack, attrs[WEIR_A_INSTANCE]);
	weir_meter_put(m);
	return err;
}

/* A message that belongs to no request. */
static struct sk_buff *event_new(size_t payload, u8 cmd, void **hdr)
{
	struct sk_buff *skb = genlmsg_new(payload, GFP_KERNEL);

	if (!skb)
		return NULL;
	*hdr = genlmsg_put(skb, 0, 0, &family, 0, cmd);
	if (!*hdr) {
		nlmsg_free(skb);
		return NULL;
	}
	return skb;
}

struct sk_buff *weir_netlink_batch(u64 instance, u64 seq, u32 cpu, const struct weir_slot *slot)
{
	const u32 bytes = slot->count * slot->stride;
	struct sk_buff *skb;
	void *hdr;

	skb = event_new(nla_total_size_64bit(sizeof(u64)) +	/* INSTANCE */
			nla_total_size_64bit(sizeof(u64)) +	/* SEQ */
			nla_total_size(sizeof(u32)) +		/* CPU */
			nla_total_size_64bit(sizeof(s64)) +	/* CLOCK_OFFSET_NS */
			nla_total_size(sizeof(u32)) +		/* RECORD_SIZE */
			nla_total_size(sizeof(slot->numbered)) +	/* NUMBERED */
			nla_total_size(bytes),			/* RECORDS */
			WEIR_CMD_BATCH, &hdr);
	if (!skb)
		return NULL;
	if (put_u64(skb, WEIR_A_INSTANCE, instance) ||
	    put_u64(skb, WEIR_A_SEQ, seq) ||
	    nla_put_u32(skb, WEIR_A_CPU, cpu) ||
	    nla_put_s64(skb, WEIR_A_CLOCK_OFFSET_NS, slot->clock_offset_ns, WEIR_A_PAD) ||
	    nla_put_u32(skb, WEIR_A_RECORD_SIZE, slot->stride) ||
	    nla_put(skb, WEIR_A_NUMBERED, sizeof(slot->numbered), &slot->numbered) ||
	    nla_put(skb, WEIR_A_RECORDS, bytes, slot->records)) {
		WARN_ON_ONCE(1);
		nlmsg_free(skb);
		return NULL;
	}
	genlmsg_end(skb, hdr);
	return skb;
}

struct sk_buff *weir_netlink_end(u64 instance, u64 last_seq, const struct weir_totals *numbered,
				 const struct weir_totals *lost)
{
	struct sk_buff *skb;
	void *hdr;

	skb = event_new(NLMSG_GOODSIZE, WEIR_CMD_END, &hdr);
	if (!skb)
		return NULL;
	if (put_u64(skb, WEIR_A_INSTANCE, instance) ||
	    put_u64(skb, WEIR_A_SEQ, last_seq) ||
	    nla_put(skb, WEIR_A_NUMBERED, sizeof(*numbered), numbered) ||
	    nla_put(skb, WEIR_A_LOST, __WEIR_LOST_COUNT * sizeof(*lost), lost)) {
		nlmsg_free(skb);
		return NULL;
	}
	genlmsg_end(skb, hdr);
	return skb;
}

void weir_netlink_notice(struct net *net, enum weir_notice notice, u64 instance)
{
	struct sk_buff *skb;
	void *hdr;

	skb = event_new(nla_total_size(sizeof(u32)) +		/* NOTICE */
			nla_total_size_64bit(sizeof(u64)),	/* INSTANCE */
			WEIR_CMD_NOTICE, &hdr);
	if (!skb)
		return;
	if (nla_put_u32(skb, WEIR_A_NOTICE, notice) ||
	    put_u64(skb, WEIR_A_INSTANCE, instance)) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, hdr);
	genlmsg_multicast_netns(&family, net, skb, 0, GROUP_NOTICES, GFP_KERNEL);
}

static const struct nla_policy none[WEIR_A_MAX + 1] = { };

static const struct nla_policy config_policy[WEIR_A_MAX + 1] = {
	[WEIR_A_ENABLED] = { .type = NLA_U8 },
	[WEIR_A_COVER] = { .type = NLA_U8 },
	[WEIR_A_MODES] = { .type = NLA_U32 },
	[WEIR_A_LOOK_INSIDE] = { .type = NLA_U32 },
	[WEIR_A_INTERFACES] = { .type = NLA_NUL_STRING },
	[WEIR_A_ACTIVE_TIMEOUT_MS] = { .type = NLA_U32 },
	[WEIR_A_IDLE_TIMEOUT_MS] = { .type = NLA_U32 },
	[WEIR_A_FIN_TIMEOUT_MS] = { .type = NLA_U32 },
	[WEIR_A_TABLE_FLOWS] = { .type = NLA_U32 },
	[WEIR_A_LOG_BATCHES] = { .type = NLA_U32 },
	[WEIR_A_SAMPLING] = { .type = NLA_U32 },
	[WEIR_A_SAMPLING_METHOD] = { .type = NLA_U32 },
};

static const struct nla_policy stream_policy[WEIR_A_MAX + 1] = {
	[WEIR_A_PAD] = { .type = NLA_REJECT },
	[WEIR_A_INSTANCE] = { .type = NLA_U64 },
	[WEIR_A_SEQ] = { .type = NLA_U64 },
	[WEIR_A_WINDOW] = { .type = NLA_U32 },
};

#define OP(name, what, ...)			\
	{					\
		.cmd = (name),			\
		.flags = GENL_ADMIN_PERM,	\
		.policy = (what),		\
		.maxattr = WEIR_A_MAX,		\
		__VA_ARGS__			\
	}

static const struct genl_ops ops[] = {
	OP(WEIR_CMD_GET_STATS, none, .doit = get_stats, .start = weir_dump_start,
	   .dumpit = weir_dump_stats, .done = weir_dump_done),
	OP(WEIR_CMD_GET_CONFIG, none, .doit = get_config),
	OP(WEIR_CMD_SET_CONFIG, config_policy, .doit = set_config),
	OP(WEIR_CMD_DUMP_FLOWS, weir_dump_policy, .start = weir_dump_start,
	   .dumpit = weir_dump_flows, .done = weir_dump_done),
	OP(WEIR_CMD_FLUSH, none, .doit = flush),
	OP(WEIR_CMD_SUBSCRIBE, stream_policy, .doit = subscribe),
	OP(WEIR_CMD_ACK, stream_policy, .doit = ack),
	OP(WEIR_CMD_GET_INTERFACES, none, .dumpit = weir_interfaces_dump),
};

static struct genl_family family __ro_after_init = {
	.name = WEIR_GENL_NAME,
	.version = WEIR_GENL_VERSION,
	.maxattr = WEIR_A_MAX,
	.netnsok = true,
	.parallel_ops = true,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
#ifdef WEIR_HAVE_RESV_START_OP
	.resv_start_op = WEIR_CMD_GET_STATS,
#endif
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
	.module = THIS_MODULE,
};

int weir_netlink_parse(struct netlink_callback *cb, struct nlattr **attrs,
		       const struct nla_policy *policy)
{
	return genlmsg_parse(cb->nlh, &family, attrs, WEIR_A_MAX, policy, cb->extack);
}

int weir_netlink_register(void)
{
	return genl_register_family(&family);
}

void weir_netlink_unregister(void)
{
	genl_unregister_family(&family);
}

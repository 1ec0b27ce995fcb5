// SPDX-License-Identifier: GPL-2.0
/* stat.c - weir stat: the kernel's counters and its ledger. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/interfaces.h"
#include "daemon/cli/json.h"
#include "daemon/cli/module.h"
#include "daemon/common/clock.h"
#include "daemon/common/text.h"

static const char *const lost_words[__WEIR_LOST_COUNT] = {
	[WEIR_LOST_NO_ROOM] = "no room",
	[WEIR_LOST_DISCARDED] = "discarded",
};

static const struct {
	const char *word, *why;
} skips[__WEIR_SKIP_COUNT] = {
	[WEIR_SKIP_LOOPBACK] = {"loopback", "counted when this host sent it"},
	[WEIR_SKIP_LOOPED] = {"looped", "own multicast or broadcast coming back"},
	[WEIR_SKIP_L3MASTER] = {"l3master", "second pass, through a VRF device"},
	[WEIR_SKIP_BRIDGED] = {"bridged", "a bridge's frame, pushed here by br_netfilter"},
	[WEIR_SKIP_TRUNCATED] = {"truncated", "shorter than the IP header, or than that says"},
	[WEIR_SKIP_IPVS] = {"ipvs", "sent on by a virtual server, counted when it came"},
	[WEIR_SKIP_DAMAGED] = {"damaged", "the IP header contradicts itself"},
	[WEIR_SKIP_NOT_IP] = {"not ip", "a frame of another protocol"},
	[WEIR_SKIP_SAMPLED] = {"sampled", "not chosen by sampling"},
	[WEIR_SKIP_OTHER_MODE] = {"other mode", "for another hook to count, of the modes in force"},
	[WEIR_SKIP_FLOODED] = {"flooded", "one more copy of a frame that a bridge sends to many ports"},
};
_Static_assert(__WEIR_SKIP_COUNT == WEIR_SKIP_FLOODED + 1, "each has its row");

static const char *const counter_words[__WEIR_COUNTER_COUNT] = {
	[WEIR_COUNTER_CREATED] = "created",
	[WEIR_COUNTER_END_IDLE] = "idle timeout",
	[WEIR_COUNTER_END_ACTIVE] = "active timeout",
	[WEIR_COUNTER_END_DETECTED] = "end of connection",
	[WEIR_COUNTER_END_FORCED] = "flushed",
	[WEIR_COUNTER_EVICTED] = "evicted",
	[WEIR_COUNTER_BATCHES] = "batches",
	[WEIR_COUNTER_LOG_FULL] = "log full",
	[WEIR_COUNTER_SHORT_L4] = "short transport header",
	[WEIR_COUNTER_PARTIAL] = "partial",
};

struct stats {
	struct weir_cli_stats sum;
	struct weir_setting setting[WEIR_SETTINGS_MAX]; /* those the module told */
	unsigned settings;
	struct weir_cli_interfaces interfaces;
	struct weir_cli_stats *cpu;
	unsigned cpus;
	bool out_of_memory;
};

static void take_sum(void *arg, const struct weir_cli_stats *stats)
{
	struct stats *s = arg;

	s->sum = *stats;
}

static void take_cpu(void *arg, const struct weir_cli_stats *stats)
{
	struct stats *s = arg;
	struct weir_cli_stats *cpu = realloc(s->cpu, (s->cpus + 1) * sizeof(*cpu));

	if (!cpu) {
		s->out_of_memory = true;
		return;
	}
	s->cpu = cpu;
	s->cpu[s->cpus++] = *stats;
}

static void take_setting(void *arg, const struct weir_setting *setting)
{
	struct stats *s = arg;

	if (s->settings < WEIR_SETTINGS_MAX)
		s->setting[s->settings++] = *setting;
}

static const struct weir_setting *setting_of(const struct stats *s, uint16_t attribute)
{
	static const struct weir_setting none;

	for (unsigned i = 0; i < s->settings; i++) {
		if (s->setting[i].attribute == attribute)
			return &s->setting[i];
	}
	return &none;
}

/* Words with blanks behind the commas, as a sentence has them. */
static void print_words(const struct weir_setting *setting)
{
	char text[WEIR_SETTING_TEXT];

	weir_setting_text(weir_setting_of(setting->attribute), setting, text, sizeof(text));
	for (const char *c = text; *c; c++)
		printf(*c == ',' ? "%c " : "%c", *c);
}

/* What the module does beyond the usual. */
static void print_modes(const struct stats *s)
{
	const struct weir_setting *modes = setting_of(s, WEIR_A_MODES);
	const struct weir_setting *interfaces = setting_of(s, WEIR_A_INTERFACES);
	const struct weir_setting *inside = setting_of(s, WEIR_A_LOOK_INSIDE);
	const struct weir_setting *sampling = setting_of(s, WEIR_A_SAMPLING);
	uint32_t method = setting_of(s, WEIR_A_SAMPLING_METHOD)->value;

	if (!modes->attribute)
		return;
	printf("  modes   ");
	print_words(modes);
	if (modes->value & 1U << WEIR_MODE_NETDEV)
		printf(" (of %s)", interfaces->text[0] ? interfaces->text : "no interface");
	if (inside->value) {
		printf("; looks inside ");
		print_words(inside);
	}
	if (sampling->value > 1)
		printf(method == WEIR_SAMPLING_FLOWS ? "; one flow of %u" : "; one packet of %u",
		       sampling->value);
	if (setting_of(s, WEIR_A_COVER)->value)
		printf("; covers all namespaces");
	putchar('\n');
}

/* table + pending + acknowledged + lost */
static struct weir_totals right_side(const struct weir_cli_stats *s)
{
	struct weir_totals right = s->table;

	weir_totals_add(&right, &s->pending);
	weir_totals_add(&right, &s->acked);
	for (unsigned i = 0; i < __WEIR_LOST_COUNT; i++)
		weir_totals_add(&right, &s->lost[i]);
	return right;
}

/* The ledger promises packets and bytes; flows of LOST are packets that found no flow. */
static bool balanced(const struct weir_cli_stats *s)
{
	struct weir_totals right = right_side(s);

	return right.packets == s->seen.packets && right.bytes == s->seen.bytes;
}

static const char *share(uint64_t part, uint64_t whole, char *text, size_t bytes)
{
	snprintf(text, bytes, "%.1f %%", whole ? 100.0 * (double)part / (double)whole : 0.0);
	return text;
}

/* INSTANCE is drawn when metering starts. */
static bool metering(const struct weir_cli_stats *s)
{
	return s->instance != 0;
}

static void print_head(const struct weir_cli_options *o, const struct stats *stats)
{
	const struct weir_cli_stats *s = &stats->sum;
	uint64_t held = s->seq - s->acked_seq;
	char a[40], b[40], c[40], d[40];

	if (!metering(s)) {
		printf("weir %s  metering is off in namespace %u; switch it on with: weir set "
		       "enabled on\n",
		       s->version[0] ? s->version : "?", s->netns);
		return;
	}
	printf("weir %s  metering for %s on %u CPUs  namespace %u  instance %016" PRIx64 "\n",
	       s->version[0] ? s->version : "?",
	       weir_clock_duration_text(s->uptime_ns, a, sizeof(a)), s->cpus, s->netns,
	       s->instance);
	print_modes(stats);
	printf("  table   %s of %s flows (%s), %s of memory held\n",
	       weir_cli_show_number(s->table.flows, true, a, sizeof(a)),
	       weir_cli_show_number(s->table_flows, true, b, sizeof(b)),
	       share(s->table.flows, s->table_flows, c, sizeof(c)),
	       weir_cli_show_bytes(s->memory_bytes, o->exact, d, sizeof(d)));
	printf("  log     %s of %s batches unacknowledged (%s); last number %" PRIu64
	       ", acknowledged up to %" PRIu64 "\n",
	       weir_cli_show_number(held, true, a, sizeof(a)),
	       weir_cli_show_number(s->log_batches, true, b, sizeof(b)),
	       share(held, s->log_batches, c, sizeof(c)), s->seq, s->acked_seq);
	if (s->owner)
		printf("  reader  subscribed (netlink port %u)\n\n", s->owner);
	else
		printf("  reader  none: records wait in the log until weir-node reads them\n\n");
}

static void ledger_row(struct weir_cli_table *t, const char *name, const struct weir_totals *totals,
		       bool exact)
{
	weir_cli_table_cell(t, name);
	weir_cli_table_number(t, totals->flows, exact);
	weir_cli_table_number(t, totals->packets, exact);
	weir_cli_table_number(t, totals->bytes, exact);
}

static void print_ledger(const struct weir_cli_options *o, const struct weir_cli_stats *s)
{
	struct weir_cli_table *t =
		weir_cli_table_new(stdout, "LEDGER                  |>FLOWS|>PACKETS|>BYTES");
	struct weir_totals right = right_side(s);
	char name[48];

	if (!t)
		return;
	ledger_row(t, "seen", &s->seen, o->exact);
	ledger_row(t, "  = in the table", &s->table, o->exact);
	ledger_row(t, "  + pending", &s->pending, o->exact);
	ledger_row(t, "  + acknowledged", &s->acked, o->exact);
	for (unsigned i = 0; i < __WEIR_LOST_COUNT; i++) {
		snprintf(name, sizeof(name), "  + lost, %s", lost_words[i]);
		ledger_row(t, name, &s->lost[i], o->exact);
	}
	weir_cli_table_end(t);
	if (balanced(s))
		printf("  balances to the packet and the byte\n\n");
	else
		printf("  DOES NOT BALANCE: seen minus the rest is %" PRId64 " packets, %" PRId64
		       " bytes\n\n",
		       (int64_t)(s->seen.packets - right.packets),
		       (int64_t)(s->seen.bytes - right.bytes));
}

/* "  created 12.3 k   ended by idle timeout 8.10 k, ..." */
static void print_counters(const struct weir_cli_options *o, const struct weir_cli_stats *s)
{
	char text[40];

	printf("  flows    created %s; ended by",
	       weir_cli_show_number(s->counters[WEIR_COUNTER_CREATED], o->exact, text,
				    sizeof(text)));
	for (unsigned i = WEIR_COUNTER_END_IDLE; i <= WEIR_COUNTER_EVICTED; i++)
		printf("%s %s %s", i == WEIR_COUNTER_END_IDLE ? "" : ",", counter_words[i],
		       weir_cli_show_number(s->counters[i], o->exact, text, sizeof(text)));
	printf("\n  batches  %s sealed", weir_cli_show_number(s->counters[WEIR_COUNTER_BATCHES],
							      o->exact, text, sizeof(text)));
	printf("; expiry stopped by a full log %s times\n",
	       weir_cli_show_number(s->counters[WEIR_COUNTER_LOG_FULL], o->exact, text,
				    sizeof(text)));
	if (s->counters[WEIR_COUNTER_SHORT_L4])
		printf("  short    %s packets were counted without ports: their transport header "
		       "is cut\n",
		       weir_cli_show_number(s->counters[WEIR_COUNTER_SHORT_L4], o->exact, text,
					    sizeof(text)));
	if (s->counters[WEIR_COUNTER_PARTIAL])
		printf("  partial  %s flows were handed over to a flowtable, which forwards packets "
		       "of them unseen\n",
		       weir_cli_show_number(s->counters[WEIR_COUNTER_PARTIAL], o->exact, text,
					    sizeof(text)));
}

/* Rows that say something; -v: all. */
static void print_skipped(const struct weir_cli_options *o, const struct weir_cli_stats *s)
{
	struct weir_cli_table *t;
	bool any = o->verbose;

	for (unsigned i = 0; i < __WEIR_SKIP_COUNT; i++)
		any = any || s->skipped[i].packets;
	if (!any) {
		printf("  skipped  nothing: every packet at a hook was this instance's to count\n");
		return;
	}
	putchar('\n');
	t = weir_cli_table_new(stdout, "NOT SEEN: SKIPPED       |>PACKETS|>BYTES|WHY");
	if (!t)
		return;
	for (unsigned i = 0; i < __WEIR_SKIP_COUNT; i++) {
		char name[32];

		if (!o->verbose && !s->skipped[i].packets)
			continue;
		snprintf(name, sizeof(name), "  %s", skips[i].word);
		weir_cli_table_cell(t, name);
		weir_cli_table_number(t, s->skipped[i].packets, o->exact);
		weir_cli_table_number(t, s->skipped[i].bytes, o->exact);
		weir_cli_table_cell(t, skips[i].why);
	}
	weir_cli_table_end(t);
}

static struct weir_totals lost_of(const struct weir_cli_stats *s)
{
	struct weir_totals lost = {0, 0, 0};

	for (unsigned i = 0; i < __WEIR_LOST_COUNT; i++)
		weir_totals_add(&lost, &s->lost[i]);
	return lost;
}

static void print_cpus(const struct weir_cli_options *o, const struct stats *s)
{
	struct weir_cli_table *t = weir_cli_table_new(
		stdout,
		"CPU|>SEEN|>TABLE|>PENDING|>ACKED|>LOST|>FLOWS NOW|>CREATED|>EVICTED|BALANCE");
	char name[16];

	if (!t)
		return;
	printf("\nPackets per CPU\n");
	for (unsigned i = 0; i < s->cpus; i++) {
		const struct weir_cli_stats *c = &s->cpu[i];

		snprintf(name, sizeof(name), "%u", c->cpu);
		weir_cli_table_cell(t, name);
		weir_cli_table_number(t, c->seen.packets, o->exact);
		weir_cli_table_number(t, c->table.packets, o->exact);
		weir_cli_table_number(t, c->pending.packets, o->exact);
		weir_cli_table_number(t, c->acked.packets, o->exact);
		weir_cli_table_number(t, lost_of(c).packets, o->exact);
		weir_cli_table_number(t, c->table.flows, o->exact);
		weir_cli_table_number(t, c->counters[WEIR_COUNTER_CREATED], o->exact);
		weir_cli_table_number(t, c->counters[WEIR_COUNTER_EVICTED], o->exact);
		weir_cli_table_cell(t, balanced(c) ? "ok" : "DIFFERS");
	}
	weir_cli_table_end(t);
}

/* JSON names: words joined by '_'. */
static void set_word(json_t *object, const char *word, json_t *value)
{
	char name[40];

	snprintf(name, sizeof(name), "%s", word);
	for (char *c = name; *c; c++) {
		if (*c == ' ')
			*c = '_';
	}
	json_object_set_new(object, name, value);
}

static json_t *ledger_json(const struct weir_cli_stats *s)
{
	json_t *object = json_object(), *lost = json_object(), *skipped = json_object();
	json_t *counters = json_object();

	json_object_set_new(object, "seen", weir_cli_json_totals(&s->seen));
	json_object_set_new(object, "table", weir_cli_json_totals(&s->table));
	json_object_set_new(object, "pending", weir_cli_json_totals(&s->pending));
	json_object_set_new(object, "acked", weir_cli_json_totals(&s->acked));
	for (unsigned i = 0; i < __WEIR_LOST_COUNT; i++)
		set_word(lost, lost_words[i], weir_cli_json_totals(&s->lost[i]));
	for (unsigned i = 0; i < __WEIR_SKIP_COUNT; i++)
		set_word(skipped, skips[i].word, weir_cli_json_totals(&s->skipped[i]));
	for (unsigned i = 0; i < __WEIR_COUNTER_COUNT; i++)
		set_word(counters, counter_words[i], json_integer((json_int_t)s->counters[i]));
	json_object_set_new(object, "lost", lost);
	json_object_set_new(object, "balanced", json_boolean(balanced(s)));
	json_object_set_new(object, "skipped", skipped);
	json_object_set_new(object, "counters", counters);
	return object;
}

static int print_json(const struct weir_cli_options *o, const struct stats *s)
{
	json_t *object = ledger_json(&s->sum), *cpus;
	char instance[20];

	snprintf(instance, sizeof(instance), "%016" PRIx64, s->sum.instance);
	json_object_set_new(object, "version", weir_cli_json_string(s->sum.version));
	json_object_set_new(object, "metering", json_boolean(metering(&s->sum)));
	json_object_set_new(object, "instance", json_string(instance));
	json_object_set_new(object, "uptime_ns", json_integer((json_int_t)s->sum.uptime_ns));
	json_object_set_new(object, "netns", json_integer(s->sum.netns));
	json_object_set_new(object, "cpus", json_integer(s->sum.cpus));
	json_object_set_new(object, "memory_bytes", json_integer((json_int_t)s->sum.memory_bytes));
	json_object_set_new(object, "table_flows", json_integer(s->sum.table_flows));
	json_object_set_new(object, "log_batches", json_integer(s->sum.log_batches));
	json_object_set_new(object, "seq", json_integer((json_int_t)s->sum.seq));
	json_object_set_new(object, "acked_seq", json_integer((json_int_t)s->sum.acked_seq));
	json_object_set_new(object, "bypassed", weir_cli_interfaces_json(&s->interfaces, true));
	json_object_set_new(object, "numbered", weir_cli_json_totals(&s->sum.numbered));
	json_object_set_new(object, "owner", json_integer(s->sum.owner));
	if (o->verbose) {
		cpus = json_array();
		for (unsigned i = 0; i < s->cpus; i++) {
			json_t *cpu = ledger_json(&s->cpu[i]);

			json_object_set_new(cpu, "cpu", json_integer(s->cpu[i].cpu));
			json_array_append_new(cpus, cpu);
		}
		json_object_set_new(object, "per_cpu", cpus);
	}
	return weir_cli_json_print(object, false);
}

static int fetch(const struct weir_cli_options *o, struct stats *s)
{
	struct weir_cli_module *module;
	int ret = weir_cli_module_open(&module, false);

	if (ret)
		return ret;
	ret = weir_cli_module_stats(module, false, take_sum, s);
	if (!ret)
		ret = weir_cli_module_get_config(module, take_setting, s);
	if (!ret && metering(&s->sum))
		ret = weir_cli_interfaces_fetch(module, true, &s->interfaces);
	if (!ret && o->verbose)
		ret = weir_cli_module_stats(module, true, take_cpu, s);
	weir_cli_module_close(module);
	if (!ret && s->out_of_memory) {
		weir_cli_say("out of memory");
		ret = -ENOMEM;
	}
	return ret;
}

int weir_cli_stat(const struct weir_cli_options *o)
{
	struct stats s;
	int ret;

	if (o->interfaces)
		return weir_cli_interfaces(o);
	memset(&s, 0, sizeof(s));
	ret = fetch(o, &s);
	if (!ret && o->json) {
		ret = print_json(o, &s);
	} else if (!ret) {
		print_head(o, &s);
	}
	if (!ret && !o->json && (metering(&s.sum) || s.sum.seen.packets)) {
		print_ledger(o, &s.sum);
		print_counters(o, &s.sum);
		print_skipped(o, &s.sum);
		if (o->verbose)
			print_cpus(o, &s);
		weir_cli_interfaces_warn(&s.interfaces);
	}
	weir_cli_interfaces_free(&s.interfaces);
	free(s.cpu);
	return ret ? WEIR_EXIT_FAILED : WEIR_EXIT_OK;
}

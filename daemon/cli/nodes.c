// SPDX-License-Identifier: GPL-2.0
/* nodes.c - weir nodes: how each machine stands. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/cli/client.h"
#include "daemon/cli/json.h"
#include "daemon/common/clock.h"
#include "daemon/common/text.h"

struct nodes {
	const struct weir_cli_options *options;
	struct weir_cli_table *table;
	json_t *array;
	unsigned count;
	bool out_of_memory;
};

static void age_cell(struct weir_cli_table *t, uint64_t ns)
{
	uint64_t now = weir_clock_now_ns();
	char text[32], age[48];

	if (!ns) {
		weir_cli_table_cell(t, "never");
		return;
	}
	snprintf(age, sizeof(age), "%s ago",
		 weir_clock_duration_text(now > ns ? now - ns : 0, text, sizeof(text)));
	weir_cli_table_cell(t, age);
}

/* 0 is "not told": a master does not know its nodes' disks. */
static void size_cell(struct weir_cli_table *t, uint64_t bytes, bool exact)
{
	if (bytes)
		weir_cli_table_number(t, bytes, exact);
	else
		weir_cli_table_cell(t, "-");
}

static void put_row(struct nodes *n, const Weir__Wire__Node *node)
{
	struct weir_totals totals = weir_convert_totals_get(node->totals);
	struct weir_cli_table *t = n->table;
	bool exact = n->options->exact;
	char text[48], ms[40];

	weir_cli_table_cell(t, node->name);
	weir_cli_table_cell(t, node->connected ? "yes" : "NO");
	weir_cli_table_cell(t, node->storing ? "yes" : "NO");
	age_cell(t, node->last_end_ns);
	weir_cli_table_number(t, node->lag_segments, exact);
	snprintf(ms, sizeof(ms), "%+.1f ms", (double)node->clock_offset_ns / 1e6);
	weir_cli_table_cell(t, node->clock_known ? ms : "-");
	weir_clock_duration_text(node->round_trip_ns, text, sizeof(text));
	weir_cli_table_cell(t, node->clock_known ? text : "-");
	weir_cli_table_number(t, totals.flows, exact);
	weir_cli_table_number(t, totals.packets, exact);
	weir_cli_table_number(t, totals.bytes, exact);
	size_cell(t, node->disk_bytes, exact);
	size_cell(t, node->free_bytes, exact);
	weir_cli_table_cell(t, node->software);
	weir_cli_table_cell(t, node->state && node->state[0] ? node->state : "-");
}

static json_t *kernel_json(const Weir__Wire__Kernel *k)
{
	const struct {
		const char *name;
		const Weir__Wire__Totals *totals;
	} parts[] = {{"seen", k->seen},
		     {"table", k->table},
		     {"pending", k->pending},
		     {"acked", k->acked},
		     {"numbered", k->numbered}};
	json_t *object = json_object(), *lost = json_array();
	struct weir_totals totals;
	char instance[20];

	snprintf(instance, sizeof(instance), "%016" PRIx64, k->instance);
	json_object_set_new(object, "instance", json_string(instance));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		totals = weir_convert_totals_get(parts[i].totals);
		json_object_set_new(object, parts[i].name, weir_cli_json_totals(&totals));
	}
	for (size_t i = 0; i < k->n_lost; i++) {
		totals = weir_convert_totals_get(k->lost[i]);
		json_array_append_new(lost, weir_cli_json_totals(&totals));
	}
	json_object_set_new(object, "lost", lost);
	json_object_set_new(object, "seq", json_integer((json_int_t)k->seq));
	json_object_set_new(object, "acked_seq", json_integer((json_int_t)k->acked_seq));
	return object;
}

/* Null for what was not measured. */
static json_t *clock_json(const Weir__Wire__Node *node, int64_t ns)
{
	return node->clock_known ? json_integer(ns) : json_null();
}

static json_t *node_json(const Weir__Wire__Node *node)
{
	struct weir_totals totals = weir_convert_totals_get(node->totals);
	json_t *o = json_object();
	char id[33];

	json_object_set_new(o, "name", weir_cli_json_string(node->name));
	weir_text_hex(node->node_id.data, node->node_id.len, id, sizeof(id));
	json_object_set_new(o, "id", json_string(id));
	json_object_set_new(o, "software", weir_cli_json_string(node->software));
	json_object_set_new(o, "address", weir_cli_json_string(node->address));
	json_object_set_new(o, "connected", json_boolean(node->connected));
	json_object_set_new(o, "storing", json_boolean(node->storing));
	json_object_set_new(o, "last_seq", json_integer((json_int_t)node->last_seq));
	json_object_set_new(o, "lag_segments", json_integer((json_int_t)node->lag_segments));
	json_object_set_new(o, "last_end", weir_cli_json_time(node->last_end_ns));
	json_object_set_new(o, "clock_offset_ns", clock_json(node, node->clock_offset_ns));
	json_object_set_new(o, "round_trip_ns", clock_json(node, (int64_t)node->round_trip_ns));
	json_object_set_new(o, "totals", weir_cli_json_totals(&totals));
	json_object_set_new(o, "epochs", json_integer((json_int_t)node->epochs));
	json_object_set_new(o, "disk_bytes", json_integer((json_int_t)node->disk_bytes));
	json_object_set_new(o, "free_bytes", json_integer((json_int_t)node->free_bytes));
	json_object_set_new(o, "oldest", weir_cli_json_time(node->oldest_ns));
	json_object_set_new(o, "state", weir_cli_json_string(node->state));
	if (node->kernel)
		json_object_set_new(o, "kernel", kernel_json(node->kernel));
	return o;
}

static int take_part(void *arg, const Weir__Wire__Part *part)
{
	struct nodes *n = arg;

	for (size_t i = 0; i < part->n_nodes; i++) {
		n->count++;
		if (n->array)
			json_array_append_new(n->array, node_json(part->nodes[i]));
		else
			put_row(n, part->nodes[i]);
	}
	return 0;
}

int weir_cli_nodes(const struct weir_cli_options *o)
{
	Weir__Wire__Ask ask = WEIR__WIRE__ASK__INIT;
	struct weir_cli_answer answer;
	struct nodes n = {.options = o};
	int status, ret = 0;

	if (o->json)
		n.array = json_array();
	else
		n.table = weir_cli_table_new(stdout,
					     "NAME|CONNECTED|STORING|LAST INTERVAL|>BEHIND|>CLOCK|"
					     ">ROUND TRIP|>FLOWS|>PACKETS|>BYTES|>DISK|>FREE|"
					     "SOFTWARE|STATE");
	if (!n.array && !n.table) {
		weir_cli_say("out of memory");
		return WEIR_EXIT_FAILED;
	}
	ask.verb = WEIR__WIRE__VERB__VERB_NODES;
	status = weir_cli_client_ask(o, &ask, take_part, &n, &answer);
	if (n.array && (status == WEIR_EXIT_OK || status == WEIR_EXIT_PARTIAL))
		ret = weir_cli_json_print(n.array, false);
	else if (n.array)
		json_decref(n.array);
	else if (n.count || status == WEIR_EXIT_OK)
		ret = weir_cli_table_end(n.table);
	else
		weir_cli_table_drop(n.table);
	weir_cli_client_free(&answer);
	return ret ? WEIR_EXIT_FAILED : status;
}

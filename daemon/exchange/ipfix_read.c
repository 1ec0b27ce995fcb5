// SPDX-License-Identifier: GPL-2.0
/*
 * ipfix_read.c - messages of anyone to flows.
 *
 * Nothing in a message is believed: each length is held against what is left of the piece around it,
 * and a piece that does not fit is named, counted, and passed over.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/exchange/template.h"

enum {
	SET_TEMPLATES = 2,
	SET_OPTIONS_TEMPLATES = 3,
	SET_DATA = 256,
	SENTENCE_BYTES = 160,
};

/* What was there of an ICMP type and code given apart, and of others that decide later. */
enum {
	GOT_SRC = 1,
	GOT_DST = 2,
	GOT_ICMP_TYPE = 4,
	GOT_ICMP_CODE = 8,
};

struct record {
	struct weir_flow flow;
	bool settled[sizeof(struct weir_flow)]; /* at its offset: the member had its own element */
	unsigned got;
	uint8_t icmp_type, icmp_code, address_version;
	struct weir_ipfix_reading time[2]; /* by enum weir_ipfix_moment */
	uint64_t boot_ms;
};

struct weir_ipfix_reader {
	weir_ipfix_complain *complain;
	void *arg;
	struct weir_ipfix_templates *templates;
	struct weir_ipfix_counts counts;
	char name[WEIR_IPFIX_NAME_BYTES];
	struct record record, reverse;
};

/* A piece of a message, and where the file has it. */
struct piece {
	const uint8_t *data;
	size_t bytes;
	uint64_t offset;
};

struct message {
	struct weir_ipfix_domain *domain;
	uint32_t export_time;
	uint64_t records;
	bool uncertain; /* records were passed over: nobody knows how many */
	weir_ipfix_take *take;
	void *arg;
};

static void damage(struct weir_ipfix_reader *r, uint64_t offset, uint64_t bytes, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void damage(struct weir_ipfix_reader *r, uint64_t offset, uint64_t bytes, const char *format, ...)
{
	char sentence[SENTENCE_BYTES];
	va_list args;

	r->counts.damaged++;
	r->counts.passed_bytes += bytes;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	if (r->complain)
		r->complain(r->arg, offset, sentence);
}

void weir_ipfix_reader_damage(struct weir_ipfix_reader *r, uint64_t offset, uint64_t bytes,
			      const char *sentence)
{
	damage(r, offset, bytes, "%s", sentence);
}

int weir_ipfix_reader_new(weir_ipfix_complain *complain, void *arg, struct weir_ipfix_reader **reader)
{
	struct weir_ipfix_reader *r = calloc(1, sizeof(*r));

	if (r)
		r->templates = weir_ipfix_templates_new();
	if (!r || !r->templates) {
		free(r);
		return -ENOMEM;
	}
	r->complain = complain;
	r->arg = arg;
	*reader = r;
	return 0;
}

void weir_ipfix_reader_free(struct weir_ipfix_reader *r)
{
	if (r)
		weir_ipfix_templates_free(r->templates);
	free(r);
}

const struct weir_ipfix_counts *weir_ipfix_reader_counts(const struct weir_ipfix_reader *r)
{
	return &r->counts;
}

const char *weir_ipfix_reader_name(const struct weir_ipfix_reader *r)
{
	return r->name;
}

static void put_member(struct weir_ipfix_reader *r, struct record *record,
		       const struct weir_ipfix_element *e, uint64_t number)
{
	uint8_t *member = (uint8_t *)&record->flow + e->offset;
	uint64_t most = e->size == 8 ? UINT64_MAX : (1ULL << (e->size * 8)) - 1;
	uint32_t u32;
	uint16_t u16;

	if (number > most) {
		r->counts.clipped++;
		number = most;
	}
	u32 = (uint32_t)number;
	u16 = (uint16_t)number;
	if (e->size == 1)
		*member = (uint8_t)number;
	else
		memcpy(member, e->size == 2 ? (void *)&u16 : e->size == 4 ? (void *)&u32 : (void *)&number,
		       e->size);
}

/* An element that stands in for another yields to it, in whichever order they come. */
static bool settles(struct record *record, const struct weir_ipfix_element *e)
{
	if (e->kind == WEIR_IPFIX_SPARE || e->kind == WEIR_IPFIX_DSCP)
		return !record->settled[e->offset];
	record->settled[e->offset] = true;
	return true;
}

/* Some templates have an IPv4 and an IPv6 address, one of them zero: the one that is an address counts. */
static void take_address(struct record *record, const struct weir_ipfix_element *e, const uint8_t *value,
			 size_t bytes)
{
	static const uint8_t zero[16];
	uint8_t *member = (uint8_t *)&record->flow + e->offset;
	unsigned got = e->offset == offsetof(struct weir_flow, src_addr) ? GOT_SRC : GOT_DST;

	if (record->got & got && !memcmp(value, zero, bytes))
		return;
	if (e->kind == WEIR_IPFIX_IPV4) {
		memset(member, 0, 10);
		memset(member + 10, 0xff, 2);
		memcpy(member + 12, value, 4);
	} else {
		memcpy(member, value, 16);
	}
	record->got |= got;
	record->address_version = e->kind == WEIR_IPFIX_IPV4 ? 4 : 6;
}

/* Zero is none. */
static void take_nat(struct record *record, const struct weir_ipfix_element *e, const uint8_t *value,
		     size_t bytes)
{
	uint64_t half[2] = {0};

	if (e->kind == WEIR_IPFIX_NAT4 && bytes == 4)
		half[1] = weir_ipfix_number(value, 4);
	if (e->kind == WEIR_IPFIX_NAT4 && half[1])
		half[1] |= 0xffffULL << 32;
	if (e->kind == WEIR_IPFIX_NAT6 && bytes == 16) {
		half[0] = weir_ipfix_number(value, 8);
		half[1] = weir_ipfix_number(value + 8, 8);
	}
	if (half[0] || half[1])
		memcpy((uint8_t *)&record->flow + e->offset, half, sizeof(half));
}

static void take_octets(struct record *record, const struct weir_ipfix_element *e, const uint8_t *value,
			size_t bytes)
{
	if (e->kind == WEIR_IPFIX_IPV4 ? bytes == 4 : bytes == 16 && e->size == 16)
		take_address(record, e, value, bytes);
	else if (e->kind == WEIR_IPFIX_OCTETS && bytes == e->size)
		memcpy((uint8_t *)&record->flow + e->offset, value, bytes);
}

static void take_number(struct weir_ipfix_reader *r, struct record *record,
			const struct weir_ipfix_element *e, uint64_t number)
{
	switch (e->kind) {
	case WEIR_IPFIX_TIME:
		record->time[e->offset].value[e->size] = number;
		record->time[e->offset].got |= (uint8_t)(1 << e->size);
		break;
	case WEIR_IPFIX_ICMP_TYPE:
		record->icmp_type = (uint8_t)number;
		record->got |= GOT_ICMP_TYPE;
		break;
	case WEIR_IPFIX_ICMP_CODE:
		record->icmp_code = (uint8_t)number;
		record->got |= GOT_ICMP_CODE;
		break;
	case WEIR_IPFIX_ICMP:
		record->icmp_type = (uint8_t)(number >> 8);
		record->icmp_code = (uint8_t)number;
		record->got |= GOT_ICMP_TYPE | GOT_ICMP_CODE;
		break;
	case WEIR_IPFIX_BOOT:
		record->boot_ms = number;
		break;
	case WEIR_IPFIX_DSCP:
		if (settles(record, e))
			put_member(r, record, e, number << 2);
		break;
	case WEIR_IPFIX_DIRECTION:
		break;
	case WEIR_IPFIX_MPLS:
		put_member(r, record, e, number >> 4);
		break;
	default:
		if (settles(record, e))
			put_member(r, record, e, number);
	}
}

static void take_value(struct weir_ipfix_reader *r, const struct weir_ipfix_field *field,
		       const uint8_t *value, size_t bytes)
{
	const struct weir_ipfix_element *e = field->element;
	struct record *record = field->reverse ? &r->reverse : &r->record;

	if (!e)
		return;
	if (e->kind == WEIR_IPFIX_OCTETS || e->kind == WEIR_IPFIX_IPV4) {
		take_octets(record, e, value, bytes);
	} else if (e->kind == WEIR_IPFIX_NAT4 || e->kind == WEIR_IPFIX_NAT6) {
		take_nat(record, e, value, bytes);
	} else if (e->kind == WEIR_IPFIX_NAME) {
		if (!r->name[0])
			snprintf(r->name, sizeof(r->name), "%.*s", (int)bytes, (const char *)value);
	} else if (bytes && bytes <= 8) {
		take_number(r, record, e, weir_ipfix_number(value, bytes));
	}
}

/* The fields of one record into r->record. Bytes it took, 0: it goes beyond its set. */
static size_t read_record(struct weir_ipfix_reader *r, const struct weir_ipfix_template *template,
			  const uint8_t *data, size_t bytes)
{
	size_t at = 0;

	memset(&r->record, 0, sizeof(r->record));
	memset(&r->reverse, 0, sizeof(r->reverse));
	for (uint16_t i = 0; i < template->count; i++) {
		size_t length = template->field[i].bytes;

		if (length == WEIR_IPFIX_VARIABLE) {
			if (at == bytes)
				return 0;
			length = data[at++];
			if (length == 255) {
				if (bytes - at < 2)
					return 0;
				length = weir_ipfix_number(data + at, 2);
				at += 2;
			}
		}
		if (length > bytes - at)
			return 0;
		take_value(r, &template->field[i], data + at, length);
		at += length;
	}
	return at;
}

static void complete(const struct message *m, struct record *record)
{
	struct weir_flow *f = &record->flow;

	uint64_t boot_ms = record->boot_ms ? record->boot_ms : m->domain->boot_ms;

	f->start_ns = weir_ipfix_time_ns(&record->time[WEIR_IPFIX_START], m->export_time, boot_ms);
	f->end_ns = weir_ipfix_time_ns(&record->time[WEIR_IPFIX_END], m->export_time, boot_ms);
	if (f->ip_version != 4 && f->ip_version != 6)
		f->ip_version = record->address_version;
	if (record->got & (GOT_ICMP_TYPE | GOT_ICMP_CODE) && (f->protocol == 1 || f->protocol == 58))
		f->dst_port = (uint16_t)(record->icmp_type << 8 | record->icmp_code);
	if (f->sampling == 1)
		f->sampling = 0; /* all */
	weir_ipfix_turn_nat(f);
}

/* The other direction, of an exporter that puts both into one record (RFC 5103). */
static void turn(const struct record *forward, struct record *reverse)
{
	const struct weir_flow *f = &forward->flow;
	struct weir_flow *b = &reverse->flow;

	memcpy(b->src_addr, f->dst_addr, sizeof(b->src_addr));
	memcpy(b->dst_addr, f->src_addr, sizeof(b->dst_addr));
	memcpy(b->src_mac, f->dst_mac, sizeof(b->src_mac));
	memcpy(b->dst_mac, f->src_mac, sizeof(b->dst_mac));
	b->src_port = f->dst_port;
	b->dst_port = f->src_port;
	b->in_ifindex = f->out_ifindex;
	b->out_ifindex = f->in_ifindex;
	b->protocol = f->protocol;
	b->ip_version = f->ip_version;
	b->vlan_id = b->vlan_id ? b->vlan_id : f->vlan_id;
	b->end_reason = f->end_reason;
	b->sampling = b->sampling ? b->sampling : f->sampling;
	if (f->protocol == 1 || f->protocol == 58) {
		b->src_port = 0;
		b->dst_port = f->dst_port;
	}
	if (!reverse->time[WEIR_IPFIX_START].got)
		b->start_ns = f->start_ns;
	if (!reverse->time[WEIR_IPFIX_END].got)
		b->end_ns = f->end_ns;
}

static int hand_out(struct weir_ipfix_reader *r, const struct message *m)
{
	int ret;

	if (r->record.got & GOT_SRC && r->record.got & GOT_DST) {
		complete(m, &r->record);
		r->counts.flows++;
		ret = m->take(m->arg, &r->record.flow);
		if (ret || !(r->reverse.flow.packets || r->reverse.flow.bytes))
			return ret;
		complete(m, &r->reverse);
		turn(&r->record, &r->reverse);
		r->counts.flows++;
		return m->take(m->arg, &r->reverse.flow);
	}
	r->counts.other_records++;
	return 0;
}

static int read_data(struct weir_ipfix_reader *r, struct message *m,
		     const struct weir_ipfix_template *template, struct piece set)
{
	size_t at = 0, took;
	int ret = 0;

	while (!ret && set.bytes - at >= template->least_bytes) {
		took = read_record(r, template, set.data + at, set.bytes - at);
		if (!took) {
			damage(r, set.offset + at, set.bytes - at, "a record goes beyond its set");
			m->uncertain = true;
			return 0;
		}
		at += took;
		m->records++;
		if (template->scopes) {
			r->counts.options++;
			if (r->record.boot_ms)
				m->domain->boot_ms = r->record.boot_ms;
		} else {
			ret = hand_out(r, m);
		}
	}
	return ret;
}

static void read_templates(struct weir_ipfix_reader *r, const struct message *m, bool options,
			   struct piece set)
{
	static const char *const what[] = {
		[WEIR_IPFIX_LEARNT_CUT] = "a template goes beyond its set",
		[WEIR_IPFIX_LEARNT_EMPTY] = "a template of fields without length",
		[WEIR_IPFIX_LEARNT_SCOPE] = "an options template whose scope is not of its fields",
		[WEIR_IPFIX_LEARNT_FULL] = "more templates than this program holds",
	};
	size_t at = 0, used;

	/* Less than a definition is padding. */
	while (set.bytes - at >= 4) {
		enum weir_ipfix_learnt learnt = weir_ipfix_templates_learn(
			r->templates, m->domain, options, set.data + at, set.bytes - at, &used);

		if (learnt != WEIR_IPFIX_LEARNT)
			damage(r, set.offset + at, used, "%s", what[learnt]);
		at += used;
	}
}

static int read_set(struct weir_ipfix_reader *r, struct message *m, uint16_t id, struct piece set)
{
	const struct weir_ipfix_template *template;

	if (id == SET_TEMPLATES || id == SET_OPTIONS_TEMPLATES) {
		read_templates(r, m, id == SET_OPTIONS_TEMPLATES, set);
		return 0;
	}
	if (id < SET_DATA) {
		damage(r, set.offset, set.bytes, "set %u, which nobody has defined", id);
		return 0;
	}
	template = weir_ipfix_templates_find(r->templates, m->domain, id);
	if (template)
		return read_data(r, m, template, set);
	r->counts.unknown_sets++;
	r->counts.passed_bytes += set.bytes;
	m->uncertain = true;
	if (r->complain) {
		char sentence[SENTENCE_BYTES];

		snprintf(sentence, sizeof(sentence),
			 "set of template %u, domain %u, which was not defined: %zu bytes passed over", id,
			 m->domain->id, set.bytes);
		r->complain(r->arg, set.offset, sentence);
	}
	return 0;
}

static int read_sets(struct weir_ipfix_reader *r, struct message *m, struct piece message)
{
	size_t at = WEIR_IPFIX_HEADER_BYTES;
	int ret = 0;

	while (!ret && message.bytes - at >= 4) {
		uint16_t id = (uint16_t)weir_ipfix_number(message.data + at, 2);
		size_t bytes = weir_ipfix_number(message.data + at + 2, 2), left = message.bytes - at;
		struct piece set = {message.data + at + 4, bytes - 4, message.offset + at + 4};

		if (bytes < 4) {
			damage(r, message.offset + at, left, "a set of %zu bytes, less than its own header",
			       bytes);
			m->uncertain = true;
			return 0;
		}
		if (bytes > left) {
			damage(r, message.offset + at, 0, "a set of %zu bytes where %zu are left", bytes,
			       left);
			m->uncertain = true;
			bytes = left;
			set.bytes = left - 4;
		}
		ret = read_set(r, m, id, set);
		at += bytes;
	}
	return ret;
}

/* Of more than half of the numbers ahead it is thought that the exporter began anew. */
static void check_sequence(struct weir_ipfix_reader *r, struct weir_ipfix_domain *domain, uint32_t sequence)
{
	uint32_t ahead = sequence - domain->expected;

	if (domain->expecting && ahead && ahead < 1U << 31)
		r->counts.missing += ahead;
}

int weir_ipfix_read_message(struct weir_ipfix_reader *r, const uint8_t *data, size_t bytes,
			    uint64_t offset, weir_ipfix_take *take, void *arg)
{
	struct piece piece = {data, bytes, offset};
	struct message m = {.take = take, .arg = arg};
	uint32_t sequence;
	size_t said;
	int ret;

	if (bytes < WEIR_IPFIX_HEADER_BYTES) {
		damage(r, offset, bytes, "a message cut short in its header");
		return 0;
	}
	said = weir_ipfix_number(data + 2, 2);
	if (said > bytes)
		damage(r, offset, 0, "a message of %zu bytes of which %zu are there", said, bytes);
	else if (said < bytes)
		piece.bytes = said < WEIR_IPFIX_HEADER_BYTES ? WEIR_IPFIX_HEADER_BYTES : said;
	m.domain = weir_ipfix_templates_domain(r->templates, (uint32_t)weir_ipfix_number(data + 12, 4));
	if (!m.domain) {
		damage(r, offset, bytes, "more observation domains than this program holds");
		return 0;
	}
	m.export_time = (uint32_t)weir_ipfix_number(data + 4, 4);
	m.uncertain = said > bytes;
	sequence = (uint32_t)weir_ipfix_number(data + 8, 4);
	check_sequence(r, m.domain, sequence);
	r->counts.messages++;
	ret = read_sets(r, &m, piece);
	m.domain->expected = sequence + (uint32_t)m.records;
	m.domain->expecting = !m.uncertain;
	return ret;
}

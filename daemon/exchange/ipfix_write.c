// SPDX-License-Identifier: GPL-2.0
/*
 * ipfix_write.c - flows to messages.
 *
 * Every so many messages begin with all templates and declarations again: what follows a damaged place
 * can be read then, and a collector that gets the messages by UDP learns them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/exchange/element.h"
#include "daemon/exchange/ipfix.h"

enum {
	SET_TEMPLATES = 2,
	SET_OPTIONS_TEMPLATES = 3,
	TEMPLATE_FIRST = 256, /* IPv4, IPv6, ICMP, ICMPv6 */
	TEMPLATE_TYPES = 260, /* RFC 5610 */
	TEMPLATE_DOMAIN = 261,
	TEMPLATE_TAILS = 262, /* the first four with more fields */
	SET_HEADER_BYTES = 4,
	TEMPLATES_EVERY = 64, /* messages: 1 MiB */
	RECORD_BYTES_MAX = 256,
	LIMIT_LEAST = 4096, /* the templates and declarations take half of it */
	VARIABLE = 65535,
};

struct field {
	uint16_t id, bytes;
};

struct weir_ipfix_writer {
	weir_ipfix_emit *emit;
	void *arg;
	struct weir_ipfix_writer_options options;
	char name[WEIR_IPFIX_NAME_BYTES];
	size_t used, limit;
	size_t set_at; /* of the open set's header; 0: none is open */
	uint16_t set_id;
	uint32_t sequence, records; /* data records before this message, and in it */
	uint64_t messages;
	bool tails; /* there was a flow with a tail: before that nobody needs these templates */
	bool due; /* templates, whatever the count of messages */
	int error; /* what emit said: nothing more goes out */
	uint8_t message[WEIR_IPFIX_MESSAGE_BYTES];
};

static void put(struct weir_ipfix_writer *w, uint64_t number, size_t bytes)
{
	weir_ipfix_put_number(w->message + w->used, number, bytes);
	w->used += bytes;
}

/* A string of variable length, RFC 7011 section 7. */
static void put_text(struct weir_ipfix_writer *w, const char *text)
{
	size_t bytes = strlen(text);

	put(w, bytes, 1); /* all of ours are shorter than 255 */
	memcpy(w->message + w->used, text, bytes);
	w->used += bytes;
}

static void close_set(struct weir_ipfix_writer *w)
{
	if (w->set_at)
		weir_ipfix_put_number(w->message + w->set_at + 2, w->used - w->set_at, 2);
	w->set_at = 0;
}

static void open_set(struct weir_ipfix_writer *w, uint16_t id)
{
	if (w->set_at && w->set_id == id)
		return;
	close_set(w);
	w->set_at = w->used;
	w->set_id = id;
	put(w, id, 2);
	put(w, 0, 2);
}

static uint16_t template_id(unsigned number)
{
	return (uint16_t)(number < WEIR_IPFIX_WITH_TAIL ?
				  TEMPLATE_FIRST + number :
				  TEMPLATE_TAILS + number - WEIR_IPFIX_WITH_TAIL);
}

static void put_template(struct weir_ipfix_writer *w, unsigned number)
{
	size_t count_at = w->used + 2;
	uint16_t count = 0;

	put(w, template_id(number), 2);
	put(w, 0, 2);
	for (const struct weir_ipfix_element *e = weir_ipfix_elements; e->id; e++) {
		if (!(e->templates >> number & 1))
			continue;
		put(w, e->id | (e->enterprise ? 0x8000 : 0), 2);
		put(w, e->bytes, 2);
		if (e->enterprise)
			put(w, e->enterprise, 4);
		count++;
	}
	weir_ipfix_put_number(w->message + count_at, count, 2);
}

static void put_options_template(struct weir_ipfix_writer *w, uint16_t id, uint16_t scopes,
				 const struct field *fields, uint16_t count)
{
	put(w, id, 2);
	put(w, count, 2);
	put(w, scopes, 2);
	for (uint16_t i = 0; i < count; i++) {
		put(w, fields[i].id, 2);
		put(w, fields[i].bytes, 2);
	}
}

/* What the elements of our own are, RFC 5610: whoever reads the file needs no other description. */
static void put_types(struct weir_ipfix_writer *w)
{
	open_set(w, TEMPLATE_TYPES);
	for (const struct weir_ipfix_element *e = weir_ipfix_elements; e->id; e++) {
		if (e->enterprise != WEIR_IPFIX_ENTERPRISE ||
		    (!w->tails && !(e->templates & ~WEIR_IPFIX_IN_TAILS)))
			continue;
		put(w, e->enterprise, 4);
		put(w, e->id, 2);
		put(w, e->type, 1);
		put(w, e->semantics, 1);
		put(w, e->units, 2);
		put(w, 0, 8); /* no range but that of the type */
		put(w, 0, 8);
		put_text(w, e->name);
		put_text(w, e->description);
		w->records++;
	}
}

static void put_domain(struct weir_ipfix_writer *w)
{
	if (!w->name[0])
		return;
	open_set(w, TEMPLATE_DOMAIN);
	put(w, w->options.domain, 4);
	put_text(w, w->name);
	w->records++;
}

static void put_templates(struct weir_ipfix_writer *w)
{
	static const struct field types[] = {
		{346, 4}, /* privateEnterpriseNumber */
		{303, 2}, /* informationElementId */
		{339, 1}, /* informationElementDataType */
		{344, 1}, /* informationElementSemantics */
		{345, 2}, /* informationElementUnits */
		{342, 8}, /* informationElementRangeBegin */
		{343, 8}, /* informationElementRangeEnd */
		{341, VARIABLE}, /* informationElementName */
		{340, VARIABLE}, /* informationElementDescription */
	};
	static const struct field domain[] = {
		{149, 4}, /* observationDomainId */
		{300, VARIABLE}, /* observationDomainName */
	};

	open_set(w, SET_OPTIONS_TEMPLATES);
	put_options_template(w, TEMPLATE_TYPES, 2, types, sizeof(types) / sizeof(types[0]));
	put_options_template(w, TEMPLATE_DOMAIN, 1, domain, 2);
	put_types(w);
	open_set(w, SET_TEMPLATES);
	for (unsigned i = 0; i < (w->tails ? WEIR_IPFIX_TEMPLATES : WEIR_IPFIX_WITH_TAIL); i++)
		put_template(w, i);
	put_domain(w);
}

static void begin_message(struct weir_ipfix_writer *w)
{
	w->used = WEIR_IPFIX_HEADER_BYTES; /* filled in at the end */
	w->set_at = 0;
	w->records = 0;
	if (w->messages % TEMPLATES_EVERY == 0 || w->due)
		put_templates(w);
	w->due = false;
}

static int end_message(struct weir_ipfix_writer *w)
{
	uint8_t *header = w->message;

	close_set(w);
	weir_ipfix_put_number(header, WEIR_IPFIX_VERSION, 2);
	weir_ipfix_put_number(header + 2, w->used, 2);
	weir_ipfix_put_number(header + 4, w->options.export_time ? w->options.export_time
								 : (uint64_t)time(NULL), 4);
	weir_ipfix_put_number(header + 8, w->sequence, 4);
	weir_ipfix_put_number(header + 12, w->options.domain, 4);
	w->sequence += w->records;
	w->messages++;
	w->error = w->emit(w->arg, w->message, w->used);
	w->used = 0;
	return w->error;
}

int weir_ipfix_writer_new(const struct weir_ipfix_writer_options *options, weir_ipfix_emit *emit,
			  void *arg, struct weir_ipfix_writer **writer)
{
	struct weir_ipfix_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->options = *options;
	w->emit = emit;
	w->arg = arg;
	w->limit = options->message_bytes ? options->message_bytes : WEIR_IPFIX_WRITE_BYTES;
	if (w->limit > WEIR_IPFIX_MESSAGE_BYTES)
		w->limit = WEIR_IPFIX_MESSAGE_BYTES;
	if (w->limit < LIMIT_LEAST)
		w->limit = LIMIT_LEAST;
	strncpy(w->name, options->name ? options->name : "", sizeof(w->name) - 1);
	*writer = w;
	return 0;
}

void weir_ipfix_writer_free(struct weir_ipfix_writer *writer)
{
	free(writer);
}

static bool is_mapped(const uint8_t address[16])
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(address, prefix, sizeof(prefix));
}

/* None, or one that four bytes can say. */
static bool fits_ipv4(uint64_t high, uint64_t low)
{
	return !high && (!low || (low >> 32 == 0xffff && (uint32_t)low));
}

/* A record that is not what its version says goes as IPv6, which holds any sixteen bytes; one of ICMP that
 * has a source port goes with ports. So nothing is lost, whatever the store held. */
static unsigned template_of(const struct weir_flow *f)
{
	bool ipv4 = f->ip_version == 4 && is_mapped(f->src_addr) && is_mapped(f->dst_addr) &&
		    fits_ipv4(f->nat_src_high, f->nat_src_low) &&
		    fits_ipv4(f->nat_dst_high, f->nat_dst_low);
	unsigned tail = weir_flow_tail(f) ? WEIR_IPFIX_WITH_TAIL : 0;

	if (f->src_port)
		return tail + (ipv4 ? 0 : 1);
	if (ipv4)
		return tail + (f->protocol == 1 ? 2 : 0);
	return tail + (f->ip_version == 6 && f->protocol == 58 ? 3 : 1);
}

static uint64_t member_of(const struct weir_flow *f, const struct weir_ipfix_element *e)
{
	const uint8_t *member = (const uint8_t *)f + e->offset;
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;

	switch (e->size) {
	case 1:
		return *member;
	case 2:
		memcpy(&u16, member, sizeof(u16));
		return u16;
	case 4:
		memcpy(&u32, member, sizeof(u32));
		return u32;
	default:
		memcpy(&u64, member, sizeof(u64));
		return u64;
	}
}

static void put_time(struct weir_ipfix_writer *w, const struct weir_flow *f,
		     const struct weir_ipfix_element *e)
{
	uint64_t ns = e->offset == WEIR_IPFIX_START ? f->start_ns : f->end_ns;

	put(w, e->size == WEIR_IPFIX_MS ? ns / 1000000 : weir_ipfix_time_ntp(ns), 8);
}

static void put_element(struct weir_ipfix_writer *w, const struct weir_flow *f,
			const struct weir_ipfix_element *e)
{
	const uint8_t *member = (const uint8_t *)f + e->offset;
	uint64_t half[2];

	switch (e->kind) {
	case WEIR_IPFIX_TIME:
		put_time(w, f, e);
		break;
	case WEIR_IPFIX_OCTETS:
		memcpy(w->message + w->used, member, e->bytes);
		w->used += e->bytes;
		break;
	case WEIR_IPFIX_IPV4:
		memcpy(w->message + w->used, member + 12, 4);
		w->used += 4;
		break;
	case WEIR_IPFIX_DIRECTION:
		put(w, f->observed == WEIR_OBSERVED_LOCAL_OUT || f->observed == WEIR_OBSERVED_EGRESS,
		    1);
		break;
	case WEIR_IPFIX_NAT4:
		memcpy(half, member, sizeof(half));
		put(w, half[1], 4);
		break;
	case WEIR_IPFIX_NAT6:
		memcpy(half, member, sizeof(half));
		put(w, half[0], 8);
		put(w, half[1], 8);
		break;
	case WEIR_IPFIX_MPLS:
		put(w, f->mpls_label << 4, 3);
		break;
	default:
		put(w, member_of(f, e), e->bytes);
	}
}

int weir_ipfix_writer_put(struct weir_ipfix_writer *w, const struct weir_flow *flow)
{
	unsigned number = template_of(flow);
	bool first_tail = number >= WEIR_IPFIX_WITH_TAIL && !w->tails;
	struct weir_flow turned;

	w->tails = w->tails || first_tail;
	w->due = w->due || first_tail;
	if (!w->error && w->used && first_tail)
		end_message(w);
	if (!w->error && w->used && w->used + SET_HEADER_BYTES + RECORD_BYTES_MAX > w->limit)
		end_message(w);
	if (w->error)
		return w->error;
	if (!w->used)
		begin_message(w);
	open_set(w, template_id(number));
	if (number >= WEIR_IPFIX_WITH_TAIL) {
		turned = *flow;
		weir_ipfix_turn_nat(&turned);
		flow = &turned;
	}
	for (const struct weir_ipfix_element *e = weir_ipfix_elements; e->id; e++)
		if (e->templates >> number & 1)
			put_element(w, flow, e);
	w->records++;
	return 0;
}

int weir_ipfix_writer_end(struct weir_ipfix_writer *w)
{
	if (w->error)
		return w->error;
	if (!w->used && !w->messages)
		begin_message(w);
	return w->used ? end_message(w) : 0;
}

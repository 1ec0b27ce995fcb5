// SPDX-License-Identifier: GPL-2.0
/* fields.c - lists of fields: parsing, keys, and their text. */
#include "daemon/query/fields.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/query/field.h"
#include "daemon/query/names.h"
#include "daemon/query/quantity.h"

enum {
	PROTOCOL_DCCP = 33,
	PROTOCOL_UDPLITE = 136,
};

bool weir_fields_has_ports(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case PROTOCOL_DCCP:
	case PROTOCOL_UDPLITE:
		return true;
	}
	return false;
}

uint16_t weir_fields_service_port(const struct weir_flow *flow)
{
	if (weir_fields_has_ports(flow->protocol))
		return flow->src_port < flow->dst_port ? flow->src_port : flow->dst_port;
	if (flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6)
		return flow->dst_port;
	return 0;
}

static const struct weir_field *find(const char *word, size_t length)
{
	const struct weir_field *field;

	for (unsigned i = 0; (field = weir_fields_at(i)); i++) {
		if (weir_quantity_same_word(word, length, field->word))
			return field;
	}
	return NULL;
}

static bool has(const struct weir_fields *fields, const struct weir_field_use *use)
{
	for (unsigned i = 0; i < fields->count; i++) {
		const struct weir_field_use *one = &fields->use[i];

		if (one->field == use->field && one->bits4 == use->bits4 &&
		    one->bits6 == use->bits6 && one->every_ns == use->every_ns)
			return true;
	}
	return false;
}

/* A length of 0 to @max between @text and @end; nothing there: all. */
static int parse_bits(const char *text, const char *end, unsigned max, uint8_t *bits)
{
	unsigned value = 0;

	*bits = (uint8_t)max;
	if (text == end)
		return 0;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(*text - '0');
		if (value > max)
			return -EINVAL;
	}
	*bits = (uint8_t)value;
	return 0;
}

/* "24", "24/64", "/64", behind the first slash. */
static int parse_mask(const char *text, const char *end, struct weir_field_use *use)
{
	const char *slash = memchr(text, '/', (size_t)(end - text));

	if (text == end || (slash && slash + 1 == end))
		return -EINVAL;
	if (parse_bits(text, slash ? slash : end, 32, &use->bits4))
		return -EINVAL;
	return slash ? parse_bits(slash + 1, end, 128, &use->bits6) : 0;
}

static int parse_every(const char *text, const char *end, struct weir_field_use *use)
{
	char duration[24];
	size_t length = (size_t)(end - text);

	if (length >= sizeof(duration))
		return -EINVAL;
	memcpy(duration, text, length);
	duration[length] = '\0';
	return weir_clock_parse_duration(duration, &use->every_ns) || !use->every_ns ? -EINVAL : 0;
}

static bool is_address(const struct weir_field *field)
{
	return field->form == WEIR_FIELD_ADDRESS || field->form == WEIR_FIELD_HOST;
}

static bool is_time(const struct weir_field *field)
{
	return !strcmp(field->word, "time");
}

/* One field, from @text to @end. */
static int parse_use(const char *text, const char *end, struct weir_field_use *use)
{
	const char *slash = memchr(text, '/', (size_t)(end - text));

	memset(use, 0, sizeof(*use));
	use->field = find(text, (size_t)((slash ? slash : end) - text));
	if (!use->field)
		return -EINVAL;
	use->bits4 = 32;
	use->bits6 = 128;
	if (is_time(use->field))
		return slash ? parse_every(slash + 1, end, use) : -EINVAL;
	if (!slash)
		return 0;
	return is_address(use->field) ? parse_mask(slash + 1, end, use) : -EINVAL;
}

int weir_fields_parse(const char *text, struct weir_fields *fields, const char **word)
{
	memset(fields, 0, sizeof(*fields));
	for (;;) {
		struct weir_field_use use;
		size_t length;

		text += strspn(text, " ");
		length = strcspn(text, ", ");
		if (word)
			*word = text;
		if (fields->count == WEIR_FIELDS_MAX || parse_use(text, text + length, &use) ||
		    has(fields, &use))
			return -EINVAL;
		use.offset = fields->key_bytes;
		fields->use[fields->count++] = use;
		fields->key_bytes += use.field->bytes;
		fields->has_host = fields->has_host || use.field->form == WEIR_FIELD_HOST;
		text += length;
		text += strspn(text, " ");
		if (!*text)
			return 0;
		if (*text == ',')
			text++;
	}
}

uint64_t weir_fields_columns(const struct weir_fields *fields)
{
	uint64_t columns = 0;

	for (unsigned i = 0; i < fields->count; i++)
		columns |= fields->use[i].field->columns;
	return columns;
}

void weir_fields_bind(struct weir_fields *fields, const struct weir_names *names)
{
	for (unsigned i = 0; i < fields->count; i++)
		fields->use[i].names = names;
}

static void build(const struct weir_fields *fields, const struct weir_flow *flow, unsigned end,
		  uint8_t *key)
{
	for (unsigned i = 0; i < fields->count; i++) {
		const struct weir_field_use *use = &fields->use[i];

		use->field->build(use, flow, end, key + use->offset);
	}
}

unsigned weir_fields_keys(const struct weir_fields *fields, const struct weir_flow *flow,
			  uint8_t keys[2][WEIR_FIELDS_KEY_MAX])
{
	build(fields, flow, 0, keys[0]);
	if (!fields->has_host)
		return 1;
	build(fields, flow, 1, keys[1]);
	return memcmp(keys[0], keys[1], fields->key_bytes) ? 2 : 1;
}

const char *weir_fields_text(const struct weir_fields *fields, unsigned i, const uint8_t *key,
			     char *text, size_t text_bytes)
{
	const struct weir_field_use *use = &fields->use[i];

	use->field->print(use, key + use->offset, text, text_bytes);
	return text;
}

bool weir_fields_number(const struct weir_fields *fields, unsigned i, const uint8_t *key,
			uint64_t *value)
{
	const struct weir_field_use *use = &fields->use[i];

	if (!weir_field_is_number(use->field))
		return false;
	*value = weir_field_get(key + use->offset, use->field->bytes);
	return true;
}

const char *weir_fields_word(const struct weir_fields *fields, unsigned i)
{
	return fields->use[i].field->word;
}

/* "5m", with the longest unit that divides it; as weir_clock_parse_duration() takes it. */
static void write_every(uint64_t ns, char *text, size_t text_bytes)
{
	static const struct {
		uint64_t ns;
		const char *unit;
	} units[] = {{86400 * WEIR_NS_PER_SECOND, "d"},
		     {3600 * WEIR_NS_PER_SECOND, "h"},
		     {60 * WEIR_NS_PER_SECOND, "m"},
		     {WEIR_NS_PER_SECOND, "s"},
		     {1000000, "ms"},
		     {1000, "us"},
		     {1, "ns"}};
	unsigned i = 0;

	while (ns % units[i].ns)
		i++;
	snprintf(text, text_bytes, "%" PRIu64 "%s", ns / units[i].ns, units[i].unit);
}

const char *weir_fields_title(const struct weir_fields *fields, unsigned i, char *text,
			      size_t text_bytes)
{
	const struct weir_field_use *use = &fields->use[i];
	char every[32], bits4[4] = "", bits6[5] = "";

	if (is_time(use->field)) {
		write_every(use->every_ns, every, sizeof(every));
		snprintf(text, text_bytes, "%s/%s", use->field->word, every);
		return text;
	}
	if (use->bits4 != 32)
		snprintf(bits4, sizeof(bits4), "%u", use->bits4);
	if (use->bits6 != 128)
		snprintf(bits6, sizeof(bits6), "/%u", use->bits6);
	snprintf(text, text_bytes, "%s%s%s%s", use->field->word, *bits4 || *bits6 ? "/" : "", bits4,
		 bits6);
	return text;
}

const char *weir_fields_name(const struct weir_fields *fields, unsigned i, char *text,
			     size_t text_bytes)
{
	weir_fields_title(fields, i, text, text_bytes);
	for (char *c = text; *c; c++) {
		if (*c == '/')
			*c = '_';
	}
	return text;
}

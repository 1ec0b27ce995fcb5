// SPDX-License-Identifier: GPL-2.0
/* fields.c: words, keys as bytes, and their text. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/text.h"
#include "daemon/query/fields.h"
#include "daemon/query/names.h"
#include "daemon/store/column.h"

static struct weir_flow make_flow(const char *src, const char *dst, uint8_t protocol,
				  uint16_t src_port, uint16_t dst_port)
{
	struct weir_flow flow = {.protocol = protocol, .src_port = src_port, .dst_port = dst_port};
	uint8_t bits;

	ck_assert_int_eq(weir_text_parse_prefix(src, flow.src_addr, &bits, &flow.ip_version), 0);
	ck_assert_int_eq(weir_text_parse_prefix(dst, flow.dst_addr, &bits, &flow.ip_version), 0);
	return flow;
}

static void expect_text(const char *fields_text, const struct weir_flow *flow, unsigned i,
			const char *expected)
{
	uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
	struct weir_fields fields;
	char text[64];

	ck_assert_int_eq(weir_fields_parse(fields_text, &fields, NULL), 0);
	weir_fields_keys(&fields, flow, keys);
	ck_assert_str_eq(weir_fields_text(&fields, i, keys[0], text, sizeof(text)), expected);
}

START_TEST(parsing)
{
	struct weir_fields fields;
	const char *text, *word;

	ck_assert_int_eq(weir_fields_parse("src, dst ,service", &fields, NULL), 0);
	ck_assert_uint_eq(fields.count, 3);
	ck_assert_uint_eq(fields.key_bytes, 37);
	ck_assert(!fields.has_host);
	ck_assert_str_eq(weir_fields_word(&fields, 2), "service");
	ck_assert_int_eq(weir_fields_parse("host", &fields, NULL), 0);
	ck_assert(fields.has_host);
	ck_assert_int_eq(
		weir_fields_parse("src,dst,host,in_if,out_if,service,sport,dport", &fields, NULL),
		0);
	ck_assert_uint_eq(fields.key_bytes, 66);
	ck_assert_uint_le(fields.key_bytes, WEIR_FIELDS_KEY_MAX);
	text = "src,dts";
	ck_assert_int_eq(weir_fields_parse(text, &fields, &word), -EINVAL);
	ck_assert_ptr_eq(word, text + 4);
	ck_assert_int_eq(weir_fields_parse("", &fields, &word), -EINVAL);
	ck_assert_int_eq(weir_fields_parse("src,", &fields, &word), -EINVAL);
	ck_assert_int_eq(weir_fields_parse("src,src", &fields, &word), -EINVAL);
	ck_assert_int_eq(weir_fields_parse(",src", &fields, &word), -EINVAL);
	ck_assert_int_eq(weir_fields_parse("sr", &fields, &word), -EINVAL);
	ck_assert_int_eq(weir_fields_parse("src,dst,host,in_if,out_if,service,sport,dport,tos",
					   &fields, &word),
			 -EINVAL);
	ck_assert_str_eq(word, "tos");
}
END_TEST

START_TEST(keys_are_bytes)
{
	static const uint8_t expected[] = {4, 0, 0,    0,    0,	   0,	 0,    0,
					   0, 0, 0,    0xff, 0xff, 10,	 0,    0,
					   1, 6, 0x01, 0xbb, 0x01, 0x02, 0x03, 0x04};
	struct weir_flow flow = make_flow("10.0.0.1", "10.0.0.2", 6, 443, 50000);
	uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
	struct weir_fields fields;

	flow.in_ifindex = 0x01020304;
	ck_assert_int_eq(weir_fields_parse("src,service,in_if", &fields, NULL), 0);
	ck_assert_uint_eq(weir_fields_keys(&fields, &flow, keys), 1);
	ck_assert_uint_eq(fields.key_bytes, sizeof(expected));
	ck_assert_mem_eq(keys[0], expected, sizeof(expected));
}
END_TEST

START_TEST(host_counts_both_ends)
{
	struct weir_flow flow = make_flow("10.0.0.1", "10.0.0.2", 17, 53, 50000);
	uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
	struct weir_fields fields;
	char text[64];

	ck_assert_int_eq(weir_fields_parse("service,host", &fields, NULL), 0);
	ck_assert_uint_eq(weir_fields_keys(&fields, &flow, keys), 2);
	ck_assert_str_eq(weir_fields_text(&fields, 1, keys[0], text, sizeof(text)), "10.0.0.1");
	ck_assert_str_eq(weir_fields_text(&fields, 1, keys[1], text, sizeof(text)), "10.0.0.2");
	ck_assert_str_eq(weir_fields_text(&fields, 0, keys[1], text, sizeof(text)), "udp/53");
	memcpy(flow.dst_addr, flow.src_addr, 16);
	ck_assert_uint_eq(weir_fields_keys(&fields, &flow, keys), 1);
}
END_TEST

START_TEST(texts)
{
	struct weir_flow flow = make_flow("2001:db8::1", "2001:db8::2", 6, 50000, 443);

	flow.tos = 0xb8;
	flow.vlan_id = 4095;
	flow.out_ifindex = 4000000000;
	expect_text("service", &flow, 0, "tcp/443");
	expect_text("src,dst", &flow, 1, "2001:db8::2");
	expect_text("sport,dport,proto", &flow, 0, "50000");
	expect_text("sport,dport,proto", &flow, 2, "tcp");
	expect_text("tos,vlan,out_if", &flow, 0, "0xb8");
	expect_text("tos,vlan,out_if", &flow, 1, "4095");
	expect_text("tos,vlan,out_if", &flow, 2, "4000000000");
	flow.protocol = 58;
	flow.src_port = 0;
	flow.dst_port = 128 * 256;
	expect_text("service", &flow, 0, "icmp6/echo-request");
	flow.dst_port = 200 * 256 + 7;
	expect_text("service", &flow, 0, "icmp6/200.7");
	flow.protocol = 1;
	flow.dst_port = 3 * 256 + 3;
	expect_text("service", &flow, 0, "icmp/port-unreachable");
	flow.protocol = 47;
	expect_text("service", &flow, 0, "gre");
	flow.protocol = 200;
	expect_text("service", &flow, 0, "200");
}
END_TEST

START_TEST(masks)
{
	struct weir_flow flow = make_flow("10.1.2.3", "10.1.2.200", 6, 1, 2);
	struct weir_flow six = make_flow("2001:db8:1:2:3::4", "2001:db8:1:2:4::4", 6, 1, 2);
	uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
	struct weir_fields fields;
	char text[WEIR_FIELDS_TEXT_MAX];

	expect_text("src/24", &flow, 0, "10.1.2.0/24");
	expect_text("src/24,src/16,src,src/0", &flow, 1, "10.1.0.0/16");
	expect_text("src/24,src/16,src,src/0", &flow, 2, "10.1.2.3");
	expect_text("src/24,src/16,src,src/0", &flow, 3, "0.0.0.0/0");
	expect_text("src/31", &flow, 0, "10.1.2.2/31");
	expect_text("dst/25", &flow, 0, "10.1.2.128/25");
	expect_text("src/32", &flow, 0, "10.1.2.3");
	expect_text("src/24", &six, 0, "2001:db8:1:2:3::4");
	expect_text("src/24/64", &six, 0, "2001:db8:1:2::/64");
	expect_text("src/24/63", &six, 0, "2001:db8:1:2::/63");
	expect_text("src/24/47", &six, 0, "2001:db8::/47");
	expect_text("src//48", &six, 0, "2001:db8:1::/48");
	expect_text("src//48", &flow, 0, "10.1.2.3");
	/* Two hosts of one network count once for it, and twice as hosts. */
	ck_assert_int_eq(weir_fields_parse("host/24", &fields, NULL), 0);
	ck_assert_uint_eq(weir_fields_keys(&fields, &flow, keys), 1);
	ck_assert_uint_eq(weir_fields_keys(&fields, &six, keys), 2);
	ck_assert_int_eq(weir_fields_parse("host/24/64", &fields, NULL), 0);
	ck_assert_uint_eq(weir_fields_keys(&fields, &six, keys), 1);
	ck_assert_int_eq(weir_fields_parse("host/25", &fields, NULL), 0);
	ck_assert_uint_eq(weir_fields_keys(&fields, &flow, keys), 2);
	ck_assert_str_eq(weir_fields_text(&fields, 0, keys[1], text, sizeof(text)),
			 "10.1.2.128/25");
}
END_TEST

START_TEST(more_texts)
{
	struct weir_flow flow = make_flow("10.0.0.1", "10.0.0.2", 6, 50000, 443);

	flow.tos = 0xb9;
	flow.tcp_flags = 0x112;
	flow.min_ttl = 63;
	flow.mark = 0xdeadbeef;
	flow.end_reason = WEIR_END_NO_RESOURCES;
	flow.observed = WEIR_OBSERVED_LOCAL_OUT;
	flow.end_ns = 1795446245678000000;
	memcpy(flow.src_mac, "\x52\x54\x00\xff\x00\x01", 6);
	expect_text("version,dscp,flags", &flow, 0, "ipv4");
	expect_text("version,dscp,flags", &flow, 1, "ef");
	expect_text("version,dscp,flags", &flow, 2, "N...A..S.");
	expect_text("ttl,mark,sclass,dclass", &flow, 0, "63");
	expect_text("ttl,mark,sclass,dclass", &flow, 1, "0xdeadbeef");
	expect_text("ttl,mark,sclass,dclass", &flow, 2, "ephemeral");
	expect_text("ttl,mark,sclass,dclass", &flow, 3, "system");
	expect_text("src_mac,dst-mac", &flow, 0, "52:54:00:ff:00:01");
	expect_text("src_mac,dst-mac", &flow, 1, "00:00:00:00:00:00");
	expect_text("end_reason,observed", &flow, 0, "resources");
	expect_text("end_reason,observed", &flow, 1, "local-out");
	expect_text("time/5m", &flow, 0, "2026-11-23T15:00:00.000Z");
	expect_text("time/1s", &flow, 0, "2026-11-23T15:04:05.000Z");
	expect_text("time/100ms", &flow, 0, "2026-11-23T15:04:05.600Z");
	expect_text("time/1d", &flow, 0, "2026-11-23T00:00:00.000Z");
	flow.tos = 1 << 2 | 3;
	flow.src_port = 1024;
	flow.dst_port = 32767;
	expect_text("dscp,sclass,dclass", &flow, 0, "le");
	expect_text("dscp,sclass,dclass", &flow, 1, "registered");
	expect_text("dscp,sclass,dclass", &flow, 2, "registered");
	flow.protocol = 1;
	flow.tos = 0xfc;
	flow.src_port = 0;
	expect_text("dscp,sclass,dclass", &flow, 0, "63");
	expect_text("dscp,sclass,dclass", &flow, 1, "none");
}
END_TEST

static void expect_refused(const char *text, size_t at)
{
	struct weir_fields fields;
	const char *word = NULL;

	ck_assert_msg(weir_fields_parse(text, &fields, &word) == -EINVAL, "taken: %s", text);
	ck_assert_msg(word == text + at, "%s: at %td", text, word - text);
}

START_TEST(written_wrongly)
{
	expect_refused("src/33", 0);
	expect_refused("src/", 0);
	expect_refused("src/24/", 0);
	expect_refused("src/24/129", 0);
	expect_refused("src/24/64/1", 0);
	expect_refused("src//", 0);
	expect_refused("src/x", 0);
	expect_refused("src/4294967320", 0);
	expect_refused("dst,sport/24", 4);
	expect_refused("time", 0);
	expect_refused("time/", 0);
	expect_refused("time/0s", 0);
	expect_refused("time/5x", 0);
	expect_refused("dst,time/99999999999999999999999999s", 4);
	expect_refused("src/24,src/24", 7);
	expect_refused("src,src/32", 4);
	expect_refused("node,in_nam", 5);
}
END_TEST

static void expect_complaint(const char *text, const char *sentence)
{
	struct weir_fields fields;
	const char *word = NULL;
	char error[512];

	ck_assert_int_eq(weir_fields_parse(text, &fields, &word), -EINVAL);
	weir_fields_complain(text, word, error, sizeof(error));
	ck_assert_msg(!strncmp(error, sentence, strlen(sentence)), "%s: %s", text, error);
}

START_TEST(complaints)
{
	expect_complaint("src,dts", "\"dts\" is not a field; did you mean \"dst\"?");
	expect_complaint("srv/24", "\"srv\" is not a field; did you mean \"src\"?");
	expect_complaint("servce", "\"servce\" is not a field; did you mean \"service\"?");
	expect_complaint("in_nam,src", "\"in_nam\" is not a field; did you mean \"in_name\"?");
	expect_complaint("nothing", "\"nothing\" is not a field; there are src, dst, host,");
	expect_complaint("", "a field is missing; there are src,");
	expect_complaint("src,", "a field is missing; there are src,");
	expect_complaint("src,SRC", "\"SRC\" is there twice");
	expect_complaint("src,dst,host,sport,dport,proto,tos,vlan,ttl",
			 "\"ttl\" is one field too many; there may be 8");
	expect_complaint("time", "\"time\" needs a span of time behind it, such as time/5m");
	expect_complaint("dst,time/5x", "\"time/5x\" needs a span of time behind it");
	expect_complaint("host/33",
			 "\"host/33\": a network is host/24 (IPv4, 0 to 32) or host/24/64");
	expect_complaint("sport/24", "\"sport\" takes nothing behind it");
	expect_complaint("a-word-of-many-letters-which-is-longer-than-anything-sensible",
			 "\"a-word-of-many-letters-which-is-longer-than-any\" is not a field;");
}
END_TEST

static void expect_titles(const char *written, const char *title, const char *name)
{
	struct weir_fields fields, again;
	char text[WEIR_FIELDS_TEXT_MAX];

	ck_assert_int_eq(weir_fields_parse(written, &fields, NULL), 0);
	ck_assert_str_eq(weir_fields_title(&fields, 0, text, sizeof(text)), title);
	/* A title can be typed. */
	ck_assert_int_eq(weir_fields_parse(text, &again, NULL), 0);
	ck_assert_mem_eq(&again, &fields, sizeof(fields));
	ck_assert_str_eq(weir_fields_name(&fields, 0, text, sizeof(text)), name);
}

START_TEST(titles)
{
	expect_titles("SRC", "src", "src");
	expect_titles("src/24", "src/24", "src_24");
	expect_titles("src/24/64", "src/24/64", "src_24_64");
	expect_titles("src//64", "src//64", "src__64");
	expect_titles("src/32/128", "src", "src");
	expect_titles("host/0", "host/0", "host_0");
	expect_titles("time/300", "time/5m", "time_5m");
	expect_titles("time/90m", "time/90m", "time_90m");
	expect_titles("time/24h", "time/1d", "time_1d");
	expect_titles("time/1500ms", "time/1500ms", "time_1500ms");
	expect_titles("time/7ns", "time/7ns", "time_7ns");
	expect_titles("dst-mac", "dst_mac", "dst_mac");
}
END_TEST

START_TEST(numbers)
{
	struct weir_flow flow = make_flow("10.0.0.1", "10.0.0.2", 6, 50000, 443);
	uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
	struct weir_fields fields;
	uint64_t value = 0;

	flow.in_ifindex = 4000000000;
	ck_assert_int_eq(weir_fields_parse("src,dport,in_if,proto,time/1s,tos", &fields, NULL), 0);
	weir_fields_keys(&fields, &flow, keys);
	ck_assert(!weir_fields_number(&fields, 0, keys[0], &value));
	ck_assert(weir_fields_number(&fields, 1, keys[0], &value) && value == 443);
	ck_assert(weir_fields_number(&fields, 2, keys[0], &value) && value == 4000000000);
	ck_assert(!weir_fields_number(&fields, 3, keys[0], &value));
	ck_assert(!weir_fields_number(&fields, 4, keys[0], &value));
	ck_assert(!weir_fields_number(&fields, 5, keys[0], &value));
}
END_TEST

START_TEST(named)
{
	struct weir_flow flow = make_flow("10.0.0.1", "10.0.0.2", 6, 50000, 443);
	uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
	struct weir_names *names;
	struct weir_fields fields;
	char text[WEIR_FIELDS_TEXT_MAX];
	static const char longest[] =
		"a-name-of-63-bytes-which-is-as-long-as-the-name-of-a-node-may-b";

	ck_assert_int_eq(weir_names_new(longest, "Berlin Mitte", &names), 0);
	ck_assert_int_eq(weir_names_add(names, 3, "fifteen-letters"), 0);
	flow.in_ifindex = 3;
	flow.out_ifindex = 4000000000;
	ck_assert_int_eq(weir_fields_parse("node,site,in_name,out_name", &fields, NULL), 0);
	weir_fields_keys(&fields, &flow, keys);
	for (unsigned i = 0; i < 2; i++) /* not bound: no names */
		ck_assert_str_eq(weir_fields_text(&fields, i, keys[0], text, sizeof(text)), "");
	weir_fields_bind(&fields, names);
	weir_fields_keys(&fields, &flow, keys);
	ck_assert_str_eq(weir_fields_text(&fields, 0, keys[0], text, sizeof(text)), longest);
	ck_assert_str_eq(weir_fields_text(&fields, 1, keys[0], text, sizeof(text)), "Berlin Mitte");
	ck_assert_str_eq(weir_fields_text(&fields, 2, keys[0], text, sizeof(text)),
			 "fifteen-letters");
	ck_assert_str_eq(weir_fields_text(&fields, 3, keys[0], text, sizeof(text)), "#4000000000");
	flow.in_ifindex = 0;
	weir_fields_keys(&fields, &flow, keys);
	ck_assert_str_eq(weir_fields_text(&fields, 2, keys[0], text, sizeof(text)), "");
	weir_names_free(names);
	/* The text of a key needs no names: masters print keys of nodes. */
	ck_assert_int_eq(weir_fields_parse("node,site,in_name,out_name", &fields, NULL), 0);
	ck_assert_str_eq(weir_fields_text(&fields, 1, keys[0], text, sizeof(text)), "Berlin Mitte");
}
END_TEST

static void scramble(struct weir_flow *flow, uint64_t keep)
{
	for (unsigned id = 1; id <= weir_column_count; id++) {
		const struct weir_column *column = weir_column_find((uint16_t)id);
		uint8_t *at = (uint8_t *)flow + column->offset;

		for (unsigned i = 0; i < column->width && !(keep & WEIR_COLUMN_BIT(id)); i++)
			at[i] = (uint8_t)random();
	}
}

/* A key of the form NUMBER is its column's value in network order. */
static void check_number(const struct weir_field *field, const struct weir_flow *flow,
			 const uint8_t *key)
{
	const struct weir_column *column = weir_column_find(field->column);
	uint64_t value = 0, from_key = 0;

	memcpy(&value, (const uint8_t *)flow + column->offset, column->width); /* little endian */
	for (unsigned i = 0; i < field->bytes; i++)
		from_key = from_key << 8 | key[i];
	ck_assert_uint_eq(field->bytes, column->width);
	ck_assert_uint_eq(value, from_key);
}

/* What a field says it reads is all that it reads, and its form is what it says. */
START_TEST(columns_and_forms)
{
	const struct weir_field *field;

	srandom(4);
	for (unsigned i = 0; (field = weir_fields_at(i)); i++) {
		char written[32];
		struct weir_fields fields;

		snprintf(written, sizeof(written), "%s%s", field->word,
			 strcmp(field->word, "time") ? "" : "/1m");
		ck_assert_int_eq(weir_fields_parse(written, &fields, NULL), 0);
		ck_assert_uint_eq(weir_fields_columns(&fields), field->columns);
		for (unsigned n = 0; n < 200; n++) {
			uint8_t a[2][WEIR_FIELDS_KEY_MAX], b[2][WEIR_FIELDS_KEY_MAX];
			struct weir_flow flow = {0}, other;

			scramble(&flow, 0);
			flow.ip_version = n % 2 ? 4 : 6;
			flow.protocol = n % 3 ? 6 : (uint8_t)random();
			other = flow;
			scramble(&other, field->columns);
			ck_assert_uint_eq(weir_fields_keys(&fields, &flow, a),
					  weir_fields_keys(&fields, &other, b));
			ck_assert_msg(!memcmp(a[0], b[0], field->bytes), "%s", field->word);
			if (field->form == WEIR_FIELD_NUMBER)
				check_number(field, &flow, a[0]);
		}
	}
}
END_TEST

/* What weir_fields_words() lists is what weir_fields_parse() takes. */
START_TEST(words_are_all_known)
{
	char *words = strdup(weir_fields_words()), *rest = words, *word;
	struct weir_fields fields;
	char title[WEIR_FIELDS_TEXT_MAX];
	unsigned count = 0;

	while ((word = strsep(&rest, ", "))) {
		if (!*word)
			continue;
		ck_assert_int_eq(weir_fields_parse(word, &fields, NULL), 0);
		ck_assert_str_eq(weir_fields_title(&fields, 0, title, sizeof(title)), word);
		ck_assert_ptr_eq(fields.use[0].field, weir_fields_at(count));
		count++;
	}
	ck_assert_ptr_null(weir_fields_at(count));
	free(words);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fields");
	TCase *tcase = tcase_create("fields");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, parsing);
	tcase_add_test(tcase, keys_are_bytes);
	tcase_add_test(tcase, host_counts_both_ends);
	tcase_add_test(tcase, texts);
	tcase_add_test(tcase, masks);
	tcase_add_test(tcase, more_texts);
	tcase_add_test(tcase, written_wrongly);
	tcase_add_test(tcase, complaints);
	tcase_add_test(tcase, titles);
	tcase_add_test(tcase, numbers);
	tcase_add_test(tcase, named);
	tcase_add_test(tcase, columns_and_forms);
	tcase_add_test(tcase, words_are_all_known);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

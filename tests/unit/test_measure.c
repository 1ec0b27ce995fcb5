// SPDX-License-Identifier: GPL-2.0
/* measure.c, and the conversation of convert.c: what one side of a connection writes the other reads. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/measure.h"
#include "daemon/wire/convert.h"

START_TEST(named)
{
	static const struct {
		const char *text, *name; /* NULL: refused */
	} cases[] = {
		{"sum bytes", "bytes"},
		{"sum duration", "duration_ns"},
		{"min ttl", "min_ttl"},
		{"max rtt", "max_rtt_ns"},
		{"max out-of-order", "max_out_of_order"},
		{"distinct dst,dport", "distinct_dst_dport"},
		{"distinct src/24/64", "distinct_src_24_64"},
		{"sum rtt", NULL}, /* a sum of round trips means nothing */
		{"sum dscp", NULL}, /* no quantity to show */
		{"sum nothing", NULL},
		{"sum", NULL},
		{"median bytes", NULL},
		{"distinct src,src", NULL},
		{"distinct", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[WEIR_MEASURE_NAME], error[512] = "";
		struct weir_measure measure;
		int ret = weir_measure_parse(cases[i].text, &measure, error, sizeof(error));

		ck_assert_msg(ret == (cases[i].name ? 0 : -EINVAL), "%s", cases[i].text);
		if (ret)
			ck_assert_msg(error[0], "%s", cases[i].text);
		else
			ck_assert_str_eq(weir_measure_name(&measure, name, sizeof(name)),
					 cases[i].name);
	}
}
END_TEST

START_TEST(merged)
{
	struct weir_measure measure = {.kind = WEIR_MEASURE_SUM};

	ck_assert_uint_eq(weir_measure_merge(&measure, 3, 4), 7);
	ck_assert_uint_eq(weir_measure_merge(&measure, UINT64_MAX - 1, 4), UINT64_MAX);
	measure.kind = WEIR_MEASURE_MIN;
	ck_assert_uint_eq(weir_measure_merge(&measure, 3, 4), 3);
	measure.kind = WEIR_MEASURE_MAX;
	ck_assert_uint_eq(weir_measure_merge(&measure, 3, 4), 4);
}
END_TEST

static struct weir_pair some_pair(void)
{
	struct weir_pair pair = {.src_port = 40000,
				 .dst_port = 443,
				 .protocol = 6,
				 .ip_version = 4,
				 .initiator_seen = true,
				 .start_ns = 10,
				 .end_ns = 99,
				 .server_rtt_ns = 1,
				 .client_rtt_ns = 2,
				 .rtt_ns = 3,
				 .response_ns = 4};
	struct weir_pair_side side = {1, 2, 3, 4, 5, 6, 7, 8, 0x1b, 63, 3};

	pair.src_addr[10] = pair.src_addr[11] = 0xff;
	pair.src_addr[12] = 10;
	memcpy(pair.dst_addr, pair.src_addr, 16);
	pair.dst_addr[15] = 1;
	pair.forward = side;
	side.bytes = UINT64_MAX;
	pair.reverse = side;
	return pair;
}

START_TEST(conversation)
{
	struct weir_pair pair = some_pair(), back;
	Weir__Wire__PairSide sides[2];
	Weir__Wire__Pair message, *copy;

	weir_convert_pair_put(&message, sides, &pair);
	copy = weir_convert_copy(&message.base);
	ck_assert_int_eq(weir_convert_pair_get(copy, &back), 0);
	ck_assert_mem_eq(&back, &pair, sizeof(pair));
	/* What another program sends may be anything. */
	copy->src_port = 65536;
	ck_assert_int_eq(weir_convert_pair_get(copy, &back), -EBADMSG);
	copy->src_port = 1;
	copy->reverse->min_ttl = 256;
	ck_assert_int_eq(weir_convert_pair_get(copy, &back), -EBADMSG);
	copy->reverse->min_ttl = 255;
	copy->src.len = 3;
	ck_assert_int_eq(weir_convert_pair_get(copy, &back), -EBADMSG);
	copy->src.len = 4;
	ck_assert_int_eq(weir_convert_pair_get(copy, &back), 0);
	weir__wire__pair__free_unpacked(copy, NULL);
	message.reverse = NULL;
	ck_assert_int_eq(weir_convert_pair_get(&message, &back), 0);
	ck_assert_uint_eq(back.reverse.records, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("measure");
	TCase *tcase = tcase_create("measure");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, named);
	tcase_add_test(tcase, merged);
	tcase_add_test(tcase, conversation);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0
/* Quantities: what is known of one record, the table, and complaints about words. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/quantity.h"
#include "tests/unit/sample.h"

/* What is known of one direction alone, and what is not. */
START_TEST(round_trips)
{
	struct weir_flow flow = sample_client();

	ck_assert(sample_matches("rtt = 25ms", &flow));
	flow.tcp_flags = 0x02; /* a SYN nobody answered, sent again */
	ck_assert(!sample_matches("rtt > 0 or rtt = 0", &flow));
	flow.tcp_flags = 0x10; /* the connection is older than the record */
	ck_assert(!sample_matches("rtt > 0 or rtt = 0", &flow));
	flow = sample_client();
	flow.second_ns = 0;
	ck_assert(!sample_matches("rtt > 0 or rtt = 0", &flow));
	flow = sample_client();
	flow.second_ns = flow.start_ns; /* quicker than the clock */
	ck_assert(sample_matches("rtt = 0", &flow));
	flow.second_ns =
		flow.start_ns + S; /* may be the SYN again, as there were retransmissions */
	ck_assert(!sample_matches("rtt > 0 or rtt = 0", &flow));
	flow.retransmitted = 0;
	ck_assert(sample_matches("rtt = 1s", &flow));
	flow = sample_client();
	flow.src_port = 443; /* the server's direction: what follows its SYN+ACK is data */
	flow.dst_port = 40001;
	ck_assert(!sample_matches("rtt > 0 or rtt = 0", &flow));
	ck_assert(sample_matches("response = 30ms", &flow));
	flow.payload_ns = 0;
	ck_assert(!sample_matches("response > 0 or response = 0", &flow));
	flow.protocol = 132;
	ck_assert(!sample_matches("rtt >= 0", &flow));
}
END_TEST

START_TEST(rates_of_nothing)
{
	struct weir_flow flow = sample_client();

	flow.end_ns = flow.start_ns; /* one packet */
	ck_assert(!sample_matches("bps >= 0", &flow));
	ck_assert(!sample_matches("pps >= 0", &flow));
	ck_assert(sample_matches("duration = 0", &flow));
	ck_assert(sample_matches("not bps > 1m", &flow));
	flow.end_ns = flow.start_ns + 1;
	flow.bytes = UINT64_MAX;
	ck_assert(sample_matches("bps = 18446744073709551615", &flow));
	flow.packets = 0;
	ck_assert(!sample_matches("bpp >= 0", &flow));
}
END_TEST

START_TEST(quantities)
{
	const struct weir_quantity *q;
	unsigned listed = 0, summable = 0;

	srandom(6);
	for (unsigned i = 0; (q = weir_quantity_at(i)); i++) {
		ck_assert_ptr_eq(weir_quantity_find(q->word, strlen(q->word)), q);
		ck_assert_uint_eq(weir_quantity_index(q), i);
		ck_assert(!q->summable || q->listed);
		ck_assert(!q->listed == !strstr(weir_quantity_words(false), q->word));
		ck_assert(!q->summable == !strstr(weir_quantity_words(true), q->word));
		listed += q->listed;
		summable += q->summable;
		for (unsigned n = 0; n < 200; n++) {
			struct weir_flow flow = sample_client(), other = flow;
			uint64_t a = 0, b = 0;

			sample_scramble(&other, q->columns);
			ck_assert_msg(q->get(&flow, &a) == q->get(&other, &b) && a == b, "%s",
				      q->word);
			if (q->column) {
				ck_assert_uint_eq(q->columns, WEIR_COLUMN_BIT(q->column));
				ck_assert(q->get(&flow, &a));
			}
		}
	}
	ck_assert_uint_eq(listed, 16);
	ck_assert_uint_eq(summable, 10);
	ck_assert_ptr_eq(weir_quantity_find("Out-Of-Order,x", 12),
			 weir_quantity_find("out_of_order", 12));
	ck_assert_ptr_null(weir_quantity_find("out", 3));
}
END_TEST

static void expect_complaint(const char *word, bool summable, const char *sentence)
{
	char error[256];

	weir_quantity_complain(word, strlen(word), summable, error, sizeof(error));
	ck_assert_msg(!strncmp(error, sentence, strlen(sentence)), "%s: %s", word, error);
}

START_TEST(complaints_about_quantities)
{
	expect_complaint("byts", false, "\"byts\" is not a quantity; did you mean \"bytes\"?");
	expect_complaint("packet", true, "\"packet\" is not a quantity; did you mean \"packets\"?");
	expect_complaint("rt", false, "\"rt\" is not a quantity; did you mean \"rtt\"?");
	expect_complaint("rtt", true, "a sum of \"rtt\" means nothing; there are bytes,");
	expect_complaint("mark", false, "\"mark\" is not a quantity; there are bytes, packets,");
	expect_complaint("colour", true, "\"colour\" is not a quantity; there are bytes, packets,");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("quantity");
	TCase *tcase = tcase_create("quantity");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, round_trips);
	tcase_add_test(tcase, rates_of_nothing);
	tcase_add_test(tcase, quantities);
	tcase_add_test(tcase, complaints_about_quantities);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

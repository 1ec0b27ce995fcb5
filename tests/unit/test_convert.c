// SPDX-License-Identifier: GPL-2.0
/* test_convert.c - flows over the wire: every member arrives, and what cannot be one is refused. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/column.h"
#include "daemon/wire/convert.h"

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static void random_flow(struct weir_flow *flow, bool tail)
{
	memset(flow, 0, sizeof(*flow));
	for (unsigned i = 0; i < weir_column_count; i++) {
		const struct weir_column *column = &weir_column_table[i];
		uint8_t *at = (uint8_t *)flow + column->offset;

		for (unsigned k = 0; k < column->width; k++)
			if (tail || !(WEIR_COLUMN_TAIL & WEIR_COLUMN_BIT(column->id)))
				at[k] = (uint8_t)(random() >> 8);
	}
	flow->ip_version = random() % 2 ? 4 : 6;
	if (flow->ip_version == 4) {
		memcpy(flow->src_addr, mapped, sizeof(mapped));
		memcpy(flow->dst_addr, mapped, sizeof(mapped));
	}
}

/* As it goes through a connection. The caller frees it. */
static Weir__Wire__Flow *send_flow(const struct weir_flow *flow, size_t *bytes)
{
	Weir__Wire__Flow message, *got;
	uint8_t *packed;

	weir_convert_flow_put(&message, flow);
	*bytes = weir__wire__flow__get_packed_size(&message);
	packed = malloc(*bytes);
	weir__wire__flow__pack(&message, packed);
	got = weir__wire__flow__unpack(NULL, *bytes, packed);
	ck_assert_ptr_nonnull(got);
	free(packed);
	return got;
}

START_TEST(whole)
{
	for (unsigned i = 0; i < 1000; i++) {
		struct weir_flow flow, back;
		Weir__Wire__Flow *message;
		size_t bytes;

		random_flow(&flow, i % 2);
		message = send_flow(&flow, &bytes);
		memset(&back, 0xff, sizeof(back));
		ck_assert_int_eq(weir_convert_flow_get(message, &back), 0);
		ck_assert_mem_eq(&flow, &back, sizeof(flow));
		weir__wire__flow__free_unpacked(message, NULL);
	}
}
END_TEST

/* Each member of the tail alone: it is sent because it is there. */
START_TEST(each_of_the_tail)
{
	for (unsigned id = WEIR_COLUMN_SAMPLING; id < WEIR_COLUMN_END; id++) {
		struct weir_flow flow = {.ip_version = 4}, back;
		Weir__Wire__Flow *message;
		size_t without, with;

		memcpy(flow.src_addr, mapped, sizeof(mapped));
		memcpy(flow.dst_addr, mapped, sizeof(mapped));
		weir__wire__flow__free_unpacked(send_flow(&flow, &without), NULL);
		((uint8_t *)&flow)[weir_column_find((uint16_t)id)->offset] = 1;
		message = send_flow(&flow, &with);
		ck_assert_uint_gt(with, without);
		ck_assert_int_eq(weir_convert_flow_get(message, &back), 0);
		ck_assert_mem_eq(&flow, &back, sizeof(flow));
		weir__wire__flow__free_unpacked(message, NULL);
	}
}
END_TEST

START_TEST(refused)
{
	struct weir_flow flow, back;
	Weir__Wire__Flow message;

	random_flow(&flow, true);
#define REFUSES(member, value)                                                                     \
	do {                                                                                       \
		weir_convert_flow_put(&message, &flow);                                            \
		ck_assert_int_eq(weir_convert_flow_get(&message, &back), 0);                       \
		message.member = (value);                                                          \
		ck_assert_int_eq(weir_convert_flow_get(&message, &back), -EBADMSG);                \
	} while (0)
	REFUSES(src_port, 65536);
	REFUSES(tos, 256);
	REFUSES(nat_src_port, 65536);
	REFUSES(nat_dst_port, 65536);
	REFUSES(tunnel, 256);
	REFUSES(inner_vlan_id, 65536);
	REFUSES(pppoe_session, 65536);
	REFUSES(sampling_method, 256);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("convert");
	TCase *tests = tcase_create("convert");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, whole);
	tcase_add_test(tests, each_of_the_tail);
	tcase_add_test(tests, refused);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

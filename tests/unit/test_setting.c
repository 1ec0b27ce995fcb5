// SPDX-License-Identifier: GPL-2.0
/* test_setting.c - the module's settings in words. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/setting.h"
#include "daemon/node/node.h"
#include "uapi/weir.h"

static const struct weir_setting_row *row_of(const char *name)
{
	const char *nearest;
	const struct weir_setting_row *row = weir_setting_find(name, &nearest);

	ck_assert_msg(row != NULL, "no setting %s", name);
	return row;
}

static void reads(const char *name, const char *text, uint32_t value, const char *back)
{
	const struct weir_setting_row *row = row_of(name);
	char written[WEIR_SETTING_TEXT];
	struct weir_setting setting;

	ck_assert_msg(!weir_setting_parse(row, text, &setting), "%s %s", name, text);
	ck_assert_uint_eq(setting.value, value);
	ck_assert_uint_eq(setting.attribute, row->attribute);
	ck_assert_str_eq(weir_setting_text(row, &setting, written, sizeof(written)), back);
	if (strcmp(text, back))
		reads(name, back, value, back);
}

static void refuses(const char *name, const char *text)
{
	struct weir_setting setting;

	ck_assert_msg(weir_setting_parse(row_of(name), text, &setting) == -EINVAL, "%s %s", name,
		      text);
}

START_TEST(values)
{
	reads("enabled", "ON", 1, "on");
	reads("cover", "no", 0, "off");
	reads("modes", "routed", 1 << WEIR_MODE_ROUTED, "routed");
	reads("Modes", "netdev, ingress", 1 << WEIR_MODE_INGRESS | 1 << WEIR_MODE_NETDEV,
	      "ingress,netdev");
	reads("modes", "routed,bridge,netdev,routed",
	      1 << WEIR_MODE_ROUTED | 1 << WEIR_MODE_BRIDGE | 1 << WEIR_MODE_NETDEV,
	      "routed,bridge,netdev");
	reads("look-inside", "GRE,vxlan", 1 << WEIR_TUNNEL_GRE | 1 << WEIR_TUNNEL_VXLAN,
	      "gre,vxlan");
	reads("look-inside", "none", 0, "none");
	reads("look-inside", "all", (1 << __WEIR_TUNNEL_COUNT) - 2, "ipip,gre,vxlan,geneve,gtpu");
	reads("sampling", "100", 100, "100");
	reads("sampling-method", "flows", WEIR_SAMPLING_FLOWS, "flows");
	reads("sampling-method", "packets", WEIR_SAMPLING_PACKETS, "packets");
	reads("idle-timeout", "1500ms", 1500, "1500ms");
	reads("active-timeout", "5m", 300000, "300s");
	reads("table-flows", "65536", 65536, "65536");
	reads("interfaces", "eth*,!eth3 tap?", 0, "eth* !eth3 tap?");
	reads("interfaces", "none", 0, "none");
}
END_TEST

START_TEST(refused)
{
	static char much[2 * WEIR_SETTING_TEXT];

	refuses("modes", "");
	refuses("modes", "none");
	refuses("modes", "routed,route");
	refuses("modes", ",");
	refuses("look-inside", "vxlan+gre");
	refuses("look-inside", "");
	refuses("sampling", "-1");
	refuses("sampling", "4294967296");
	refuses("sampling", "1:100");
	refuses("sampling-method", "random");
	refuses("idle-timeout", "5x");
	refuses("idle-timeout", "1us");
	refuses("enabled", "maybe");
	memset(much, 'x', sizeof(much) - 1);
	refuses("interfaces", much);
}
END_TEST

/* Every attribute that SET_CONFIG takes has its row, and every row its sentence. */
START_TEST(rows)
{
	static const uint16_t attributes[] = {
		WEIR_A_ENABLED,		 WEIR_A_ACTIVE_TIMEOUT_MS, WEIR_A_IDLE_TIMEOUT_MS,
		WEIR_A_FIN_TIMEOUT_MS,	 WEIR_A_TABLE_FLOWS,	   WEIR_A_LOG_BATCHES,
		WEIR_A_MODES,		 WEIR_A_INTERFACES,	   WEIR_A_LOOK_INSIDE,
		WEIR_A_SAMPLING,	 WEIR_A_SAMPLING_METHOD,   WEIR_A_COVER};
	struct weir_setting later = {.value = 1 << 1 | 1U << 31};
	const char *nearest;
	unsigned count = 0;
	char text[64];

	for (; weir_setting_at(count); count++) {
		const struct weir_setting_row *row = weir_setting_at(count);

		ck_assert_ptr_eq(weir_setting_of(row->attribute), row);
		ck_assert_ptr_nonnull(row->expected);
		ck_assert((row->words != NULL) == (row->kind == WEIR_SETTING_WORD ||
						   row->kind == WEIR_SETTING_WORDS));
	}
	ck_assert_uint_eq(count, sizeof(attributes) / sizeof(*attributes));
	for (unsigned i = 0; i < count; i++)
		ck_assert_ptr_nonnull(weir_setting_of(attributes[i]));
	ck_assert_ptr_null(weir_setting_of(WEIR_A_SEQ));
	ck_assert_ptr_null(weir_setting_find("mode", &nearest));
	ck_assert_str_eq(nearest, "modes");
	ck_assert_ptr_null(weir_setting_find("whatever-else", &nearest));
	ck_assert_ptr_null(nearest);
	/* Bits of a later version. */
	ck_assert_str_eq(weir_setting_text(row_of("modes"), &later, text, sizeof(text)),
			 "ingress,31");
}
END_TEST

static int read_config(const char *text, struct weir_node_config *config)
{
	char path[] = "/tmp/weir-test-setting-XXXXXX";
	int fd = mkstemp(path), ret;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
	ret = weir_config_read(path, config);
	unlink(path);
	return ret;
}

/* node.conf has them as well: every key of its own, in the same words. */
START_TEST(in_node_conf)
{
	static const char *const wrong[] = {"modes = routed, foo", "look_inside = gre+vxlan",
					    "sampling = some", "sampling_method = random",
					    "cover = perhaps"};
	struct weir_node_config config;
	char text[128];

	ck_assert_int_eq(read_config("[kernel]\nmodes = routed, netdev\ninterfaces = eth* !eth3\n"
				     "look_inside = all\nsampling = 100\n"
				     "sampling_method = flows\ncover = on\n", &config), 0);
	ck_assert_str_eq(config.setting[0], "routed, netdev");
	ck_assert_str_eq(config.setting[1], "eth* !eth3");
	ck_assert_str_eq(config.setting[5], "on");
	for (unsigned i = 0; i < WEIR_NODE_SETTINGS; i++) {
		const struct weir_setting_row *row = row_of(weir_node_settings[i]);
		struct weir_setting setting;

		ck_assert_int_eq(weir_setting_parse(row, config.setting[i], &setting), 0);
	}
	weir_config_free(&config);
	ck_assert_int_eq(read_config("[node]\nname = a\n", &config), 0);
	for (unsigned i = 0; i < WEIR_NODE_SETTINGS; i++)
		ck_assert_str_eq(config.setting[i], ""); /* left alone */
	weir_config_free(&config);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		snprintf(text, sizeof(text), "[kernel]\n%s\n", wrong[i]);
		ck_assert_int_eq(read_config(text, &config), -EINVAL);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("setting");
	TCase *tests = tcase_create("setting");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, values);
	tcase_add_test(tests, refused);
	tcase_add_test(tests, rows);
	tcase_add_test(tests, in_node_conf);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

// SPDX-License-Identifier: GPL-2.0
/* conf.c: what a configuration file may say, and the sentences about what it may not. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/conf.h"

struct peer {
	char *name, *address;
};

struct config {
	char *name, *listen;
	bool on;
	uint64_t count, limit, timeout, size;
	struct peer peer[2];
	unsigned peers;
};

static const struct weir_conf_key keys[] = {
	{"node", "name", WEIR_CONF_NAME, offsetof(struct config, name), 0, 0, "its name"},
	{"node", "size", WEIR_CONF_BYTES, offsetof(struct config, size), 0, 0, "a size"},
	{"kernel", "on", WEIR_CONF_BOOL, offsetof(struct config, on), 0, 0, "a switch"},
	{"kernel", "count", WEIR_CONF_COUNT, offsetof(struct config, count), 1, 10, "a count"},
	{"kernel", "active_timeout", WEIR_CONF_DURATION, offsetof(struct config, timeout),
	 1000000000, 3600000000000, "a time"},
	{"kernel", "limit", WEIR_CONF_LIMIT, offsetof(struct config, limit), 64, 1024, "a limit"},
	{"kernel", "listen", WEIR_CONF_LISTEN, offsetof(struct config, listen), 0, 0, "a door"},
	{"master *", "address", WEIR_CONF_ADDRESS, offsetof(struct peer, address), 0, 0, "where"},
	{0},
};

static char path[64];
static char error[256];
static struct config config;

static void *open_peer(void *into, const char *section, const char *name, char *why, size_t bytes)
{
	struct config *c = into;

	ck_assert_str_eq(section, "master");
	if (c->peers == 2) {
		snprintf(why, bytes, "there are two already");
		return NULL;
	}
	c->peer[c->peers].name = strdup(name);
	return &c->peer[c->peers++];
}

static int read_bytes(const void *text, size_t bytes)
{
	FILE *file;
	int ret;

	snprintf(path, sizeof(path), "/tmp/weir-test-conf-%d", (int)getpid());
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fwrite(text, 1, bytes, file);
	fclose(file);
	memset(&config, 0, sizeof(config));
	error[0] = '\0';
	ret = weir_conf_read(path, keys, open_peer, &config, error, sizeof(error));
	unlink(path);
	return ret;
}

static void release(void)
{
	free(config.name);
	free(config.listen);
	for (unsigned i = 0; i < 2; i++) {
		free(config.peer[i].name);
		free(config.peer[i].address);
	}
	memset(&config, 0, sizeof(config));
}

/* Read @text; it is refused with @line and @sentence. */
static void refuses(const char *text, unsigned line, const char *sentence)
{
	char expected[256];

	ck_assert_msg(read_bytes(text, strlen(text)) == -EINVAL, "taken: %s", text);
	snprintf(expected, sizeof(expected), "%s:%u: %s", path, line, sentence);
	ck_assert_str_eq(error, expected);
	release();
}

START_TEST(all_kinds)
{
	static const char text[] =
		"\xef\xbb\xbf# a comment\n; another\n[node]\nname = r1 x\nsize=2G\n"
		"\n[kernel]\n  on = YES ; why\n  count: 10\n\tactive_timeout = 5m\r\n"
		"[master a]\naddress = [::1]:4739\n[master b]\n"
		"address = host.example:1\n[node]\n";

	ck_assert_int_eq(read_bytes(text, sizeof(text) - 1), 0);
	ck_assert_str_eq(config.name, "r1 x");
	ck_assert_uint_eq(config.size, 2ULL << 30);
	ck_assert(config.on);
	ck_assert_uint_eq(config.count, 10);
	ck_assert_uint_eq(config.timeout, 300000000000);
	ck_assert_uint_eq(config.peers, 2);
	ck_assert_str_eq(config.peer[0].name, "a");
	ck_assert_str_eq(config.peer[0].address, "[::1]:4739");
	ck_assert_str_eq(config.peer[1].name, "b");
	release();
}
END_TEST

START_TEST(values)
{
	refuses("[kernel]\nactive_timeout = 6x\n", 2,
		"[kernel] active_timeout: \"6x\" is not a duration (such as 500ms, 60s, 5m)");
	refuses("[kernel]\nactive_timeout = 2h\n", 2,
		"[kernel] active_timeout: \"2h\" is out of range: 1s to 3600s");
	refuses("[kernel]\ncount = 11\n", 2, "[kernel] count: \"11\" is out of range: 1 to 10");
	refuses("[kernel]\ncount = 99999999999999999999\n", 2,
		"[kernel] count: \"99999999999999999999\" is out of range: 1 to 10");
	refuses("[kernel]\ncount = -1\n", 2, "[kernel] count: \"-1\" is not a whole number");
	refuses("[kernel]\non = maybe\n", 2, "[kernel] on: \"maybe\" is not yes or no");
	refuses("[node]\n\nsize = 1q\n", 3,
		"[node] size: \"1q\" is not a size (such as 64k, 256M, 2G)");
	refuses("[node]\nname =\n", 2, "[node] name: a value is missing");
}
END_TEST

START_TEST(keys_and_sections)
{
	refuses("[kernel]\ncuont = 1\n", 2,
		"[kernel] has no key \"cuont\"; did you mean \"count\"?");
	refuses("[kernel]\nwhatever = 1\n", 2, "[kernel] has no key \"whatever\"");
	refuses("[kernel]\nname = x\n", 2, "[kernel] has no key \"name\"; it belongs to [node]");
	refuses("[kernel]\ncount = 1\n[node]\n[kernel]\ncount = 2\n", 5,
		"[kernel] count is given twice");
	refuses("[kernal]\ncount = 1\n", 1, "there is no section [kernal]; did you mean [kernel]?");
	refuses("[elsewhere]\n", 1, "there is no section [elsewhere]");
	refuses("[master a]\naddress = h:1\naddress = h:2\n", 3, "[master a] address is given twice");
	refuses("[master a]\naddress = h:1\n[master a]\n", 3, "section [master a] is given twice");
	refuses("[master a]\naddress = h:1\n[master b]\naddress = h:1\n[master c]\n", 5,
		"section [master c]: there are two already");
	refuses("[node\n", 1, "\"[\" without \"]\"");
	refuses("name = x\n", 1, "\"name\" stands before the first [section]");
	refuses("[node]\nname\n", 2, "\"name\": a line is [section], name = value, or a # comment");
}
END_TEST

/* What would only fail later, somewhere else, is refused here. */
START_TEST(names_addresses_limits)
{
	static const char taken[] = "[kernel]\nlimit = 0\n[master a]\naddress = [::1]:7410\n";
	char text[200] = "[node]\nname = ", sentence[200];

	ck_assert_int_eq(read_bytes(taken, sizeof(taken) - 1), 0);
	release();
	refuses("[kernel]\nlimit = 5\n", 2,
		"[kernel] limit: \"5\" is out of range: 0, or 64 to 1024");
	refuses("[kernel]\nlimit = 1025\n", 2,
		"[kernel] limit: \"1025\" is out of range: 0, or 64 to 1024");
	refuses("[master a]\naddress = 192.0.2.1\n", 2,
		"[master a] address: \"192.0.2.1\" is not a host and a port (such as "
		"192.0.2.1:7410 or [2001:db8::1]:7410)");
	refuses("[master a]\naddress = h:70000\n", 2,
		"[master a] address: \"h:70000\" is not a host and a port (such as "
		"192.0.2.1:7410 or [2001:db8::1]:7410)");
	refuses("[kernel]\nlisten = router:7410\n", 2,
		"[kernel] listen: \"router:7410\" is not an address and a port (such as "
		"127.0.0.1:7410 or [::1]:7410)");
	refuses("[node]\n[master a]\n\n[node]\n", 2,
		"[master a] has no address (such as address = 192.0.2.1:7410)");
	refuses("[master a]\n", 1, "[master a] has no address (such as address = 192.0.2.1:7410)");
	memset(text + 14, 'x', 64);
	strcpy(text + 78, "\n");
	snprintf(sentence, sizeof(sentence), "[node] name: \"%.64s\" is not a name (1 to 63 bytes, "
		 "no control characters)", text + 14);
	refuses(text, 2, sentence);
}
END_TEST

START_TEST(not_text)
{
	static const char nul[] = "[node]\nna\0me = x\n";
	char text[600] = "[node]\nname = ";

	memset(text + 14, 'x', 500);
	strcpy(text + 514, "\n");
	ck_assert_int_eq(read_bytes(text, strlen(text)), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, ":2: the line is longer than"));
	release();
	ck_assert_int_eq(read_bytes(nul, sizeof(nul) - 1), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, ":2: "));
	release();
	ck_assert_int_eq(
		weir_conf_read("/nonexistent/x", keys, NULL, &config, error, sizeof(error)),
		-ENOENT);
	ck_assert_str_eq(error, "/nonexistent/x: No such file or directory");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf");
	TCase *tcase = tcase_create("conf");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, all_kinds);
	tcase_add_test(tcase, values);
	tcase_add_test(tcase, keys_and_sections);
	tcase_add_test(tcase, names_addresses_limits);
	tcase_add_test(tcase, not_text);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

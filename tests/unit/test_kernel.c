// SPDX-License-Identifier: GPL-2.0
/* kernel.c: requests on a socket that also gets what it did not ask for. */
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/node/kernel.c"

/* What a BATCH looks like that was meant for the last owner of the port. */
static void send_strays(struct weir_kernel *kernel, unsigned count)
{
	struct sockaddr_nl to = {.nl_family = AF_NETLINK,
				 .nl_pid = mnl_socket_get_portid(kernel->socket)};
	struct mnl_socket *other = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	uint8_t buffer[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));

	ck_assert_ptr_nonnull(other);
	ck_assert_int_eq(mnl_socket_bind(other, 0, MNL_SOCKET_AUTOPID), 0);
	nlh->nlmsg_type = 4711;
	genl->cmd = WEIR_CMD_BATCH;
	for (unsigned i = 0; i < count; i++)
		if (sendto(mnl_socket_get_fd(other), nlh, nlh->nlmsg_len, 0,
			   (struct sockaddr *)&to, sizeof(to)) < 0)
			ck_abort_msg("sending a stray: %s", strerror(errno));
	mnl_socket_close(other);
}

/* The family weir may be there or not; either answer is one. */
static int resolve_after(unsigned strays)
{
	struct weir_kernel *kernel = calloc(1, sizeof(*kernel));
	char why[WEIR_KERNEL_WHY] = "";
	int ret;

	kernel->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	ck_assert_ptr_nonnull(kernel->socket);
	ck_assert_int_eq(mnl_socket_bind(kernel->socket, 0, MNL_SOCKET_AUTOPID), 0);
	send_strays(kernel, strays);
	ret = resolve(kernel, why);
	close_kernel(kernel);
	return ret;
}

START_TEST(test_strays)
{
	int ret = resolve_after(20);

	ck_assert_msg(ret == 0 || ret == -ENOENT, "%s", strerror(-ret));
}
END_TEST

START_TEST(test_round_up)
{
	ck_assert_uint_eq(round_up(64), 64);
	ck_assert_uint_eq(round_up(65), 128);
	ck_assert_uint_eq(round_up(1 << 24), 1 << 24);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kernel");
	TCase *tests = tcase_create("kernel");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, test_round_up);
	/* Only root may send to another's netlink port. */
	if (geteuid() == 0)
		tcase_add_test(tests, test_strays);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

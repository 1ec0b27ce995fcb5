// SPDX-License-Identifier: GPL-2.0
/* frame.c and convert.c: whole messages come out of any cut of the bytes, and nothing else does. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/wire/address.h"
#include "daemon/wire/convert.h"
#include "daemon/wire/frame.h"

static void put_ping(struct evbuffer *out, uint64_t id)
{
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;
	Weir__Wire__Ping ping = WEIR__WIRE__PING__INIT;

	ping.id = id;
	ping.clock_ns = 1234567890123456789ULL;
	frame.body_case = WEIR__WIRE__FRAME__BODY_PING;
	frame.ping = &ping;
	ck_assert_int_eq(weir_frame_put(out, &frame), 0);
}

static void expect_ping(struct evbuffer *in, uint64_t id)
{
	Weir__Wire__Frame *frame;

	ck_assert_int_eq(weir_frame_get(in, WEIR_FRAME_BYTES_MAX, &frame), 0);
	ck_assert_int_eq(frame->body_case, WEIR__WIRE__FRAME__BODY_PING);
	ck_assert_uint_eq(frame->ping->id, id);
	weir__wire__frame__free_unpacked(frame, NULL);
}

START_TEST(split_at_every_byte)
{
	struct evbuffer *out = evbuffer_new(), *in = evbuffer_new();
	Weir__Wire__Frame *frame;
	uint8_t bytes[256];
	int count;

	put_ping(out, 7);
	put_ping(out, 1ULL << 60);
	count = evbuffer_remove(out, bytes, sizeof(bytes));
	ck_assert_int_gt(count, 8);
	for (int cut = 0; cut <= count; cut++) {
		evbuffer_add(in, bytes, (size_t)cut);
		for (int got = 0; got < 2; got++) {
			int result = weir_frame_get(in, WEIR_FRAME_BYTES_MAX, &frame);

			if (result == -EAGAIN)
				break;
			ck_assert_int_eq(result, 0);
			ck_assert_uint_eq(frame->ping->id, got ? 1ULL << 60 : 7);
			weir__wire__frame__free_unpacked(frame, NULL);
		}
		evbuffer_add(in, bytes + cut, (size_t)(count - cut));
		while (weir_frame_get(in, WEIR_FRAME_BYTES_MAX, &frame) == 0)
			weir__wire__frame__free_unpacked(frame, NULL);
		ck_assert_uint_eq(evbuffer_get_length(in), 0);
	}
	evbuffer_free(out);
	evbuffer_free(in);
}
END_TEST

static int get_raw(uint32_t length, const void *bytes, size_t count, size_t max)
{
	struct evbuffer *in = evbuffer_new();
	Weir__Wire__Frame *frame;
	uint32_t big = htonl(length);
	int result;

	evbuffer_add(in, &big, sizeof(big));
	evbuffer_add(in, bytes, count);
	result = weir_frame_get(in, max, &frame);
	if (result == 0)
		weir__wire__frame__free_unpacked(frame, NULL);
	evbuffer_free(in);
	return result;
}

START_TEST(refuses)
{
	/* field 9 (Part), holding field 2 (flows), empty, 30000 times */
	size_t flows = 30000, body = 2 * flows;
	uint8_t *bomb = malloc(body + 4);

	ck_assert_int_eq(get_raw(65537, "", 0, WEIR_FRAME_BYTES_HELLO), -EMSGSIZE);
	ck_assert_int_eq(get_raw(65536, "", 0, WEIR_FRAME_BYTES_HELLO), -EAGAIN);
	ck_assert_int_eq(get_raw(0xffffffff, "", 0, WEIR_FRAME_BYTES_MAX), -EMSGSIZE);
	ck_assert_int_eq(get_raw(0, "", 0, WEIR_FRAME_BYTES_MAX), -EBADMSG);
	ck_assert_int_eq(get_raw(3, "\xff\xff\xff", 3, WEIR_FRAME_BYTES_MAX), -EBADMSG);
	/* a field nobody knows is passed over, but then there is no body */
	ck_assert_int_eq(get_raw(3, "\xf8\x01\x01", 3, WEIR_FRAME_BYTES_MAX), -EBADMSG);
	/* 60 kB that would become 10 MB of structs */
	bomb[0] = 0x4a;
	bomb[1] = (uint8_t)(body & 0x7f) | 0x80;
	bomb[2] = (uint8_t)(body >> 7 & 0x7f) | 0x80;
	bomb[3] = (uint8_t)(body >> 14);
	for (size_t i = 0; i < flows; i++)
		memcpy(bomb + 4 + 2 * i, "\x12\x00", 2);
	ck_assert_int_eq(get_raw((uint32_t)body + 4, bomb, body + 4, WEIR_FRAME_BYTES_MAX),
			 -EBADMSG);
	free(bomb);
}
END_TEST

START_TEST(too_large_to_send)
{
	struct evbuffer *out = evbuffer_new();
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;
	Weir__Wire__Push push = WEIR__WIRE__PUSH__INIT;

	push.body.len = WEIR_FRAME_BYTES_MAX;
	push.body.data = calloc(1, push.body.len);
	frame.body_case = WEIR__WIRE__FRAME__BODY_PUSH;
	frame.push = &push;
	ck_assert_int_eq(weir_frame_put(out, &frame), -EMSGSIZE);
	ck_assert_uint_eq(evbuffer_get_length(out), 0);
	free(push.body.data);
	evbuffer_free(out);
}
END_TEST

START_TEST(blocking)
{
	struct evbuffer *out = evbuffer_new();
	Weir__Wire__Frame *frame, *again;
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	put_ping(out, 42);
	ck_assert_int_eq(weir_frame_get(out, 1000, &frame), 0);
	ck_assert_int_eq(weir_frame_write(fd[0], frame), 0);
	ck_assert_int_eq(weir_frame_read(fd[1], 1000, &again), 0);
	ck_assert_uint_eq(again->ping->id, 42);
	weir__wire__frame__free_unpacked(again, NULL);
	ck_assert_int_eq(weir_frame_write(fd[0], frame), 0);
	ck_assert_int_eq(weir_frame_read(fd[1], 3, &again), -EMSGSIZE);
	close(fd[0]);
	ck_assert_int_eq(weir_frame_write(fd[1], frame), -ECONNRESET);
	close(fd[1]);
	weir__wire__frame__free_unpacked(frame, NULL);
	evbuffer_free(out);
}
END_TEST

START_TEST(closed_in_the_middle)
{
	Weir__Wire__Frame *frame;
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	ck_assert_int_eq(write(fd[0], "\0\0\0\x09" "abc", 7), 7);
	close(fd[0]);
	ck_assert_int_eq(weir_frame_read(fd[1], 1000, &frame), -ECONNRESET);
	close(fd[1]);
}
END_TEST

START_TEST(order_is_kept)
{
	struct evbuffer *buffer = evbuffer_new();

	for (uint64_t i = 1; i < 1000; i++)
		put_ping(buffer, i);
	for (uint64_t i = 1; i < 1000; i++)
		expect_ping(buffer, i);
	evbuffer_free(buffer);
}
END_TEST

START_TEST(flow_survives)
{
	struct weir_flow flow, back;
	Weir__Wire__Flow message, *copy;

	memset(&flow, 0, sizeof(flow));
	for (unsigned i = 0; i < 16; i++)
		flow.src_addr[i] = flow.dst_addr[15 - i] = (uint8_t)(i * 17);
	flow.ip_version = 6;
	flow.packets = UINT64_MAX;
	flow.bytes = 1ULL << 63;
	flow.start_ns = 1;
	flow.end_ns = UINT64_MAX;
	flow.second_ns = 5;
	flow.payload_ns = 6;
	flow.in_ifindex = flow.out_ifindex = flow.mark = UINT32_MAX;
	flow.fragments = 1;
	flow.retransmitted = 2;
	flow.out_of_order = 3;
	flow.src_port = flow.dst_port = flow.vlan_id = flow.tcp_flags = flow.flags = UINT16_MAX;
	flow.protocol = flow.tos = flow.end_reason = flow.observed = flow.min_ttl = UINT8_MAX;
	memset(flow.src_mac, 0xaa, 6);
	weir_convert_flow_put(&message, &flow);
	copy = weir_convert_copy(&message.base);
	ck_assert_int_eq(weir_convert_flow_get(copy, &back), 0);
	ck_assert_mem_eq(&flow, &back, sizeof(flow));
	copy->protocol = 256;
	ck_assert_int_eq(weir_convert_flow_get(copy, &back), -EBADMSG);
	copy->protocol = 6;
	copy->src.len = 4;
	ck_assert_int_eq(weir_convert_flow_get(copy, &back), -EBADMSG);
	copy->src.len = 16;
	weir__wire__flow__free_unpacked(copy, NULL);
}
END_TEST

START_TEST(addresses)
{
	static const char *const bad[] = {"", ":", ":1", "h", "h:", "h:0", "h:65536", "h:1x", "::1:5",
					  "[::1]", "[::1:5", "[]:5", "h:-1"};
	struct sockaddr_storage address;
	socklen_t bytes;
	char text[WEIR_ADDRESS_TEXT], *host;
	uint16_t port;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(weir_address_parse(bad[i], &host, &port) == -EINVAL, "%s", bad[i]);
	ck_assert_int_eq(weir_address_parse("[2001:db8::1]:7410", &host, &port), 0);
	ck_assert_str_eq(host, "2001:db8::1");
	ck_assert_uint_eq(port, 7410);
	free(host);
	ck_assert_int_eq(weir_address_numeric("name:1", &address, &bytes), -EINVAL);
	ck_assert_int_eq(weir_address_numeric("[::1]:5", &address, &bytes), 0);
	ck_assert_str_eq(weir_address_text((struct sockaddr *)&address, text, sizeof(text)), "[::1]:5");
	ck_assert_int_eq(weir_address_numeric("10.0.0.1:65535", &address, &bytes), 0);
	ck_assert_str_eq(weir_address_text((struct sockaddr *)&address, text, sizeof(text)),
			 "10.0.0.1:65535");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frame");
	TCase *tcase = tcase_create("frame");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, split_at_every_byte);
	tcase_add_test(tcase, refuses);
	tcase_add_test(tcase, too_large_to_send);
	tcase_add_test(tcase, blocking);
	tcase_add_test(tcase, closed_in_the_middle);
	tcase_add_test(tcase, order_is_kept);
	tcase_add_test(tcase, flow_survives);
	tcase_add_test(tcase, addresses);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0
/* language_address.c - random tests of addresses, networks and MAC addresses. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/language.h"

/* Addresses and networks. */

struct net {
	uint8_t version, address[16];
	unsigned bits; /* of 32 or 128 */
};

static bool in_net(const struct net *net, const struct weir_flow *f, const uint8_t *address)
{
	unsigned skip = net->version == 4 ? 96 : 0;

	if (f->ip_version != net->version)
		return false;
	for (unsigned i = skip; i < skip + net->bits; i++) {
		if ((net->address[i / 8] ^ address[i / 8]) & 0x80 >> i % 8)
			return false;
	}
	return true;
}

static struct net random_net(bool whole)
{
	struct net net = {.version = language_up_to(3) ? 4 : 6};
	unsigned most = net.version == 4 ? 32 : 128;

	language_random_address(net.address, net.version);
	net.bits = whole ? most : language_up_to(most + 1);
	return net;
}

static void say_address(struct expression *e, const struct net *net)
{
	char text[INET6_ADDRSTRLEN];

	if (net->version == 4)
		inet_ntop(AF_INET, net->address + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, net->address, text, sizeof(text));
	language_say(e, "%s", text);
}

/* In one of the ways to write it; @alone: not in a list. */
static void say_net(struct expression *e, const struct net *net, bool alone)
{
	uint32_t mask = 0;
	char text[INET_ADDRSTRLEN];

	if (net->version == 4 && net->bits == 16 && language_up_to(2)) {
		language_say(e, "%u.%u%s", net->address[12], net->address[13], ONE_OF("", "/16"));
		return;
	}
	say_address(e, net);
	if (alone && net->version == 4 && language_up_to(2)) {
		mask = htonl(net->bits ? ~0u << (32 - net->bits) : 0);
		inet_ntop(AF_INET, &mask, text, sizeof(text));
		language_say(e, " %s%s", ONE_OF("", "mask "), text);
	} else {
		language_say(e, "/%u", net->bits);
	}
}

static void mark_addresses(struct expression *e, enum end end, const struct net *nets,
			   unsigned count)
{
	for (unsigned i = 0; i < LANGUAGE_FLOWS; i++) {
		bool src = false, dst = false;

		for (unsigned k = 0; k < count; k++) {
			src = src ||
			      in_net(&nets[k], &language_flows[i], language_flows[i].src_addr);
			dst = dst ||
			      in_net(&nets[k], &language_flows[i], language_flows[i].dst_addr);
		}
		e->holds |= (uint64_t)language_combine(end, src, dst) << i;
	}
}

void language_make_address(struct expression *e)
{
	enum end end = language_say_end(e);
	bool is_net = language_up_to(2);
	unsigned count = language_up_to(3) ? 1 : 1 + language_up_to(4);
	const char *start = language_list_start();
	struct net nets[4];

	language_say(e, "%s", is_net ? "net " : ONE_OF("host ", "ip ", "addr "));
	if (count > 1)
		language_say(e, "%s", start);
	for (unsigned k = 0; k < count; k++) {
		nets[k] = random_net(!is_net);
		language_say(e, "%s", k ? ONE_OF(" ", ", ", ",") : "");
		if (is_net)
			say_net(e, &nets[k], count == 1);
		else
			say_address(e, &nets[k]);
	}
	if (count > 1)
		language_say(e, "%s", language_list_end(start));
	mark_addresses(e, end, nets, count);
}

/* tcpdump's "(src host A or B)". */
void language_make_repeated(struct expression *e)
{
	struct expression second = {0};
	struct net nets[2] = {random_net(true), random_net(true)};
	bool tcp = language_up_to(2), either = language_up_to(2);
	enum end end;

	language_say(e, "(%s", tcp ? "tcp " : "");
	end = language_say_end(e);
	language_say(e, "%s", ONE_OF("host ", "ip ", ""));
	say_address(e, &nets[0]);
	language_say(e, " %s ", either ? ONE_OF("or", "||") : ONE_OF("and", "&&"));
	say_address(e, &nets[1]);
	language_say(e, ")");
	mark_addresses(e, end, &nets[0], 1);
	mark_addresses(&second, end, &nets[1], 1);
	e->holds = either ? e->holds | second.holds : e->holds & second.holds;
	for (unsigned i = 0; i < LANGUAGE_FLOWS && tcp; i++) {
		if (language_flows[i].protocol != 6)
			e->holds &= ~(1ULL << i);
	}
}

/* Beyond NAT: one address of the family that is there, if any. */
static bool beyond(const struct net *net, uint64_t high, uint64_t low)
{
	struct weir_flow f = {.ip_version = high ? 6 : 4};

	if (!high && !low)
		return false;
	for (unsigned i = 0; i < 8; i++) {
		f.src_addr[i] = (uint8_t)(high >> (8 * (7 - i)));
		f.src_addr[8 + i] = (uint8_t)(low >> (8 * (7 - i)));
	}
	return in_net(net, &f, f.src_addr);
}

static bool port_beyond(unsigned port, unsigned low, unsigned high)
{
	return port && port >= low && port <= high;
}

void language_make_nat(struct expression *e)
{
	bool nfdump = language_up_to(3) == 0, is_net = language_up_to(2), ports = language_up_to(2);
	struct net net = random_net(!is_net);
	unsigned low = language_up_to(900), high = low + language_up_to(2) * language_up_to(900);
	enum end end;

	if (language_up_to(5) == 0) {
		language_say(e, "nat");
		for (unsigned i = 0; i < LANGUAGE_FLOWS; i++) {
			const struct weir_flow *f = &language_flows[i];
			bool any = f->nat_src_high || f->nat_src_low || f->nat_dst_high ||
				   f->nat_dst_low;

			e->holds |= (uint64_t)any << i;
		}
		return;
	}
	if (!nfdump)
		language_say(e, "nat ");
	end = language_say_end(e);
	if (ports) {
		language_say(e, "%s %u-%u", nfdump ? ONE_OF("xport", "nport") : "port", low, high);
	} else if (nfdump) {
		language_say(e, "%s ", ONE_OF("xip", "nip"));
		say_address(e, &net);
		language_say(e, "/%u", net.bits);
	} else {
		language_say(e, "%s ", is_net ? "net" : ONE_OF("host", "ip", "addr"));
		if (is_net)
			say_net(e, &net, true);
		else
			say_address(e, &net);
	}
	for (unsigned i = 0; i < LANGUAGE_FLOWS; i++) {
		const struct weir_flow *f = &language_flows[i];
		bool src = ports ? port_beyond(f->nat_src_port, low, high)
				 : beyond(&net, f->nat_src_high, f->nat_src_low);
		bool dst = ports ? port_beyond(f->nat_dst_port, low, high)
				 : beyond(&net, f->nat_dst_high, f->nat_dst_low);

		e->holds |= (uint64_t)language_combine(end, src, dst) << i;
	}
}

void language_make_mac(struct expression *e)
{
	unsigned last = language_up_to(4);
	enum end end;

	if (language_up_to(2)) {
		end = language_say_end(e);
		language_say(e, "mac ");
	} else {
		language_say(e, "ether ");
		end = language_say_end(e);
		language_say(e, "%s", end == EITHER ? "host " : ONE_OF("", "host "));
	}
	language_say(e, ONE_OF("00:00:00:00:00:%02x", "0:0:0:0:0:%x", "00-00-00-00-00-%02X"), last);
	for (unsigned i = 0; i < LANGUAGE_FLOWS; i++)
		e->holds |= (uint64_t)language_combine(end, language_flows[i].src_mac[5] == last,
						       language_flows[i].dst_mac[5] == last)
			    << i;
}

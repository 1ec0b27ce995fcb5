// SPDX-License-Identifier: GPL-2.0
/*
 * operand_nat.c - the tests of what is on the other side of NAT.
 *
 *   "nat"                                      there is one
 *   "nat" [ direction ] ( "host" | "ip" | "net" ) A | "nat" [ direction ] "port" P
 *   [ direction ] ( "xip" | "nip" ) A | [ direction ] ( "xport" | "nport" ) P     as in nfdump
 */
#include "daemon/query/filter.h"

static int address_test(struct weir_parser *p, enum weir_address_form form,
			enum weir_direction direction)
{
	int node;

	weir_parser_step(p);
	node = weir_address_test(p, form, direction);
	if (node >= 0)
		p->nodes[node].step.test = WEIR_TEST_NAT_ADDRESS;
	p->last = (struct weir_parser_last){
		.kind = WEIR_LAST_ADDRESS, .nat = true, .direction = direction};
	return node;
}

static int port_test(struct weir_parser *p, enum weir_direction direction)
{
	int node;

	weir_parser_step(p);
	node = weir_number_port_test(p, direction);
	if (node >= 0)
		p->nodes[node].step.test = WEIR_TEST_NAT_PORT;
	p->last = (struct weir_parser_last){
		.kind = WEIR_LAST_PORT, .nat = true, .direction = direction};
	return node;
}

static int bare_test(struct weir_parser *p)
{
	unsigned first = p->value_count;
	int ret = weir_parser_add_range(p, 1, 1);

	return ret ? ret : weir_parser_add_number(p, WEIR_TEST_NUMBER, "nat", first);
}

int weir_nat_test(struct weir_parser *p)
{
	enum weir_direction direction = WEIR_EITHER;
	bool directed;
	int ret = 0;

	weir_parser_step(p);
	directed = weir_parser_sees(p, "src") || weir_parser_sees(p, "dst");
	if (directed)
		ret = weir_parser_direction(p, &direction);
	if (ret)
		return ret;
	if (weir_parser_sees(p, "ip") || weir_parser_sees(p, "addr"))
		return address_test(p, WEIR_ADDRESS_ANY, direction);
	if (weir_parser_sees(p, "host"))
		return address_test(p, WEIR_ADDRESS_HOST, direction);
	if (weir_parser_sees(p, "net"))
		return address_test(p, WEIR_ADDRESS_NET, direction);
	if (weir_parser_sees(p, "port"))
		return port_test(p, direction);
	return directed ? weir_parser_expect(p, "host, ip, net or port") : bare_test(p);
}

bool weir_nat_sees_short(const struct weir_parser *p)
{
	return weir_parser_sees(p, "xip") || weir_parser_sees(p, "nip") ||
	       weir_parser_sees(p, "xport") || weir_parser_sees(p, "nport");
}

int weir_nat_short_test(struct weir_parser *p, enum weir_direction direction)
{
	if (weir_parser_sees(p, "xip") || weir_parser_sees(p, "nip"))
		return address_test(p, WEIR_ADDRESS_ANY, direction);
	return port_test(p, direction);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * language.h - the filter language a second time, for random tests.
 *
 * It follows weir-filter(7) and shares no code with daemon/query. An expression is made together
 * with the set of the flows for which it holds, bit i for flow i: tests set their bits one flow
 * at a time, operators are operators on the sets. What is written is one of several spellings.
 * Everything comes from random().
 */
#ifndef WEIR_TESTS_LANGUAGE_H
#define WEIR_TESTS_LANGUAGE_H

#include "daemon/common/flow.h"

enum { LANGUAGE_FLOWS = 64 };

/* The flows that expressions are about. */
extern struct weir_flow language_flows[LANGUAGE_FLOWS];

struct expression {
	char text[4000]; /* cut if it would be longer */
	uint64_t holds;
};

/* One that flows may have, as in struct weir_flow. */
void language_random_address(uint8_t address[16], uint8_t version);
/* Make other flows. */
void language_make_flows(void);
/* An expression of operators at most @depth deep. Names it has: node "here", site "some where",
 * interfaces eth0 (3), eth1 (4), wan0 (5). */
void language_make(struct expression *e, unsigned depth);

/* For the makers of tests. */
unsigned language_up_to(unsigned n);
const char *language_any_of(const char *const *words);
#define ONE_OF(...) language_any_of((const char *const[]){__VA_ARGS__, NULL})
void language_say(struct expression *e, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Which of the two ends have to pass. */
enum end { EITHER, SOURCE, DESTINATION, BOTH };
enum end language_say_end(struct expression *e);
bool language_combine(enum end end, bool src, bool dst);
const char *language_list_start(void);
const char *language_list_end(const char *start);

/* One test each. */
void language_make_address(struct expression *e);
void language_make_repeated(struct expression *e); /* "(src host A or B)" */
void language_make_nat(struct expression *e);
void language_make_mac(struct expression *e);
void language_make_number(struct expression *e);
void language_make_port(struct expression *e);
void language_make_repeated_port(struct expression *e); /* "(udp dst port A or B)" */

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* json.h - values of ours as JSON (the only header of the command line with jansson in it). */
#ifndef WEIR_CLI_JSON_H
#define WEIR_CLI_JSON_H

#include <jansson.h>

#include "daemon/cli/cli.h"

/* Integers of JSON are signed here: past their end, the largest there is. */
json_t *weir_cli_json_number(uint64_t value);
json_t *weir_cli_json_totals(const struct weir_totals *totals);
/* json_flow.c: a line; what is 0 or not known may be left out of it. */
void weir_cli_json_flow(FILE *out, const struct weir_cli_flow *flow, bool with_node, bool live);
/* Addresses, protocol, and ports or ICMP type and code. */
void weir_cli_json_end_points(json_t *object, const struct weir_flow *flow);
/* A string that may not be UTF-8: '?' takes the place of what is not ASCII then. */
json_t *weir_cli_json_string(const char *text);
/* RFC 3339, or null for 0. */
json_t *weir_cli_json_time(uint64_t ns);
/* Write @value to stdout, indented or as one line, and free it. 0 or -ENOMEM. */
int weir_cli_json_print(json_t *value, bool one_line);

#endif

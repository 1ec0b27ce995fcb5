/* SPDX-License-Identifier: GPL-2.0 */
/* text.h - addresses, names and quantities as people write them. */
#ifndef WEIR_COMMON_TEXT_H
#define WEIR_COMMON_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum {
	WEIR_TEXT_ADDRESS = 46, /* room for the longest address */
};

/* IPv4-mapped addresses are written as IPv4 when @ip_version is 4. Returns @text. */
const char *weir_text_address(const uint8_t address[16], uint8_t ip_version, char *text,
			      size_t text_bytes);
/* "10.0.0.1" or "2001:db8::1", optionally "/len"; IPv4 is stored mapped and its
 * length counted from 96. @prefix becomes 128 without one. -EINVAL. */
int weir_text_parse_prefix(const char *text, uint8_t address[16], uint8_t *prefix,
			   uint8_t *ip_version);
/* "tcp", "udp", "icmp", "icmp6", else the number. Returns @text. */
const char *weir_text_protocol(uint8_t protocol, char *text, size_t text_bytes);
/* By name or number; -EINVAL. */
int weir_text_parse_protocol(const char *text, uint8_t *protocol);
/* "CEUAPRSF" style, '.' where not set. Returns @text. */
const char *weir_text_tcp_flags(uint16_t flags, char *text, size_t text_bytes);
/* Decimal multiples: "950", "1.23 k", "45.6 M". Returns @text. */
const char *weir_text_quantity(uint64_t value, char *text, size_t text_bytes);
/* "4096", "64k", "256M", "2G" (binary multiples). -EINVAL, -ERANGE. */
int weir_text_parse_bytes(const char *text, uint64_t *bytes);
/* Lower-case hexadecimal. Returns @text. */
const char *weir_text_hex(const void *bytes, size_t count, char *text, size_t text_bytes);
/* How many letters to add, remove, change or swap to get from @a to @b, at most @most + 1: for
 * "did you mean". Case does not count. */
unsigned weir_text_distance(const char *a, const char *b, unsigned most);

#endif

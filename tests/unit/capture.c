// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"

enum {
	PCAP_HEADER = 24,
	PCAP_PACKET = 16,
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2, /* obsolete */
	BLOCK_SIMPLE = 3,
	BLOCK_ENHANCED = 6,
	OPTION_TSRESOL = 9,
	OPTION_TSOFFSET = 14,

	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_PPP = 9,
	LINK_RAW = 101,
	LINK_CHDLC = 104,
	LINK_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_SLL2 = 276,

	TYPE_IPV4 = 0x0800,
	TYPE_IPV6 = 0x86dd,
	TYPE_MPLS = 0x8847,
	TYPE_LEAST = 0x0600, /* below, it is a length and LLC follows */

	INTERFACES = 256,
};

struct interface {
	uint32_t link;
	uint64_t ticks; /* a second */
	int64_t offset; /* seconds */
};

struct reader {
	struct capture *c;
	const uint8_t *at;
	size_t left;
	bool swap;
	struct interface interfaces[INTERFACES];
	unsigned int n;
};

static uint32_t u32_at(const struct reader *r, const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, 4);
	return r->swap ? __builtin_bswap32(v) : v;
}

static uint16_t u16_at(const struct reader *r, const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, 2);
	return r->swap ? __builtin_bswap16(v) : v;
}

static uint16_t be16_at(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static bool add(struct reader *r, struct capture_packet p)
{
	struct capture *c = r->c;

	if ((c->n & (c->n + 1)) == 0) { /* n + 1 is a power of two: double */
		size_t room = 2 * (c->n + 1);
		void *bigger = realloc(c->packets, room * sizeof(*c->packets));

		if (!bigger)
			return false;
		c->packets = bigger;
	}
	c->packets[c->n++] = p;
	return true;
}

static bool read_pcap(struct reader *r, uint64_t scale)
{
	const uint32_t link = u32_at(r, r->at + 20) & 0xffff;

	r->at += PCAP_HEADER;
	r->left -= PCAP_HEADER;
	while (r->left >= PCAP_PACKET) {
		struct capture_packet p = {
			.time = (capture_ns)u32_at(r, r->at) * 1000000000 +
				u32_at(r, r->at + 4) * scale,
			.link = link,
			.captured = u32_at(r, r->at + 8),
			.length = u32_at(r, r->at + 12),
			.data = r->at + PCAP_PACKET,
		};

		if (p.captured > r->left - PCAP_PACKET)
			break;
		if (!add(r, p))
			return false;
		r->at += PCAP_PACKET + p.captured;
		r->left -= PCAP_PACKET + p.captured;
	}
	return true;
}

static void read_interface(struct reader *r, const uint8_t *body, size_t length)
{
	struct interface *i = &r->interfaces[r->n];
	size_t at = 8;

	if (r->n == INTERFACES || length < at)
		return;
	*i = (struct interface){.link = u16_at(r, body), .ticks = 1000000};
	while (at + 4 <= length) {
		const uint16_t kind = u16_at(r, body + at), bytes = u16_at(r, body + at + 2);
		const uint8_t *value = body + at + 4;

		if (!kind || bytes > length - at - 4)
			break;
		if (kind == OPTION_TSRESOL && bytes == 1) {
			i->ticks = 1;
			for (int n = *value & 0x7f; n > 0; n--)
				i->ticks *= *value & 0x80 ? 2 : 10;
		}
		if (kind == OPTION_TSOFFSET && bytes == 8) {
			memcpy(&i->offset, value, 8);
			if (r->swap)
				i->offset = (int64_t)__builtin_bswap64((uint64_t)i->offset);
		}
		at += 4 + ((bytes + 3U) & ~3U);
	}
	r->n++;
}

static capture_ns time_of(const struct interface *i, uint32_t high, uint32_t low)
{
	const uint64_t ticks = (uint64_t)high << 32 | low;

	return (capture_ns)ticks * 1000000000 / i->ticks +
	       (capture_ns)((__int128)i->offset * 1000000000);
}

static bool read_packet(struct reader *r, uint32_t kind, const uint8_t *body, size_t length)
{
	const size_t header = kind == BLOCK_SIMPLE ? 4 : 20;
	struct capture_packet p = {.data = body + header};
	const struct interface *i = r->interfaces;
	uint32_t number = 0;

	if (length < header)
		return true;
	if (kind == BLOCK_SIMPLE) {
		p.length = u32_at(r, body);
		p.captured = p.length < length - header ? p.length : (uint32_t)(length - header);
	} else {
		number = kind == BLOCK_PACKET ? u16_at(r, body) : u32_at(r, body);
		p.captured = u32_at(r, body + 12);
		p.length = u32_at(r, body + 16);
	}
	if (number >= r->n || p.captured > length - header)
		return true;
	i += number;
	p.link = i->link;
	if (kind != BLOCK_SIMPLE)
		p.time = time_of(i, u32_at(r, body + 4), u32_at(r, body + 8));
	return add(r, p);
}

static bool read_pcapng(struct reader *r)
{
	while (r->left >= 12) {
		uint32_t kind = u32_at(r, r->at), length;
		const uint8_t *body = r->at + 8;

		if (kind == BLOCK_SECTION) {
			r->swap = false;
			r->swap = u32_at(r, body) != 0x1a2b3c4d;
			r->n = 0;
		}
		length = u32_at(r, r->at + 4);
		if (length < 12 || length > r->left)
			break;
		if (kind == BLOCK_INTERFACE)
			read_interface(r, body, length - 12);
		if ((kind == BLOCK_ENHANCED || kind == BLOCK_SIMPLE || kind == BLOCK_PACKET) &&
		    !read_packet(r, kind, body, length - 12))
			return false;
		r->at += length;
		r->left -= length;
	}
	return true;
}

static bool load(const char *path, uint8_t **bytes, size_t *length)
{
	FILE *file = fopen(path, "rb");
	long size;

	if (!file)
		return false;
	*bytes = NULL;
	if (!fseek(file, 0, SEEK_END) && (size = ftell(file)) >= 0 && !fseek(file, 0, SEEK_SET)) {
		*length = (size_t)size;
		*bytes = malloc(*length + 1);
		if (*bytes && fread(*bytes, 1, *length, file) != *length) {
			free(*bytes);
			*bytes = NULL;
		}
	}
	fclose(file);
	return *bytes;
}

bool capture_read(const char *path, struct capture *c)
{
	struct reader r = {.c = c};
	bool done = false;
	uint32_t magic;

	memset(c, 0, sizeof(*c));
	if (!load(path, &c->bytes, &r.left))
		return false;
	r.at = c->bytes;
	magic = r.left >= PCAP_HEADER ? u32_at(&r, r.at) : 0;
	r.swap = magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1;
	magic = r.swap ? __builtin_bswap32(magic) : magic;
	if (magic == BLOCK_SECTION)
		done = read_pcapng(&r);
	else if (magic == 0xa1b2c3d4 || magic == 0xa1b23c4d)
		done = read_pcap(&r, magic == 0xa1b23c4d ? 1 : 1000);
	if (!done)
		capture_free(c);
	return done;
}

void capture_free(struct capture *c)
{
	free(c->packets);
	free(c->bytes);
	memset(c, 0, sizeof(*c));
}

static uint16_t type_by_version(const struct capture_packet *p, uint32_t at)
{
	return p->captured <= at ? 0 : p->data[at] >> 4 == 6 ? TYPE_IPV6 : TYPE_IPV4;
}

/* Address families differ between systems, and are in the order of the machine that captured. */
static uint16_t type_of_family(const uint8_t *at)
{
	switch (at[0] | at[3]) {
	case 2:
		return TYPE_IPV4;
	case 10:
	case 24:
	case 28:
	case 30:
		return TYPE_IPV6;
	}
	return 0;
}

static uint16_t type_of_ppp(const struct capture_packet *p, uint32_t *offset)
{
	uint32_t at = p->captured >= 4 && p->data[0] == 0xff && p->data[1] == 3 ? 2 : 0;
	bool compressed; /* the protocol: an odd byte is its last */

	if (p->captured < at + 2)
		return 0;
	compressed = p->data[at] & 1;
	*offset = at + (compressed ? 1 : 2);
	switch (compressed ? p->data[at] : be16_at(p->data + at)) {
	case 0x0021:
		return TYPE_IPV4;
	case 0x0057:
		return TYPE_IPV6;
	case 0x0281:
		return TYPE_MPLS;
	}
	return 0;
}

bool capture_network(const struct capture_packet *p, uint16_t *ethertype, uint32_t *offset)
{
	/* link type, bytes of header, where in it the ethertype is */
	static const struct {
		uint32_t link, header, at;
	} links[] = {{LINK_ETHERNET, 14, 12}, {LINK_SLL, 16, 14}, {LINK_SLL2, 20, 0},
		     {LINK_CHDLC, 4, 2}};

	*ethertype = 0;
	switch (p->link) {
	case LINK_RAW:
	case LINK_IPV4:
	case LINK_IPV6:
		*offset = 0;
		*ethertype = type_by_version(p, 0);
		break;
	case LINK_NULL:
		*offset = 4;
		*ethertype = p->captured >= 4 ? type_of_family(p->data) : 0;
		break;
	case LINK_PPP:
		*ethertype = type_of_ppp(p, offset);
		break;
	default:
		for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
			if (links[i].link != p->link || p->captured < links[i].header)
				continue;
			*offset = links[i].header;
			*ethertype = be16_at(p->data + links[i].at);
		}
	}
	return *ethertype >= TYPE_LEAST;
}

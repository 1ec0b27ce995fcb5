/* SPDX-License-Identifier: GPL-2.0 */
/* address.h - "host:port" and socket addresses. */
#ifndef WEIR_WIRE_ADDRESS_H
#define WEIR_WIRE_ADDRESS_H

#include <stdint.h>
#include <stddef.h>
#include <sys/socket.h>

struct event_base;
struct weir_address;

enum {
	WEIR_ADDRESS_TEXT = 64, /* room for "[v6]:port" */
};

/* Split "host:port" or "[v6]:port"; *@host is malloc'ed. -EINVAL, -ENOMEM. */
int weir_address_parse(const char *text, char **host, uint16_t *port);
/* A numeric one, without asking anybody. -EINVAL: a name, or neither. */
int weir_address_numeric(const char *text, struct sockaddr_storage *address, socklen_t *bytes);
/* "10.0.0.1:7410" or "[::1]:7410". Returns @text. */
const char *weir_address_text(const struct sockaddr *address, char *text, size_t text_bytes);

/* @error is a sentence or NULL. */
typedef void weir_address_resolved(void *arg, const struct sockaddr *address, socklen_t bytes,
				   const char *error);
/**
 * weir_address_resolve - find the address of "host:port" without blocking the loop.
 * @done is called once, possibly before this returns; freeing *@request prevents it. The
 * machine's resolver configuration is read anew each time, as routers change theirs.
 */
int weir_address_resolve(struct event_base *base, const char *text, weir_address_resolved *done,
			 void *arg, struct weir_address **request);
void weir_address_free(struct weir_address *request);

#endif

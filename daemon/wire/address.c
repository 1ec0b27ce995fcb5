// SPDX-License-Identifier: GPL-2.0
/* address.c - "host:port" and socket addresses. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>

#include "daemon/wire/address.h"

struct weir_address {
	struct event_base *base;
	struct evdns_base *dns;
	struct evdns_getaddrinfo_request *request; /* NULL: done */
	weir_address_resolved *done; /* NULL: nobody waits any more */
	void *arg;
	char *text;
};

int weir_address_parse(const char *text, char **host, uint16_t *port)
{
	const char *colon = strrchr(text, ':'), *end;
	const char *start = text;
	unsigned long number;
	char *rest;

	if (!colon || colon == text)
		return -EINVAL;
	end = colon;
	if (*text == '[') {
		if (end[-1] != ']')
			return -EINVAL;
		start++;
		end--;
	} else if (memchr(text, ':', (size_t)(colon - text))) {
		return -EINVAL; /* IPv6 without brackets: which part is the port? */
	}
	number = strtoul(colon + 1, &rest, 10);
	if (end <= start || colon[1] < '0' || colon[1] > '9' || *rest || !number ||
	    number > UINT16_MAX)
		return -EINVAL;
	*host = strndup(start, (size_t)(end - start));
	if (!*host)
		return -ENOMEM;
	*port = (uint16_t)number;
	return 0;
}

int weir_address_numeric(const char *text, struct sockaddr_storage *address, socklen_t *bytes)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	uint16_t port;
	char *host;
	int result = weir_address_parse(text, &host, &port);

	if (result)
		return result;
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*bytes = sizeof(*v4);
	} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*bytes = sizeof(*v6);
	} else {
		result = -EINVAL;
	}
	free(host);
	return result;
}

const char *weir_address_text(const struct sockaddr *address, char *text, size_t text_bytes)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	char host[INET6_ADDRSTRLEN] = "?";

	if (address->sa_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		snprintf(text, text_bytes, "%s:%u", host, ntohs(v4->sin_port));
	} else if (address->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(text, text_bytes, "[%s]:%u", host, ntohs(v6->sin6_port));
	} else {
		snprintf(text, text_bytes, "local");
	}
	return text;
}

static void on_late_free(evutil_socket_t fd, short what, void *arg)
{
	weir_address_free(arg);
}

static void on_answer(int result, struct evutil_addrinfo *found, void *arg)
{
	struct weir_address *request = arg;
	char error[256];

	request->request = NULL;
	if (!request->done) { /* not from inside evdns, which is still using its base */
		struct timeval now = {0, 0};

		if (found)
			evutil_freeaddrinfo(found);
		event_base_once(request->base, -1, EV_TIMEOUT, on_late_free, request, &now);
		return;
	}
	if (result || !found) {
		snprintf(error, sizeof(error), "\"%s\" cannot be resolved: %s", request->text,
			 result ? evutil_gai_strerror(result) : "it has no address");
		request->done(request->arg, NULL, 0, error);
	} else {
		request->done(request->arg, found->ai_addr, (socklen_t)found->ai_addrlen, NULL);
	}
	if (found)
		evutil_freeaddrinfo(found);
}

static int ask(struct event_base *base, struct weir_address *request)
{
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct evdns_getaddrinfo_request *pending;
	char service[8], *host;
	uint16_t port;
	int result = weir_address_parse(request->text, &host, &port);

	if (result)
		return result;
	request->dns = evdns_base_new(base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
						    EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!request->dns) /* no name servers: /etc/hosts may still know it */
		request->dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!request->dns) {
		free(host);
		return -ENOMEM;
	}
	if (evdns_base_count_nameservers(request->dns) == 0)
		evdns_base_load_hosts(request->dns, "/etc/hosts");
	snprintf(service, sizeof(service), "%u", port);
	pending = evdns_getaddrinfo(request->dns, host, service, &hints, on_answer, request);
	request->request = pending;
	free(host);
	return 0;
}

int weir_address_resolve(struct event_base *base, const char *text, weir_address_resolved *done,
			 void *arg, struct weir_address **out)
{
	struct sockaddr_storage address;
	struct weir_address *request;
	socklen_t bytes;
	int result;

	if (weir_address_numeric(text, &address, &bytes) == 0) {
		done(arg, (struct sockaddr *)&address, bytes, NULL);
		return 0;
	}
	request = calloc(1, sizeof(*request));
	if (!request)
		return -ENOMEM;
	request->base = base;
	request->done = done;
	request->arg = arg;
	request->text = strdup(text);
	result = request->text ? ask(base, request) : -ENOMEM;
	if (result) {
		weir_address_free(request);
		return result;
	}
	*out = request;
	return 0;
}

void weir_address_free(struct weir_address *request)
{
	if (!request)
		return;
	if (request->request) {
		/* evdns calls on_answer() once more, later; it frees then. */
		request->done = NULL;
		evdns_getaddrinfo_cancel(request->request);
		return;
	}
	if (request->dns)
		evdns_base_free(request->dns, 0);
	free(request->text);
	free(request);
}

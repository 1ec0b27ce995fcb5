/* SPDX-License-Identifier: GPL-2.0 */
/*
 * netflow.h - a recorded stream as IPFIX over UDP, for collectors to compare with.
 * Two templates (IPv4, IPv6) with what both keep: addresses, ports, protocol, TOS, flags,
 * interfaces, VLAN, MACs, counters of 8 bytes, times in ms, the reason of the end.
 */
#ifndef WEIR_TESTS_NETFLOW_H
#define WEIR_TESTS_NETFLOW_H

#include <stdint.h>

/* To 127.0.0.1:@port. Waits while the receiver's queue (/proc/net/udp) is half full, so
 * that nothing is lost however slow it is. Prints what was sent. */
int weir_netflow_send(const char *stream, uint16_t port);

#endif

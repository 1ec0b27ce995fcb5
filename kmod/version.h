/* SPDX-License-Identifier: GPL-2.0 */
/* version - from the top Makefile's VERSION, else this */
#ifndef WEIR_VERSION
#define WEIR_VERSION "0.1.0"
#endif

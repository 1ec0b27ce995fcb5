/* SPDX-License-Identifier: GPL-2.0 */
/* choose.h - which codec a column gets. */
#ifndef WEIR_STORE_CHOOSE_H
#define WEIR_STORE_CHOOSE_H

#include "daemon/store/codec.h"

/* Remembers, for each column, what did best. */
struct weir_chooser;

/* @thorough: try all for each block, and take the smallest, however slow to read. */
int weir_chooser_new(bool thorough, struct weir_chooser **chooser);
void weir_chooser_free(struct weir_chooser *chooser);
/* Append column @id, which @coder has loaded, to @to as it gets smallest. Returns how. */
struct weir_codec_choice weir_chooser_write(struct weir_chooser *chooser, struct weir_coder *coder,
					    enum weir_column_id id, uint32_t count,
					    struct weir_bytes *to);
/* Ways that column @id is tried. */
const struct weir_codec_choice *weir_chooser_candidates(enum weir_column_id id, unsigned *count);

#endif

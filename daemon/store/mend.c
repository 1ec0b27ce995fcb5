// SPDX-License-Identifier: GPL-2.0
/*
 * mend.c - a partition whose pages are sound: damaged blocks and segments go, what indexes
 * and sums say is made again from what is there. One transaction, after the bytes that it removes are
 * on the disk in damaged/.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/store/block.h"
#include "daemon/store/repair_part.h"

enum {
	/* Beyond the size of the file, for the pages of the transaction. */
	MAP_SPARE = 256 << 20,
};

struct mend {
	struct weir_repair *repair;
	struct weir_check_part *part;
	struct weir_lmdb_txn txn;
	struct weir_block_reader *reader;
	struct weir_flow *flows;
	char *damaged; /* folder for what is removed; NULL: none yet */
	struct weir_meta_held held;
	struct weir_totals totals;
	uint64_t lost_blocks, lost_records, lost_segments, corrected;
};

static const char *mode(const struct mend *m, const char *done, const char *would)
{
	return m->repair->options->dry_run ? would : done;
}

static int write_all(int fd, const uint8_t *data, size_t bytes)
{
	while (bytes) {
		ssize_t some = write(fd, data, bytes);

		if (some < 0 && errno == EINTR)
			continue;
		if (some <= 0)
			return some ? -errno : -EIO;
		data += some;
		bytes -= (size_t)some;
	}
	return fsync(fd) ? -errno : 0;
}

/* Copy what is about to be removed to damaged/NAME/KIND-NUMBER. */
static int put_aside(struct mend *m, const char *kind, uint64_t number,
		     const struct weir_lmdb_value *value)
{
	char name[64], *path;
	int fd, ret;

	if (m->repair->options->dry_run)
		return 0;
	if (!m->damaged)
		m->damaged = weir_repair_damaged_name(m->repair->dir, m->part->survey->name);
	if (!m->damaged)
		return -EIO;
	snprintf(name, sizeof(name), "%s-%" PRIu64, kind, number);
	path = weir_folder_path(m->damaged, name);
	if (!path)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ret = fd < 0 ? -errno : write_all(fd, value->data, value->bytes);
	if (fd >= 0)
		close(fd);
	free(path);
	return ret;
}

static int remove_number(struct mend *m, unsigned db, uint64_t number)
{
	int ret = weir_lmdb_delete_number(&m->txn, db, number);

	return ret == -ENOENT ? 0 : ret;
}

static int lose_block(struct mend *m, uint64_t number, const struct weir_lmdb_value *block,
		      const struct weir_meta_times *says, const char *why)
{
	int ret = block ? put_aside(m, "block", number, block) : 0;

	weir_repair_tell(m->repair, m->part->survey->name, "block %" PRIu64 ": %s; its %" PRIu64
			 " records %s lost", number, why, says->records,
			 mode(m, "are", "would be"));
	m->lost_blocks++;
	m->lost_records += says->records;
	if (!ret)
		ret = remove_number(m, WEIR_DB_BLOCKS, number);
	return ret ? ret : remove_number(m, WEIR_DB_TIMES, number);
}

static void count(struct mend *m, const struct weir_meta_times *is,
		  const struct weir_totals *totals)
{
	if (!m->held.blocks || is->min_ns < m->held.min_ns)
		m->held.min_ns = is->min_ns;
	if (!m->held.blocks || is->max_ns > m->held.max_ns)
		m->held.max_ns = is->max_ns;
	m->held.blocks++;
	m->held.records += is->records;
	weir_totals_add(&m->totals, totals);
}

static int mend_block(struct mend *m, uint64_t number, const struct weir_lmdb_value *block,
		      const struct weir_meta_times *says)
{
	struct weir_meta_times is;
	struct weir_totals totals;
	uint8_t packed[sizeof(is)];
	char why[160] = "";

	if (weir_check_block(m->reader, m->flows, number, block->data, block->bytes, &is, &totals,
			     why, sizeof(why)))
		return lose_block(m, number, block, says, why);
	count(m, &is, &totals);
	if (!memcmp(says, &is, sizeof(is)))
		return 0;
	m->corrected++;
	weir_meta_encode(&is, sizeof(is), packed);
	return weir_lmdb_put_number(&m->txn, WEIR_DB_TIMES, number, packed, sizeof(packed));
}

static int mend_blocks(struct mend *m)
{
	struct weir_lmdb_value block, times;
	uint64_t next = 0;
	int ret = 0;

	while (!ret) {
		uint64_t with_block = UINT64_MAX, with_times = UINT64_MAX;
		struct weir_meta_times says = {0};
		int no_block = weir_lmdb_seek_number(&m->txn, WEIR_DB_BLOCKS, next, false,
						     &with_block, &block);
		int no_times = weir_lmdb_seek_number(&m->txn, WEIR_DB_TIMES, next, false,
						     &with_times, &times);

		if (m->txn.error || (no_block && no_times))
			return m->txn.error;
		if (m->repair->options->cancel && *m->repair->options->cancel)
			return -ECANCELED;
		next = (with_block < with_times ? with_block : with_times) + 1;
		if (!no_times && with_times < next)
			weir_meta_decode(times.data, times.bytes, &says, sizeof(says));
		if (!no_block && with_block < next)
			ret = mend_block(m, with_block, &block, &says);
		else
			ret = lose_block(m, with_times, NULL, &says, "it is not there");
	}
	return ret;
}

static int mend_segments(struct mend *m)
{
	const struct weir_repair_options *options = m->repair->options;
	uint64_t next = 0, last = m->part->meta.state.summed.seq, seq;
	struct weir_lmdb_value body;
	char why[160];
	int ret = 0;

	while (!ret && options->segment &&
	       !weir_lmdb_seek_number(&m->txn, WEIR_DB_SEGMENTS, next, false, &seq, &body)) {
		next = seq + 1;
		if (options->segment(options->arg, seq, body.data, body.bytes,
				     seq == last ? m->part->meta.state.summed.hash : NULL, why,
				     sizeof(why)))
			continue;
		weir_repair_tell(m->repair, m->part->survey->name, "segment %" PRIu64 ": %s; it %s",
				 seq, why, mode(m, "is lost", "would be lost"));
		m->lost_segments++;
		ret = put_aside(m, "segment", seq, &body);
		if (!ret)
			ret = remove_number(m, WEIR_DB_SEGMENTS, seq);
	}
	return ret ? ret : m->txn.error;
}

static bool is_less(const struct weir_totals *a, const struct weir_totals *b)
{
	return a->flows < b->flows || a->packets < b->packets || a->bytes < b->bytes;
}

/* -EBADMSG: there is more than was ever stored. */
static int sum_up(struct mend *m, struct weir_survey_meta *now)
{
	struct weir_totals *damaged = &now->damaged.totals;
	struct weir_totals before = m->part->meta.damaged.totals;

	if (!now->has_base) {
		now->has_base = true;
		if (m->repair->has_before) {
			now->base.last_block = m->repair->before.state.last_block;
			now->base.segment = m->repair->before.state.summed.seq;
			now->base.stored = m->repair->before.state.stored;
		}
	}
	*damaged = now->state.stored;
	if (is_less(damaged, &now->base.stored))
		return -EBADMSG;
	weir_totals_subtract(damaged, &now->base.stored);
	if (is_less(damaged, &m->totals))
		return -EBADMSG;
	weir_totals_subtract(damaged, &m->totals);
	now->damaged.blocks += m->lost_blocks;
	now->held = m->held;
	weir_totals_add(&m->repair->result->damaged, damaged);
	weir_totals_subtract(&m->repair->result->damaged, &before);
	m->repair->result->lost_blocks += m->lost_blocks;
	m->repair->result->lost_records += m->lost_records;
	m->repair->result->lost_segments += m->lost_segments;
	return 0;
}

static int mend(struct mend *m, struct weir_survey_meta *now)
{
	int ret = mend_blocks(m);

	if (!ret)
		ret = mend_segments(m);
	if (!ret)
		ret = sum_up(m, now);
	if (ret == -EBADMSG) {
		weir_repair_tell(m->repair, m->part->survey->name,
				 "it holds more than was ever stored in it, which cannot be "
				 "explained and is left alone");
		m->repair->result->beyond++;
	}
	if (ret || m->repair->options->dry_run)
		return ret;
	if (m->damaged)
		ret = weir_folder_sync(m->damaged);
	if (ret)
		return ret;
	weir_repair_put_meta(&m->txn, now);
	return weir_lmdb_commit(&m->txn);
}

static int run(struct mend *m, struct weir_survey_meta *now)
{
	bool dry_run = m->repair->options->dry_run;
	struct weir_lmdb_options options = {.dbs = weir_partition_dbs,
					    .map_bytes = m->part->survey->file_bytes + MAP_SPARE};
	struct weir_lmdb *lmdb;
	int ret = weir_lmdb_open(m->part->survey->path, &options, &lmdb);

	if (ret)
		return ret;
	/* Also when it is dry: the transaction is not committed. */
	ret = weir_lmdb_begin(lmdb, true, &m->txn);
	if (!ret)
		ret = mend(m, now);
	weir_lmdb_abort(&m->txn);
	weir_lmdb_close(lmdb);
	if (!ret && m->corrected)
		weir_repair_tell(m->repair, m->part->survey->name, "%" PRIu64
				 " entries of the index of times %s", m->corrected,
				 mode(m, "are corrected", "would be corrected"));
	if (!ret)
		weir_repair_tell(m->repair, m->part->survey->name, "its sums %s",
				 dry_run ? "would be made again" : "are made again");
	return ret;
}

int weir_mend_partition(struct weir_repair *repair, struct weir_check_part *part,
			struct weir_survey_meta *now)
{
	struct mend m = {.repair = repair, .part = part};
	int ret = weir_block_reader_new(&m.reader);

	*now = part->meta;
	m.flows = malloc(WEIR_STORE_BLOCK_RECORDS * sizeof(*m.flows));
	if (!ret && !m.flows)
		ret = -ENOMEM;
	if (!ret)
		ret = run(&m, now);
	weir_block_reader_free(m.reader);
	free(m.flows);
	free(m.damaged);
	return ret == -EBADMSG ? 0 : ret;
}

// SPDX-License-Identifier: GPL-2.0
/* scan.c - the store read row by row, for those who want whole records. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/store/internal.h"
#include "daemon/store/view.h"

struct scan {
	struct weir_store_view *view;
	struct weir_flow *flows; /* room for one block */
	weir_store_visit *visit;
	void *arg;
	uint64_t damaged;
};

static bool is_damage(int ret)
{
	return ret == -EBADMSG || ret == -ENOTSUP;
}

/* The visitor runs outside of any transaction and may take as long as it likes. */
static int scan_block(struct scan *scan, const struct weir_store_block *block)
{
	int ret = weir_store_view_open(scan->view, block);

	if (!ret)
		ret = weir_store_view_rows(scan->view, WEIR_COLUMN_ALL, scan->flows);
	weir_store_view_close(scan->view);
	if (is_damage(ret))
		scan->damaged++;
	if (is_damage(ret) || ret == -ESTALE)
		return 0;
	return ret ? ret : scan->visit(scan->arg, block->number, scan->flows, block->records);
}

static int run(struct weir_store *store, const struct weir_store_block *blocks, size_t count,
	       bool backward, struct scan *scan)
{
	int ret = weir_store_view_new(store, &scan->view);

	if (ret)
		return ret;
	scan->flows = malloc(WEIR_STORE_BLOCK_RECORDS * sizeof(*scan->flows));
	if (!scan->flows)
		ret = -ENOMEM;
	for (size_t i = 0; i < count && !ret; i++)
		ret = scan_block(scan, &blocks[backward ? count - 1 - i : i]);
	free(scan->flows);
	weir_store_view_free(scan->view);
	return ret;
}

int weir_store_scan(struct weir_store *store, uint64_t from_ns, uint64_t to_ns, bool backward,
		    weir_store_visit *visit, void *arg, uint64_t *damaged)
{
	struct scan scan = {.visit = visit, .arg = arg};
	struct weir_store_block *blocks;
	size_t count;
	int ret = weir_plan_own(store, from_ns, to_ns, &blocks, &count, &scan.damaged);

	if (!ret) {
		ret = run(store, blocks, count, backward, &scan);
		weir_store_plan_free(store, blocks);
	}
	if (damaged)
		*damaged = scan.damaged;
	return ret;
}

int weir_store_scan_after(struct weir_store *store, uint64_t after, weir_store_visit *visit,
			  void *arg)
{
	struct scan scan = {.visit = visit, .arg = arg};
	struct weir_store_block *blocks;
	size_t count;
	int ret = weir_store_plan_after(store, after, &blocks, &count, NULL);

	if (!ret) {
		ret = run(store, blocks, count, false, &scan);
		weir_store_plan_free(store, blocks);
	}
	return ret;
}

// SPDX-License-Identifier: GPL-2.0
/* A module that warns when loaded: the lab must fail the run for it. */
#include <linux/bug.h>
#include <linux/module.h>

static int __init warn_init(void)
{
	WARN(1, "told to");
	return 0;
}

static void __exit warn_exit(void)
{
}

module_init(warn_init);
module_exit(warn_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A warning, for the lab's own test");

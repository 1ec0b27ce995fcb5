// SPDX-License-Identifier: GPL-2.0
/*
 * hookbench - what the registered netfilter hooks cost a forwarded packet
 *
 * A thread on each CPU asked for sends a ring of prepared packets through the
 * IPv4 hooks PRE_ROUTING, FORWARD and POST_ROUTING, in bursts as a network card
 * does, and does nothing else with them. Before each turn a packet becomes one
 * of another flow, chosen at random: the skb stays in the CPU's cache, what the
 * hooks remember of the flow does not. The same run with nothing registered is
 * what to subtract.
 *
 *	echo "FLOWS PACKETS CPUS" >/proc/hookbench	runs, and returns when done
 *	cat /proc/hookbench				one line for each CPU of the last run:
 *		CPU PACKETS CPU_NS WALL_NS P50 P99 P999 MAX
 *
 * FLOWS are a CPU's own. All of them are sent once before time is taken. CPUS is
 * how many CPUs, from 0. The last four are wall ns of a burst of 64 packets.
 *
 * CPU_NS is what the time is to be taken from: in User Mode Linux it is the CPU
 * time the host gave to the virtual machine's kernel, so what else the host
 * does is not in it. Elsewhere it is WALL_NS.
 */

#include <linux/cpu.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/net_namespace.h>

enum {
	BURST = 64,
	IP_BYTES = 46,			/* 64 on the wire, with Ethernet header and checksum */
	BUCKETS = 512,			/* eight to each power of two */
};

struct lane {
	struct task_struct *task;
	struct completion done;
	u32 cpu;
	u32 flows;
	u64 packets;
	u64 random;
	u64 cpu_ns;
	u64 wall_ns;
	u64 max_ns;
	u32 *bursts;			/* how many took so long */
	struct sk_buff *skb[BURST];
	int error;
};

static char *in_name = "veth1";
module_param_named(in, in_name, charp, 0444);
MODULE_PARM_DESC(in, "interface the packets come in by");
static char *out_name = "sink0";
module_param_named(out, out_name, charp, 0444);
MODULE_PARM_DESC(out, "interface they leave by");

static DEFINE_MUTEX(lock);		/* one run at a time; lanes */
static struct net_device *in_dev, *out_dev;
static struct lane *lanes;
static u32 nlanes;

static u64 cpu_time_ns(void)
{
#ifdef CONFIG_UML
	struct { s64 sec, nsec; } ts;
	long ret;

	/* this kernel is a process: ask the host, clock_gettime(CLOCK_THREAD_CPUTIME_ID) */
	asm volatile("syscall" : "=a" (ret) : "0" (228L), "D" (3L), "S" (&ts)
		     : "rcx", "r11", "memory");
	return ts.sec * NSEC_PER_SEC + ts.nsec;
#else
	return ktime_get_ns();
#endif
}

static u32 bucket_of(u64 ns)
{
	u32 top;

	if (ns < 8)
		return ns;
	top = fls64(ns) - 1;
	return (top - 2) * 8 + ((ns >> (top - 3)) & 7);
}

static u64 bucket_ns(u32 bucket)
{
	if (bucket < 8)
		return bucket;
	return (8ULL + (bucket & 7)) << (bucket / 8 - 1);
}

static struct sk_buff *packet_new(u32 cpu)
{
	struct sk_buff *skb = alloc_skb(NET_SKB_PAD + 128, GFP_KERNEL);
	struct ethhdr *eth;
	struct iphdr *ip;
	struct udphdr *udp;

	if (!skb)
		return NULL;
	skb_reserve(skb, NET_SKB_PAD + NET_IP_ALIGN);
	skb_reset_mac_header(skb);
	eth = skb_put_zero(skb, ETH_HLEN);
	eth->h_proto = htons(ETH_P_IP);
	skb_pull(skb, ETH_HLEN);
	skb_reset_network_header(skb);
	ip = skb_put_zero(skb, IP_BYTES);
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = htons(IP_BYTES);
	ip->ttl = 64;
	ip->protocol = IPPROTO_UDP;
	ip->daddr = htonl(0xc6120000 | cpu);	/* 198.18.0.0/15, RFC 2544 */
	skb_set_transport_header(skb, sizeof(*ip));
	udp = (struct udphdr *)(ip + 1);
	udp->dest = htons(9);
	udp->len = htons(IP_BYTES - sizeof(*ip));
	skb->protocol = htons(ETH_P_IP);
	skb->pkt_type = PACKET_HOST;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->dev = in_dev;
	skb->skb_iif = in_dev->ifindex;
	return skb;
}

static void become(struct sk_buff *skb, u32 flow)
{
	struct iphdr *ip = ip_hdr(skb);
	struct udphdr *udp = (struct udphdr *)(ip + 1);

	ip->saddr = htonl(0x0a000000 + (flow >> 4));
	udp->source = htons(1024 + (flow & 15));
}

static int okfn(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	return 0;
}

/* Return: whether all three let it pass; if not it is gone. */
static bool forward(struct sk_buff *skb)
{
	struct net *net = &init_net;

	return nf_hook(NFPROTO_IPV4, NF_INET_PRE_ROUTING, net, NULL, skb, in_dev, NULL, okfn) == 1 &&
	       nf_hook(NFPROTO_IPV4, NF_INET_FORWARD, net, NULL, skb, in_dev, out_dev, okfn) == 1 &&
	       nf_hook(NFPROTO_IPV4, NF_INET_POST_ROUTING, net, NULL, skb, NULL, out_dev, okfn) == 1;
}

static u32 random_flow(struct lane *lane)
{
	lane->random = lane->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)((lane->random >> 32) * lane->flows >> 32);
}

static int burst(struct lane *lane, u32 first, bool random)
{
	u32 i;

	for (i = 0; i < BURST; i++) {
		become(lane->skb[i], random ? random_flow(lane) : (first + i) % lane->flows);
		if (unlikely(!forward(lane->skb[i]))) {
			lane->skb[i] = NULL;
			return -EIO;
		}
		nf_reset_ct(lane->skb[i]);
	}
	return 0;
}

static int warm_up(struct lane *lane)
{
	u32 flow;

	for (flow = 0; flow < lane->flows; flow += BURST) {
		int error;

		local_bh_disable();
		error = burst(lane, flow, false);
		local_bh_enable();
		if (error)
			return error;
		cond_resched();
	}
	return 0;
}

static int measure(struct lane *lane)
{
	const u64 cpu_start = cpu_time_ns(), start = ktime_get_ns();
	u64 sent, before = start, now = start;

	for (sent = 0; sent < lane->packets; sent += BURST) {
		int error;

		local_bh_disable();
		error = burst(lane, 0, true);
		local_bh_enable();
		if (error)
			return error;
		now = ktime_get_ns();
		lane->bursts[min_t(u32, bucket_of(now - before), BUCKETS - 1)]++;
		lane->max_ns = max(lane->max_ns, now - before);
		cond_resched();
		before = ktime_get_ns();
	}
	lane->packets = sent;
	lane->wall_ns = now - start;
	lane->cpu_ns = cpu_time_ns() - cpu_start;
	return 0;
}

static int lane_thread(void *arg)
{
	struct lane *lane = arg;

	lane->error = warm_up(lane);
	if (!lane->error)
		lane->error = measure(lane);
	complete(&lane->done);
	return 0;
}

static void lanes_free(void)
{
	u32 i, k;

	for (i = 0; i < nlanes; i++) {
		for (k = 0; k < BURST; k++)
			kfree_skb(lanes[i].skb[k]);
		kfree(lanes[i].bursts);
	}
	kfree(lanes);
	lanes = NULL;
	nlanes = 0;
}

static int lane_init(struct lane *lane, u32 cpu, u32 flows, u64 packets)
{
	u32 k;

	init_completion(&lane->done);
	lane->cpu = cpu;
	lane->flows = flows;
	lane->packets = packets;
	lane->random = cpu + 1;
	lane->bursts = kcalloc(BUCKETS, sizeof(*lane->bursts), GFP_KERNEL);
	if (!lane->bursts)
		return -ENOMEM;
	for (k = 0; k < BURST; k++) {
		lane->skb[k] = packet_new(cpu);
		if (!lane->skb[k])
			return -ENOMEM;
	}
	return 0;
}

static int run(u32 flows, u64 packets, u32 cpus)
{
	int error;
	u32 i;

	lanes_free();
	lanes = kcalloc(cpus, sizeof(*lanes), GFP_KERNEL);
	if (!lanes)
		return -ENOMEM;
	nlanes = cpus;
	for (i = 0; i < cpus; i++) {
		error = lane_init(&lanes[i], i, flows, packets);
		if (error)
			return error;
	}
	for (i = 0; i < cpus; i++) {
		struct task_struct *task = kthread_create(lane_thread, &lanes[i], "hookbench/%u", i);

		if (IS_ERR(task)) {
			lanes[i].error = PTR_ERR(task);
			complete(&lanes[i].done);
			continue;
		}
		kthread_bind(task, i);
		lanes[i].task = task;
	}
	for (i = 0; i < cpus; i++)
		if (lanes[i].task)
			wake_up_process(lanes[i].task);
	error = 0;
	for (i = 0; i < cpus; i++) {
		wait_for_completion(&lanes[i].done);
		error = error ?: lanes[i].error;
	}
	return error;
}

static ssize_t bench_write(struct file *file, const char __user *from, size_t count, loff_t *pos)
{
	char text[64] = "";
	u32 flows, cpus;
	u64 packets;
	int error;

	if (count >= sizeof(text) || copy_from_user(text, from, count))
		return -EINVAL;
	if (sscanf(text, "%u %llu %u", &flows, &packets, &cpus) != 3 ||
	    !flows || !packets || !cpus || cpus > num_online_cpus())
		return -EINVAL;
	mutex_lock(&lock);
	error = run(flows, packets, cpus);
	mutex_unlock(&lock);
	return error ?: count;
}

static u64 quantile(const struct lane *lane, u32 per_mille)
{
	u64 wanted = div_u64(lane->packets / BURST * per_mille, 1000);
	u32 bucket;

	for (bucket = 0; bucket < BUCKETS - 1; bucket++) {
		if (wanted <= lane->bursts[bucket])
			break;
		wanted -= lane->bursts[bucket];
	}
	return bucket_ns(bucket);
}

static int bench_show(struct seq_file *seq, void *unused)
{
	u32 i;

	mutex_lock(&lock);
	for (i = 0; i < nlanes; i++) {
		const struct lane *lane = &lanes[i];

		seq_printf(seq, "%u %llu %llu %llu %llu %llu %llu %llu\n", lane->cpu, lane->packets,
			   lane->cpu_ns, lane->wall_ns, quantile(lane, 500), quantile(lane, 990),
			   quantile(lane, 999), lane->max_ns);
	}
	mutex_unlock(&lock);
	return 0;
}

/* CPU time and wall time now, for what is measured from outside. */
static int clock_show(struct seq_file *seq, void *unused)
{
	seq_printf(seq, "%llu %llu\n", cpu_time_ns(), ktime_get_ns());
	return 0;
}

static int bench_open(struct inode *inode, struct file *file)
{
	return single_open(file, bench_show, NULL);
}

static const struct proc_ops bench_ops = {
	.proc_open = bench_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
	.proc_write = bench_write,
};

static int __init hookbench_init(void)
{
	in_dev = dev_get_by_name(&init_net, in_name);
	out_dev = dev_get_by_name(&init_net, out_name);
	if (!in_dev || !out_dev)
		goto err_put_devices;
	if (!proc_create("hookbench", 0600, NULL, &bench_ops))
		goto err_put_devices;
	if (!proc_create_single("hookbench_clock", 0400, NULL, clock_show))
		goto err_remove_bench;
	return 0;

err_remove_bench:
	remove_proc_entry("hookbench", NULL);
err_put_devices:
	dev_put(in_dev);
	dev_put(out_dev);
	return -ENODEV;
}

static void __exit hookbench_exit(void)
{
	remove_proc_entry("hookbench_clock", NULL);
	remove_proc_entry("hookbench", NULL);
	lanes_free();
	dev_put(in_dev);
	dev_put(out_dev);
}

module_init(hookbench_init);
module_exit(hookbench_exit);
MODULE_DESCRIPTION("what netfilter hooks cost a forwarded packet");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0
/*
 * Inline functions, macros and bit fields of the kernel that Rust can't use: one line each, and no decision.
 */
#include <linux/bottom_half.h>
#include <linux/cgroup.h>
#include <linux/cpumask.h>
#include <linux/cred.h>
#include <linux/module.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv6.h>
#include <linux/percpu.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/skbuff.h>
#include <linux/smp.h>
#include <linux/uidgid.h>
#include <net/dst.h>
#include <net/genetlink.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#include <net/l3mdev.h>
#include <net/net_namespace.h>
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
#include <net/netfilter/nf_conntrack.h>
#endif
#include <net/netfilter/nf_queue.h>
#include <net/netns/generic.h>
#include <net/sock.h>
#include <net/xfrm.h>

#include "shim.h"

struct shim_counter *shim_counters_alloc(size_t count)
{
	return (__force struct shim_counter *)__alloc_percpu_gfp(count * sizeof(struct shim_counter),
								 __alignof__(struct shim_counter),
								 GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
}

void shim_counters_free(struct shim_counter *counters)
{
	free_percpu((__force void __percpu *)counters);
}

void shim_count(struct shim_counter *counters, size_t index, u32 bytes)
{
	struct shim_counter __percpu *counter = (__force struct shim_counter __percpu *)counters + index;

	/* Each is whole in any context; a reader may see a packet before its bytes. */
	this_cpu_inc(counter->packets);
	this_cpu_add(counter->bytes, bytes);
}

struct shim_counter shim_counter_read(const struct shim_counter *counters, size_t index, unsigned int cpu)
{
	struct shim_counter read = {};

	if (cpu_possible(cpu)) {
		const struct shim_counter __percpu *all = (__force const struct shim_counter __percpu *)counters;
		const struct shim_counter *counter = per_cpu_ptr(all + index, cpu);

		read.packets = READ_ONCE(counter->packets);
		read.bytes = READ_ONCE(counter->bytes);
	}
	return read;
}

void *shim_net_generic(const struct net *net, unsigned int id)
{
	return net_generic(net, id);
}

void shim_local_bh_disable(void)
{
	local_bh_disable();
}

void shim_local_bh_enable(void)
{
	local_bh_enable();
}

bool shim_try_module_get(void)
{
	return try_module_get(THIS_MODULE);
}

void shim_module_put(void)
{
	module_put(THIS_MODULE);
}

struct sk_buff *shim_genlmsg_new(size_t payload, gfp_t flags)
{
	return genlmsg_new(payload, flags);
}

void shim_genlmsg_end(struct sk_buff *skb, void *header)
{
	genlmsg_end(skb, header);
}

int shim_genlmsg_unicast(struct net *net, struct sk_buff *skb, u32 portid)
{
	return genlmsg_unicast(net, skb, portid);
}

int shim_genlmsg_multicast_netns(const struct genl_family *family, struct net *net, struct sk_buff *skb,
				 u32 portid, unsigned int group, gfp_t flags)
{
	return genlmsg_multicast_netns(family, net, skb, portid, group, flags);
}

void shim_genl_set_err(const struct genl_family *family, struct net *net, unsigned int group, int error)
{
	genl_set_err(family, net, 0, group, error);
}

bool shim_genl_has_listeners(const struct genl_family *family, struct net *net, unsigned int group)
{
	return genl_has_listeners(family, net, group);
}

void shim_nlmsg_free(struct sk_buff *skb)
{
	nlmsg_free(skb);
}

int shim_skb_tailroom(const struct sk_buff *skb)
{
	return skb_tailroom(skb);
}

struct net *shim_genl_info_net(const struct genl_info *info)
{
	return genl_info_net(info);
}

u16 shim_nfqueue(const struct sk_buff *skb, u16 queue, u16 total, u8 family)
{
	static u32 seed __read_mostly;

	net_get_random_once(&seed, sizeof(seed));
	return nfqueue_hash(skb, queue, total, family, seed);
}

#if IS_ENABLED(CONFIG_NETFILTER_XT_TARGET_TRACE) || IS_ENABLED(CONFIG_NF_TABLES)
bool shim_skb_traced(const struct sk_buff *skb)
{
	return skb->nf_trace;
}

void shim_skb_trace(struct sk_buff *skb)
{
	skb->nf_trace = 1;
}
#else
bool shim_skb_traced(const struct sk_buff *skb)
{
	return false;
}

void shim_skb_trace(struct sk_buff *skb)
{
}
#endif

u32 shim_skb_trace_id(struct sk_buff *skb)
{
	static siphash_key_t key __read_mostly;

	/* A buffer's address alone would be the same for a packet and the one that takes its place. */
	net_get_random_once(&key, sizeof(key));
	return siphash_2u64((unsigned long)skb, skb_get_hash(skb), &key);
}
u8 shim_skb_pkt_type(const struct sk_buff *skb)
{
	return skb->pkt_type;
}

u8 shim_skb_ip_summed(const struct sk_buff *skb)
{
	return skb->ip_summed;
}

u32 shim_dst_tclassid(const struct sk_buff *skb)
{
	return dst_tclassid(skb);
}

unsigned int shim_raw_smp_processor_id(void)
{
	return raw_smp_processor_id();
}

bool shim_sk_fullsock(const struct sock *sk)
{
	return sk_fullsock(sk);
}

struct sock *shim_sk_to_full_sk(struct sock *sk)
{
	return sk_to_full_sk(sk);
}

struct net *shim_sock_net(const struct sock *sk)
{
	return sock_net(sk);
}

struct user_namespace *shim_current_user_ns(void)
{
	return current_user_ns();
}

u32 shim_from_kuid(struct user_namespace *to, u32 kuid)
{
	return from_kuid(to, KUIDT_INIT(kuid));
}

u32 shim_from_kgid(struct user_namespace *to, u32 kgid)
{
	return from_kgid(to, KGIDT_INIT(kgid));
}

#ifdef CONFIG_SOCK_CGROUP_DATA
u64 shim_cgroup_id(const struct cgroup *cgrp)
{
	return cgroup_id(cgrp);
}

struct cgroup *shim_cgroup_ancestor(struct cgroup *cgrp, int level)
{
	return cgroup_ancestor(cgrp, level);
}

void shim_cgroup_put(struct cgroup *cgrp)
{
	cgroup_put(cgrp);
}
#endif

#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
bool shim_nf_bridge_info_exists(const struct sk_buff *skb)
{
	return nf_bridge_info_exists(skb);
}

struct net_device *shim_nf_bridge_get_physindev(const struct sk_buff *skb, struct net *net)
{
	return nf_bridge_get_physindev(skb, net);
}

struct net_device *shim_nf_bridge_get_physoutdev(const struct sk_buff *skb)
{
	return nf_bridge_get_physoutdev(skb);
}
#endif

int shim_fib_lookup(struct net *net, struct flowi4 *flow, struct fib_result *result)
{
	return fib_lookup(net, flow, result, FIB_LOOKUP_IGNORE_LINKSTATE);
}

int shim_nf_ip6_route(struct net *net, struct dst_entry **dst, struct flowi6 *flow)
{
	return nf_ip6_route(net, dst, flowi6_to_flowi(flow), false);
}

bool shim_ipv6_anycast_destination(const struct dst_entry *dst, const struct in6_addr *address)
{
	return ipv6_anycast_destination(dst, address);
}

int shim_l3mdev_master_ifindex_rcu(const struct net_device *dev)
{
	return l3mdev_master_ifindex_rcu(dev);
}

kuid_t shim_sock_net_uid(const struct net *net)
{
	return sock_net_uid(net, NULL);
}

struct sec_path *shim_skb_sec_path(const struct sk_buff *skb)
{
	return skb_sec_path(skb);
}

struct dst_entry *shim_skb_dst(const struct sk_buff *skb)
{
	return skb_dst(skb);
}

struct xfrm_state *shim_dst_xfrm(const struct dst_entry *dst)
{
	return dst_xfrm(dst);
}

struct dst_entry *shim_xfrm_dst_child(const struct dst_entry *dst)
{
	return xfrm_dst_child(dst);
}

#if IS_ENABLED(CONFIG_NF_CONNTRACK)
struct kmem_cache *shim_cache_create(unsigned int size, unsigned int align)
{
	return kmem_cache_create("oxtables_connection", size, align, 0, NULL);
}

bool shim_is_vrf(const struct net_device *dev)
{
	return netif_is_l3_master(dev);
}

void *shim_cache_alloc(struct kmem_cache *cache)
{
	return kmem_cache_alloc(cache, GFP_ATOMIC | __GFP_ZERO);
}

void shim_cache_free(struct kmem_cache *cache, void *object)
{
	kmem_cache_free(cache, object);
}

void shim_free_rcu(void *object, struct shim_reclaim *reclaim)
{
	/* The first argument's type differs between kernels. */
	kvfree_call_rcu((void *)&reclaim->head, object);
}

void shim_connection_init(struct nf_conn *conn, struct net *net)
{
	refcount_set(&conn->ct_general.use, 1);
	spin_lock_init(&conn->lock);
	write_pnet(&conn->ct_net, net);
}

u32 shim_connection_id(const struct nf_conn *conn)
{
	static siphash_aligned_key_t key;

	net_get_random_once(&key, sizeof(key));
	return siphash_1u64((unsigned long)conn, &key) ^
	       siphash(&conn->tuplehash[0].tuple, sizeof(conn->tuplehash[0].tuple), &key);
}

void shim_conntrack_get(struct nf_conntrack *conntrack)
{
	nf_conntrack_get(conntrack);
}

bool shim_conntrack_try_get(struct nf_conntrack *conntrack)
{
	return refcount_inc_not_zero(&conntrack->use);
}

void shim_conntrack_put(struct nf_conntrack *conntrack)
{
	nf_conntrack_put(conntrack);
}

void shim_skb_reset_nfct(struct sk_buff *skb)
{
	nf_reset_ct(skb);
}

void shim_skb_set_nfct(struct sk_buff *skb, unsigned long nfct)
{
	skb_set_nfct(skb, nfct);
}

bool shim_skb_nodefrag(const struct sk_buff *skb)
{
	const struct sock *sk = skb->sk;

	return sk && sk_fullsock(sk) && sk->sk_family == PF_INET && inet_test_bit(NODEFRAG, sk);
}

bool shim_nf_bridge_in_prerouting(const struct sk_buff *skb)
{
	return nf_bridge_in_prerouting(skb);
}

int shim_ip_defrag(struct net *net, struct sk_buff *skb, u32 user)
{
	int error;

	local_bh_disable();
	error = ip_defrag(net, skb, user);
	local_bh_enable();
	if (!error)
		skb->ignore_df = 1;
	return error;
}

void shim_bucket_lock_init(spinlock_t *lock)
{
	spin_lock_init(lock);
}

void shim_spin_lock_bh(spinlock_t *lock)
{
	spin_lock_bh(lock);
}

void shim_spin_lock_second(spinlock_t *lock)
{
	spin_lock_nested(lock, SINGLE_DEPTH_NESTING);
}

void shim_spin_unlock(spinlock_t *lock)
{
	spin_unlock(lock);
}

void shim_spin_unlock_bh(spinlock_t *lock)
{
	spin_unlock_bh(lock);
}

static void run_work(struct work_struct *item)
{
	struct shim_work *work = container_of(to_delayed_work(item), struct shim_work, work);

	work->run(work->with);
}

void shim_work_init(struct shim_work *work, void (*run)(void *with), void *with)
{
	INIT_DELAYED_WORK(&work->work, run_work);
	work->run = run;
	work->with = with;
}

void shim_work_queue(struct shim_work *work, unsigned long delay)
{
	queue_delayed_work(system_power_efficient_wq, &work->work, delay);
}

void shim_work_hurry(struct shim_work *work)
{
	mod_delayed_work(system_power_efficient_wq, &work->work, 0);
}

void shim_work_stop(struct shim_work *work)
{
	disable_delayed_work_sync(&work->work);
}

void shim_cond_resched(void)
{
	cond_resched();
}
#endif

void shim_rcu_read_lock(void)
{
	rcu_read_lock();
}

void shim_rcu_read_unlock(void)
{
	rcu_read_unlock();
}

/* SPDX-License-Identifier: GPL-2.0 */
/* Inline functions and macros of the kernel, as functions that Rust can call; see there what they do. */
#ifndef OXTABLES_SHIM_H
#define OXTABLES_SHIM_H

#include <linux/types.h>
#include <linux/rcupdate.h>
#include <linux/spinlock_types.h>
#include <linux/uidgid_types.h>
#include <linux/workqueue.h>

struct cgroup;
struct dst_entry;
struct fib_result;
struct flowi4;
struct flowi6;
struct genl_family;
struct genl_info;
struct in6_addr;
struct kmem_cache;
struct net;
struct net_device;
struct nf_conn;
struct nf_conntrack;
struct sec_path;
struct sk_buff;
struct sock;
struct user_namespace;
struct xfrm_state;

#if IS_ENABLED(CONFIG_NF_CONNTRACK)
/* Work that is done some time later. */
struct shim_work {
	struct delayed_work work;
	void (*run)(void *with);
	void *with;
};

/* What the kernel keeps in memory that is freed after a grace period. */
struct shim_reclaim {
	struct rcu_head head;
};
#endif

/* What a rule or policy counts on one CPU. Pointers to it are to per-CPU memory. */
struct shim_counter {
	u64 packets;
	u64 bytes;
};

struct shim_counter *shim_counters_alloc(size_t count);
void shim_counters_free(struct shim_counter *counters);
void shim_count(struct shim_counter *counters, size_t index, u32 bytes);
struct shim_counter shim_counter_read(const struct shim_counter *counters, size_t index, unsigned int cpu);
void *shim_net_generic(const struct net *net, unsigned int id);
void shim_local_bh_disable(void);
void shim_local_bh_enable(void);
bool shim_try_module_get(void);
void shim_module_put(void);
struct sk_buff *shim_genlmsg_new(size_t payload, gfp_t flags);
void shim_genlmsg_end(struct sk_buff *skb, void *header);
int shim_genlmsg_unicast(struct net *net, struct sk_buff *skb, u32 portid);
int shim_genlmsg_multicast_netns(const struct genl_family *family, struct net *net, struct sk_buff *skb,
				 u32 portid, unsigned int group, gfp_t flags);
void shim_genl_set_err(const struct genl_family *family, struct net *net, unsigned int group, int error);
bool shim_genl_has_listeners(const struct genl_family *family, struct net *net, unsigned int group);
void shim_nlmsg_free(struct sk_buff *skb);
int shim_skb_tailroom(const struct sk_buff *skb);
struct net *shim_genl_info_net(const struct genl_info *info);
u16 shim_nfqueue(const struct sk_buff *skb, u16 queue, u16 total, u8 family);
bool shim_skb_traced(const struct sk_buff *skb);
void shim_skb_trace(struct sk_buff *skb);
u32 shim_skb_trace_id(struct sk_buff *skb);
u8 shim_skb_pkt_type(const struct sk_buff *skb);
u8 shim_skb_ip_summed(const struct sk_buff *skb);
u32 shim_dst_tclassid(const struct sk_buff *skb);
unsigned int shim_raw_smp_processor_id(void);
bool shim_sk_fullsock(const struct sock *sk);
struct sock *shim_sk_to_full_sk(struct sock *sk);
struct net *shim_sock_net(const struct sock *sk);
struct user_namespace *shim_current_user_ns(void);
u32 shim_from_kuid(struct user_namespace *to, u32 kuid);
u32 shim_from_kgid(struct user_namespace *to, u32 kgid);
#ifdef CONFIG_SOCK_CGROUP_DATA
u64 shim_cgroup_id(const struct cgroup *cgrp);
struct cgroup *shim_cgroup_ancestor(struct cgroup *cgrp, int level);
void shim_cgroup_put(struct cgroup *cgrp);
#endif
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
bool shim_nf_bridge_info_exists(const struct sk_buff *skb);
struct net_device *shim_nf_bridge_get_physindev(const struct sk_buff *skb, struct net *net);
struct net_device *shim_nf_bridge_get_physoutdev(const struct sk_buff *skb);
#endif
int shim_fib_lookup(struct net *net, struct flowi4 *flow, struct fib_result *result);
int shim_nf_ip6_route(struct net *net, struct dst_entry **dst, struct flowi6 *flow);
bool shim_ipv6_anycast_destination(const struct dst_entry *dst, const struct in6_addr *address);
int shim_l3mdev_master_ifindex_rcu(const struct net_device *dev);
kuid_t shim_sock_net_uid(const struct net *net);
struct sec_path *shim_skb_sec_path(const struct sk_buff *skb);
struct dst_entry *shim_skb_dst(const struct sk_buff *skb);
struct xfrm_state *shim_dst_xfrm(const struct dst_entry *dst);
struct dst_entry *shim_xfrm_dst_child(const struct dst_entry *dst);
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
struct kmem_cache *shim_cache_create(unsigned int size, unsigned int align);
bool shim_is_vrf(const struct net_device *dev);
void *shim_cache_alloc(struct kmem_cache *cache);
void shim_cache_free(struct kmem_cache *cache, void *object);
void shim_free_rcu(void *object, struct shim_reclaim *reclaim);
void shim_connection_init(struct nf_conn *conn, struct net *net);
u32 shim_connection_id(const struct nf_conn *conn);
void shim_conntrack_get(struct nf_conntrack *conntrack);
bool shim_conntrack_try_get(struct nf_conntrack *conntrack);
void shim_conntrack_put(struct nf_conntrack *conntrack);
void shim_skb_reset_nfct(struct sk_buff *skb);
void shim_skb_set_nfct(struct sk_buff *skb, unsigned long nfct);
bool shim_skb_nodefrag(const struct sk_buff *skb);
bool shim_nf_bridge_in_prerouting(const struct sk_buff *skb);
int shim_ip_defrag(struct net *net, struct sk_buff *skb, u32 user);
void shim_bucket_lock_init(spinlock_t *lock);
void shim_spin_lock_bh(spinlock_t *lock);
void shim_spin_lock_second(spinlock_t *lock);
void shim_spin_unlock(spinlock_t *lock);
void shim_spin_unlock_bh(spinlock_t *lock);
void shim_work_init(struct shim_work *work, void (*run)(void *with), void *with);
void shim_work_queue(struct shim_work *work, unsigned long delay);
void shim_work_hurry(struct shim_work *work);
void shim_work_stop(struct shim_work *work);
void shim_cond_resched(void);
#endif
void shim_rcu_read_lock(void);
void shim_rcu_read_unlock(void);

#endif

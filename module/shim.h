/* SPDX-License-Identifier: GPL-2.0 */
/* Inline functions and macros of the kernel, as functions that Rust can call; see there what they do. */
#ifndef OXTABLES_SHIM_H
#define OXTABLES_SHIM_H

#include <linux/types.h>

struct genl_family;
struct genl_info;
struct net;
struct sk_buff;

void shim_local_bh_disable(void);
void shim_local_bh_enable(void);
bool shim_cpu_possible(unsigned int cpu);
void *shim_net_generic(const struct net *net, unsigned int id);
bool shim_try_module_get(void);
void shim_module_put(void);
struct sk_buff *shim_genlmsg_new(size_t payload, gfp_t flags);
void shim_genlmsg_end(struct sk_buff *skb, void *header);
int shim_genlmsg_unicast(struct net *net, struct sk_buff *skb, u32 portid);
int shim_genlmsg_multicast_netns(const struct genl_family *family, struct net *net, struct sk_buff *skb,
				 u32 portid, unsigned int group, gfp_t flags);
void shim_nlmsg_free(struct sk_buff *skb);
int shim_skb_tailroom(const struct sk_buff *skb);
struct net *shim_genl_info_net(const struct genl_info *info);

#endif

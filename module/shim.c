// SPDX-License-Identifier: GPL-2.0
/*
 * Inline functions and macros of the kernel that Rust can't call: one line each, and no decision.
 */
#include <linux/bottom_half.h>
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/skbuff.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "shim.h"

void shim_local_bh_disable(void)
{
	local_bh_disable();
}

void shim_local_bh_enable(void)
{
	local_bh_enable();
}

bool shim_cpu_possible(unsigned int cpu)
{
	return cpu_possible(cpu);
}

void *shim_net_generic(const struct net *net, unsigned int id)
{
	return net_generic(net, id);
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

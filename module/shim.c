// SPDX-License-Identifier: GPL-2.0
/*
 * Inline functions and macros of the kernel that Rust can't call, one function each and nothing else.
 */
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "shim.h"

void *shim_net_generic(const struct net *net, unsigned int id)
{
	return net_generic(net, id);
}

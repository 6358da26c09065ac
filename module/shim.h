/* SPDX-License-Identifier: GPL-2.0 */
#ifndef OXTABLES_SHIM_H
#define OXTABLES_SHIM_H
#include <linux/types.h>
struct net;
void *shim_net_generic(const struct net *net, unsigned int id);
#endif

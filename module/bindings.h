/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads: the headers whose types and functions module/glue calls, and constants that are
 * macros with casts or offsets, which bindgen can't read by itself. What it keeps of them is listed in
 * module/bindgen_parameters.
 */
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/skbuff.h>
#include <linux/user_namespace.h>
#include <net/genetlink.h>
#include <net/ip.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_log.h>
#include <net/netlink.h>

#include "shim.h"

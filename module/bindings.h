/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads: the headers whose types and functions module/glue uses, and the constants that it
 * can't read by itself because they are macros with casts, or places of fields. What it keeps of all this
 * is listed in module/bindgen_parameters.
 */
#include <linux/audit.h>
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/if_arp.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kmod.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/route.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/sysctl.h>
#include <linux/time.h>
#include <linux/timekeeping.h>
#include <net/addrconf.h>
#include <net/dst.h>
#include <net/flow.h>
#include <net/genetlink.h>
#include <net/if_inet6.h>
#include <net/ip.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#include <net/ipv6_frag.h>
#include <net/net_namespace.h>
#include <net/netfilter/ipv4/nf_dup_ipv4.h>
#include <net/netfilter/ipv4/nf_reject.h>
#include <net/netfilter/ipv6/nf_dup_ipv6.h>
#include <net/netfilter/ipv6/nf_reject.h>
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
#include <net/netfilter/nf_conntrack.h>
#endif
#include <net/netfilter/nf_log.h>
#include <net/netlink.h>
#include <net/sock.h>
#include <net/route.h>
#include <net/xfrm.h>

#include "shim.h"

const unsigned int CONST_RTN_UNSPEC = RTN_UNSPEC;
const unsigned int CONST_GENL_MCAST_CAP_NET_ADMIN = GENL_MCAST_CAP_NET_ADMIN;
const size_t CONST_GENL_HDRLEN = GENL_HDRLEN;
const gfp_t CONST_GFP_ATOMIC = GFP_ATOMIC;
const gfp_t CONST_GFP_KERNEL = GFP_KERNEL;
const unsigned int CONST_IFF_LOOPBACK = IFF_LOOPBACK;
const size_t CONST_NLMSG_HDRLEN = NLMSG_HDRLEN;
const unsigned int CONST_HZ = HZ;
const unsigned int CONST_MODULE_STATE_COMING = MODULE_STATE_COMING;
const unsigned int CONST_MODULE_STATE_GOING = MODULE_STATE_GOING;
const int CONST_NOTIFY_BUSY = NOTIFY_STOP_MASK | (NOTIFY_OK + EBUSY);
const unsigned int CONST_DEFRAG_V4_IN = IP_DEFRAG_CONNTRACK_IN;
const unsigned int CONST_DEFRAG_V4_OUT = IP_DEFRAG_CONNTRACK_OUT;
const unsigned int CONST_DEFRAG_V4_BRIDGE = IP_DEFRAG_CONNTRACK_BRIDGE_IN;
const unsigned int CONST_DEFRAG_V6_IN = IP6_DEFRAG_CONNTRACK_IN;
const unsigned int CONST_DEFRAG_V6_OUT = IP6_DEFRAG_CONNTRACK_OUT;
const unsigned int CONST_DEFRAG_V6_BRIDGE = IP6_DEFRAG_CONNTRACK_BRIDGE_IN;
/* Whether packets can be marked as traced (nf_trace). */
const bool CONST_SKB_HAS_TRACE =
	IS_ENABLED(CONFIG_NETFILTER_XT_TARGET_TRACE) || IS_ENABLED(CONFIG_NF_TABLES);

/*
 * Places of fields. bindgen would number the unnamed unions around some of these by how many there are,
 * which depends on the kernel's configuration; and without their fields the two largest structures of the
 * network stack don't have to be described to Rust at all.
 */
const size_t CONST_INET6_DEV_DEV = offsetof(struct inet6_dev, dev);
const size_t CONST_MODULE_NAME = offsetof(struct module, name);
const size_t CONST_NET_DEVICE_FLAGS = offsetof(struct net_device, flags);
const size_t CONST_NET_DEVICE_IFINDEX = offsetof(struct net_device, ifindex);
#ifdef CONFIG_SOCK_CGROUP_DATA
const size_t CONST_CGROUP_LEVEL = offsetof(struct cgroup, level);
const size_t CONST_SOCK_CGROUP = offsetof(struct sock, sk_cgrp_data.cgroup);
#endif
const size_t CONST_CRED_FSGID = offsetof(struct cred, fsgid);
const size_t CONST_CRED_FSUID = offsetof(struct cred, fsuid);
const size_t CONST_CRED_GROUP_INFO = offsetof(struct cred, group_info);
const size_t CONST_FILE_CRED = offsetof(struct file, f_cred);
const size_t CONST_GROUP_INFO_GID = offsetof(struct group_info, gid);
const size_t CONST_GROUP_INFO_NGROUPS = offsetof(struct group_info, ngroups);
const size_t CONST_NET_DEVICE_GROUP = offsetof(struct net_device, group);
const size_t CONST_NET_DEVICE_NAME = offsetof(struct net_device, name);
const size_t CONST_NET_DEVICE_TYPE = offsetof(struct net_device, type);
const size_t CONST_NET_INUM = offsetof(struct net, ns.inum);
const size_t CONST_NET_USER_NS = offsetof(struct net, user_ns);
const size_t CONST_RT6I_FLAGS = offsetof(struct rt6_info, rt6i_flags);
const size_t CONST_RT6I_IDEV = offsetof(struct rt6_info, rt6i_idev);
const size_t CONST_RT6_ERROR = offsetof(struct rt6_info, dst.error);
const size_t CONST_SEC_PATH_LEN = offsetof(struct sec_path, len);
const size_t CONST_SEC_PATH_XVEC = offsetof(struct sec_path, xvec);
const size_t CONST_SKB_DATA = offsetof(struct sk_buff, data);
const size_t CONST_SKB_DATA_LEN = offsetof(struct sk_buff, data_len);
const size_t CONST_SKB_DEV = offsetof(struct sk_buff, dev);
const size_t CONST_SKB_HEAD = offsetof(struct sk_buff, head);
const size_t CONST_SKB_LEN = offsetof(struct sk_buff, len);
const size_t CONST_SKB_MAC_HEADER = offsetof(struct sk_buff, mac_header);
const size_t CONST_SKB_MARK = offsetof(struct sk_buff, mark);
const size_t CONST_SKB_NETWORK_HEADER = offsetof(struct sk_buff, network_header);
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
const size_t CONST_SKB_NFCT = offsetof(struct sk_buff, _nfct);
const size_t CONST_TUPLE_PROTOCOL = offsetof(struct nf_conntrack_tuple, dst.protonum);
const size_t CONST_TUPLE_DIRECTION = offsetof(struct nf_conntrack_tuple, dst.dir);
#endif
const size_t CONST_SKB_SK = offsetof(struct sk_buff, sk);
#ifdef CONFIG_CGROUP_NET_CLASSID
const size_t CONST_SOCK_CLASS = offsetof(struct sock, sk_cgrp_data.classid);
#endif
const size_t CONST_SOCK_SOCKET = offsetof(struct sock, sk_socket);
const size_t CONST_SOCKET_FILE = offsetof(struct socket, file);
const size_t CONST_XFRM_DADDR = offsetof(struct xfrm_state, id.daddr);
const size_t CONST_XFRM_FAMILY = offsetof(struct xfrm_state, props.family);
const size_t CONST_XFRM_MODE = offsetof(struct xfrm_state, props.mode);
const size_t CONST_XFRM_PROTO = offsetof(struct xfrm_state, id.proto);
const size_t CONST_XFRM_REQID = offsetof(struct xfrm_state, props.reqid);
const size_t CONST_XFRM_SADDR = offsetof(struct xfrm_state, props.saddr);
const size_t CONST_XFRM_SPI = offsetof(struct xfrm_state, id.spi);

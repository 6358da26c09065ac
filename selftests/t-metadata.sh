#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What rules ask that is not in a packet's bytes, where it takes a real sender, a bridge or another frame to tell.
# What forwarded packets show is in the cases of `extensions/`.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

# both RULES: loads the same rules for both families.
both() {
	local family
	load_module
	for family in 4 6; do printf '%b' "$1" | rules -$family; done
}

# refused REASON RULE: a rule that the machine has no answer to.
refused() {
	printf '*filter\n%s\nCOMMIT\n' "$2" > /run/refused
	expect_fails fw oxtables -4 load /run/refused
	expect_says "$1"
	same "" "$(fw oxtables -4 save | sed -n '/^-A/p')"
}

test_owner_asks_who_sends() {
	local address
	both '*filter
-A OUTPUT -p udp --dport 1001 -m owner --uid-owner 1001 -j DROP
-A OUTPUT -p udp --dport 1002 -m owner ! --uid-owner 1000-1005 -j DROP
-A OUTPUT -p udp --dport 1003 -m owner --gid-owner 1100-1101 -j DROP
-A OUTPUT -p udp --dport 1004 -m owner --gid-owner 1200 -j DROP
-A OUTPUT -p udp --dport 1005 -m owner --gid-owner 1200 --suppl-groups -j DROP
-A OUTPUT -p udp --dport 1006 -m owner ! --gid-owner 1200 --suppl-groups -j DROP
-A OUTPUT -p udp --dport 1007 -m owner --socket-exists -j DROP
-A OUTPUT -p udp --dport 1008 -m owner ! --socket-exists -j DROP
-A OUTPUT -p udp --dport 1009 -m owner --uid-owner 1001 --gid-owner 1102 -j DROP
COMMIT
'
	serve server 1001 1002 1003 1004 1005 1006 1007 1008 1009
	for address in $SERVER4 $SERVER6; do
		expect_each <<-END
			EPERM fw udp $address 1001 --uid 1001 --gid 1101 --groups 1199,1200
			reply fw udp $address 1002 --uid 1001 --gid 1101 --groups 1199,1200
			EPERM fw udp $address 1003 --uid 1001 --gid 1101 --groups 1199,1200
			reply fw udp $address 1004 --uid 1001 --gid 1101 --groups 1199,1200
			EPERM fw udp $address 1005 --uid 1001 --gid 1101 --groups 1199,1200
			reply fw udp $address 1006 --uid 1001 --gid 1101 --groups 1199,1200
			EPERM fw udp $address 1007 --uid 1001 --gid 1101 --groups 1199,1200
			reply fw udp $address 1008 --uid 1001 --gid 1101 --groups 1199,1200
			reply fw udp $address 1009 --uid 1001 --gid 1101 --groups 1199,1200
			reply fw udp $address 1001 --uid 1006 --gid 1102 --groups 1199,1201
			EPERM fw udp $address 1002 --uid 1006 --gid 1102 --groups 1199,1201
			reply fw udp $address 1003 --uid 1006 --gid 1102 --groups 1199,1201
			reply fw udp $address 1005 --uid 1006 --gid 1102 --groups 1199,1201
			EPERM fw udp $address 1006 --uid 1006 --gid 1102 --groups 1199,1201
			EPERM fw udp $address 1009 --uid 1001 --gid 1102 --groups 1199
		END
	done
}

# The kernel answers a ping from a socket that nobody opened, and a connection that is being made in the name of
# the one who listens. What is forwarded has no socket here.
test_owner_of_what_the_kernel_sends() {
	local family through own
	both '*filter
-A OUTPUT -p udp -m owner --uid-owner 0 -j DROP
-A OUTPUT -p tcp --sport 1001 -m owner --uid-owner 0 -j DROP
-A OUTPUT -p tcp --sport 1002 -m owner ! --uid-owner 0 -j DROP
COMMIT
*all hooks=POSTROUTING place=0
-A POSTROUTING -p udp --dport 1003 -m owner --socket-exists -j DROP
-A POSTROUTING -p udp --dport 1004 -m owner ! --socket-exists ! --uid-owner 0 -j DROP
-A POSTROUTING -p udp --dport 1005 -m owner ! --gid-owner 0 --suppl-groups -j DROP
COMMIT
'
	serve fw 1001 1002
	serve server 1003 1004 1005
	for family in 4 6; do
		through=SERVER$family own=LAN$family
		fw oxtables -$family add OUTPUT -p "$([ $family = 4 ] && echo icmp || echo icmpv6)" -m owner --uid-owner 0 -j DROP
		expect_each <<-END
			reply client icmp ${!own}
			silence client tcp ${!own} 1001
			reply client tcp ${!own} 1002
			reply client udp ${!through} 1003
			silence client udp ${!through} 1004
			reply client udp ${!through} 1005
		END
	done
	fw oxtables -4 add OUTPUT -p icmp -m owner ! --uid-owner 0 -j DROP
	expect_blocked client icmp "$LAN4"
}

# Whose user 1000 a rule means is not clear when another user namespace owns the network namespace.
test_owner_in_the_network_of_another_user_namespace() {
	local pid
	load_module
	unshare --user --map-root-user --net sleep 100 &
	pid=$!
	wait_for 15 eval "[ \"\$(readlink /proc/$pid/ns/net)\" != \"\$(readlink /proc/self/ns/net)\" ]"
	printf '*filter\n-A OUTPUT -m owner --socket-exists\nCOMMIT\n' | nsenter -t $pid -n oxtables -4 load -
	printf '*filter\n-A OUTPUT -m owner --uid-owner 1000\nCOMMIT\n' > /run/refused
	expect_fails nsenter -t $pid -n oxtables -4 load /run/refused
	expect_says "ipv4 filter OUTPUT rule 1: users of another user namespace"
	same 1 "$(nsenter -t $pid -n oxtables -4 save | grep -c -e '-A OUTPUT')"
	nsenter -t $pid -n oxtables -4 flush
	kill $pid
}

test_cgroup_by_path() {
	local address top=/sys/fs/cgroup/oxtables
	mkdir -p $top/inner $top-else
	both '*filter
-A OUTPUT -p udp --dport 2001 -m cgroup --path oxtables -j DROP
-A OUTPUT -p udp --dport 2002 -m cgroup ! --path oxtables -j DROP
-A OUTPUT -p udp --dport 2003 -m cgroup --path /oxtables/inner -j DROP
-A OUTPUT -p udp --dport 2004 -m cgroup --path / -j DROP
COMMIT
*all hooks=POSTROUTING place=0
-A POSTROUTING -p udp --dport 2005 -m cgroup ! --path oxtables -j DROP
COMMIT
'
	serve server 2001 2002 2003 2004 2005
	for address in $SERVER4 $SERVER6; do
		expect_each <<-END
			EPERM fw udp $address 2001 --cgroup $top/inner
			reply fw udp $address 2002 --cgroup $top/inner
			EPERM fw udp $address 2003 --cgroup $top/inner
			EPERM fw udp $address 2001 --cgroup $top
			reply fw udp $address 2003 --cgroup $top
			EPERM fw udp $address 2004 --cgroup $top
			reply fw udp $address 2001 --cgroup $top-else
			EPERM fw udp $address 2002 --cgroup $top-else
			EPERM fw udp $address 2005 --cgroup $top-else
			reply client udp $address 2005
		END
	done
	fw oxtables unload --keep-module
	rmdir $top/inner $top $top-else
	refused "ipv4 filter OUTPUT rule 1: there is no such control group" "-A OUTPUT -m cgroup --path oxtables"
}

test_cgroup_by_class() {
	local address top=/run/net_cls
	mkdir -p $top
	mountpoint -q $top || mount -t cgroup -o net_cls none $top
	mkdir -p $top/some
	echo 0x100001 > $top/some/net_cls.classid
	both '*filter
-A OUTPUT -p udp --dport 2001 -m cgroup --cgroup 0x100001 -j DROP
-A OUTPUT -p udp --dport 2002 -m cgroup ! --cgroup 1048577 -j DROP
COMMIT
'
	serve server 2001 2002
	for address in $SERVER4 $SERVER6; do
		expect_each <<-END
			EPERM fw udp $address 2001 --cgroup $top/some
			reply fw udp $address 2002 --cgroup $top/some
			reply fw udp $address 2001
			EPERM fw udp $address 2002
		END
	done
}

# Bridges do not call netfilter without br_netfilter, and where that can't be loaded a rule would never hold.
test_physdev_needs_br_netfilter() {
	local helper=/proc/sys/kernel/modprobe before
	load_module
	! grep -q '^br_netfilter ' /proc/modules || rmmod br_netfilter
	before=$(cat $helper)
	# shellcheck disable=SC2064 # what it is now
	trap "echo '$before' > $helper" EXIT
	echo /bin/false > $helper
	refused "ipv4 filter FORWARD rule 1: physdev needs br_netfilter" "-A FORWARD -m physdev --physdev-in p0"
	echo "$before" > $helper
	printf '*filter\n-A FORWARD -m physdev --physdev-in p0\nCOMMIT\n' | rules -4
	grep -q '^br_netfilter ' /proc/modules
}

# The client and the server are on a bridge of the firewall as well, at its ports p0 and p1.
test_physdev_asks_for_ports() {
	local family bridged routed own
	both '*filter
-A FORWARD -p udp --dport 3001 -m physdev --physdev-in p0 -j DROP
-A FORWARD -p udp --dport 3002 -m physdev ! --physdev-in p0 -j DROP
-A FORWARD -p udp --dport 3003 -m physdev --physdev-out p1 -j DROP
-A FORWARD -p udp --dport 3004 -m physdev ! --physdev-out p1 -j DROP
-A FORWARD -p udp --dport 3005 -m physdev --physdev-in p1 -j DROP
-A FORWARD -p udp --dport 3006 -m physdev --physdev-is-bridged -j DROP
-A FORWARD -p udp --dport 3007 -m physdev ! --physdev-is-bridged -j DROP
-A FORWARD -p udp --dport 3008 -m physdev --physdev-is-in --physdev-in p+ -j DROP
-A FORWARD -p udp --dport 3009 -m physdev --physdev-is-out -j DROP
-A INPUT -p udp --dport 3001 -m physdev --physdev-in p0 -j DROP
-A INPUT -p udp --dport 3002 -m physdev ! --physdev-in p0 -j DROP
-A INPUT -p udp --dport 3006 -m physdev --physdev-is-bridged -j DROP
-A INPUT -p udp --dport 3009 -m physdev ! --physdev-is-out -j DROP
COMMIT
'
	ip -n fw link add br0 type bridge
	ip link add c1 netns client type veth peer name p0 netns fw
	ip link add s1 netns server type veth peer name p1 netns fw
	ip -n fw link set p0 up master br0
	ip -n fw link set p1 up master br0
	place fw br0 10.0.5.1/24 fd00:b::1/64
	place client c1 10.0.5.2/24 fd00:b::2/64
	place server s1 10.0.5.3/24 fd00:b::3/64
	serve server 3001 3002 3003 3004 3005 3006 3007 3008 3009
	serve fw 3001 3002 3006 3009
	for family in 4 6; do
		routed=SERVER$family
		bridged=10.0.5.3 own=10.0.5.1
		[ $family = 4 ] || bridged=fd00:b::3 own=fd00:b::1
		wait_for 15 expect_reach client icmp $bridged
		expect_each <<-END
			silence client udp $bridged 3001
			reply client udp $bridged 3002
			silence client udp $bridged 3003
			reply client udp $bridged 3004
			reply client udp $bridged 3005
			silence client udp $bridged 3006
			reply client udp $bridged 3007
			silence client udp $bridged 3008
			silence client udp $bridged 3009
			reply client udp ${!routed} 3001
			silence client udp ${!routed} 3002
			reply client udp ${!routed} 3003
			silence client udp ${!routed} 3004
			reply client udp ${!routed} 3006
			silence client udp ${!routed} 3007
			reply client udp ${!routed} 3009
			silence client udp $own 3001
			reply client udp $own 3002
			reply client udp $own 3006
			silence client udp $own 3009
		END
	done
	ip -n fw link del br0
	ip -n fw link del p0
	ip -n fw link del p1
}

# frames FAMILY: a datagram to one, to all and to a group, by the frame's address, with its port to tell.
frames() {
	client python3 - "$SELFTESTS" "$1" <<-'END'
		import sys
		sys.path.insert(0, sys.argv[1])
		from wire import *
		build, source, target = (ip4, "10.0.1.2", "10.0.1.1") if sys.argv[2] == "4" else (ip6, "fd00:1::2", "fd00:1::1")
		group = b"\1\0\x5e\0\0\1" if sys.argv[2] == "4" else b"\x33\x33\0\0\0\1"
		for port, mac in (4001, address_of("fw", "lan0")), (4002, b"\xff" * 6), (4003, group):
		    Wire("client", "c0", mac).send(build(source, target, udp(dport=port)))
	END
}

# hits FAMILY: what the rules of PREROUTING counted, a packet or none each.
hits() { fw oxtables "-$1" save -c | sed -n 's/^\[\([0-9]*\):.*-A PREROUTING .*/\1/p' | tr -d '\n'; }

test_pkttype_by_the_frame() {
	local family port type negated rules="*all hooks=PREROUTING place=0"
	for port in 4001 4002 4003; do
		for negated in "" "! "; do
			for type in unicast broadcast multicast; do
				rules+="\n-A PREROUTING -p udp --dport $port -m pkttype $negated--pkt-type $type"
			done
		done
	done
	both "$rules\nCOMMIT\n"
	for family in 4 6; do
		frames $family
		wait_for 15 eval "[ \$(hits $family) = 100011010101001110 ]"
	done
}

# What a machine says to all or to a group comes back to itself.
test_pkttype_of_ones_own_copies() {
	local type rules="*all hooks=PREROUTING place=0"
	for type in unicast broadcast multicast; do
		rules+="\n-A PREROUTING -p udp --dport 4004 -m pkttype --pkt-type $type"
	done
	both "$rules\nCOMMIT\n"
	fw python3 - <<-'END'
		import socket
		sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
		sock.sendto(b"x", ("10.0.1.255", 4004))
	END
	wait_for 15 eval "[ \$(hits 4) = 010 ]"
	fw python3 - <<-'END'
		import socket
		for family, group, device in (socket.AF_INET, "224.0.0.1", 0), (socket.AF_INET6, "ff02::1", "lan0"):
		    sock = socket.socket(family, socket.SOCK_DGRAM)
		    if device:
		        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
		    else:
		        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.0.1.1"))
		    sock.sendto(b"x", (group, 4004))
	END
	wait_for 15 eval "[ \$(hits 4) = 011 ]"
	wait_for 15 eval "[ \$(hits 6) = 001 ]"
}

# The path of a packet that is never forwarded, and hooks before and behind routing.
test_groups_realms_and_senders_at_other_hooks() {
	local family own through mac
	load_module
	mac=$(client cat /sys/class/net/c0/address)
	ip -n fw link set lan0 group 7
	ip -n fw link set wan0 group 8
	fw ip route replace 10.0.9.0/24 via "$SERVER4" realm 9
	both "*all hooks=PREROUTING,INPUT,OUTPUT,POSTROUTING place=0
-A PREROUTING -p udp --dport 5001 -m devgroup --src-group 7 -j DROP
-A PREROUTING -p udp --dport 5002 -m devgroup ! --src-group 7 -j DROP
-A PREROUTING -p udp --dport 5003 -m mac --mac-source $mac -j DROP
-A INPUT -p udp --dport 5004 -m mac --mac-source $mac -j DROP
-A INPUT -p udp --dport 5005 -m mac ! --mac-source $mac -j DROP
-A OUTPUT -p udp --dport 5006 -m devgroup --dst-group 8 -j DROP
-A OUTPUT -p udp --dport 5007 -m devgroup ! --dst-group 8 -j DROP
-A POSTROUTING -p udp --dport 5008 -m devgroup --dst-group 8 -j DROP
COMMIT
"
	serve fw 5001 5002 5003 5004 5005
	serve server 5006 5007 5008
	for family in 4 6; do
		own=LAN$family through=SERVER$family
		expect_each <<-END
			silence client udp ${!own} 5001
			reply client udp ${!own} 5002
			silence client udp ${!own} 5003
			silence client udp ${!own} 5004
			reply client udp ${!own} 5005
			EPERM fw udp ${!through} 5006
			reply fw udp ${!through} 5007
			EPERM fw udp ${!through} 5008
		END
	done
	printf '*filter\n-A OUTPUT -p udp -m realm --realm 9 -j DROP\nCOMMIT\n' | rules -4
	expect EPERM fw udp 10.0.9.1 5007
	expect_reach fw udp "$SERVER4" 5007
	printf '*filter\n-A OUTPUT -p udp -m realm ! --realm 9 -j DROP\nCOMMIT\n' | rules -4
	expect EPERM fw udp "$SERVER4" 5007
}

# A rule that packets reach from a hook where they can't be asked is refused, also through a chain.
test_hooks_that_have_no_answer() {
	local rule
	load_module
	while read -r rule; do
		refused "needs" "-A ${rule}"
		refused "needs" ":chain - [0:0]"$'\n'"-A ${rule%% *} -j chain"$'\n'"-A chain ${rule#* }"
	done <<-'END'
		OUTPUT -m mac --mac-source 02:00:00:00:00:01
		OUTPUT -m devgroup --src-group 1
		INPUT -m devgroup --dst-group 1
		FORWARD -m cgroup --cgroup 1
		INPUT -m owner --uid-owner 1
		FORWARD -m owner --socket-exists
		OUTPUT -m physdev --physdev-out p0
	END
	printf '*filter\n:chain - [0:0]\n-A INPUT -j chain\n-A chain -m mac --mac-source 02:00:00:00:00:01\nCOMMIT\n' | rules -4
}

run_tests

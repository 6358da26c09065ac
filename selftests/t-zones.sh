#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Zones: two networks with the same addresses behind one firewall, and connections whose directions are in two.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

connections() { fw oxtables conntrack "$@"; }

# How many connections are listed.
listed() { connections list --proc "$@" | wc -l; }

# A second client and a second server with the addresses of the first, by the interfaces lan1 and wan1;
# what comes from the second client goes to the second server.
twins() {
	local name family
	for name in client2 server2; do
		[ ! -e /run/netns/$name ] || ip netns del $name
		ip netns add $name
		ip netns exec $name sysctl -q -p /run/sysctl
		ip -n $name link set lo up
	done
	ip link add c1 netns client2 type veth peer name lan1 netns fw
	ip link add s1 netns server2 type veth peer name wan1 netns fw
	# Their routes are in a table of their own, which packets look into that come in by their interfaces.
	fw sysctl -q -w net.ipv4.conf.all.rp_filter=0
	for name in lan0 wan0 lan1 wan1; do fw sysctl -q -w net.ipv4.conf.$name.rp_filter=0; done
	place client2 c1 $CLIENT4/24 $CLIENT6/64
	place fw lan1 $LAN4/32 $LAN6/128
	place fw wan1 $WAN4/32 $WAN6/128
	for family in -4 -6; do
		ip -n fw $family rule add iif lan1 table 7
		ip -n fw $family rule add iif wan1 table 7
	done
	ip -n fw route add 10.0.1.0/24 dev lan1 table 7
	ip -n fw route add 10.0.2.0/24 dev wan1 table 7
	ip -n fw route add fd00:1::/64 dev lan1 table 7
	ip -n fw route add fd00:2::/64 dev wan1 table 7
	place server2 s1 $SERVER4/24 $SERVER6/64
	route client2 $LAN4 $LAN6
	route server2 $WAN4 $WAN6
}

no_twins() {
	local name
	for name in client2 server2; do
		end_processes $name
		ip netns del $name
	done
	for name in -4 -6; do
		ip -n fw $name rule del iif lan1
		ip -n fw $name rule del iif wan1
	done
}

test_two_networks_with_the_same_addresses() {
	local family protocol
	load_module
	for family in ipv4 ipv6; do
		cat <<-END
			family $family
			*raw
			-A PREROUTING -i lan1 -j CT --zone 7
			-A PREROUTING -i wan1 -j CT --zone 7
			COMMIT
			*filter
			:FORWARD DROP
			-A FORWARD -m conntrack --ctstate INVALID -j DROP
			-A FORWARD -m conntrack --ctstate RELATED -j ACCEPT
			-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT
			-A FORWARD -i lan0 -m conntrack --ctstate NEW -j ACCEPT
			-A FORWARD -i lan1 -m conntrack --ctstate NEW -j ACCEPT
			COMMIT
		END
	done | rules
	# Nothing is forgotten before it is looked at, however slow the machine is.
	fw oxtables conntrack settings udp_timeout=300 > /run/set
	twins
	serve server 80
	serve server2 80
	# The same ports, too: but for the zone these are the same flows.
	at_once <<-END
		expect_reach client udp $SERVER4 80 --sport 4000
		expect_reach client2 udp $SERVER4 80 --sport 4000
		expect_reach client udp $SERVER6 80 --sport 4000
		expect_reach client2 udp $SERVER6 80 --sport 4000
		expect_reach client tcp $SERVER4 80 --sport 4000
		expect_reach client2 tcp $SERVER4 80 --sport 4000
		expect_reach client tcp $SERVER6 80 --sport 4000
		expect_reach client2 tcp $SERVER6 80 --sport 4000
	END
	for family in -4 -6; do
		for protocol in udp tcp; do
			same 2 "$(listed $family -p $protocol --sport 4000)"
			same 1 "$(listed $family -p $protocol --sport 4000 --zone 0)"
			same 1 "$(listed $family -p $protocol --sport 4000 --zone 7 --status SEEN_REPLY)"
		done
	done
	connections list --proc -p udp -4 --zone 7 | grep -q ' mark=0 zone=7 use='
	connections list --json -p udp -4 --zone 7 | grep -q '"zone": 7'
	# Errors are of the connection of their own network.
	expect "icmp 3/3" client2 udp $SERVER4 81
	expect "icmp 1/4" client2 udp $SERVER6 81
	same 1 "$(listed -p udp -4 --dport 81)"
	same 1 "$(listed -p udp -4 --dport 81 --zone 7)"
	# Fragments that come at the same time, of both networks.
	at_once <<-END
		expect_reach client icmp $SERVER4 --size 4000
		expect_reach client2 icmp $SERVER4 --size 4000
		expect_reach client icmp $SERVER6 --size 4000
		expect_reach client2 icmp $SERVER6 --size 4000
	END
	same "2 connections forgotten" "$(connections delete -p tcp --zone 7)"
	same 2 "$(listed -p tcp)"
	fw oxtables conntrack settings udp_timeout=30 > /run/set
	no_twins
}

# zoned OPTION: how a ping is listed that a rule puts into a zone where it comes in, and of its answer nothing is said.
zoned() {
	rules -4 <<-END
		*raw
		-A PREROUTING -i lan0 -p icmp -j CT $1
		COMMIT
		*filter
		-A FORWARD -m conntrack --ctstate ESTABLISHED
		COMMIT
	END
	connections flush
	expect_reach client icmp $SERVER4
	connections list --proc -p icmp
}

test_a_zone_for_one_direction() {
	load_module
	# The answer is in zone 0, as is that direction of the connection.
	zoned "--zone-orig 7" | grep -q ' zone-orig=7 src=.* use='
	same 1 "$(counter_of ESTABLISHED)"
	same 1 "$(listed -p icmp --zone-orig 7 --zone-reply 0)"
	same 0 "$(listed -p icmp --zone-orig '!7')"
	# The answer is of no connection that there is: nobody said that it is in the zone.
	zoned "--zone-reply 7" | grep -q ' zone-reply=7 use=\| zone-reply=7 mark='
	same 0 "$(counter_of ESTABLISHED)"
	zoned "--zone 7" | grep -q '\[UNREPLIED\] .* zone=7 use='
	same 0 "$(counter_of ESTABLISHED)"
	# The ping is in zone 0, and its answer in zone 7.
	rules -4 <<-END
		*raw
		-A PREROUTING -i lan0 -p icmp -j CT --zone-reply 7
		-A PREROUTING -i wan0 -p icmp -j CT --zone 7
		COMMIT
		*filter
		-A FORWARD -m conntrack --ctstate ESTABLISHED
		COMMIT
	END
	connections flush
	expect_reach client icmp $SERVER4
	same 1 "$(counter_of ESTABLISHED)"
	same 1 "$(listed -p icmp --zone-orig 0 --zone-reply 7)"
	same 1 "$(listed -p icmp)"
}

test_the_mark_is_the_zone() {
	load_module
	rules -4 <<-END
		*raw
		-A PREROUTING -p icmp -j MARK --set-mark 0x10009
		-A PREROUTING -p icmp -j CT --zone mark
		-A PREROUTING -j CT --zone 5
		COMMIT
		*filter
		-A FORWARD -m conntrack --ctstate ESTABLISHED
		COMMIT
	END
	serve server 80
	expect_reach client icmp $SERVER4
	expect_reach client udp $SERVER4 80
	same 2 "$(counter_of ESTABLISHED)"
	same 1 "$(listed -p icmp --zone 9)"
	same 1 "$(listed -p udp --zone 5)"
	same 0 "$(listed --zone 0)"
}

run_tests

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The network that all other tests stand on, without a firewall in it: were it wrong, they would prove nothing.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

test_every_protocol_gets_through() {
	local address
	serve server 80
	for address in $SERVER4 $SERVER6; do
		expect_reach client icmp "$address"
		expect_reach client tcp "$address" 80
		expect_reach client udp "$address" 80
	done
}

test_and_back() {
	serve client 22
	expect_reach server tcp $CLIENT4 22 --sport 1000
	expect_reach server udp $CLIENT6 22
}

test_a_closed_port_says_so() {
	expect reset client tcp $SERVER4 81
	expect reset client tcp $SERVER6 81
	expect "icmp 3/3" client udp $SERVER4 81
	expect "icmp 1/4" client udp $SERVER6 81
}

test_a_black_hole_is_silent() {
	fw ip route add blackhole 10.0.9.0/24
	fw ip route add blackhole fd00:9::/64
	expect_blocked client icmp 10.0.9.1
	expect_blocked client tcp 10.0.9.1 80
	expect_blocked client udp fd00:9::1 80
}

test_a_forbidden_route_is_told_by_icmp() {
	fw ip route add prohibit 10.0.8.0/24
	fw ip route add prohibit fd00:8::/64
	expect "icmp 3/13" client udp 10.0.8.1 80
	expect "icmp 3/13" client tcp 10.0.8.1 80
	expect "icmp 1/1" client udp fd00:8::1 80
}

test_large_packets_travel_in_fragments() {
	serve server 81
	expect_reach client udp $SERVER4 81 --size 5000
	expect_reach client udp $SERVER6 81 --size 5000
	expect_reach client icmp $SERVER4 --size 5000
}

run_tests

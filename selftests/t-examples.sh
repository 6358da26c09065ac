#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The rulesets that people start from do what they say of themselves, with real programs over both families, and
# what their comments promise beyond that.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

EXAMPLES=$SELFTESTS/../examples

# What a file says in its `#:` lines, tried as `make run` does.
try() { "$SELFTESTS/demo" "$EXAMPLES/$1.rules"; }

test_router() { try router; }
test_server() { try server; }
test_workstation() { try workstation; }

# start EXAMPLE: in force, between machines that answer on every port that is asked below.
start() {
	topology
	load_module
	serve fw 22 53 80 123 443 1000 5353
	serve server 22 53 80 123 443 1000 5353
	fw oxtables load "$EXAMPLES/$1.rules"
}

test_server_serves_and_asks() {
	start server
	local own through
	for family in 4 6; do
		own=LAN$family through=SERVER$family
		at_once <<-END
			expect_reach client tcp ${!own} 22
			expect_reach client tcp ${!own} 80
			expect_reach client tcp ${!own} 443
			expect_reach client udp ${!own} 443
			expect_reach client icmp ${!own}
			expect reset client tcp ${!own} 1000
			expect 'icmp $([ $family = 4 ] && echo 3/3 || echo 1/4)' client udp ${!own} 1000
			expect_reach fw tcp ${!through} 1000
			expect_reach fw udp ${!through} 53
			expect_reach fw udp ${!through} 123
			expect_reach fw icmp ${!through}
			expect_reach fw udp ${!through} 1000
			expect_blocked client tcp ${!through} 22
			expect_blocked client icmp ${!through}
			expect_reach client icmp ${!own} --size 4000
		END
	done
}

test_workstation_asks_and_is_not_asked() {
	start workstation
	local own through outside
	for family in 4 6; do
		own=LAN$family through=SERVER$family outside=WAN$family
		at_once <<-END
			expect_reach fw tcp ${!through} 22
			expect_reach fw tcp ${!through} 443
			expect_reach fw udp ${!through} 53
			expect_reach fw udp ${!through} 443
			expect_reach fw udp ${!through} 123
			expect_reach fw icmp ${!through}
			expect_reach fw udp ${!through} 1000
			expect_reach client icmp ${!own}
			expect_blocked client tcp ${!own} 22
			expect_blocked client tcp ${!own} 1000
			expect_blocked client udp ${!own} 53
			expect_blocked client udp ${!own} 5353
			expect_blocked server udp ${!outside} 1000 --sport 53
			expect_blocked client tcp ${!through} 22
		END
	done
}

test_router_routes_one_way() {
	start router
	serve client 22 53
	local address back own
	for family in 4 6; do
		address=SERVER$family back=CLIENT$family own=WAN$family
		at_once <<-END
			expect_reach client tcp ${!address} 22
			expect_reach client tcp ${!address} 443
			expect_reach client udp ${!address} 53
			expect_reach client icmp ${!address}
			expect_reach client udp ${!address} 53 --size 4000
			expect_blocked client tcp ${!address} 1000
			expect_blocked client udp ${!address} 1000
			expect_blocked server tcp ${!back} 22
			expect_blocked server udp ${!back} 53 --sport 53
			expect_blocked server icmp ${!back}
			expect_blocked server tcp ${!own} 22
			expect_reach fw tcp ${!address} 1000
			expect_reach fw udp ${!address} 53
		END
	done
	# An error about a packet that went through finds its way back.
	server ip route add prohibit 10.0.7.0/24
	fw ip route add 10.0.7.0/24 via "$SERVER4"
	server sysctl -q -w net.ipv4.ip_forward=1
	expect "icmp 3/13" client tcp 10.0.7.1 22
}

run_tests

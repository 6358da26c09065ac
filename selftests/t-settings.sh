#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Settings of connection tracking: where they are read and set, and what they do.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

FILES=/proc/sys/net/netfilter

# States of packets that are forwarded, of which none is forbidden.
tracked() {
	rules -4 <<-END
		*filter
		-A FORWARD -m conntrack --ctstate NEW
		-A FORWARD -m conntrack --ctstate ESTABLISHED
		-A FORWARD -i lan0 -m conntrack --ctstate INVALID
		COMMIT
	END
}

settings() { fw oxtables conntrack settings "$@"; }

# value_of NAME: what the command says
value_of() { settings "$1" --json | sed -n 's/.*"value": \([0-9]*\).*/\1/p'; }

file() { fw cat "$FILES/nf_conntrack_$1"; }

# refused NAME VALUE: a file that can't be written.
refused() { expect_fails fw sh -c "echo $2 > $FILES/nf_conntrack_$1"; }

count() { file count; }

# How many packets were dropped because there was no room for their connections.
dropped() { fw oxtables status | sed -n 's/^ *too-many-connections *//p'; }

# send EXPRESSION...: packets from the client to the server, as wire.py makes them.
send() {
	client python3 - "$SELFTESTS" "$CLIENT4" "$SERVER4" "$@" <<-'END'
		import sys
		sys.path.insert(0, sys.argv[1])
		from wire import *
		wire = Wire("client", "c0", address_of("fw", "lan0"))
		packet = lambda transport: ip4(sys.argv[2], sys.argv[3], transport)
		broken = lambda transport: packet(transport)[:-1] + b"?"
		for expression in sys.argv[4:]:
		    wire.send(eval(expression))
	END
}

# soon NUMBER STATE: so many packets in a state are counted, by and by.
soon() { wait_for 15 eval "[ \$(counter_of $2) = $1 ]"; }

test_settings_are_all_or_nothing() {
	load_module
	# Before connections are tracked, too.
	same 30 "$(value_of udp_timeout)"
	settings udp_timeout=31 net.netfilter.nf_conntrack_tcp_loose=0 > /run/set
	grep -q '^nf_conntrack_udp_timeout *31 *30 *0-2147483 ' /run/set
	same 2 "$(grep -c '^nf_conntrack_' /run/set)"
	expect_fails settings udp_timeout=7 tcp_loos=1 checksum=2
	expect_says "did you mean \`tcp_loose\`?"
	expect_says "expected a number from 0 to 1"
	same 31 "$(value_of udp_timeout)"
	same 0 "$(value_of tcp_loose)"
	# Each namespace has its own.
	server oxtables conntrack settings udp_timeout | grep -q '^nf_conntrack_udp_timeout *30 '
	expect_fails server setpriv --bounding-set -net_admin --inh-caps -net_admin --ambient-caps -all \
		oxtables conntrack settings udp_timeout=1
	expect_says "not permitted"
	settings udp_timeout=30 tcp_loose=1 > /run/set
}

test_files_are_there_while_connections_are_tracked() {
	local name
	no_module
	load_module
	expect_fails fw test -e $FILES/nf_conntrack_max
	settings udp_timeout=31 > /run/set
	tracked
	# All settings, and two that are only read; others are of what puts fragments together.
	diff <(settings | sed -n 's/^\(nf_conntrack_[a-z0-9_]*\) .*/\1/p' | sort) \
		<(fw sh -c "cd $FILES; ls -d nf_conntrack_*" | grep -v '_\(count\|buckets\|frag6_.*\)$')
	same 31 "$(file udp_timeout)"
	fw sysctl -q -w net.netfilter.nf_conntrack_udp_timeout=32 net.netfilter.nf_conntrack_log_invalid=255
	same 32 "$(value_of udp_timeout)"
	refused checksum 2
	refused max 0
	refused udp_timeout -1
	refused buckets 4096
	refused count 0
	same 1 "$(file checksum)"
	[ "$(file buckets)" -ge 1024 ]
	same 0 "$(count)"
	expect_reach client icmp $SERVER4
	same 1 "$(count)"
	expect_fails client test -e $FILES/nf_conntrack_max
	# Rules come and go, and settings stay.
	tracked
	same 32 "$(value_of udp_timeout)"
	# Readers and writers do not mind that the files go.
	for name in udp_timeout buckets count; do
		fw timeout 30 sh -c "while [ -e /run/reading ]; do cat $FILES/nf_conntrack_$name; done" > /dev/null 2>&1 &
	done
	touch /run/reading
	fw timeout 30 sh -c "while [ -e /run/reading ]; do echo 32 > $FILES/nf_conntrack_udp_timeout; done" > /dev/null 2>&1 &
	sleep 0.3
	fw oxtables unload
	rm /run/reading
	wait
	expect_fails fw test -e $FILES/nf_conntrack_max
}

# A module of ours without states is not in the way of who has files of the same names.
test_files_are_not_in_the_way() {
	no_module
	load_module
	rules -4 <<-END
		*filter
		-A FORWARD -p udp
		COMMIT
	END
	modprobe nf_conntrack
	fw test -e $FILES/nf_conntrack_max
	expect_fails tracked
	fw oxtables unload
	modprobe -r nf_conntrack
}

test_timeouts_hold() {
	load_module
	tracked
	serve server 80
	settings udp_timeout=1 udp_timeout_stream=300 > /run/set
	expect_reach client udp $SERVER4 80
	wait_for 15 eval "[ \$(count) = 0 ]"
	settings udp_timeout=300 > /run/set
	expect_reach client udp $SERVER4 80
	fw oxtables conntrack get -p udp --expire 200:300 > /dev/null
	settings udp_timeout=30 udp_timeout_stream=120 > /run/set
}

test_a_full_table_is_told() {
	local before
	load_module
	tracked
	fw oxtables conntrack flush
	serve server 80
	# One that is open makes no room for others.
	client bash -c "exec 3<> /dev/tcp/$SERVER4/80; touch /run/open; while [ -e /run/open ]; do sleep 0.1; done" &
	wait_for 15 test -e /run/open
	wait_for 15 eval "fw oxtables conntrack get -p tcp --status ASSURED"
	dmesg -C
	settings max=1 > /run/set
	before=$(dropped)
	# shellcheck disable=SC2046 # a packet each
	send $(for _ in {1..100}; do echo "packet(udp(sport=2001))"; done)
	wait_for 15 eval 'dmesg | grep -q "nf_conntrack: table full in netns [0-9]*, dropping packet"'
	[ "$(dmesg | grep -c 'table full')" -lt 50 ]
	same $((before + 100)) "$(dropped)"
	same 1 "$(count)"
	settings max=262144 > /run/set
	send "packet(udp(sport=2001))"
	wait_for 15 eval "[ \$(count) -gt 1 ]"
	rm /run/open
	wait
}

test_tcp_is_taken_up_or_not() {
	load_module
	tracked
	settings tcp_loose=0 > /run/set
	send 'packet(tcp(sport=3001, flags=ACK, payload=b"middle"))'
	soon 1 INVALID
	settings tcp_loose=1 > /run/set
	send 'packet(tcp(sport=3001, flags=ACK, payload=b"middle"))'
	soon 1 NEW
	same 1 "$(counter_of INVALID)"
}

test_tcp_may_be_liberal() {
	load_module
	tracked
	serve server 80
	# The client's own kernel knows nothing of it and resets it, and it is to be there long enough for a slow machine.
	settings tcp_timeout_close=300 > /run/set
	# Far out of window, of a connection that began with 1000.
	send 'packet(tcp(sport=3002, seq=1000))'
	soon 1 NEW
	send 'packet(tcp(sport=3002, seq=1 << 30, flags=ACK, payload=b"far"))'
	soon 1 INVALID
	settings tcp_be_liberal=1 > /run/set
	send 'packet(tcp(sport=3002, seq=1 << 30, flags=ACK, payload=b"far"))'
	send 'packet(icmp(8))'
	soon 2 NEW
	same 1 "$(counter_of INVALID)"
	settings tcp_be_liberal=0 tcp_timeout_close=10 > /run/set
}

test_checksums_are_looked_at_or_not() {
	load_module
	tracked
	send 'broken(udp(sport=3003))'
	soon 1 INVALID
	settings checksum=0 > /run/set
	send 'broken(udp(sport=3003))'
	soon 1 NEW
	settings checksum=1 > /run/set
}

test_invalid_packets_are_told() {
	load_module
	tracked
	sysctl -q -w net.netfilter.nf_log_all_netns=1
	dmesg -C
	send "packet((200, b''))" "packet((UDP, b'cut'))"
	soon 1 INVALID
	expect_fails eval 'dmesg | grep "INVALID, "'
	settings log_invalid=17 > /run/set
	send "packet((UDP, b'cut'))"
	wait_for 15 eval 'dmesg | grep -q "INVALID, truncated transport header: IN=lan0 .*SRC=10.0.1.2 "'
	# Another protocol.
	settings log_invalid=6 > /run/set
	send "packet((UDP, b'cut'))"
	soon 3 INVALID
	same 1 "$(dmesg | grep -c 'INVALID, ')"
	# However many there are, few lines are written.
	settings log_invalid=255 > /run/set
	# shellcheck disable=SC2046 # a packet each
	send $(for _ in {1..100}; do echo "packet((UDP,b'cut'))"; done)
	soon 103 INVALID
	[ "$(dmesg | grep -c 'INVALID, ')" -lt 50 ]
	settings log_invalid=0 > /run/set
}

test_packets_are_counted_where_asked() {
	load_module
	tracked
	serve server 80
	settings acct=0 > /run/set
	expect_reach client udp $SERVER4 80
	expect_fails eval "fw oxtables conntrack get --proc -p udp | grep packets="
	fw oxtables conntrack flush
	settings acct=1 > /run/set
	expect_reach client udp $SERVER4 80
	fw oxtables conntrack get --proc -p udp | grep -q ' packets=1 bytes=[0-9]* src='
	settings acct=0 > /run/set
}

run_tests

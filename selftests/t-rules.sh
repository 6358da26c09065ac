#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What is asked of a ruleset as a whole, and of packets that are not the plain kind: segments that are still to be
# cut, packets that others hold too, IPv6's extension headers, chains upon chains.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

# same_counts FAMILY iptables|ip6tables: whether ours and theirs counted alike in FORWARD.
# shellcheck disable=SC2317 # wait_for calls it
same_counts() {
	fw oxtables "-$1" save -c | grep -e '-A FORWARD' | cut -d' ' -f1 > /run/ours
	fw "$2-legacy-save" -c | grep -e '-A FORWARD' | cut -d' ' -f1 > /run/theirs
	cmp -s /run/ours /run/theirs
}

# How many bytes a transfer has.
SIZE=10000000
[ "${OXTABLES_KERNEL:-}" != debug ] || SIZE=2000000

# transfer FAMILY: many bytes through rules of ours and of iptables' in the same hook, which must count alike; what
# the first rule counted is in $packets and $bytes.
transfer() {
	local address=SERVER$1 legacy=iptables
	[ "$1" = 4 ] || legacy=ip6tables
	local rules="*filter
:FORWARD DROP [0:0]
-A FORWARD -p tcp --dport 5001 -j MARK --set-mark 7
-A FORWARD -p tcp -m multiport --dports 5001 -m mark --mark 7 -j ACCEPT
-A FORWARD -p tcp ! --syn --sport 5001 -j ACCEPT
COMMIT"
	rules "-$1" <<< "$rules"
	fw $legacy-legacy-restore <<< "$rules"
	"$SELFTESTS/bulk" "${!address}" 5001 $SIZE
	# The last segments of a close may come between the two readings.
	wait_for 10 same_counts "$1" $legacy
	cat /run/ours
	fw $legacy-legacy-restore <<< $'*filter\n:FORWARD ACCEPT\nCOMMIT'
	IFS='[:]' read -r _ packets bytes _ < /run/ours
}

# offload on|off: whether segments travel as large packets, cut at the last moment.
offload() {
	local end
	for end in "client c0" "fw lan0" "fw wan0" "server s0"; do
		# shellcheck disable=SC2086
		set -- $1 $end
		ip netns exec "$2" ethtool -K "$3" tso "$1" gso "$1" gro "$1" tx "$1"
	done
}

test_large_segments_pass_whole() {
	local family packets bytes
	load_module
	offload on
	for family in 4 6; do
		transfer $family
		[ "$bytes" -ge $SIZE ]
		[ "$bytes" -le $((SIZE * 12 / 10)) ]
		# They were seen before they were cut.
		[ $((bytes / packets)) -gt 1500 ]
	done
}

test_small_segments_pass_one_by_one() {
	local family packets bytes
	load_module
	offload off
	for family in 4 6; do
		transfer $family
		[ "$bytes" -ge $SIZE ]
		[ "$bytes" -le $((SIZE * 12 / 10)) ]
		[ $((bytes / packets)) -le 1500 ]
	done
	offload on
}

test_extension_headers() { load_module && "$SELFTESTS/cases" headers; }

test_errors_about_packets_pass_or_not() {
	load_module
	expect "icmp 3/3" client udp "$SERVER4" 99
	expect "icmp 1/4" client udp "$SERVER6" 99
	printf '*filter\n-A FORWARD -p icmp --icmp-type %s -j DROP\nCOMMIT\n' port-unreachable | rules -4
	printf '*filter\n-A FORWARD -p icmpv6 --icmpv6-type %s -j DROP\nCOMMIT\n' port-unreachable | rules -6
	at_once <<-END
		expect_blocked client udp $SERVER4 99
		expect_blocked client udp $SERVER6 99
	END
	same "1 1" "$(counter_of "-j DROP" -4) $(counter_of "-j DROP" -6)"
}

# nested DEPTH: chains that jump to each other, so deep, in a ruleset.
nested() {
	local n
	echo '*filter'
	for ((n = 1; n <= $1; n++)); do echo ":c$n - [0:0]"; done
	echo '-A FORWARD -j c1'
	for ((n = 1; n < $1; n++)); do echo "-A c$n -j c$((n + 1))"; done
	echo "-A c$1 -p udp --dport 7 -j DROP"
	echo COMMIT
}

test_sixteen_deep_and_not_seventeen() {
	local family address before
	load_module
	serve server 7 8
	for family in 4 6; do
		address=SERVER$family
		nested 16 | rules -$family
		expect_blocked client udp "${!address}" 7
		expect_reach client udp "${!address}" 8
		before=$(fw oxtables -$family save)
		nested 17 > /run/deep
		expect_fails fw oxtables -$family load /run/deep
		expect_says "16 deep"
		# The jump from which there are too many.
		expect_says /run/deep:19:
		same "$before" "$(fw oxtables -$family save)"
	done
}

test_circles_are_refused() {
	local family rules
	load_module
	nested 3 | rules -4
	for rules in ':a - [0:0]\n-A a -j a' ':a - [0:0]\n:b - [0:0]\n-A a -p tcp -j b\n-A b -s 10.0.0.1 -g a' \
		':a - [0:0]\n:b - [0:0]\n:c - [0:0]\n-A FORWARD -j a\n-A a -j b\n-A b -j c\n-A c -j a'; do
		printf '*filter\n%b\nCOMMIT\n' "$rules" > /run/circle
		expect_fails fw oxtables -4 load /run/circle
		expect_says /run/circle:
		same 1 "$(fw oxtables -4 save | grep -c -e '-A c3 -p udp')"
	done
	# Two ways to the same chain are no circle.
	printf '*filter\n:a - [0:0]\n:b - [0:0]\n-A FORWARD -j a\n-A FORWARD -j b\n-A a -j b\nCOMMIT\n' | rules -4
}

# Sixteen chains, each of which jumps a hundred times to the next: 10^32 ways through them.
test_diamonds_load_at_once() {
	local n m began limit=5
	[ "${OXTABLES_KERNEL:-}" != debug ] || limit=40
	load_module
	{
		echo '*filter'
		for ((n = 1; n <= 16; n++)); do echo ":c$n - [0:0]"; done
		echo '-A FORWARD -p 253 -j c1'
		for ((n = 1; n < 16; n++)); do
			for ((m = 1; m <= 100; m++)); do echo "-A c$n -s 10.0.0.$m -j c$((n + 1))"; done
		done
		echo '-A c16 -j DROP'
		echo COMMIT
	} > /run/diamonds
	began=$SECONDS
	fw oxtables -4 load /run/diamonds
	[ $((SECONDS - began)) -le $limit ]
	same 1502 "$(fw oxtables -4 save | grep -c -e '^-A ')"
}

test_all_of_a_file_or_nothing() {
	local before rules
	load_module
	serve server 7
	printf 'family ipv4\n*filter\n-A FORWARD -p udp --dport 7 -j DROP\nCOMMIT\nfamily ipv6\n*filter\n%s\nCOMMIT\n' \
		'-A FORWARD -p udp --dport 7 -j DROP' | rules
	before=$(fw oxtables save -c)
	# The last rule is wrong: in its text, by what it jumps to, and in what only the kernel finds.
	for rules in '-A FORWARD -j nowhere' '-A FORWARD -p tcp --dport 99999' ':a - [0:0]\n-A a -j a' '-A FORWARD -p udp -j REJECT --reject-with tcp-reset'; do
		printf 'family ipv4\n*filter\n-A INPUT -p 253\nCOMMIT\n*new hooks=INPUT place=1\n-A INPUT -p 253\nCOMMIT\nfamily ipv6\n*filter\n%b\nCOMMIT\n' "$rules" > /run/wrong
		expect_fails fw oxtables load /run/wrong
		expect_says /run/wrong:
		same "$before" "$(fw oxtables save -c)"
	done
	at_once <<-END
		expect_blocked client udp $SERVER4 7
		expect_blocked client udp $SERVER6 7
	END
}

# Both families change in one step: whoever watches hears of one change only.
test_both_families_in_one_step() {
	local generation
	generation() { fw oxtables --json status | sed -n 's/.*"generation": *\([0-9]*\).*/\1/p'; }
	load_module
	generation=$(generation)
	printf 'family ipv4\n*filter\n-A INPUT -p 253\nCOMMIT\nfamily ipv6\n*filter\n-A INPUT -p 253\nCOMMIT\n' | rules
	same $((generation + 1)) "$(generation)"
	same 2 "$(fw oxtables save | grep -c -e '-A INPUT -p 253')"
}

run_tests

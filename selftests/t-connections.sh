#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What the command knows of connections, and what rules can ask of them beside their state.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

# Connections are tracked, of which there are none yet, and nothing is forbidden.
tracked() {
	local family
	for family in ipv4 ipv6; do
		printf 'family %s\n*filter\n-A FORWARD -m conntrack --ctstate NEW\nCOMMIT\n' $family
	done | rules
	connections flush
}

connections() { fw oxtables conntrack "$@"; }

# like TEXT PATTERN
like() {
	[[ $1 =~ $2 ]] || { echo "'$1' is not like '$2'"; return 1; }
}

# How many connections are listed.
listed() { connections list --proc "$@" | wc -l; }

test_connections_are_listed() {
	local line
	load_module
	# Where no rule asks for connections there are none.
	same 0 "$(listed)"
	connections stats | grep -q '^0 connections of at most 0'
	tracked
	serve server 80
	at_once <<-END
		expect_reach client tcp $SERVER4 80
		expect_reach client udp $SERVER6 80
		expect_reach client icmp $SERVER4
	END
	line=$(connections get --proc -p tcp -s $CLIENT4 --dport 80 --status assured)
	like "$line" "^ipv4     2 tcp      6 [0-9]+ [A-Z_0-9]+ src=$CLIENT4 dst=$SERVER4 sport=[0-9]+ dport=80 "
	like "$line" " src=$SERVER4 dst=$CLIENT4 sport=80 dport=[0-9]+ \[ASSURED\] mark=0 zone=0 use=[0-9]+$"
	line=$(connections get --proc -p udp -d $SERVER6)
	like "$line" '^ipv6     10 udp      17 [0-9]+ src=fd00:0001:0000:0000:0000:0000:0000:0002 dst=fd00:0002:'
	line=$(connections get --proc -p icmp)
	like "$line" ' type=8 code=0 id=[0-9]+ src=.* type=0 code=0 id=[0-9]+ '
	connections list | grep -q '^tcp .* assured$'
	connections list --json | python3 -m json.tool | grep -q '"icmp_type": 8'
}

test_connections_are_chosen() {
	load_module
	tracked
	serve server 80 81
	at_once <<-END
		expect_reach client udp $SERVER4 80
		expect_reach client udp $SERVER4 81
		expect_reach client udp $SERVER6 80
	END
	same 3 "$(listed -p udp)"
	same 2 "$(listed -p udp -4)"
	same 1 "$(listed -p udp -6)"
	same 1 "$(listed -p udp --dport 81)"
	same 2 "$(listed -p udp --dport '!81')"
	same 3 "$(listed -p udp --dport 80:81)"
	same 2 "$(listed -s 10.0.1.0/24 -p udp)"
	same 2 "$(listed --reply-source $SERVER4 -p udp)"
	same 1 "$(listed --reply-destination $CLIENT6 -p udp)"
	same 0 "$(listed -p udp --mark 1)"
	same 3 "$(listed -p udp --status SEEN_REPLY)"
	same 0 "$(listed -p udp --expire 10000:)"
	expect_fails connections get -p udp --dport 82
	expect_says "no such connection"
	expect_fails connections list -s $CLIENT4 -d $SERVER6
	expect_says "IPv6 address"
}

test_connections_are_forgotten() {
	load_module
	tracked
	serve server 80 81
	at_once <<-END
		expect_reach client udp $SERVER4 80
		expect_reach client udp $SERVER4 81
		expect_reach client udp $SERVER6 80
	END
	expect_fails connections delete
	expect_says "nothing says which"
	same "1 connection forgotten" "$(connections delete -p udp --dport 81)"
	same 2 "$(listed -p udp)"
	expect_fails connections delete -p udp --dport 81
	same "1 connection forgotten" "$(connections delete -6 -p udp)"
	same 1 "$(listed -p udp)"
	connections flush
	same 0 "$(listed -p udp)"
	# What comes then begins anew.
	expect_reach client udp $SERVER4 80
	same 1 "$(listed -p udp)"
}

test_marks_of_connections() {
	load_module
	rules -4 <<-END
		*filter
		-A FORWARD -p udp -m conntrack --ctstate NEW -j CONNMARK --set-xmark 0x15/0xff
		-A FORWARD -p udp -m conntrack --ctdir REPLY -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xf
		-A FORWARD -p udp -m mark --mark 0x5 -m comment --comment restored
		-A FORWARD -p udp -m connmark --mark 0x10/0xf0 -m comment --comment asked
		-A FORWARD -p udp -m connmark ! --mark 0x15 -m comment --comment other
		COMMIT
	END
	serve server 80
	expect_reach client udp $SERVER4 80
	same 1 "$(counter_of restored)"
	same 2 "$(counter_of asked)"
	same 0 "$(counter_of other)"
	same 1 "$(listed --mark 0x15)"
}

test_what_a_connection_is() {
	load_module
	rules -4 <<-END
		*filter
		-A FORWARD -m conntrack --ctproto 17 --ctorigsrc $CLIENT4 --ctorigdst $SERVER4 --ctorigdstport 80 -m comment --comment both
		-A FORWARD -m conntrack --ctreplsrc $SERVER4 --ctrepldst $CLIENT4 --ctreplsrcport 80 --ctdir REPLY -m comment --comment answer
		-A FORWARD -m conntrack ! --ctproto 17 -m comment --comment other
		-A FORWARD -m conntrack --ctstatus SEEN_REPLY -m comment --comment replied
		-A FORWARD -m conntrack --ctstatus CONFIRMED -m comment --comment confirmed
		-A FORWARD -m conntrack --ctexpire 1:30 -m comment --comment short
		COMMIT
	END
	serve server 80
	expect_reach client udp $SERVER4 80
	same 2 "$(counter_of both)"
	same 1 "$(counter_of answer)"
	same 0 "$(counter_of other)"
	same 1 "$(counter_of replied)"
	same 1 "$(counter_of confirmed)"
	same 2 "$(counter_of short)"
}

test_what_a_connection_transferred() {
	load_module
	rules -4 <<-END
		*filter
		-A FORWARD -m connbytes --connbytes 1:1 --connbytes-mode packets --connbytes-dir original -m comment --comment first
		-A FORWARD -m connbytes --connbytes 2 --connbytes-mode packets --connbytes-dir both -m comment --comment second
		-A FORWARD -m connbytes ! --connbytes 0:999 --connbytes-mode bytes --connbytes-dir original -m comment --comment large
		COMMIT
	END
	serve server 80
	expect_reach client udp $SERVER4 80
	same 2 "$(counter_of first)"
	same 1 "$(counter_of second)"
	same 0 "$(counter_of large)"
	expect_reach client icmp $SERVER4 --size 1000
	same 2 "$(counter_of large)"
	connections get --proc -p udp | grep -q ' packets=1 bytes=[0-9]* src=.* packets=1 bytes='
}

test_iptables_prints_rules_about_connections_the_same() {
	local version
	load_module
	for version in 4 6; do
		rules -$version <<-END
			*raw
			-A PREROUTING -p udp -j CT --notrack
			-A PREROUTING -p tcp -j CT --zone 7
			-A PREROUTING -j CT --zone mark
			-A OUTPUT -p tcp -j CT --zone-orig 65535
			-A OUTPUT -j CT --zone-reply mark
			COMMIT
			*filter
			-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
			-A FORWARD -m conntrack ! --ctstate dnat,SNAT,untracked,new,inv
			-A FORWARD -m conntrack --ctproto tcp ! --ctorigsrcport :5 --ctorigdstport 22 --ctreplsrcport 1:2 ! --ctrepldstport 7
			-A FORWARD -m conntrack --ctstatus NONE --ctexpire 5: --ctdir reply
			-A FORWARD -m conntrack ! --ctstatus ASSURED,EXPECTED ! --ctexpire 7 --ctdir ORIGINAL
			-A FORWARD -m state ! --state NEW,UNTRACKED -m connmark ! --mark 0x10/0xf0
			-A FORWARD -m connbytes ! --connbytes 10:20 --connbytes-mode avgpkt --connbytes-dir both
			-A FORWARD -m connbytes --connbytes 10 --connbytes-mode packets --connbytes-dir reply
			-A FORWARD -j CONNMARK --or-mark 5
			-A FORWARD -j CONNMARK --save-mark --mask 0xf --left-shift-mark 3
			-A FORWARD -j CONNMARK --restore-mark --nfmask 0x1
			COMMIT
		END
		fw oxtables -$version save > /run/ours-$version
	done
	prints_as_iptables 'raw filter' xt_conntrack xt_state xt_connmark xt_connbytes xt_CT
}

run_tests

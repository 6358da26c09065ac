#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What rules ask and do, each on both sides of its truth, over both families, with real packets. What needs many
# packets is in `cases` and `targets`, which make them by hand; what needs a real sender is here.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

# cases GROUP..., targets GROUP...
cases() { load_module && "$SELFTESTS/cases" "$@"; }
targets() { load_module && "$SELFTESTS/targets" "$@"; }

# both RULES: loads the same rules for both families.
both() {
	local family
	load_module
	for family in 4 6; do printf '%b' "$1" | rules -$family; done
}

# counted FAMILY TABLE CHAIN NUMBER: what a chain's rule counted, as PACKETS:BYTES; rule 0 is the policy.
counted() {
	fw oxtables "-$1" save -c | awk -v table="*$2" -v chain="$3" -v number="$4" '
		/^\*/ { here = $1 == table }
		here && $1 == ":" chain && number == 0 { print $3 }
		here && $2 == "-A" && $3 == chain && ++seen == number { print $1 }' | tr -d '[]'
}

# seen FAMILY TABLE: packets that the first rule counted at each hook.
seen() {
	fw oxtables "-$1" save -c | awk -v table="*$2" '
		/^\*/ { here = $1 == table; split("", before) }
		here && $2 == "-A" && !($3 in before) { before[$3]; sub(/^\[/, ""); sub(/:.*/, ""); print }' | xargs
}

test_addresses_interfaces_and_protocols() { cases addresses interfaces protocols comments; }
test_ports_flags_and_options() { cases tcp udp; }
test_extensions() { cases extensions; }
test_icmp_types() { cases icmp; }
test_fragments_first_and_later() { cases fragments; }
test_marks_set_and_asked() { cases marks; }
test_jump_goto_and_return() { cases chains; }
test_reject_tells_the_sender_and_nobody_else() { targets reject; }
test_log_writes_what_iptables_writes() { targets log; }
test_counters_are_those_of_the_interface() { targets count; }

test_what_a_person_sees_of_reject() {
	both '*filter
-A FORWARD -p udp --dport 7 -j REJECT
-A FORWARD -p tcp --dport 7 -j REJECT --reject-with tcp-reset
-A FORWARD -p tcp --dport 8 -j REJECT
-A INPUT -p tcp --dport 7 -j REJECT --reject-with tcp-reset
-A OUTPUT -p tcp --dport 7 -j REJECT --reject-with tcp-reset
-A OUTPUT -p udp --dport 7 -j REJECT
COMMIT
'
	serve server 7 8 9
	serve fw 7
	local address
	for address in $SERVER4 $SERVER6; do
		printf '%s\n' "expect reset client tcp $address 7" "expect_reach client tcp $address 9" \
			"expect_reach client udp $address 8" "expect reset fw tcp $address 7" "expect_reach fw tcp $address 9"
	done > /run/attempts
	for address in $LAN4 $LAN6; do
		printf '%s\n' "expect reset client tcp $address 7" "expect_reach client udp $address 7"
	done >> /run/attempts
	printf '%s\n' "expect 'icmp 3/3' client udp $SERVER4 7" "expect 'icmp 1/4' client udp $SERVER6 7" \
		"expect 'icmp 3/3' client tcp $SERVER4 8" "expect 'icmp 1/4' client tcp $SERVER6 8" >> /run/attempts
	at_once < /run/attempts
}

# A packet of each way through the machine meets the chains of that way, and no other.
test_every_hook_sees_its_packets() {
	local family through own
	both '*all hooks=PREROUTING,INPUT,FORWARD,OUTPUT,POSTROUTING place=-200
-A PREROUTING -p udp -m multiport --ports 7
-A INPUT -p udp -m multiport --ports 7
-A FORWARD -p udp -m multiport --ports 7
-A OUTPUT -p udp -m multiport --ports 7
-A POSTROUTING -p udp -m multiport --ports 7
COMMIT
'
	serve server 7
	serve fw 7
	for family in 4 6; do
		through=SERVER$family own=LAN$family
		expect_reach client udp "${!through}" 7
		# There and back.
		same "2 0 2 0 2" "$(seen $family all)"
		expect_reach client udp "${!own}" 7
		same "3 1 2 1 3" "$(seen $family all)"
		expect_reach fw udp "${!through}" 7
		same "4 2 2 2 4" "$(seen $family all)"
	done
}

# Each hook stops what comes its way; the ports tell the hooks apart. A program on the machine itself is told.
test_every_hook_drops() {
	local through own
	both '*all hooks=PREROUTING,INPUT,FORWARD,OUTPUT,POSTROUTING place=5
-A PREROUTING -p udp --dport 1001 -j DROP
-A INPUT -p udp --dport 1002 -j DROP
-A FORWARD -p udp --dport 1003 -j DROP
-A OUTPUT -p udp --dport 1004 -j DROP
-A POSTROUTING -p udp --dport 1005 -j DROP
COMMIT
*filter
-A INPUT -p udp --dport 1006 -j DROP
-A FORWARD -p udp --dport 1007 -j DROP
-A OUTPUT -p udp --dport 1008 -j DROP
COMMIT
'
	serve server 1001 1002 1003 1004 1005 1006 1007 1008
	serve fw 1001 1002 1003 1006 1007
	for family in 4 6; do
		through=SERVER$family own=LAN$family
		at_once <<-END
			expect_blocked client udp ${!own} 1001
			expect_blocked client udp ${!own} 1002
			expect_reach client udp ${!own} 1003
			expect_blocked client udp ${!own} 1006
			expect_reach client udp ${!own} 1007
			expect_blocked client udp ${!through} 1001
			expect_reach client udp ${!through} 1002
			expect_blocked client udp ${!through} 1003
			expect_reach client udp ${!through} 1004
			expect_blocked client udp ${!through} 1005
			expect_blocked client udp ${!through} 1007
			expect_reach client udp ${!through} 1008
			expect_reach fw udp ${!through} 1003
			expect EPERM fw udp ${!through} 1004
			expect EPERM fw udp ${!through} 1005
			expect EPERM fw udp ${!through} 1008
		END
	done
}

test_tables_are_walked_by_their_place() {
	local family address
	# Declared in the other order; the mark tells who came before.
	both '*late hooks=FORWARD place=10
-A FORWARD -p udp --dport 7
-A FORWARD -p udp --dport 7 -m mark --mark 0x21
COMMIT
*early hooks=FORWARD place=-10
-A FORWARD -p udp --dport 7
-A FORWARD -p udp --dport 7 -j MARK --or-mark 1
-A FORWARD -p udp --dport 8 -j DROP
-A FORWARD -p udp --dport 9 -j ACCEPT
COMMIT
*filter
-A FORWARD -p udp --dport 7 -m mark --mark 1 -j MARK --or-mark 0x20
-A FORWARD -p udp --dport 8
-A FORWARD -p udp --dport 9 -j DROP
COMMIT
'
	serve server 7 8 9
	for family in 4 6; do
		address=SERVER$family
		expect_reach client udp "${!address}" 7
		same "1 1 1" "$(for table in late early filter; do counted $family $table FORWARD 1; done | cut -d: -f1 | xargs)"
		same "$(counted $family late FORWARD 1)" "$(counted $family late FORWARD 2)"
		expect_blocked client udp "${!address}" 8
		# It was dropped before filter; ACCEPT is one table's word only.
		same 0:0 "$(counted $family filter FORWARD 2)"
		expect_blocked client udp "${!address}" 9
		same 1 "$(counted $family filter FORWARD 3 | cut -d: -f1)"
	done
}

# A policy is what is left over, and counts it to the byte: a hundred bytes and the headers of UDP and IP.
test_policies_drop_accept_and_count() {
	local family through own size
	serve server 7
	serve fw 7
	# Neighbours must find each other, whatever the policy.
	ruleset() {
		both "*filter
:INPUT $1
:FORWARD $1
:OUTPUT $1
-A INPUT -6 -p icmpv6 -j ACCEPT
-A OUTPUT -6 -p icmpv6 -j ACCEPT
COMMIT
"
	}
	for family in 4 6; do
		through=SERVER$family own=LAN$family size=$((family == 4 ? 128 : 148))
		ruleset DROP
		expect_blocked client udp "${!through}" 7 --size 100
		expect_blocked client udp "${!own}" 7 --size 100
		expect EPERM fw udp "${!through}" 7 --size 100
		same "1:$size 1:$size 1:$size" "$(for chain in FORWARD INPUT OUTPUT; do counted $family filter $chain 0; done | xargs)"
		ruleset ACCEPT
		if [ $family = 4 ]; then
			# Without a rule there is no hook, and a policy that accepts counts nothing.
			fw oxtables -4 add FORWARD -p 253
			fw oxtables -4 add INPUT -p 253
			fw oxtables -4 add OUTPUT -p 253
		else
			fw oxtables -6 add FORWARD -p 253
		fi
		expect_reach client udp "${!through}" 7 --size 100
		expect_reach client udp "${!own}" 7 --size 100
		same "2:$((2 * size)) 1:$size 1:$size" "$(for chain in FORWARD INPUT OUTPUT; do counted $family filter $chain 0; done | xargs)"
	done
	# A policy alone, in chains without rules, is enough.
	both '*filter\n:FORWARD DROP\nCOMMIT\n'
	expect_blocked client udp $SERVER4 7
	expect_blocked client udp $SERVER6 7
	same "1 1" "$(for family in 4 6; do counted $family filter FORWARD 0; done | cut -d: -f1 | xargs)"
}

test_routing_goes_by_marks() {
	local family
	serve server 7 8
	# Marked packets find no way; those of this machine itself are routed again after OUTPUT.
	for family in 4 6; do ip -$family -n fw rule add fwmark 0x5/0xf prohibit; done
	both '*way hooks=PREROUTING,OUTPUT place=-150
-A PREROUTING -p udp --dport 7 -j MARK --set-mark 0x15
-A PREROUTING -p udp --dport 8 -j MARK --set-mark 0x16
-A OUTPUT -p udp --dport 7 -j MARK --set-xmark 0x5/0xf
COMMIT
'
	expect "icmp 3/13" client udp $SERVER4 7
	expect "icmp 1/1" client udp $SERVER6 7
	for address in $SERVER4 $SERVER6; do
		expect_reach client udp "$address" 8
		expect EACCES fw udp "$address" 7
		expect_reach fw udp "$address" 8
	done
	fw oxtables flush -t way PREROUTING
	expect_reach client udp $SERVER4 7
	for family in 4 6; do ip -$family -n fw rule del fwmark 0x5/0xf; done
}

# Real fragments of a real program: the first has the ICMP header, the others have nothing to ask for.
test_large_pings_in_fragments() {
	printf '*filter\n-A FORWARD -f -j DROP\nCOMMIT\n' | { load_module; rules -4; }
	expect_blocked client icmp $SERVER4 --size 4000
	expect_reach client icmp $SERVER4 --size 1000
	# 4008 bytes of ICMP are two times 1480 and a rest.
	same 2 "$(counter_of "-f -j DROP" -4)"
	printf '*filter\n-A FORWARD ! -f -j DROP\nCOMMIT\n' | rules -4
	expect_blocked client icmp $SERVER4 --size 1000
	expect_blocked client icmp $SERVER4 --size 4000
	same 2 "$(counter_of "! -f -j DROP" -4)"
	printf '*filter\n-A FORWARD -p icmp --icmp-type echo-request -j DROP\nCOMMIT\n' | rules -4
	expect_blocked client icmp $SERVER4 --size 4000
	same 1 "$(counter_of "-j DROP" -4)"
	printf '*filter\n:FORWARD DROP\n-A FORWARD -p icmpv6 -m icmp6 --icmpv6-type echo-request -j ACCEPT\n%s\nCOMMIT\n' \
		'-A FORWARD -p icmpv6 -m icmp6 --icmpv6-type echo-reply -j ACCEPT' | rules -6
	expect_reach client icmp $SERVER6 --size 1000
	expect_blocked client icmp $SERVER6 --size 4000
	fw oxtables -6 add FORWARD -p icmpv6 -j ACCEPT
	expect_reach client icmp $SERVER6 --size 4000
}

# A packet that was put together from fragments lies in pieces: of these bytes two are at the end of the first.
test_bytes_across_fragments() {
	local rule rules=(
		'-p udp -m u32 --u32 "0x5da=0x70726f62"'
		'-p udp -m string --string "probe" --algo bm --from 1498 --to 1503'
		'-p udp -m string --string "probe" --algo kmp --from 1498 --to 1503'
		'-p udp -m bpf --bytecode "4,32 0 0 1498,21 0 1 1886547810,6 0 0 1,6 0 0 0"'
	)
	serve fw 7
	{ echo '*filter'; printf -- '-A INPUT %s\n' "${rules[@]}"; echo COMMIT; } | { load_module; rules -4; }
	expect_reach client udp $LAN4 7 --size 4000
	for rule in "${rules[@]}"; do same 1 "$(counter_of "$rule" -4)"; done
}

run_tests

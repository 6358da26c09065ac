#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Targets that hand packets, copies of them or news of them to somebody: to programs, to another machine, to the audit
# subsystem, to who asks what became of a packet.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

# targets GROUP...
targets() { load_module && "$SELFTESTS/targets" "$@"; }

test_nflog_tells_what_iptables_tells() { targets nflog; }
test_nfqueue_lets_programs_decide() { targets nfqueue; }
test_audit_writes_the_records_of_iptables() { targets audit; }
test_tee_sends_the_copies_of_iptables() { targets tee; }
test_trace_tells_each_step() { targets trace; }

# What a program lets pass goes on behind all tables of a hook, so no table may follow there that has a say.
test_no_table_behind_a_queue() {
	local family
	load_module
	for family in 4 6; do
		rules -$family <<-'END'
			*early hooks=INPUT,FORWARD place=-10
			-A FORWARD -p udp -j NFQUEUE
			COMMIT
			*filter
			:FORWARD ACCEPT [0:0]
			-A INPUT -p 253
			COMMIT
		END
		expect_fails fw oxtables -$family add FORWARD -p 253
		expect_says "NFQUEUE would lead packets past the tables behind"
		expect_fails fw oxtables -$family policy FORWARD DROP
		fw oxtables -$family flush -t early
		fw oxtables -$family add FORWARD -p 253
	done
}

# A reader sees which packet it is, where it was, and the rule's own words.
test_what_a_person_sees_of_trace() {
	load_module
	serve server 7
	rules -4 <<-'END'
		*filter
		:web - [0:0]
		-A FORWARD -p udp --dport 7 -j TRACE
		-A FORWARD -p udp -m comment --comment "to web" -j web
		-A web -j RETURN
		COMMIT
	END
	fw oxtables trace > /run/heard &
	wait_for 20 grep -q listening /run/heard
	expect_reach client udp $SERVER4 7
	wait_for 20 grep -q policy /run/heard
	cat /run/heard
	grep -Eq "^packet [0-9a-f]{8}  ipv4 FORWARD  in lan0  out wan0  udp $CLIENT4:[0-9]+ > $SERVER4:7  [0-9]+ bytes$" /run/heard
	grep -Eq '^  filter:FORWARD:2 +jump web +-p udp -m comment --comment "to web" -j web$' /run/heard
	grep -Eq '^  filter:web:1 +return +-j RETURN$' /run/heard
	grep -Eq '^  filter:FORWARD:3 +accept +policy$' /run/heard
}

run_tests

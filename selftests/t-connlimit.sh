#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# How many connections a network may have: with real ones, by both families, as iptables counts them, by all processors.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

# rules_for LIMIT: no more than so many from one address, three more from a network.
rules_for() {
	cat <<-END
		*filter
		-A FORWARD -p tcp --syn -m connlimit --connlimit-above $1 -j REJECT --reject-with tcp-reset
		-A FORWARD -p tcp --syn -m connlimit --connlimit-upto $1 --connlimit-mask 16 --connlimit-daddr -j ACCEPT
		-A FORWARD -p tcp --syn -j REJECT --reject-with tcp-reset
		COMMIT
	END
}

steps() { client "$SELFTESTS/try-connlimit" steps "$1"; }

more_addresses() {
	ip -n client address replace 10.0.1.7/24 dev c0
	ip -n client address replace fd00:1::7/64 dev c0 nodad
	serve server 80
}

test_connections_are_counted() {
	local version address program
	more_addresses
	load_module
	for version in 4 6; do
		address=SERVER$version
		rules_for 3 | rules -$version
		steps "${!address}" > /run/ours-$version
		# Three are let in at first, and the one in whose place another one has ended.
		grep -q '^open open open refused refused open refused open refused open refused open refused refused open' \
			/run/ours-$version || { cat /run/ours-$version; return 1; }
	done
	fw oxtables unload
	for version in 4 6; do
		address=SERVER$version program=iptables
		[ $version = 4 ] || program=ip6tables
		rules_for 3 | fw $program-legacy-restore
		steps "${!address}" > /run/theirs-$version
		printf '*filter\nCOMMIT\n' | fw $program-legacy-restore
	done
	wait_for 20 modprobe -r xt_connlimit nf_conncount
	wait_for 20 modprobe -r nf_conntrack
	diff /run/theirs-4 /run/ours-4
	diff /run/theirs-6 /run/ours-6
}

test_processors_count_together() {
	more_addresses
	load_module
	local family address rules count
	for family in 4 6; do
		rules="*filter
			-A FORWARD -p tcp --syn -m connlimit --connlimit-upto 30 -j ACCEPT
			-A FORWARD -p tcp --syn -j REJECT --reject-with tcp-reset
			COMMIT"
		fw oxtables -$family load - <<< "$rules"
		address=SERVER$family
		count=$(client "$SELFTESTS/try-connlimit" crowd "${!address}" 100)
		# A packet is waited for that is between the rule and the table; under emulation that may not be long enough.
		if [ "$count" -lt 30 ] || [ "$count" -ge 60 ]; then
			echo "$count of 100 got through"
			return 1
		fi
	done
}

test_a_rule_that_is_loaded_again_goes_on() {
	more_addresses
	load_module
	rules_for 2 | rules -4
	client python3 -c "
import socket, sys
held = [socket.create_connection(('$SERVER4', 80)) for _ in range(2)]
print('held', flush=True)
sys.stdin.read()" < <(sleep 60) > /run/held &
	wait_for 20 grep -q held /run/held
	rules_for 2 | rules -4
	expect reset client tcp $SERVER4 80
	# One that says something else counts anew.
	rules_for 1 | rules -4
	expect_reach client tcp $SERVER4 80
	end_processes client
	wait || true
}

test_what_is_no_connection() {
	load_module
	rules -4 <<-END
		*raw
		-A PREROUTING -p udp -j CT --notrack
		COMMIT
		*filter
		-A FORWARD -p udp -m connlimit --connlimit-upto 1 -m comment --comment first
		-A FORWARD -p icmp -m connlimit --connlimit-above 1 -m comment --comment second
		COMMIT
	END
	serve server 80
	# One after the other: each is all that there is of its kind.
	expect_reach client udp $SERVER4 80
	expect_reach client udp $SERVER4 80
	expect_reach client icmp $SERVER4
	same 4 "$(counter_of first)"
	same 0 "$(counter_of second)"
}

test_iptables_prints_the_same() {
	local version
	load_module
	for version in 4 6; do
		rules -$version <<-END
			*filter
			-A FORWARD -m connlimit --connlimit-upto 5
			-A FORWARD -m connlimit ! --connlimit-above 0 --connlimit-mask 0 --connlimit-daddr
			-A FORWARD -m connlimit ! --connlimit-upto 4294967295 --connlimit-mask 17 --connlimit-saddr
			COMMIT
		END
		fw oxtables -$version save > /run/ours-$version
	done
	prints_as_iptables filter xt_connlimit nf_conncount nf_conntrack
}

run_tests

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The module comes and goes, rules come and go, namespaces come and go, all under traffic; see try-lifecycle.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

try() { "$SELFTESTS/try-lifecycle" "$@"; }

test_insmod_alone_changes_nothing() {
	local address
	no_module
	serve server 80
	load_module
	same 0 "$(cat /sys/module/oxtables/refcnt)"
	for address in $SERVER4 $SERVER6; do
		expect_reach client icmp "$address"
		expect_reach client tcp "$address" 80
		expect_reach client udp "$address" 80
	done
	expect reset client tcp $SERVER4 81
	same "" "$(fw oxtables save | sed '/^#/d')"
	rmmod oxtables
}

test_rmmod_is_refused_while_there_are_rules() {
	load_module
	server "$SELFTESTS/try-netlink" with_rules
	expect_fails rmmod oxtables
	expect_says "in use"
	# A policy alone would be lost, too.
	server "$SELFTESTS/try-netlink" with_a_policy
	expect_fails rmmod oxtables
	expect_blocked client icmp $SERVER4
	# Tables that are empty are no loss.
	server "$SELFTESTS/try-netlink" with_nothing
	no_module
	expect_reach client icmp $SERVER4
}

test_50_cycles_under_traffic() {
	no_module
	try cycles 50
}

test_200_swaps_leave_no_gap() {
	load_module
	try swaps 200
}

test_100_namespaces_come_and_go() {
	load_module
	try churn 100
}

test_namespaces_end_under_traffic() {
	load_module
	try ends_under_traffic 10
}

run_tests

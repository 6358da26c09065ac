#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Rules come over netlink: transactions, refusals, permissions, counters, news (see try-netlink), a hundred
# thousand messages that are wrong (see fuzz-netlink), and the kernel's own client of the description.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

try() {
	load_module
	fw "$SELFTESTS/try-netlink" "$1"
}

test_closing_the_socket_aborts() { try closing_the_socket_aborts; }
test_a_transaction_is_one_socket_s() { try a_transaction_is_one_socket_s; }
test_open_transactions_are_bounded() { try open_transactions_are_bounded; }
test_another_generation_is_refused() { try another_generation_is_refused; }
test_of_two_writers_one_wins() { try of_two_writers_one_wins; }
test_writers_lose_no_change() { try writers_lose_no_change; }
test_malformed_messages_are_refused() { try malformed_messages_are_refused; }
test_rulesets_that_can_t_be_are_refused() { try rulesets_that_can_t_be_are_refused; }
test_diamonds_are_checked_in_time() { try diamonds_are_checked_in_time; }
test_nobody_gets_eperm() { try nobody_gets_eperm; }
test_root_of_a_user_namespace_gets_eperm() { try root_of_a_user_namespace_gets_eperm; }
test_namespaces_know_nothing_of_each_other() { try namespaces_know_nothing_of_each_other; }
test_changes_are_announced() { try changes_are_announced; }
test_dumps_tell_of_one_moment() { try dumps_tell_of_one_moment; }
test_a_dump_may_be_left_half_read() { try a_dump_may_be_left_half_read; }
test_reading_and_zeroing_loses_no_packet() { try reading_and_zeroing_loses_no_packet; }
test_rules_that_stay_keep_every_packet() { try rules_that_stay_keep_every_packet; }
test_policies_can_be_read() { try policies_can_be_read; }

test_root_of_a_user_namespace_may_by_a_parameter() {
	no_module
	insmod "$OXTABLES_KO" userns=1
	fw "$SELFTESTS/try-netlink" root_of_a_user_namespace_may
	# The next test gets the module without the parameter, once that namespace is gone.
	fw oxtables unload --keep-module
	no_module
}

# ynl WORD...: the kernel's own client, which knows nothing of us but the description of the family.
ynl() {
	local sources
	sources=$(bash -c '. "$1" && kernel_source' - "$SELFTESTS/../qemu/common")
	fw python3 "$sources/tools/net/ynl/pyynl/cli.py" --spec "$SELFTESTS/../module/uapi/oxtables.yaml" --no-schema "$@"
}

test_a_commit_that_lacks_operations_is_refused() { try a_commit_that_lacks_operations_is_refused; }

test_ynl_commits_and_dumps() {
	local rule='{"protocol":1,"target":{"drop":true},"matches":{"icmp":[{"message":"010800ff"}]}}'
	no_module
	load_module
	expect_reach client icmp $LAN4
	ynl --multi begin '{"generation":0}' \
		--multi chunk '{"op":[{"verb":"replace-table","family":"ipv4","table":"filter"},
			{"verb":"append","family":"ipv4","table":"filter","chain":"INPUT","rule":'"$rule"'}]}' \
		--multi commit '{}'
	expect_blocked client icmp $LAN4
	ynl --dump get-rules --json '{"counters":true}' --output-json > /run/dump
	python3 -SE - /run/dump << 'END'
import json, sys
messages = json.load(open(sys.argv[1]))
rules = [op for message in messages for op in message["op"] if op["verb"] == "append"]
assert {message["generation"] for message in messages} == {1}, messages
assert len(rules) == 1 and rules[0]["chain"] == "INPUT", rules
assert rules[0]["counters"]["packets"] == 1, rules
assert list(rules[0]["rule"]["target"]) == ["drop"], rules
END
	expect_fails ynl --multi begin '{"generation":0}' --multi commit '{}'
	expect_says "the rules changed"
}

# So many messages, a part of them on the debug kernel, which is slow; OXTABLES_COUNT asks for more.
test_wrong_messages() {
	local count=100000
	[ "${OXTABLES_KERNEL:-}" != debug ] || count=30000
	load_module
	fw "$SELFTESTS/fuzz-netlink" "${OXTABLES_SEED:-}" "${OXTABLES_COUNT:-$count}"
}

run_tests

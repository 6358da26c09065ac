#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The command against the module: what it loads is in force and comes back the same, whatever way it was changed.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

EXAMPLES=$SELFTESTS/../examples
ox() { fw oxtables "$@"; }

# The rules of INPUT, each on a line.
input_rules() { ox "$@" save | sed -n 's/^-A INPUT //p'; }

test_what_is_saved_loads_and_stays_the_same() {
	local file before
	load_module
	for file in "$EXAMPLES"/*.rules; do
		ox load "$file"
		before=$(ox save)
		ox save | ox load -
		same "$before" "$(ox save)"
		# One family alone is in the form of ip6tables-restore.
		ox -6 save | ox -6 load -
		same "$before" "$(ox save)"
	done
	# No packet comes to a chain that no rule leads to.
	printf '*filter\n:idle - [0:0]\n[7:8] -A idle\n[18446744073709551615:0] -A idle -j DROP\nCOMMIT\n' | ox -4 load -c -
	before=$(ox save -c | grep idle)
	ox save -c | ox load -c -
	same "$before" "$(ox save -c | grep idle)"
	same 7 "$(counter_of "-A idle" -4)"
}

test_iptables_takes_what_is_saved_and_prints_the_same() {
	local version program
	load_module
	ox load "$EXAMPLES/router.rules"
	for version in 4 6; do ox -$version save > /run/ours-$version; done
	# There is one tracker at a time, and iptables brings its own.
	ox unload
	for version in 4 6; do
		program=iptables
		[ $version = 4 ] || program=ip6tables
		server $program-legacy-restore < /run/ours-$version
		server $program-legacy-save > /run/theirs-$version
		printf '*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\nCOMMIT\n' | server $program-legacy-restore
	done
	wait_for 20 modprobe -r xt_conntrack
	expect_fails grep '^nf_conntrack ' /proc/modules
	for version in 4 6; do
		same "$(grep -v '^#' /run/ours-$version)" "$(grep -v '^#' /run/theirs-$version)"
	done
}

test_random_rules_are_taken_and_printed_as_iptables_does() {
	local version program seed=${OXTABLES_SEED:-1}
	load_module
	for version in 4 6; do
		program=iptables
		[ $version = 4 ] || program=ip6tables
		echo "random-rules $version $seed"
		"$SELFTESTS/random-rules" $version "$seed" > /run/rules
		server $program-legacy-restore /run/rules
		ox -$version load /run/rules
		diff <(server $program-legacy-save | grep -v '^#') <(ox -$version save | grep -v '^#')
		printf '*filter\n:INPUT ACCEPT\nCOMMIT\n' | server $program-legacy-restore
	done
}

test_one_family_is_replaced_and_the_other_stays() {
	load_module
	ox load "$EXAMPLES/server.rules"
	local v6
	v6=$(ox -6 save)
	printf '*filter\n-A INPUT -j DROP\nCOMMIT\n' | ox -4 load -
	same "-j DROP" "$(input_rules -4)"
	same "$v6" "$(ox -6 save)"
}

test_a_wrong_ruleset_leaves_the_old_one_in_force() {
	local before rules
	load_module
	ox load "$EXAMPLES/server.rules"
	before=$(ox save)
	for rules in '-A INPUT -j nowhere' '-A INPUT -p tcp --dprot 22' ':a - [0:0]\n-A a -j a' '-A INPUT -s 1.2.3.4/33'; do
		printf '*filter\n%b\nCOMMIT\n' "$rules" > /run/rules
		expect_fails ox -4 load /run/rules
		expect_says /run/rules:
		same "$before" "$(ox save)"
	done
}

test_rules_come_and_go_one_by_one() {
	load_module
	ox add INPUT -p tcp --dport ssh -j ACCEPT
	ox add INPUT -s 10.0.0.1 -j DROP
	ox insert INPUT -i lo -j ACCEPT
	ox insert INPUT 2 -p icmp -j ACCEPT
	ox replace INPUT 4 -s 10.0.0.2 -j DROP
	same "-i lo -j ACCEPT
-p icmp -j ACCEPT
-p tcp -m tcp --dport 22 -j ACCEPT
-s 10.0.0.2/32 -j DROP" "$(input_rules)"
	ox delete INPUT 1
	ox delete INPUT -p tcp --dport 22 -j ACCEPT
	same "-p icmp -j ACCEPT
-s 10.0.0.2/32 -j DROP" "$(input_rules)"
	expect_fails ox delete INPUT -p tcp --dport 22 -j ACCEPT
	expect_says "no such rule"
	ox flush INPUT
	same "" "$(input_rules)"
	# The other family was never spoken of.
	same "" "$(ox -6 save | grep -v '^#' || true)"
}

test_chains_are_made_renamed_and_deleted() {
	load_module
	ox new-chain one
	ox add one -j DROP
	ox add INPUT -j one
	ox rename-chain one two
	same "-j two" "$(input_rules)"
	expect_fails ox delete-chain two
	ox flush
	ox delete-chain two
	expect_fails ox add INPUT -j two
	expect_says "no chain and no target is called"
	ox policy INPUT DROP
	ox -4 save | grep -q '^:INPUT DROP '
	expect_fails ox policy INPUT REJECT
}

test_noflush_adds_to_what_is_there() {
	load_module
	ox add INPUT -i lo -j ACCEPT
	printf '*filter\n:new - [0:0]\n-A INPUT -j new\nCOMMIT\n' | ox -4 load --noflush -
	same "-i lo -j ACCEPT
-j new" "$(input_rules)"
}

test_counters_are_loaded_counted_and_zeroed() {
	load_module
	printf '*filter\n[5:420] -A INPUT -p icmp\nCOMMIT\n' | ox -4 load -c -
	expect_reach client icmp $LAN4
	same 6 "$(counter_of "-p icmp" -4)"
	# A change beside it does not touch the count.
	ox add INPUT -i lo
	same 6 "$(counter_of "-p icmp" -4)"
	ox zero INPUT 2
	same 6 "$(counter_of "-p icmp" -4)"
	ox zero INPUT 1
	same 0 "$(counter_of "-p icmp" -4)"
	expect_fails ox zero INPUT 3
	expect_fails ox zero NOWHERE
}

test_writers_at_once_lose_nothing() {
	local number
	load_module
	for number in 1 2 3 4 5 6; do
		ox add INPUT -s 10.9.9.$number -j DROP &
	done
	wait
	same 6 "$(input_rules | wc -l)"
}

test_a_table_of_ones_own_filters_before_the_others() {
	load_module
	expect_reach client icmp $LAN4
	printf '*edge hooks=PREROUTING place=-50\n-A PREROUTING -p icmp -j DROP\nCOMMIT\n' | ox -4 load -
	expect_blocked client icmp $LAN4
	same 1 "$(counter_of "-p icmp" -4)"
	ox save | grep -qx '\*edge hooks=PREROUTING place=-50'
	ox insert -t edge PREROUTING -p icmp --icmp-type echo-request -j ACCEPT
	expect_reach client icmp $LAN4
}

test_diff_and_monitor_tell_what_changes() {
	local watcher
	load_module
	ox load "$EXAMPLES/server.rules"
	same "" "$(ox diff --exit-code "$EXAMPLES/server.rules")"
	sed 's/^-A INPUT -p udp -j REJECT/-A INPUT -p udp -j DROP/' "$EXAMPLES/server.rules" > /run/changed
	expect_fails ox diff --exit-code /run/changed
	expect_says "+-A INPUT -p udp -j DROP"
	ox monitor > /run/heard &
	watcher=$!
	wait_for 20 grep -q '^listening' /run/heard
	ox add INPUT -s 10.9.9.9 -j DROP
	wait_for 20 grep -qx -- '+-A INPUT -s 10.9.9.9/32 -j DROP' /run/heard
	kill $watcher
}

test_json_is_json_and_says_the_same() {
	load_module
	ox load "$EXAMPLES/router.rules"
	ox --json list | python3 -c '
import json, sys
rules = json.load(sys.stdin)
assert rules["schema"] == 1
tables = [(table["family"], table["name"]) for table in rules["tables"]]
assert tables == [("ipv4", "filter"), ("ipv6", "filter")], tables
[first] = [c for c in rules["tables"][0]["chains"] if c["name"] == "INPUT"]
assert first["policy"]["target"] == "DROP" and "packets" in first["rules"][0]
'
	ox --json status | python3 -c '
import json, sys
status = json.load(sys.stdin)
assert {"family": "ipv4", "hook": "FORWARD"} in status["hooks"]
assert {drop["reason"] for drop in status["drops"]} >= {"rule", "policy"}
'
}

test_without_the_right_nothing_is_read_or_changed() {
	local command
	load_module
	ox load "$EXAMPLES/server.rules"
	for command in save list status "load $EXAMPLES/router.rules" "add INPUT -j DROP" "zero" unload; do
		# shellcheck disable=SC2086 # a list of words
		expect_fails ip netns exec fw setpriv --reuid nobody --regid nogroup --clear-groups oxtables $command
		expect_says "not permitted"
	done
}

test_unload_empties_and_removes() {
	load_module
	ox load "$EXAMPLES/router.rules"
	expect_fails rmmod oxtables
	ox unload
	expect_fails grep -q '^oxtables ' /proc/modules
	expect_fails ox save
	expect_says "not loaded"
	expect_reach client icmp $SERVER4
}

run_tests

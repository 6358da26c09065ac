#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What becomes of connections is told to who listens, and to nobody else; and which ones transfer most.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

connections() { fw oxtables conntrack "$@"; }

# track [RULE...]: connections are tracked in both families, and packets meet these rules when they are forwarded.
track() {
	local family rule
	for family in ipv4 ipv6; do
		printf 'family %s\n*filter\n-A FORWARD -m conntrack --ctstate NEW\n' $family
		for rule in "$@"; do printf -- '-A FORWARD %s\n' "$rule"; done
		echo COMMIT
	done > /run/ruleset
	fw oxtables load /run/ruleset
	connections flush > /dev/null
}

# watch [OPTION...]: listens from now on, to /run/events.
watch() {
	: > /run/events
	ip netns exec fw oxtables --json conntrack watch "$@" > /run/events &
	watcher=$!
	# Another test's must not write to the same file.
	trap 'kill "$watcher" 2> /dev/null || true' EXIT
	wait_for 20 grep -q poll "/proc/$watcher/wchan"
}

# The watcher ends well when a person interrupts it.
watched() {
	kill -INT "$watcher"
	wait "$watcher"
}

# told PYTHON: an expression over `events`, of what was told so far.
told() {
	python3 -SE -c '
import json, sys

events = [json.loads(line) for line in open("/run/events")]


def of(protocol, source):
    """What became of the connections of a client."""
    return [event for event in events if event.get("protocol") == protocol and event["original"]["source"] == source]


def story(protocol, source):
    return " ".join(event["event"] + ":" + event.get("state", "-") for event in of(protocol, source))


print(eval(sys.argv[1]))
' "$1"
}

# is_told PYTHON VALUE: that it is so, soon.
is_told() {
	local end=$((SECONDS + 20))
	until [ "$(told "$1")" = "$2" ]; do
		[ $SECONDS -lt $end ] || { same "$2" "$(told "$1")"; return 1; }
		sleep 0.2
	done
}

test_each_protocol_is_told() {
	local address
	load_module
	topology
	track '-m connbytes --connbytes 0 --connbytes-dir both --connbytes-mode packets'
	serve server 80
	watch
	for address in $SERVER4 $SERVER6; do
		expect_reach client udp "$address" 80
		expect_reach client icmp "$address"
		expect_reach client tcp "$address" 80
	done
	for address in $CLIENT4 $CLIENT6; do
		is_told "story(\"udp\", \"$address\")" 'new:- update:-'
		is_told "story(\"tcp\", \"$address\").split()[:3]" \
			"['new:SYN_SENT', 'update:SYN_RECV', 'update:ESTABLISHED']"
	done
	is_told "story(\"icmp\", \"$CLIENT4\")" 'new:- update:-'
	is_told "story(\"ipv6-icmp\", \"$CLIENT6\")" 'new:- update:-'
	same "['CONFIRMED'] ['SEEN_REPLY', 'CONFIRMED']" \
		"$(told "\" \".join(str(event[\"status\"]) for event in of(\"icmp\", \"$CLIENT4\")[:2])")"
	# What ends tells what it has transferred.
	connections flush
	is_told "[event[\"event\"] for event in of(\"icmp\", \"$CLIENT4\")][2:]" "['destroy']"
	is_told "len({event[\"id\"] for event in of(\"icmp\", \"$CLIENT4\")})" 1
	same '1 1' "$(told "\"{original[packets]} {reply[packets]}\".format_map(of(\"ipv6-icmp\", \"$CLIENT6\")[-1])")"
	is_told 'len([event for event in events if event["event"] == "destroy"]) >= 6' True
	watched
}

test_marks_and_forgetting_are_told() {
	load_module
	track '-m conntrack --ctstate ESTABLISHED -j CONNMARK --set-mark 7'
	watch -e destroy,update
	expect_reach client icmp $SERVER4
	is_told "[event[\"mark\"] for event in of(\"icmp\", \"$CLIENT4\")]" '[0, 7]'
	connections delete -s $CLIENT4
	is_told "story(\"icmp\", \"$CLIENT4\")" 'update:- update:- destroy:-'
	# An unanswered one is gone when its time is over.
	is_told "len([event for event in events if event[\"event\"] == \"new\"])" 0
	watched
}

test_filters() {
	load_module
	track
	serve server 80 81
	watch --protocol udp --dport 81 -4
	expect_reach client udp $SERVER4 80
	expect_reach client udp $SERVER6 81
	expect_reach client udp $SERVER4 81
	is_told '{(event["family"], event["protocol"], event["original"]["destination_port"]) for event in events}' \
		"{('ipv4', 'udp', 81)}"
	watched
}

# Nothing is made of events that nobody hears: the first that someone does is number one.
test_nobody_listens() {
	load_module
	topology
	track
	expect_reach client icmp $SERVER4
	connections flush
	watch
	expect_reach client icmp $SERVER4
	is_told 'len(events) >= 2' True
	same 1 "$(told 'events[0]["number"]')"
	watched
}

# Who does not read holds nobody up, and is told how much it missed.
test_a_listener_that_does_not_read() {
	load_module
	topology
	track
	watch
	kill -STOP "$watcher"
	flood
	expect_reach client icmp $SERVER4
	connections flush
	kill -CONT "$watcher"
	wait_for 20 is_told_of_loss
	# All that were not told were counted.
	is_told 'events[-1]["number"] == sum(event.get("events", 1) for event in events) > 19000' True
	watched
}

# That some were lost shows at the next that is told.
is_told_of_loss() {
	client ping -q -c 1 -W 1 $SERVER4
	grep -q '"lost":true' /run/events
}

test_the_reader_is_gone() {
	load_module
	track
	timeout 20 ip netns exec fw oxtables conntrack watch | true
	same 0 "${PIPESTATUS[0]}"
	# Lines are for people, too.
	ip netns exec fw oxtables conntrack watch -t -e new > /run/events &
	watcher=$!
	wait_for 20 grep -q poll "/proc/$watcher/wchan"
	expect_reach client icmp $SERVER4
	wait_for 20 grep -q ' icmp ' /run/events
	watched
	grep -qE "^[0-9]{10}\.[0-9]{6}  new      icmp +$CLIENT4 > $SERVER4 type 8 code 0 id [0-9]+  unanswered\$" /run/events
}

test_the_busiest() {
	load_module
	topology
	track
	expect_reach client icmp $SERVER4
	expect_fails connections top
	expect_says "are not counted"
	track '-m connbytes --connbytes 0 --connbytes-dir both --connbytes-mode packets'
	client ping -q -i 0.02 -s 1000 $SERVER4 > /dev/null &
	client ping -q -i 0.01 -s 10 $SERVER6 > /dev/null &
	sleep 1
	connections top | tee /run/busiest
	[[ $(sed -n 2p /run/busiest) == *" icmp "*" $CLIENT4 "*" $SERVER4 type 8"* ]]
	[[ $(sed -n 3p /run/busiest) == *" ipv6-icmp "* ]]
	[[ $(connections top --sort packets -i 1 -n 1 | sed -n 2p) == *" ipv6-icmp "* ]]
	fw oxtables --json conntrack top -4 -i 1 | python3 -SE -c '
import json, sys

[busiest] = json.load(sys.stdin)["connections"]
assert 10 < busiest["packets_per_second"] < 200, busiest
assert 900 < busiest["bytes_per_second"] / busiest["packets_per_second"] < 1100, busiest'
	end_processes client
}

run_tests

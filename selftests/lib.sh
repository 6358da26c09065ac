# SPDX-License-Identifier: GPL-2.0
# What every test shares: the network, the words to try it with, and the loop that runs a file's tests.
# Sourced by the t-*.sh files, in the VM only.
#
#   netns client            netns fw                      netns server
#  ┌────────────────┐      ┌────────────────────────┐    ┌────────────────┐
#  │             c0 ├──────┤ lan0              wan0 ├────┤ s0             │
#  │ 10.0.1.2/24    │      │ 10.0.1.1/24            │    │ 10.0.2.2/24    │
#  │ fd00:1::2/64   │      │ fd00:1::1/64           │    │ fd00:2::2/64   │
#  └────────────────┘      │            10.0.2.1/24 │    └────────────────┘
#                          │           fd00:2::1/64 │
#                          └────────────────────────┘
#
# A test is a function test_NAME; it fails when a command in it fails. Before each the firewall is empty.
# shellcheck shell=bash

set -euo pipefail

SELFTESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # for the tests
CLIENT4=10.0.1.2 CLIENT6=fd00:1::2 LAN4=10.0.1.1 LAN6=fd00:1::1
# shellcheck disable=SC2034
WAN4=10.0.2.1 WAN6=fd00:2::1 SERVER4=10.0.2.2 SERVER6=fd00:2::2

# Nothing answers at all in time: how long that takes to say. The debug kernel is slow under emulation.
PATIENCE=2
[ "${OXTABLES_KERNEL:-}" != debug ] || PATIENCE=4

# This kernel is the VM's: never touch the network of a machine that someone uses.
[ -n "${OXTABLES_KO:-}" ] || { echo "selftests run in the VM: make vm CMD='selftests/run'" >&2; exit 1; }

client() { ip netns exec client "$@"; }
fw() { ip netns exec fw "$@"; }
server() { ip netns exec server "$@"; }

# Builds the network anew.
topology() {
	topology_down
	local name
	for name in client fw server; do ip netns add $name; done
	# Duplicate address detection would keep the addresses away for a second, and hosts that ask for routers
	# would be seen among the packets that a test sends.
	printf '%s\n' 'net.ipv6.conf.all.accept_dad=0' 'net.ipv6.conf.default.accept_dad=0' \
		'net.ipv6.conf.default.router_solicitations=0' > /run/sysctl
	for name in client fw server; do
		ip netns exec $name sysctl -q -p /run/sysctl
		ip -n $name link set lo up
	done
	# Only now, for a new interface takes over the defaults.
	ip link add c0 netns client type veth peer name lan0 netns fw
	ip link add wan0 netns fw type veth peer name s0 netns server
	fw sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	place client c0 $CLIENT4/24 $CLIENT6/64
	place fw lan0 $LAN4/24 $LAN6/64
	place fw wan0 $WAN4/24 $WAN6/64
	place server s0 $SERVER4/24 $SERVER6/64
	route client $LAN4 $LAN6
	route server $WAN4 $WAN6
}

topology_down() {
	local name
	for name in client fw server; do
		[ ! -e /run/netns/$name ] || { end_processes $name; ip netns del $name; }
	done
}

# place NAMESPACE INTERFACE IPV4 IPV6
place() {
	ip -n "$1" address add "$3" dev "$2"
	ip -n "$1" address add "$4" dev "$2" nodad
	ip -n "$1" link set "$2" up
}

# route NAMESPACE GATEWAY4 GATEWAY6
route() {
	ip -n "$1" route add default via "$2"
	ip -n "$1" route add default via "$3"
}

# What a test left running in a namespace ends.
end_processes() {
	local pids
	pids=$(ip netns pids "$1")
	# shellcheck disable=SC2086 # a list of words
	[ -z "$pids" ] || kill -9 $pids 2>/dev/null || true
}

# serve NAMESPACE PORT...: something that answers on these ports, TCP and UDP, both families.
serve() {
	local name=$1
	shift
	ip netns exec "$name" "$SELFTESTS/answer" "$@"
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" > /dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { echo "in vain: $*"; return 1; }
		sleep 0.1
	done
}

# outcome NAMESPACE PROTOCOL ADDRESS [PORT] [OPTION...]: what comes back; see probe.
outcome() {
	local name=$1
	shift
	ip netns exec "$name" "$SELFTESTS/probe" "$@" --timeout "$PATIENCE"
}

# expect OUTCOME NAMESPACE PROTOCOL ADDRESS [PORT] [OPTION...]
expect() {
	local wanted=$1 got patience=$PATIENCE
	shift
	# Under emulation an answer may come late, and waiting longer for one costs nothing when it comes.
	[ "$wanted" = silence ] || patience=15
	got=$(PATIENCE=$patience outcome "$@")
	[ "$got" = "$wanted" ] || { echo "from $*: expected '$wanted', got '$got'"; return 1; }
}

expect_reach() { expect reply "$@"; }
expect_blocked() { expect silence "$@"; }

# expect_each: as `expect` of each line on standard input, all at the same time and by one program.
expect_each() { "$SELFTESTS/probe" each $PATIENCE $((PATIENCE * 8)); }

# at_once: runs the commands on standard input, one a line, all at the same time; fails when one fails.
at_once() {
	local line job jobs=() status=0
	while IFS= read -r line; do
		[ -n "$line" ] || continue
		eval "$line" < /dev/null &
		jobs+=($!)
	done
	for job in "${jobs[@]}"; do wait "$job" || status=1; done
	return $status
}

# expect_fails COMMAND...: a command that must not succeed; what it says is in $said.
expect_fails() {
	said=$("$@" 2>&1) || return 0
	echo "succeeded and should not have: $*"
	return 1
}

# expect_says TEXT: that the last expect_fails said so.
expect_says() {
	[[ ${said:-} == *"$1"* ]] || { printf 'expected to read "%s" in:\n%s\n' "$1" "${said:-}"; return 1; }
}

same() {
	[ "$1" = "$2" ] || { echo "expected '$1', got '$2'"; return 1; }
}

# rules [-4|-6]: loads the ruleset on standard input into the firewall.
rules() { fw oxtables "$@" load /dev/stdin; }

# counter_of TEXT [-4|-6]: packets counted by the rule whose saved line contains TEXT.
counter_of() {
	local text=$1 line
	shift
	line=$(fw oxtables "$@" save -c | grep -F -m 1 -- "$text") || { echo "no rule has: $text" >&2; return 1; }
	[[ $line =~ \[([0-9]+):([0-9]+)\] ]] || { echo "no counter in: $line" >&2; return 1; }
	echo "${BASH_REMATCH[1]}"
}

# flood: 10,000 packets to the server, each of another flow, which nobody answers.
flood() {
	local mac
	mac=$(fw cat /sys/class/net/lan0/address)
	modprobe pktgen
	# Nobody answers them.
	server ip route add blackhole 10.1.0.0/16
	server sysctl -q -w net.ipv4.conf.all.forwarding=0
	fw sysctl -q -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.lan0.rp_filter=0
	# A process in the namespace sees its interfaces.
	client sh -e <<-END
		cd /proc/net/pktgen
		echo rem_device_all > kpktgend_0
		echo add_device c0 > kpktgend_0
		for word in 'count 10000' 'pkt_size 60' 'delay 0' 'clone_skb 0' 'dst $SERVER4' 'src_min 10.1.0.1' \
			'src_max 10.1.255.254' 'udp_src_min 1000' 'udp_src_max 60000' 'flag IPSRC_RND' 'flag UDPSRC_RND' \
			'dst_mac $mac'; do
			echo "\$word" > c0
		done
		echo start > pgctrl
		echo rem_device_all > kpktgend_0
	END
}

# Tests leave the module loaded. Namespaces that end may hold it for a while.
no_module() { ! grep -q '^oxtables ' /proc/modules || wait_for 60 rmmod oxtables; }

load_module() { grep -q '^oxtables ' /proc/modules || insmod "$OXTABLES_KO"; }

# prints_as_iptables 'TABLE...' MODULE...: what was saved as /run/ours-4 and /run/ours-6 is what iptables-legacy prints of
# it. There is one tracker at a time, and iptables brings its own: ours goes before, and the modules afterwards.
prints_as_iptables() {
	local tables=$1 version program table
	shift
	fw oxtables unload
	for version in 4 6; do
		program=iptables
		[ $version = 4 ] || program=ip6tables
		server $program-legacy-restore < /run/ours-$version
		for table in $tables; do
			server $program-legacy-save -t "$table" | grep '^-A'
			printf '*%s\nCOMMIT\n' "$table" | server $program-legacy-restore
		done > /run/theirs-$version
	done
	wait_for 20 modprobe -r "$@"
	expect_fails grep '^nf_conntrack ' /proc/modules
	for version in 4 6; do
		diff /run/theirs-$version <(grep '^-A' /run/ours-$version)
	done
}

# A line in the kernel's log, so that a complaint in it has a neighbour that tells where it came from.
mark() { echo "selftest: $*" > /dev/kmsg; }

# Runs every test_* function of the calling file, in the order of the file; prints a TAP line for each.
run_tests() {
	local tests test file=${0##*/} failures=0 status
	mapfile -t tests < <(sed -n 's/^\(test_[a-z0-9_]*\)().*/\1/p' "$0")
	topology
	for test in "${tests[@]}"; do
		[ -z "${OXTABLES_TEST:-}" ] || [[ $test == *"$OXTABLES_TEST"* ]] || continue
		mark "$file $test"
		# Not in a condition, because `set -e` does not hold in one.
		set +e
		(
			set -eE
			trap 'echo "line $LINENO: $BASH_COMMAND"' ERR
			! grep -q '^oxtables ' /proc/modules || fw oxtables unload --keep-module
			"$test"
		) > /run/output 2>&1 < /dev/null
		status=$?
		set -e
		if [ $status = 0 ]; then
			echo "ok ${file%.sh}: ${test#test_}"
		else
			echo "not ok ${file%.sh}: ${test#test_}"
			sed 's/^/# /' /run/output
			failures=$((failures + 1))
		fi
	done
	topology_down
	[ $failures = 0 ]
}

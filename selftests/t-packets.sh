#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Packets that are not what they should be: the kernel stays whole, drops are counted by their reason, and what
# is right still gets through. A splat fails the boot.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

# So many packets, a part of them on the debug kernel, which is slow; OXTABLES_COUNT asks for more.
test_wrong_packets() {
	local count=103000
	[ "${OXTABLES_KERNEL:-}" != debug ] || count=30000
	load_module
	"$SELFTESTS/fuzz-packets" "${OXTABLES_SEED:-}" "${OXTABLES_COUNT:-$count}" | tee /dev/kmsg
	fw oxtables unload
	serve server 80
	expect_reach client tcp $SERVER4 80
	expect_reach client udp $SERVER6 80
}

# bulk ADDRESS PORT [-6]: sends a file through the firewall, whose segments go as large packets.
bulk() {
	local address=$1 port=$2
	server nc -l "${@:3}" "$port" > /run/received < /dev/null &
	wait_for 10 server sh -c "ss -Hltn sport = :$port | grep -q ."
	client nc "${@:3}" -N "$address" "$port" < /run/sent
	wait $!
	cmp /run/sent /run/received
}

test_large_sends_arrive_whole() {
	local family packets
	load_module
	for family in -4 -6; do
		rules $family <<- END
			*filter
			:FORWARD DROP [0:0]
			-A FORWARD -i lan+ -p tcp -m tcp --dport 5001 -m comment --comment large -j ACCEPT
			-A FORWARD -o lan0 -p tcp -m tcp --sport 5001 -j ACCEPT
			COMMIT
		END
	done
	head -c 5000000 /dev/zero | tr '\0' x > /run/sent
	bulk $SERVER4 5001
	bulk $SERVER6 5001 -6
	for family in -4 -6; do
		# Fewer packets than segments: they were large ones.
		packets=$(counter_of large $family)
		[ "$packets" -lt 3000 ] || { echo "5 MB in $packets packets"; return 1; }
	done
}

run_tests

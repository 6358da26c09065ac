#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Connections: what a packet is to its own, of each protocol and family; who else may track them; and how they end.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

# The client may begin connections, and the server may not.
one_way() {
	local family
	for family in ipv4 ipv6; do
		cat <<-END
			family $family
			*filter
			:INPUT ACCEPT
			:FORWARD DROP
			:OUTPUT ACCEPT
			-A FORWARD -m conntrack --ctstate INVALID -j DROP
			-A FORWARD -m conntrack --ctstate RELATED -j ACCEPT
			-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT
			-A FORWARD -i lan0 -m conntrack --ctstate NEW -j ACCEPT
			COMMIT
		END
	done | rules
}

test_connections_go_the_way_they_began() {
	load_module
	one_way
	serve server 80
	serve client 80
	at_once <<-END
		expect_reach client tcp $SERVER4 80
		expect_reach client udp $SERVER4 80
		expect_reach client icmp $SERVER4
		expect_reach client tcp $SERVER6 80
		expect_reach client udp $SERVER6 80
		expect_reach client icmp $SERVER6
	END
	at_once <<-END
		expect_blocked server tcp $CLIENT4 80
		expect_blocked server udp $CLIENT4 80
		expect_blocked server icmp $CLIENT4
		expect_blocked server tcp $CLIENT6 80
		expect_blocked server udp $CLIENT6 80
		expect_blocked server icmp $CLIENT6
	END
	same 0 "$(counter_of INVALID -4)"
	same 0 "$(counter_of INVALID -6)"
	# An answer each of UDP and ICMP, and what TCP sends beside its first segment.
	[ "$(counter_of ESTABLISHED -4)" -gt 4 ]
	[ "$(counter_of ESTABLISHED -6)" -gt 4 ]
}

test_errors_are_related() {
	load_module
	one_way
	expect "icmp 3/3" client udp $SERVER4 81
	expect "icmp 1/4" client udp $SERVER6 81
	same 1 "$(counter_of RELATED -4)"
	same 1 "$(counter_of RELATED -6)"
	expect reset client tcp $SERVER4 81
	expect reset client tcp $SERVER6 81
}

test_fragments_belong_together() {
	load_module
	one_way
	expect_reach client icmp $SERVER4 --size 4000
	expect_reach client icmp $SERVER6 --size 4000
	# They come to the rules as one packet each way.
	same 1 "$(counter_of NEW -4)"
	same 1 "$(counter_of ESTABLISHED -4)"
	same 1 "$(counter_of NEW -6)"
	same 1 "$(counter_of ESTABLISHED -6)"
}

test_raw_takes_packets_from_sight() {
	load_module
	rules -4 <<-END
		*raw
		:PREROUTING ACCEPT
		:OUTPUT ACCEPT
		-A PREROUTING -p icmp -j CT --notrack
		COMMIT
		*filter
		:INPUT ACCEPT
		:FORWARD ACCEPT
		:OUTPUT ACCEPT
		-A FORWARD -m conntrack --ctstate UNTRACKED -j ACCEPT
		-A FORWARD -m conntrack --ctstate NEW -j ACCEPT
		COMMIT
	END
	expect_reach client icmp $SERVER4
	same 2 "$(counter_of UNTRACKED)"
	same 0 "$(counter_of NEW)"
}

test_this_machine_talks_to_itself() {
	load_module
	rules -4 <<-END
		*filter
		:INPUT ACCEPT
		:FORWARD ACCEPT
		:OUTPUT ACCEPT
		-A INPUT -m conntrack --ctstate NEW -j ACCEPT
		-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
		-A INPUT -j DROP
		COMMIT
	END
	expect_reach fw icmp 127.0.0.1
	same 1 "$(counter_of NEW)"
	same 1 "$(counter_of ESTABLISHED)"
}

# A connection that is in use while its rules are gone for a while: its windows are elsewhere by then.
test_tracking_pauses() {
	local address step reply
	load_module
	serve server 80
	for address in $SERVER4 $SERVER6; do
		one_way
		coproc TALK { client python3 -SEu -c '
import socket, sys

talk = socket.create_connection((sys.argv[1], 80))
talk.settimeout(15)
for line in sys.stdin:
    for _ in range(int(line)):
        talk.sendall(bytes(65536))
        left = 65536
        while left:
            left -= len(talk.recv(left))
    print(line, end="")
' "$address"; }
		for step in tracked unseen tracked; do
			if [ $step = unseen ]; then
				printf '*filter\n:FORWARD ACCEPT\nCOMMIT\n' | rules -4
				printf '*filter\n:FORWARD ACCEPT\nCOMMIT\n' | rules -6
			else
				one_way
			fi
			echo 500 >&"${TALK[1]}"
			read -r -t 60 reply <&"${TALK[0]}"
			same 500 "$reply"
		done
		kill "$TALK_PID"
		wait "$TALK_PID" || true
	done
	same 0 "$(counter_of INVALID -4)"
	same 0 "$(counter_of INVALID -6)"
}

test_only_one_tracks() {
	no_module
	modprobe nf_conntrack
	load_module
	expect_fails one_way
	expect_says "nf_conntrack tracks connections already"
	rules -4 <<-END
		*filter
		:INPUT ACCEPT
		:FORWARD DROP
		:OUTPUT ACCEPT
		COMMIT
	END
	expect_blocked client icmp $SERVER4
	# NOTRACK leaves packets alone that carry a connection of the other's, which would never end otherwise.
	rules -4 <<-END
		*raw
		-A PREROUTING -j CT --notrack
		COMMIT
		*filter
		:FORWARD ACCEPT
		COMMIT
	END
	fw nft -f - <<-END
		add table ip other
		add chain ip other forward { type filter hook forward priority 10; }
		add rule ip other forward ct state new,established counter accept
	END
	expect_reach client icmp $SERVER4
	fw nft list table ip other | grep -q 'counter packets 2 '
	fw nft delete table ip other
	fw oxtables unload --keep-module
	wait_for 20 modprobe -r nft_ct nf_conntrack
	one_way
	expect_reach client icmp $SERVER4
	expect_fails modprobe nf_conntrack
	expect_reach client icmp $SERVER4
	fw oxtables unload
	modprobe nf_conntrack
	modprobe -r nf_conntrack
}

# Packets that carry a connection wait in an interface's queue while the module goes.
test_unloaded_while_packets_wait() {
	local _ began
	for _ in 1 2 3; do
		load_module
		one_way
		fw tc qdisc add dev wan0 root netem delay 1s
		client ping -c 20 -i 0.02 -W 1 $SERVER4 > /dev/null &
		client ping -c 20 -i 0.02 -W 1 $SERVER6 > /dev/null &
		sleep 0.5
		began=$SECONDS
		fw oxtables unload
		[ $((SECONDS - began)) -lt 15 ]
		expect_fails grep '^oxtables ' /proc/modules
		fw tc qdisc del dev wan0 root
		wait
	done
}

# Answers to a ping, and an error, lie in sockets that nobody reads, longer than the module may stay.
test_unloaded_while_sockets_are_not_read() {
	local began family ready
	load_module
	for family in ipv4 ipv6; do
		printf 'family %s\n*filter\n-A INPUT -m conntrack --ctstate NEW\nCOMMIT\n' $family
	done | rules
	fw sysctl -q -w net.ipv4.ping_group_range='0 0'
	coproc SOCKETS { fw python3 -SEu -c '
import socket, sys, time

addresses = ((socket.AF_INET, sys.argv[1], socket.IPPROTO_ICMP, b"\x08"),
             (socket.AF_INET6, sys.argv[2], socket.IPPROTO_ICMPV6, b"\x80"))
sockets = []
for family, address, icmp, kind in addresses:
    ping = socket.socket(family, socket.SOCK_DGRAM, icmp)
    ping.sendto(kind + bytes(7), (address, 0))
    talk = socket.socket(family, socket.SOCK_DGRAM)
    level, recverr = (socket.SOL_IP, 11) if family == socket.AF_INET else (socket.IPPROTO_IPV6, 25)
    talk.setsockopt(level, recverr, 1)
    talk.sendto(b"nobody", (address, 81))
    sockets += ping, talk
time.sleep(2)
print("ready")
time.sleep(600)
' $SERVER4 $SERVER6; }
	read -r -t 30 ready <&"${SOCKETS[0]}"
	same ready "$ready"
	[ "$(fw oxtables conntrack list --proc | wc -l)" -ge 4 ]
	began=$SECONDS
	fw oxtables unload
	[ $((SECONDS - began)) -lt 15 ]
	expect_fails grep '^oxtables ' /proc/modules
	kill "$SOCKETS_PID"
}

# Packets of a VRF pass the hooks twice: as its own, and as those of its interface. With a queue they do so on their
# way out, too.
test_vrf() {
	local family pinged
	load_module
	topology
	modprobe vrf
	ip -n fw link add red type vrf table 10
	ip -n fw link set red up
	ip -n fw link set lan0 vrf red
	ip -n fw link set wan0 vrf red
	# Addresses of IPv6 go when an interface changes its VRF.
	ip -n fw address add $LAN6/64 dev lan0 nodad
	ip -n fw address add $WAN6/64 dev wan0 nodad
	for family in ipv4 ipv6; do
		cat <<-END
			family $family
			*filter
			-A INPUT -i lan0 -m conntrack --ctstate NEW
			-A FORWARD -m conntrack --ctstate NEW
			-A FORWARD -m conntrack --ctstate ESTABLISHED -m connbytes --connbytes 0 --connbytes-dir both --connbytes-mode packets
			-A OUTPUT -o wan0 -m conntrack --ctstate NEW
			COMMIT
		END
	done | rules
	for pinged in 1 2; do
		fw oxtables conntrack flush
		expect_reach client icmp $SERVER4
		expect_reach client icmp $SERVER6
		same $pinged "$(counter_of "FORWARD -m conntrack --ctstate NEW" -4)"
		same $pinged "$(counter_of "FORWARD -m conntrack --ctstate NEW" -6)"
		fw ping -q -c 1 -W 5 -I red $SERVER4
		fw ping -q -c 1 -W 5 -I red $SERVER6
		expect_reach client icmp $LAN4
		expect_reach client icmp $LAN6
		# One each, of a packet each way.
		same 3 "$(fw oxtables conntrack list --proc -p icmp | wc -l)"
		same 3 "$(fw oxtables conntrack list --proc -p ipv6-icmp | wc -l)"
		expect_fails grep -v 'packets=1 .*packets=1 ' <(fw oxtables conntrack list --proc)
		fw tc qdisc replace dev red root pfifo
	done
	topology
}

# Many connections: the table grows, and the namespace that has them ends.
test_namespace_ends_with_connections() {
	load_module
	topology
	one_way
	flood
	[ "$(counter_of NEW -4)" -gt 9000 ]
	expect_reach client icmp $SERVER4
	topology_down
	no_module
	topology
}

# connections: how many there are.
connections() { fw oxtables --json conntrack stats | sed -n 's/.*"count": \([0-9]*\).*/\1/p'; }

few_connections() { [ "$(connections)" -lt 100 ]; }

test_a_flood_is_forgotten_in_a_minute() {
	load_module
	topology
	one_way
	flood
	[ "$(connections)" -gt 9000 ]
	# They live for 30 seconds.
	wait_for 60 few_connections
	expect_reach client icmp $SERVER4
	topology
}

run_tests

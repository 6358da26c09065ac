#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What rules ask the kernel about a packet: what its addresses are by the routes, which way an answer would go, what
# IPsec does with it, what time it is in the kernel's zone.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

test_what_addresses_are() { load_module && "$SELFTESTS/routes" addrtype; }
test_the_way_back() { load_module && "$SELFTESTS/routes" rpfilter; }

# What comes in by the loopback interface passes, whatever the routes say.
test_the_way_back_of_what_never_left() {
	local family
	load_module
	for family in 4 6; do
		printf '*early hooks=PREROUTING place=-300\n%s\n%s\nCOMMIT\n' '-A PREROUTING -i lo -m rpfilter' \
			'-A PREROUTING -i lo -m rpfilter --invert' | rules -$family
	done
	serve fw 7
	expect_reach fw udp $LAN4 7
	expect_reach fw udp $LAN6 7
	for family in 4 6; do
		[ "$(counter_of '-i lo -m rpfilter' -$family)" -ge 2 ]
		same 0 "$(counter_of '--invert' -$family)"
	done
}

test_questions_where_they_have_no_answer() {
	local family rule chain
	load_module
	for family in 4 6; do
		for rule in 'INPUT -m addrtype --src-type LOCAL --limit-iface-out' \
			'OUTPUT -m addrtype --src-type LOCAL --limit-iface-in' 'INPUT -m policy --dir out --pol none' \
			'OUTPUT -m policy --dir in --pol none' 'INPUT -m rpfilter' 'FORWARD -m rpfilter' 'OUTPUT -m rpfilter'; do
			printf '*filter\n-A %s\nCOMMIT\n' "$rule" > /run/wrong
			expect_fails fw oxtables -$family load /run/wrong
			expect_says /run/wrong:2:
			# In a chain that packets come to from there it is no better.
			chain=${rule%% *}
			printf '*filter\n:own - [0:0]\n-A %s -j own\n-A own %s\nCOMMIT\n' "$chain" "${rule#* }" > /run/wrong
			expect_fails fw oxtables -$family load /run/wrong
			expect_says /run/wrong:4:
		done
	done
}

# associations MODE SPI-OUT SPI-IN: IPsec between client and fw, in a tunnel or not, for what has UDP port 7 and is
# between the client and the server (a tunnel) or the firewall.
associations() {
	local mode=$1 out=$2 in=$3 family client lan peer end selector
	for family in 4 6; do
		client=CLIENT$family lan=LAN$family peer=SERVER$family
		client=${!client} lan=${!lan}
		[ "$mode" = tunnel ] || peer=LAN$family
		peer=${!peer}
		for end in client fw; do
			ip -n $end xfrm state add src "$client" dst "$lan" proto esp spi "$out" reqid 5 mode "$mode" \
				enc 'ecb(cipher_null)' '' auth digest_null ''
			ip -n $end xfrm state add src "$lan" dst "$client" proto esp spi "$in" reqid 6 mode "$mode" \
				enc 'ecb(cipher_null)' '' auth digest_null ''
		done
		selector=(src "$client" dst "$peer" proto udp)
		ends=(src "$client" dst "$lan")
		ip -n client xfrm policy add "${selector[@]}" dport 7 dir out tmpl "${ends[@]}" proto esp reqid 5 mode "$mode"
		ip -n fw xfrm policy add "${selector[@]}" dport 7 dir in tmpl "${ends[@]}" proto esp reqid 5 mode "$mode"
		ip -n fw xfrm policy add "${selector[@]}" dport 7 dir fwd tmpl "${ends[@]}" proto esp reqid 5 mode "$mode"
		selector=(src "$peer" dst "$client" proto udp)
		ends=(src "$lan" dst "$client")
		ip -n fw xfrm policy add "${selector[@]}" sport 7 dir out tmpl "${ends[@]}" proto esp reqid 6 mode "$mode"
		ip -n client xfrm policy add "${selector[@]}" sport 7 dir in tmpl "${ends[@]}" proto esp reqid 6 mode "$mode"
	done
}

no_associations() {
	local end
	for end in client fw; do
		ip -n $end xfrm policy flush
		ip -n $end xfrm state flush
	done
}

# rules_of_policies CHAIN-IN CHAIN-OUT MODE CLIENT FIREWALL: rules, in pairs of one that the question of the client
# or its answer matches and one that it does not.
rules_of_policies() {
	local in="-A $1 -p udp --dport 7 -m policy --dir in" out="-A $2 -p udp --sport 7 -m policy --dir out"
	local other=transport
	[ "$3" = tunnel ] || other=tunnel
	cat <<-END
		$in --pol ipsec
		$in --pol none
		$in --pol ipsec --reqid 5
		$in --pol ipsec --reqid 6
		$in --pol ipsec --proto esp
		$in --pol ipsec --proto ah
		$in --pol ipsec --mode $3
		$in --pol ipsec --mode $other
		$in --pol ipsec ! --proto ipcomp
		$in --pol ipsec ! --proto esp
		$in --pol ipsec --strict --mode $3 --reqid 5
		$in --pol ipsec --strict --mode $3 --reqid 5 --next --proto esp
		$out --pol ipsec
		$out --pol none
		$out --pol ipsec --reqid 6
		$out --pol ipsec --reqid 5
		$out --pol ipsec --proto esp --mode $3
		$out --pol ipsec --proto esp ! --mode $3
		$out --pol ipsec --strict --proto esp
		$out --pol ipsec --strict --proto esp --next --proto esp
	END
	[ "$3" = tunnel ] || return 0
	cat <<-END
		$in --pol ipsec --mode tunnel --tunnel-src $4 --tunnel-dst $5
		$in --pol ipsec --mode tunnel --tunnel-src $5
		$in --pol ipsec --mode tunnel ! --tunnel-src $5
		$in --pol ipsec --mode tunnel ! --tunnel-src $4
		$out --pol ipsec --mode tunnel --tunnel-src $5 --tunnel-dst $4
		$out --pol ipsec --mode tunnel --tunnel-dst $5
	END
}

# A packet in IPsec and one without, in the same rules of ours and of iptables, to which SPIs are no matter: it holds
# them in the order of the machine's bytes against the network's.
handled_by_ipsec() {
	local mode=$1 in=$2 out=$3 target=$4 family client lan address legacy counted
	load_module
	serve server 7 8
	serve fw 7 8
	associations "$mode" 0x12345678 0x9abcdef0
	for family in 4 6; do
		client=CLIENT$family lan=LAN$family address=$target$family legacy=iptables
		[ $family = 4 ] || legacy=ip6tables
		{
			echo '*filter'
			rules_of_policies "$in" "$out" "$mode" "${!client}" "${!lan}"
			echo COMMIT
		} > /run/policies
		fw $legacy-legacy-restore /run/policies
		sed -i "/COMMIT/i \\
-A $in -p udp --dport 7 -m policy --dir in --pol ipsec --spi 0x12345678\\
-A $in -p udp --dport 7 -m policy --dir in --pol ipsec --spi 0x78563412\\
-A $out -p udp --sport 7 -m policy --dir out --pol ipsec ! --spi 0x12345678\\
-A $out -p udp --sport 7 -m policy --dir out --pol ipsec ! --spi 0x9abcdef0" /run/policies
		fw oxtables -$family load /run/policies
		expect_reach client udp "${!address}" 7
		expect_reach client udp "${!address}" 8
		# Which chain comes first does not matter: of two rules that follow each other in one, the first one matches.
		counted=$(fw oxtables -$family save -c | sed -n 's/^\[\([0-9]*\):.* -m policy .*/\1/p' | xargs)
		fw oxtables -$family save -c | grep -e '-m policy'
		same "$(grep -e '-m policy' /run/policies | sed 's/.*/x/' | awk '{ print NR % 2 }' | xargs)" "$counted"
		fw oxtables -$family save -c | grep -e '-m policy' | grep -v -e --spi > /run/ours
		fw $legacy-legacy-save -c | grep -e '-m policy' > /run/theirs
		diff /run/ours /run/theirs
		fw $legacy-legacy-restore <<< $'*filter\nCOMMIT'
	done
	no_associations
}

test_ipsec_in_tunnels() { handled_by_ipsec tunnel FORWARD FORWARD SERVER; }
test_ipsec_without_tunnels() { handled_by_ipsec transport INPUT OUTPUT LAN; }

# Without IPsec `none` holds and nothing else.
test_no_ipsec() {
	local family address
	load_module
	serve server 7
	for family in 4 6; do
		printf '*filter\n-A FORWARD -p udp -m policy --dir in --pol %s\n-A FORWARD -p udp -m policy --dir out --pol %s\n%s\n%s\nCOMMIT\n' \
			none none '-A FORWARD -p udp -m policy --dir in --pol ipsec' '-A FORWARD -p udp -m policy --dir out --pol ipsec' |
			rules -$family
		address=SERVER$family
		expect_reach client udp "${!address}" 7
		same "2 2 0 0" "$(fw oxtables -$family save -c | sed -n 's/^\[\([0-9]*\):.* -m policy .*/\1/p' | xargs)"
	done
}

# settimeofday() changes the zone alone; the first call of all would move the clock too, if the zone were not zero.
zone() {
	python3 -c '
import ctypes, struct, sys
for minutes in (0, int(sys.argv[1])):
    assert ctypes.CDLL(None).settimeofday(None, struct.pack("ii", minutes, 0)) == 0' "$1"
}

test_the_time_in_the_kernels_zone() {
	local family now
	load_module
	serve server 7
	now=$(date -u +%s)
	hour() { date -u -d "@$((now + $1))" +%H:%M:%S; }
	for family in 4 6; do
		{
			echo '*filter'
			for zone in '' ' --kerneltz'; do
				echo "-A FORWARD -p udp --dport 7 -m time --timestart $(hour -1800) --timestop $(hour 1800)$zone"
				echo "-A FORWARD -p udp --dport 7 -m time --timestart $(hour 5400) --timestop $(hour 9000)$zone"
			done
			echo COMMIT
		} > /run/times
		fw oxtables -$family load /run/times
	done
	trap 'zone 0' EXIT
	zone -120
	expect_reach client udp $SERVER4 7
	expect_reach client udp $SERVER6 7
	for family in 4 6; do
		same "1 0 0 1" "$(fw oxtables -$family save -c | sed -n 's/^\[\([0-9]*\):.* -m time .*/\1/p' | xargs)"
	done
}

run_tests

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Memory runs out at each place where a request asks for some: an error, the old rules in force, nothing leaked
# (the boot ends with kmemleak's search). On the debug kernel only, the other has no fault injection; see faults.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

# How many references there are to the modules that targets use; iptables may hold some too.
references() {
	local module
	for module in nf_reject_ipv4 nf_reject_ipv6 nf_log_syslog nfnetlink_log nf_dup_ipv6; do
		cat "/sys/module/$module/refcnt" 2> /dev/null || echo 0
	done
}

fail_at_each_allocation_of() {
	local before
	before=$(references)
	load_module
	"$SELFTESTS/faults" "$@" | tee /dev/kmsg
	# No reference to this module or to those was lost.
	wait_for 60 rmmod oxtables
	same "$before" "$(references)"
}

test_commit() { fail_at_each_allocation_of commit; }
test_begin_and_chunk() { fail_at_each_allocation_of begin chunk; }
test_dumps_and_info() { fail_at_each_allocation_of get-info get-rules zero; }
test_connections_begin() { fail_at_each_allocation_of track packets; }
test_connections_are_asked_for() { fail_at_each_allocation_of get-connections delete-connections; }

if [ ! -e /proc/self/fail-nth ]; then
	echo "ok t-faults: memory runs out # SKIP this kernel has no fault injection"
	exit
fi
run_tests

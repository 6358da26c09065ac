#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The same packets through the same rules in iptables-legacy and in oxtables: verdicts, answers and counters agree.
# OXTABLES_SEEDS chooses the rules and packets, and how many runs of them.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

test_what_iptables_does_is_done() {
	local seed seeds="1 2 3 4 5"
	[ "${OXTABLES_KERNEL:-}" != debug ] || seeds=1
	load_module
	for seed in ${OXTABLES_SEEDS:-$seeds}; do "$SELFTESTS/differ" "$seed"; done
}

run_tests

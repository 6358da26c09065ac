#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The same packets through the same rulesets in iptables-legacy and in oxtables: verdicts, answers, marks, lines in the
# log and counters agree. OXTABLES_SEEDS chooses the rulesets and packets, and how many runs of them; OXTABLES_COUNT how
# many rulesets a run has.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

test_what_iptables_does_is_done() {
	local seed count=200
	[ "${OXTABLES_KERNEL:-}" != debug ] || count=20
	load_module
	for seed in ${OXTABLES_SEEDS:-1}; do "$SELFTESTS/differ" "$seed" "${OXTABLES_COUNT:-$count}"; done
}

run_tests

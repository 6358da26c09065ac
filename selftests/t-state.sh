#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Matches that decide by the packets before: rates hold, processors share what there is to share, a rule that is loaded
# again goes on where it was, and nothing stays of one that went; see try-state.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

try() { load_module && "$SELFTESTS/try-state" "$@"; }

test_rates_hold() { try rate; }
test_processors_share() { try senders; }
test_reload_goes_on() { try reload; }
test_flows_are_told() { try flows; }
test_memory_is_released() { try release; }

run_tests

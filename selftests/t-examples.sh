#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The rulesets that people start from do what they say of themselves, with real programs over both families.
# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

try() { "$SELFTESTS/demo" "$SELFTESTS/../examples/$1.rules"; }

test_router() { try router; }
test_server() { try server; }
test_workstation() { try workstation; }

run_tests

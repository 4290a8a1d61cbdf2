#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Records that a database has lost are found by holding them against the partners', and come again.
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

verify() { # N
    "$COTERIE_BUILD/cli/coterie" agent verify --socket "$scenario_dir/$1/agent.sock" > "$scenario_dir/out" || true
}

prepare() {
    mkdir -p "$r1/dir/deep"
    for n in $(seq 30); do echo "$n" > "$r1/dir/deep/$n"; done
    echo text > "$r1/lost"
    settle
}

all_agree() {
    verify 1
    verify 2 # it returns when all were compared
    check test "$(grep -c 'were held against ours and agree' "$scenario_dir/1/log")" = 2
    check test "$(grep -c 'were held against ours and agree' "$scenario_dir/2/log")" = 2
    ! grep -q 'records differ' "$scenario_dir"/*/log || fail "differences that are none"
}

# Without a trace, as a damaged index would: the vector says that they are here.
lose_records() {
    python3 - "$(dirname "$r2"/.coterie/*/folder.db)/folder.db" <<'P'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
count = 0
for name in [b"lost", b"deep"] + [str(n).encode() for n in range(1, 31)]:
    count += db.execute("DELETE FROM records WHERE name = ? AND present = 1", (name,)).rowcount
db.commit()
assert count == 32, count
P
    rm -r "$r2/dir/deep" "$r2/lost"
}

what_was_lost_comes_again() {
    stop 2
    check lose_records
    start 2
    agents_idle "$scenario_dir" 3 30 || fail "not in sync in time"
    missing "$r2/lost" # nobody knows yet
    verify 2
    settle
    holds "$r2/lost" text
    holds "$r2/dir/deep/17" 17
    holds "$r1/dir/deep/30" 30
    check grep -q 'records differ from the partner.s, they are exchanged again count=32' "$scenario_dir/2/log"
    "$COTERIE_BUILD/cli/coterie" agent status --socket "$scenario_dir/2/agent.sock" > "$scenario_dir/out" || true
    check grep -q 'records differ from ours, though both sides had processed them' "$scenario_dir/out"
}

it_is_said_when_all_is_well_again() {
    verify 2
    settle
    "$COTERIE_BUILD/cli/coterie" agent status --socket "$scenario_dir/2/agent.sock" > "$scenario_dir/out" || true
    ! grep -q 'records differ' "$scenario_dir/out" || fail "the problem stays"
}

scenario_up
promise "files are there" prepare
promise "all records agree" all_agree
promise "what a database has lost comes again" what_was_lost_comes_again
promise "it is said when all is well again" it_is_said_when_all_is_well_again
scenario_down

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Agents whose clocks are wrong, while they run and when they start. Tickets allow five minutes here, as usual.
export AGENTS_CLOCKS=1
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

a_clock_may_be_wrong_by_minutes() {
    clock 2 200
    crash 3
    start 3
    echo minutes > "$r2/minutes"
    settle
    holds "$r3/minutes" minutes
}

# Who is connected stays so; what is newer is told by versions, not by the clock alone.
running_sessions_survive_a_jump() {
    clock 2 -315360000
    sleep 1.5 # until the library looks at the file again
    echo before > "$r2/jump"
    settle
    echo after > "$r1/jump"
    settle
    holds "$r2/jump" after
    clock 2 315360000
    sleep 1.5
    echo later > "$r2/jump"
    settle
    holds "$r1/jump" later
    clock 2 0
    sleep 1.5
    echo last > "$r1/jump"
    settle
    holds "$r2/jump" last
}

a_start_with_a_wrong_clock_heals_when_it_is_right() {
    clock 2 3600
    crash 2
    start 2
    echo wrong > "$r1/wrong"
    agents_idle "$scenario_dir" 3 6 && fail "connected with a clock that is an hour off"
    "$COTERIE_BUILD/cli/coterie" agent status --socket "$scenario_dir/2/agent.sock" > "$scenario_dir/status"
    check grep -qi clock "$scenario_dir/status"
    clock 2 0
    settle 60
    holds "$r2/wrong" wrong
}

scenario_up
promise "a clock may be wrong by minutes" a_clock_may_be_wrong_by_minutes
promise "running sessions survive a jump" running_sessions_survive_a_jump
promise "a start with a wrong clock heals when it is right" a_start_with_a_wrong_clock_heals_when_it_is_right
scenario_down

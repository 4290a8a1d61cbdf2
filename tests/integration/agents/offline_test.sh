#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What happens while an agent is down is found when it is back, and files keep their identity.
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

changes_made_while_down_are_found() {
    local before after
    mkdir -p "$r2/dir/sub" "$r2/goes"
    head -c 2000000 /dev/urandom > "$r2/dir/sub/large"
    head -c 2000000 /dev/urandom > "$r2/large"
    echo old > "$r2/edited"
    echo x > "$r2/goes/x"
    settle
    stop 2
    before=$(received 1)
    mv "$r2/dir" "$r2/renamed-dir"
    mv "$r2/large" "$r2/renamed-dir/sub/moved-large"
    echo new > "$r2/edited"
    rm -r "$r2/goes"
    echo fresh > "$r2/fresh"
    start 2
    settle
    after=$(received 1)
    check test -e "$r1/renamed-dir/sub/moved-large"
    missing "$r1/goes"
    holds "$r3/edited" new
    holds "$r3/fresh" fresh
    check test $(( after - before )) -lt 50000
}

changes_of_others_are_caught_up() {
    stop 3
    mkdir "$r1/while-away"
    for n in $(seq 50); do echo "$n" > "$r1/while-away/$n"; done
    mv "$r2/renamed-dir" "$r2/back"
    rm "$r1/fresh"
    comes_true test -e "$r2/while-away/50"
    start 3
    settle
    holds "$r3/while-away/50" 50
    missing "$r3/fresh"
}

a_restart_while_a_partner_is_away_keeps_both_sides_changes() {
    stop 3
    echo "kept for three" > "$r1/for-three"
    stop 1
    start 1
    echo "made by three" > "$r3/of-three"
    start 3
    settle
    holds "$r3/for-three" "kept for three"
    holds "$r1/of-three" "made by three"
}

both_sides_change_while_one_is_down() {
    echo base > "$r1/both"
    settle
    stop 2
    echo "by two, down" > "$r2/both"
    echo "by one, up" > "$r1/both"
    start 2
    settle
    local winner loser="by one, up"
    winner=$(cat "$r3/both")
    [ "$winner" = "$loser" ] && loser="by two, down"
    check test "$(preserved "$loser")" -ge 1
}

an_unchanged_restart_sends_nothing() {
    local before after
    stop 2
    before=$(received 1)
    start 2
    settle
    after=$(received 1)
    check test $(( after - before )) -lt 4000
}

everybody_restarts() {
    stop 1; stop 2; stop 3
    mv "$r1/back" "$r1/a-name"
    echo all > "$r2/all-down"
    start 1; start 2; start 3
    settle
    check test -d "$r3/a-name"
    holds "$r3/all-down" all
}

# Each is met without the other: one look at the disk holds only so many files.
directories_far_apart_trade_places_while_down() {
    local dir n
    for dir in north south; do
        mkdir -p "$r1/$dir/seat"
        echo "of the $dir" > "$r1/$dir/seat/origin"
        for n in $(seq 700); do echo "$n" > "$r1/$dir/$n"; done
    done
    settle 60
    stop 2
    mv "$r2/north/seat" "$r2/t" && mv "$r2/south/seat" "$r2/north/seat" && mv "$r2/t" "$r2/south/seat"
    start 2
    settle 60
    holds "$r3/north/seat/origin" "of the south"
    holds "$r1/south/seat/origin" "of the north"
}

scenario_up
promise "changes made while down are found" changes_made_while_down_are_found
promise "changes of others are caught up" changes_of_others_are_caught_up
promise "a restart while a partner is away keeps both sides' changes" \
    a_restart_while_a_partner_is_away_keeps_both_sides_changes
promise "both sides change while one is down" both_sides_change_while_one_is_down
promise "an unchanged restart sends nothing" an_unchanged_restart_sends_nothing
promise "directories far apart trade places while down" directories_far_apart_trade_places_while_down
promise "everybody restarts" everybody_restarts
scenario_down

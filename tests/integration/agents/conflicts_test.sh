#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two users do what cannot both be: everywhere the same wins, and the other's content is preserved.
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

# Let two members change the same without knowing of each other: the network is cut meanwhile.
apart() {
    cut_network
    "$@"
    settle_apart
    join_network
    settle 60
}

# Both have recorded what they did.
settle_apart() {
    local n
    for n in 1 2 3; do
        timeout 20 "$COTERIE_BUILD/cli/coterie" agent rescan --socket "$scenario_dir/$n/agent.sock" \
            >/dev/null
    done
}

edit_both() { echo "by one" > "$r1/both"; echo "by two" > "$r2/both"; }
the_same_edit_wins_everywhere() {
    echo base > "$r1/both"
    settle
    apart edit_both
    local winner loser="by one"
    winner=$(cat "$r3/both")
    [ "$winner" = "by one" ] && loser="by two"
    check test "$winner" = "by one" -o "$winner" = "by two"
    check test "$(preserved "$loser")" -ge 1
}

edit_paused() {
    pause 2
    echo "three, seen" > "$r3/paused"
    echo "two, unseen" > "$r2/paused"
}
an_edit_during_a_pause_is_a_conflict() {
    echo base > "$r1/paused"
    settle
    edit_paused
    agents_idle_pair
    resume 2
    settle
    local winner
    winner=$(cat "$r1/paused")
    if [ "$winner" = "three, seen" ]; then
        check test "$(preserved "two, unseen")" -ge 1
    else
        holds "$r1/paused" "two, unseen"
        check test "$(preserved "three, seen")" -ge 1
    fi
}
# 1 and 3 agree, as far as they can without 2.
agents_idle_pair() {
    local try
    for try in $(seq 100); do
        cmp -s "$r1/paused" "$r3/paused" && return
        sleep 0.1
    done
    fail "1 and 3 do not agree"
}

edit_and_delete() { echo "still needed" > "$r1/contested"; rm "$r2/contested"; }
an_edit_against_a_delete_loses_nothing() {
    echo base > "$r1/contested"
    settle
    apart edit_and_delete
    [ -e "$r3/contested" ] || check test "$(preserved "still needed")" -ge 1
}

create_both() { echo "new one" > "$r1/created"; echo "new two" > "$r2/created"; }
a_name_clash_keeps_both_contents() {
    apart create_both
    local winner loser="new one"
    winner=$(cat "$r3/created")
    [ "$winner" = "new one" ] && loser="new two"
    check test "$(preserved "$loser")" -ge 1
}

create_equal() { echo "equal" > "$r1/equal"; echo "equal" > "$r2/equal"; }
equal_files_become_one() {
    apart create_equal
    holds "$r3/equal" equal
}

directory_and_file() { mkdir "$r1/clash"; echo in > "$r1/clash/in"; echo "a file" > "$r2/clash"; }
a_directory_beats_a_file() {
    apart directory_and_file
    holds "$r3/clash/in" in
    check test "$(preserved "a file")" -ge 1
}

directories_both() {
    mkdir -p "$r1/merge/sub" "$r2/merge/sub"
    echo 1 > "$r1/merge/one"; echo 2 > "$r2/merge/two"
    echo 1 > "$r1/merge/sub/one"; echo 2 > "$r2/merge/sub/two"
}
directories_of_one_name_merge() {
    apart directories_both
    holds "$r3/merge/one" 1
    holds "$r3/merge/two" 2
    holds "$r3/merge/sub/one" 1
    holds "$r3/merge/sub/two" 2
}

delete_and_fill() { rm -r "$r1/filled"; echo "late" > "$r2/filled/sub/late"; }
a_new_file_revives_its_deleted_directory() {
    mkdir -p "$r1/filled/sub"
    echo old > "$r1/filled/sub/old"
    settle
    apart delete_and_fill
    holds "$r3/filled/sub/late" late
}

move_crosswise() { mv "$r1/x" "$r1/y/x"; mv "$r2/y" "$r2/x/y"; }
moves_into_each_other_make_no_cycle() {
    mkdir "$r1/x" "$r1/y"
    echo x > "$r1/x/fx"
    echo y > "$r1/y/fy"
    settle
    apart move_crosswise
    check test "$(find "$r3" -name fx -not -path '*/.coterie/*' | wc -l)" = 1
    check test "$(find "$r3" -name fy -not -path '*/.coterie/*' | wc -l)" = 1
}

rename_both() { mv "$r1/name" "$r1/name-one"; mv "$r2/name" "$r2/name-two"; }
two_renames_leave_one_file() {
    echo content > "$r1/name"
    settle
    apart rename_both
    check test "$(cat "$r3"/name-*)" = content
}

scenario_up
promise "the same edit wins everywhere" the_same_edit_wins_everywhere
promise "an edit during a pause is a conflict" an_edit_during_a_pause_is_a_conflict
promise "an edit against a delete loses nothing" an_edit_against_a_delete_loses_nothing
promise "a name clash keeps both contents" a_name_clash_keeps_both_contents
promise "equal files become one" equal_files_become_one
promise "a directory beats a file" a_directory_beats_a_file
promise "directories of one name merge" directories_of_one_name_merge
promise "a new file revives its deleted directory" a_new_file_revives_its_deleted_directory
promise "moves into each other make no cycle" moves_into_each_other_make_no_cycle
promise "two renames leave one file" two_renames_leave_one_file
scenario_down

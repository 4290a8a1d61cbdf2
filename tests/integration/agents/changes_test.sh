#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What one user does on one member appears on the others.
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

files_appear_change_and_go() {
    echo one > "$r1/file"
    settle
    holds "$r2/file" one
    echo two >> "$r2/file"
    settle
    holds "$r3/file" $'one\ntwo'
    rm "$r3/file"
    settle
    missing "$r1/file"
}

attributes_travel_alone() {
    echo text > "$r1/script"
    mkdir "$r1/private"
    settle
    chmod 750 "$r2/script"
    chmod 700 "$r2/private"
    touch -d '2001-02-03 04:05:06' "$r2/script"
    python3 -c "import os, sys; os.setxattr(sys.argv[1], b\"user.note\", b\"remember\")" "$r2/private"
    settle
    check test "$(stat -c '%a %Y' "$r3/script")" = "$(stat -c '%a %Y' "$r2/script")"
    check test "$(stat -c %a "$r1/private")" = 700
}

links_and_empty_things_travel() {
    mkdir -p "$r2/empty/dir"
    : > "$r2/empty/file"
    ln -s ../somewhere "$r2/empty/link"
    settle
    check test "$(readlink "$r1/empty/link")" = ../somewhere
    ln -sfn elsewhere "$r3/empty/link"
    settle
    check test "$(readlink "$r1/empty/link")" = elsewhere
}

renames_and_moves_send_no_content() {
    local before after
    mkdir -p "$r1/from/deep/deeper" "$r1/to"
    head -c 3000000 /dev/urandom > "$r1/from/deep/deeper/big"
    settle
    before=$(received 2)
    mv "$r1/from/deep" "$r1/to/moved"
    mv "$r1/to/moved/deeper/big" "$r1/to/renamed"
    settle
    after=$(received 2)
    check test $(( after - before )) -lt 20000
}

names_are_swapped() {
    echo a > "$r1/a"
    echo b > "$r1/b"
    settle
    mv "$r1/a" "$r1/t" && mv "$r1/b" "$r1/a" && mv "$r1/t" "$r1/b"
    settle
    holds "$r3/a" b
    holds "$r3/b" a
}

names_are_exchanged_atomically() {
    python3 - "$r2/a" "$r2/b" <<'P'
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.renameat2(-100, os.fsencode(sys.argv[1]), -100, os.fsencode(sys.argv[2]), 2):
    raise OSError(ctypes.get_errno(), "renameat2")
P
    settle
    holds "$r1/a" a
    holds "$r1/b" b
}

directories_are_swapped() {
    local before after
    mkdir "$r1/left" "$r1/right"
    head -c 1000000 /dev/urandom > "$r1/left/l"
    head -c 1000000 /dev/urandom > "$r1/right/r"
    settle
    before=$(received 3)
    python3 - "$r1/left" "$r1/right" <<'P'
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.renameat2(-100, os.fsencode(sys.argv[1]), -100, os.fsencode(sys.argv[2]), 2):
    raise OSError(ctypes.get_errno(), "renameat2")
P
    settle
    after=$(received 3)
    check test -e "$r3/left/r" -a -e "$r3/right/l"
    check test $(( after - before )) -lt 20000
}

a_directory_trades_places_with_its_child() {
    mkdir -p "$r1/outer/inner"
    echo x > "$r1/outer/inner/x"
    echo y > "$r1/outer/y"
    settle
    mv "$r1/outer/inner" "$r1/new-outer"
    mv "$r1/outer" "$r1/new-outer/inner"
    mv "$r1/new-outer" "$r1/outer"
    settle
    holds "$r2/outer/inner/y" y
    holds "$r2/outer/x" x
}

a_tree_is_removed_and_made_anew() {
    mkdir -p "$r1/again/sub/sub"
    for n in $(seq 30); do echo "old $n" > "$r1/again/sub/$n"; done
    settle
    rm -rf "$r1/again"
    mkdir -p "$r1/again/sub"
    echo new > "$r1/again/sub/1"
    settle
    holds "$r3/again/sub/1" new
    missing "$r3/again/sub/2"
}

a_tree_is_copied_while_its_top_is_renamed_elsewhere() {
    mkdir -p "$r1/origin"
    for n in $(seq 60); do mkdir "$r1/origin/d$n"; echo "$n" > "$r1/origin/d$n/f"; done
    settle
    cp -a "$r1/origin" "$r1/copy" 2>/dev/null & # what is renamed under it fails
    mv "$r2/origin" "$r2/renamed"
    wait $!
    settle 40
    check test -d "$r3/renamed"
    for n in $(seq 60); do holds "$r3/renamed/d$n/f" "$n"; done
}

editors_save_by_rename() {
    echo 1 > "$r1/doc"
    settle
    echo 2 > "$r1/.doc.new" && mv "$r1/.doc.new" "$r1/doc"
    settle
    holds "$r2/doc" 2
    mv "$r2/doc" "$r2/doc~" && echo 3 > "$r2/doc" && rm "$r2/doc~"
    settle
    holds "$r3/doc" 3
    for n in $(seq 20); do echo "save $n" > "$r3/.s" && mv "$r3/.s" "$r3/doc"; done
    settle
    holds "$r1/doc" "save 20"
}

# *.bak is left out of the folder
a_save_that_keeps_a_backup_is_a_new_version() {
    echo first-plan > "$r1/plan.dwg"
    settle
    mv "$r1/plan.dwg" "$r1/plan.bak"
    echo second-plan > "$r1/plan.dwg"
    comes_true grep -qx second-plan "$r2/plan.dwg"
    comes_true grep -qx second-plan "$r3/plan.dwg"
    check test "$(preserved first-plan)" = 0 # one version succeeds the other
    missing "$r2/plan.bak"
    mv "$r1/plan.dwg" "$r1/plan.bak"
    comes_true test ! -e "$r2/plan.dwg"
    comes_true test ! -e "$r3/plan.dwg"
    rm "$r1/plan.bak"
}

a_kind_changes() {
    echo x > "$r1/thing"
    settle
    rm "$r1/thing" && mkdir "$r1/thing" && echo in > "$r1/thing/in"
    settle
    holds "$r2/thing/in" in
    rm -r "$r2/thing" && ln -s target "$r2/thing"
    settle
    check test "$(readlink "$r3/thing")" = target
    rm "$r3/thing" && echo file > "$r3/thing"
    settle
    holds "$r1/thing" file
}

new_files_are_found_in_directories_that_move_on() {
    local n
    for n in $(seq 40); do
        mkdir "$r1/d$n"
        echo x > "$r1/d$n/x"
        mv "$r1/d$n" "$r1/e$n"
        echo y > "$r1/e$n/y"
        mv "$r1/e$n" "$r1/f$n"
        echo z > "$r1/f$n/z"
        mv "$r1/f$n" "$r1/e$n"
    done
    settle
    for n in $(seq 40); do holds "$r2/e$n/y" y; holds "$r3/e$n/z" z; done
    for n in $(seq 40); do
        echo late > "$r1/e$n/late"
        mv "$r1/e$n" "$r1/g$n"
    done
    settle
    for n in $(seq 40); do holds "$r3/g$n/late" late; done
}

a_file_moves_into_what_takes_its_name() {
    local n
    # each by itself: whether one place is asked for twice depends on how its events fall
    for n in 1 2 3 4 5 6; do
        echo inner > "$r1/taken$n"
        mkdir "$r1/upper$n"
        settle
        mkdir "$r1/new" && mv "$r1/taken$n" "$r1/new/inside" && mv "$r1/new" "$r1/taken$n"
        mkdir "$r1/new" && mv "$r1/upper$n" "$r1/new/upper" && mv "$r1/new" "$r1/upper$n"
        settle
        holds "$r2/taken$n/inside" inner
        check test -d "$r3/upper$n/upper"
    done
}

names_go_round() {
    local n before
    before=$(conflicts)
    for n in 1 2 3 4; do mkdir "$r1/ring$n"; echo "$n" > "$r1/ring$n/f"; done
    settle
    # while the whole tree is looked at, too
    for n in $(seq 6); do
        "$COTERIE_BUILD/cli/coterie" agent rescan --socket "$scenario_dir/1/agent.sock" >/dev/null
    done &
    for n in $(seq 60); do
        mv "$r1/ring1" "$r1/t" && mv "$r1/ring2" "$r1/ring1" && mv "$r1/ring3" "$r1/ring2" &&
            mv "$r1/ring4" "$r1/ring3" && mv "$r1/t" "$r1/ring4"
    done
    mv "$r1/ring2" "$r1/ring1/deeper" && mv "$r1/ring1" "$r1/ring2"
    wait $!
    settle
    holds "$r3/ring2/f" 1
    holds "$r3/ring2/deeper/f" 2
    # nobody else writes: what the others pass on to each other, old and new, contradicts nothing
    check test "$(conflicts)" = "$before"
}

a_tree_is_moved_in_and_out() {
    local outside=$scenario_dir/outside
    mkdir -p "$outside/tree/sub"
    echo kept > "$outside/tree/sub/f"
    mv "$outside/tree" "$r1/tree"
    settle
    holds "$r3/tree/sub/f" kept
    mv "$r2/tree" "$outside/tree"
    settle
    missing "$r1/tree"
}

# Under memory pressure the kernel forgets which names lead to a file: its handle alone does not tell where
# it is, or that it has left the tree.
forget_names() { sync -f "$r1"; echo 2 > /proc/sys/vm/drop_caches; }

forgotten_names_lead_nowhere_and_hold_up_nothing() {
    local outside=$scenario_dir/forgotten n
    mkdir "$outside" "$r1/names"
    for n in 1 2 3 4; do echo "old $n" > "$r1/names/$n"; done
    echo linked > "$r1/names/first"
    ln "$r1/names/first" "$r1/names/second" # left out while the first stands
    agents_idle "$scenario_dir" 3 30 || fail "not in sync in time"
    pause 1
    mv "$r1/names/1" "$outside/1"
    mv "$r1/names/2" "$outside/2"
    mv "$r1/names/3" "$r1/names/moved"
    rm "$r1/names/first"
    forget_names
    echo new > "$r1/names/1"
    echo new > "$r1/names/3"
    resume 1
    settle
    holds "$r2/names/1" new
    missing "$r2/names/2"
    holds "$r2/names/3" new
    holds "$r2/names/moved" "old 3"
    holds "$r2/names/4" "old 4"
    holds "$r2/names/second" linked
}

scenario_up
promise "files appear, change and go" files_appear_change_and_go
promise "attributes travel alone" attributes_travel_alone
promise "links and empty things travel" links_and_empty_things_travel
promise "renames and moves send no content" renames_and_moves_send_no_content
promise "names are swapped" names_are_swapped
promise "names are exchanged atomically" names_are_exchanged_atomically
promise "directories are swapped without content" directories_are_swapped
promise "a directory trades places with its child" a_directory_trades_places_with_its_child
promise "a tree is removed and made anew" a_tree_is_removed_and_made_anew
promise "a tree is copied while its top is renamed elsewhere" a_tree_is_copied_while_its_top_is_renamed_elsewhere
promise "editors save by rename" editors_save_by_rename
promise "a save that keeps a backup is a new version" a_save_that_keeps_a_backup_is_a_new_version
promise "a kind changes" a_kind_changes
promise "new files are found in directories that move on" new_files_are_found_in_directories_that_move_on
promise "a file moves into what takes its name" a_file_moves_into_what_takes_its_name
promise "names go round" names_go_round
promise "a tree is moved in and out" a_tree_is_moved_in_and_out
promise "forgotten names lead nowhere and hold up nothing" forgotten_names_lead_nowhere_and_hold_up_nothing
scenario_down

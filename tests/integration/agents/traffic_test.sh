#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How little has to travel: content that is there already, and what both ends count.
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

# travels N BYTES_MAX COMMAND…: do it, wait, and see how much agent N has got for it
travels() {
    local n=$1 most=$2 before after
    shift 2
    before=$(received "$n")
    "$@" || fail "$*"
    settle 60
    after=$(received "$n")
    check test $(( after - before )) -lt "$most"
}

a_copy_under_another_name_moves_no_content() {
    head -c 20000000 /dev/urandom > "$r1/original"
    settle 60
    travels 2 20000 cp "$r1/original" "$r1/copy"
    check cmp "$r1/original" "$r2/copy"
    # also when the copy takes the place of something else
    echo other > "$r1/other"
    settle
    travels 3 20000 cp "$r1/original" "$r1/other"
    check cmp "$r1/original" "$r3/other"
}

a_copy_of_what_has_changed_here_meanwhile_arrives_right() {
    pause 2
    cp "$r1/original" "$r1/second"
    resume 2
    printf x | dd of="$r2/original" conv=notrunc status=none
    settle 60
    check test "$(head -c 1 "$r1/original")" = x
    check cmp "$r1/copy" "$r2/second"
}

the_sender_counts_content_too() {
    local gave got
    gave=$(sent 1)
    got=$(( $(received 2) + $(received 3) ))
    head -c 5000000 /dev/urandom > "$r1/counted"
    settle 60
    gave=$(( $(sent 1) - gave ))
    got=$(( $(received 2) + $(received 3) - got ))
    check test "$gave" -gt 4900000
    check test "$got" -gt 9900000
}

scenario_up
promise "a copy under another name moves no content" a_copy_under_another_name_moves_no_content
promise "a copy of what has changed here meanwhile arrives right" a_copy_of_what_has_changed_here_meanwhile_arrives_right
promise "the sender counts content too" the_sender_counts_content_too
scenario_down

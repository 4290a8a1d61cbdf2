#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The power of one server fails: what its disk did not hold at that moment is gone. Whatever partners were
# told of must be on the disk, or the server would come back with empty files and bring them to everybody.
#
# The agent's disk is a loop device. What its file system has written to the device so far is in the image, so a
# copy of the image is the disk as a power cut leaves it.
before_up() {
    truncate -s 512M "$scenario_dir/disk"
    # a journal that is not committed by itself within the test
    mkfs.ext4 -q "$scenario_dir/disk" && mount -o loop,commit=600 "$scenario_dir/disk" "$r1" ||
        fail "no loop device"
}
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

# Idle without the second look of settle: no more time than it takes.
told() { agents_idle "$scenario_dir" 3 30 || fail "not in sync in time"; }

power_cut() {
    pause 1
    check cp --sparse=always "$scenario_dir/disk" "$scenario_dir/left"
    crash 1
    check umount "$r1"
    check mv "$scenario_dir/left" "$scenario_dir/disk"
    check mount -o loop,commit=600 "$scenario_dir/disk" "$r1"
    start 1
}

new_and_edited_files_are_there() {
    local n
    echo old > "$r1/edited"
    for n in $(seq 40); do echo "old $n" > "$r1/many$n"; done
    settle
    sync -f "$r1"
    echo precious > "$r1/new"
    echo edited > "$r1/edited"
    mkdir -p "$r1/dir/deeper"
    head -c 300000 /dev/urandom > "$r1/dir/deeper/large"
    cp "$r1/dir/deeper/large" "$scenario_dir/large"
    told
    power_cut
    settle
    holds "$r1/new" precious
    holds "$r2/new" precious
    holds "$r3/edited" edited
    check cmp "$scenario_dir/large" "$r3/dir/deeper/large"
}

many_at_once_are_there() {
    local n
    for n in $(seq 40); do echo "new $n" > "$r1/many$n"; done
    told
    power_cut
    settle
    for n in $(seq 40); do holds "$r2/many$n" "new $n"; done
}

what_was_deleted_and_renamed_stays_so() {
    sync -f "$r1"
    rm "$r1/many1"
    mv "$r1/many2" "$r1/renamed"
    told
    power_cut
    settle
    missing "$r3/many1"
    missing "$r3/many2"
    holds "$r2/renamed" "new 2"
}

what_came_from_partners_is_there() {
    sync -f "$r1"
    echo "from 2" > "$r2/theirs"
    head -c 3000000 /dev/urandom > "$r2/theirs-large"
    told
    power_cut
    settle
    holds "$r1/theirs" "from 2"
    check cmp "$r1/theirs-large" "$r2/theirs-large"
}

scenario_up
promise "new and edited files are there" new_and_edited_files_are_there
promise "many at once are there" many_at_once_are_there
promise "what was deleted and renamed stays so" what_was_deleted_and_renamed_stays_so
promise "what came from partners is there" what_came_from_partners_is_there
scenario_down

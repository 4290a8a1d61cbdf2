#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A root that goes away is no delete, and a full disk heals.
before_up() {
    # the third root stands on a small file system of its own
    truncate -s 48M "$scenario_dir/disk"
    mkfs.ext4 -q "$scenario_dir/disk" && mount -o loop "$scenario_dir/disk" "$r3" ||
        { echo "skipped: no file system can be mounted"; exit 77; }
    rmdir "$r3/lost+found"
}
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

agent_says() { # N TEXT
    "$COTERIE_BUILD/cli/coterie" agent status --socket "$scenario_dir/$1/agent.sock" | grep -q "$2"
}

a_root_that_was_moved_away_deletes_nothing() {
    mkdir "$r2/stays"
    echo precious > "$r2/stays/file"
    settle
    mv "$r2" "$r2.away"
    comes_true agent_says 2 "stopped"
    mkdir "$r2"
    echo stray > "$r2/stray"
    sleep 3
    holds "$r1/stays/file" precious
    missing "$r1/stray"
    rm -r "$r2"
    mv "$r2.away" "$r2"
    echo later > "$r2/later"
    settle 40
    holds "$r1/later" later
}

writes_of() { sed -n 's/^syscw: //p' "/proc/$(agents_pid "$scenario_dir" "$1")/io"; }

a_missing_root_is_said_once_and_costs_nothing() {
    local before after writes
    mv "$r2" "$r2.away"
    comes_true agent_says 2 "stopped"
    before=$(wc -l < "$scenario_dir/2/log")
    writes=$(writes_of 2)
    sleep 5
    after=$(wc -l < "$scenario_dir/2/log")
    # each try wakes the loop by a write: some are sessions and timers, not thousands
    writes=$(( $(writes_of 2) - writes ))
    mv "$r2.away" "$r2"
    check test $(( after - before )) -lt 8
    check test "$writes" -lt 300
}

an_unmounted_disk_deletes_nothing() {
    umount -l "$r3"
    comes_true agent_says 3 "stopped"
    echo made > "$r1/made-meanwhile"
    sleep 2
    holds "$r1/stays/file" precious
    missing "$r3/made-meanwhile"
    mount -o loop "$scenario_dir/disk" "$r3"
    settle 40
    holds "$r3/made-meanwhile" made
}

a_full_disk_heals() {
    head -c 30000000 /dev/urandom > "$r3/filler"
    settle 60
    head -c 25000000 /dev/urandom > "$r1/too-much"
    comes_true agent_says 3 "no space"
    echo small > "$r1/small"
    rm "$r1/filler"
    # the deleted file is preserved on the same disk: an administrator makes room
    rm -rf "$r3"/.coterie/preserve/[0-9]*
    sleep 1
    rm -rf "$r3"/.coterie/preserve/[0-9]*
    settle 60
    holds "$r3/small" small
}

scenario_up
promise "a root that was moved away deletes nothing" a_root_that_was_moved_away_deletes_nothing
promise "a missing root is said once and costs nothing" a_missing_root_is_said_once_and_costs_nothing
promise "an unmounted disk deletes nothing" an_unmounted_disk_deletes_nothing
promise "a full disk heals" a_full_disk_heals
scenario_down

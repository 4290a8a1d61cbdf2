#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An agent whose database, or database and tree, go back to a copy: all end equal, nothing that was deleted
# comes back, and nothing that anybody else has is lost.
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

database_dir() { dirname "$r2"/.coterie/*/folder.db; }

copy_database() {
    check cp -a "$(database_dir)" "$scenario_dir/database"
    check test -s "$scenario_dir/database/folder.db"
}
restore_database() {
    rm -f "$(database_dir)"/folder.db*
    check cp -a "$scenario_dir/database/." "$(database_dir)/"
}

# What happens after the copy, on all sides.
go_on() { # NAME
    echo "$1 from 1" > "$r1/$1-new"
    echo "$1 edited by 2" > "$r2/edited"
    mkdir "$r2/$1-dir"
    echo "$1 made by 2" > "$r2/$1-dir/file"
    mv "$r3/moved" "$r3/$1-moved"
    mv "$r3/$1-moved" "$r3/moved"
    rm -r "$r1/$1-gone"
    settle
}
all_hold() { # FILE TEXT
    local root
    for root in "$r1" "$r2" "$r3"; do holds "$root/$1" "$2"; done
}
nowhere() { # FILE
    local root
    for root in "$r1" "$r2" "$r3"; do missing "$root/$1"; done
}
went_back() {
    grep -q 'the database has gone back' "$scenario_dir/2/log"
}

prepare() {
    local name
    echo first > "$r1/edited"
    echo first > "$r1/moved"
    for name in database both; do
        mkdir "$r1/$name-gone"
        for n in $(seq 20); do echo "$name $n" > "$r1/$name-gone/$n"; done
    done
    settle
    stop 2
    copy_database
    cp -a "$r2" "$scenario_dir/tree"
    start 2
    settle
}

a_database_goes_back() {
    go_on database
    stop 2
    restore_database
    echo "while away" > "$r1/away"
    start 2
    settle
    all_hold edited "database edited by 2"
    all_hold database-new "database from 1"
    all_hold database-dir/file "database made by 2"
    all_hold away "while away"
    nowhere database-gone
}

new_numbers_are_not_old_ones() {
    echo "after" > "$r2/after"
    echo "after too" > "$r2/edited"
    settle
    all_hold after "after"
    all_hold edited "after too"
}

database_and_tree_go_back() {
    go_on both
    stop 2
    find "$r2" -mindepth 1 -delete
    cp -a "$scenario_dir/tree/." "$r2/"
    start 2
    echo "made in the new life" > "$r2/new-life"
    settle
    all_hold both-new "both from 1"
    all_hold both-dir/file "both made by 2"
    all_hold edited "both edited by 2"
    all_hold new-life "made in the new life"
    nowhere both-gone
    nowhere database-gone
    check went_back
}

scenario_up
promise "there is something to go back to" prepare
promise "a database alone goes back" a_database_goes_back
promise "new numbers are not old ones" new_numbers_are_not_old_ones
promise "a database and its tree go back" database_and_tree_go_back
scenario_down

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at any moment: after the next start all converge, and nothing is lost.
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

# Files that nobody changes again: each must be everywhere at the end.
write_files() { # ROOT NAME COUNT
    local n
    mkdir -p "$1/$2"
    for n in $(seq "$3"); do
        mkdir -p "$1/$2/$(( n % 7 ))"
        echo "$2 $n" > "$1/$2/$(( n % 7 ))/$n"
    done
}
all_are_there() { # NAME COUNT
    local n root
    for root in "$r1" "$r2" "$r3"; do
        for n in $(seq "$2"); do holds "$root/$1/$(( n % 7 ))/$n" "$1 $n"; done
    done
}

a_receiver_may_die_at_any_moment() {
    local try
    write_files "$r1" received 150 &
    local writer=$!
    for try in 1 2 3 4 5; do
        sleep "0.$(( RANDOM % 9 ))"
        crash 2
        start 2
    done
    wait "$writer"
    settle 60
    all_are_there received 150
}

a_sender_may_die_at_any_moment() {
    local try
    write_files "$r1" sent 150 &
    local writer=$!
    for try in 1 2 3 4 5; do
        sleep "0.$(( RANDOM % 9 ))"
        crash 1
        start 1
    done
    wait "$writer"
    settle 60
    all_are_there sent 150
}

renames_survive_a_receivers_death() {
    local try
    for try in $(seq 6); do
        mv "$r1/received" "$r1/moving" && mv "$r1/sent" "$r1/received" && mv "$r1/moving" "$r1/sent"
        mv "$r1/sent/1" "$r1/sent/t" && mv "$r1/sent/2" "$r1/sent/1" && mv "$r1/sent/t" "$r1/sent/2"
        sleep "0.$(( RANDOM % 9 ))"
        crash 2
        start 2
    done
    settle 60
    check test "$(find "$r2" -type f -not -path '*/.coterie/*' | wc -l)" = 300
}

replacements_survive_a_receivers_death() {
    local try n
    for try in $(seq 5); do
        for n in $(seq 20); do echo "round $try" > "$r1/r$n"; done
        sleep "0.$(( RANDOM % 5 ))"
        crash 3
        start 3
    done
    settle 60
    for n in $(seq 20); do holds "$r3/r$n" "round 5"; done
}

large_content_survives_deaths() {
    local try sum
    head -c 30000000 /dev/urandom > "$r1/large"
    sum=$(sha256sum < "$r1/large")
    for try in 1 2 3; do
        sleep "0.$(( RANDOM % 9 ))"
        crash 2
        start 2
    done
    settle 60
    check test "$(sha256sum < "$r2/large")" = "$sum"
}

deletes_survive_deaths() {
    rm -r "$r1/sent"
    sleep "0.$(( RANDOM % 5 ))"
    crash 2
    crash 3
    start 2
    start 3
    settle 60
    missing "$r2/sent"
    missing "$r3/sent"
}

scenario_up
promise "a receiver may die at any moment" a_receiver_may_die_at_any_moment
promise "a sender may die at any moment" a_sender_may_die_at_any_moment
promise "renames survive a receiver's death" renames_survive_a_receivers_death
promise "replacements survive a receiver's death" replacements_survive_a_receivers_death
promise "large content survives deaths" large_content_survives_deaths
promise "deletes survive deaths" deletes_survive_deaths
scenario_down

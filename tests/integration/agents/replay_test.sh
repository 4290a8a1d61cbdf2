#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs that once broke the simulation's core end well with real agents, and a wrong outcome is noticed.
#
#   replay_test.sh [SEED…]     without seeds a few of tests/sim/seeds.txt, and the outcomes spoilt on purpose
#   replay_test.sh --all       every known seed with at most eight members
: "${COTERIE_BUILD:?}" "${COTERIE_SOURCE:?}"

scripts=$(mktemp -d)
trap 'rm -rf "$scripts"' EXIT

write_script() { # SEED
    bash "$COTERIE_SOURCE/tests/sim/run.sh" --script "$1" > "$scripts/$1" || exit
}

replay() { # SEED SECONDS
    local status=0
    bash "$COTERIE_SOURCE/tests/integration/agents/replay.sh" "$scripts/$1" "$2" > "$scripts/log" 2>&1 || status=$?
    [ "$status" != 77 ] || { cat "$scripts/log"; exit 77; }
    return "$status"
}

ends_well() { # SEED
    write_script "$1"
    replay "$1" 4 || { cat "$scripts/log"; echo "FAILED: seed $1 does not end well with real agents"; exit 1; }
    echo "ok  seed $1: $(grep '^written' "$scripts/log"); $(grep '^operations' "$scripts/log")"
}

# In the scenario's directory, with its functions, before the judge looks.
spoil_differ='pause 1; echo x > 1/root/spoilt'
spoil_torn='for n in 1 2; do pause $n; done
    find */root -type f -size +0 -not -path "*/.coterie/*" | while read -r f; do
        printf x >> "$f"
        touch -d @1500000000 "$f" # alike on all, or the trees differ by the moment
    done'
spoil_lost='for n in 1 2; do pause $n; done
    held() { find */root -type f "(" -not -path "*/.coterie/*" -o -path "*/preserve/*" ")"; }
    for t in $(held | xargs -d "\n" grep -hoxE "c[0-9]+" | sort -u); do
        grep -rqxF "$t" ledger/graveyard && continue
        held | xargs -d "\n" grep -lxF "$t" | xargs -d "\n" rm
        break
    done'

is_noticed() { # SEED SPOIL WORDS
    if REPLAY_SPOIL=$2 replay "$1" 2; then
        cat "$scripts/log"
        echo "FAILED: nobody noticed: $3"
        exit 1
    fi
    grep -q "^$3" "$scripts/log" || { cat "$scripts/log"; echo "FAILED: another failure than: $3"; exit 1; }
    echo "ok  noticed: $3"
}

if [ "${1:-}" = --all ]; then
    for seed in $(grep -oE '^[0-9]+' "$COTERIE_SOURCE/tests/sim/seeds.txt"); do
        write_script "$seed"
        if [ "$(awk '$1 == "members" {print $2}' "$scripts/$seed")" -le 8 ]; then ends_well "$seed"; fi
    done
    exit 0
elif [ $# -gt 0 ]; then
    for seed in "$@"; do ends_well "$seed"; done
    exit 0
fi
for seed in 1795 9456 13780; do ends_well "$seed"; done
is_noticed 1795 "$spoil_differ" "only in"
is_noticed 1795 "$spoil_torn" "torn:"
is_noticed 1795 "$spoil_lost" "lost:"

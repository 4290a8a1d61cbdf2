#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Run the simulation (see world.h).
#
#   run.sh --seeds A..B [--twice] [--jobs N]   a range, spread over N processes (default: all cores)
#   run.sh --known                             the seeds that failed once (seeds.txt)
#   run.sh --trace SEED                        what happens in one run
#   run.sh --script SEED                       what users and faults do in it (script.h), for real agents
#   run.sh --shrink SEED                       the fewest actions with which a seed still fails
#
# The program is taken from COTERIE_BUILD, else from build/release or build/dev. Ends with 1 and the
# failing seed when an invariant is broken.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

find_program() {
    local dir

    for dir in "${COTERIE_BUILD:-}" "$root/build/release" "$root/build/dev"; do
        if [ -n "$dir" ] && [ -x "$dir/tests/sim/sim" ]; then
            echo "$dir/tests/sim/sim"
            return
        fi
    done
    echo "run.sh: no simulation is built: cmake --workflow --preset dev" >&2
    exit 2
}

usage() {
    sed -n '4,13s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

# Adds up the lines "title: name=count name=count …" of all processes.
add_up() {
    awk '
        /^(operations|faults|classes):/ {
            for (i = 2; i <= NF; i++) {
                split($i, pair, "=")
                if (!(($1, pair[1]) in sum))
                    order[$1] = order[$1] " " pair[1]
                sum[$1, pair[1]] += pair[2]
            }
        }
        /^seeds=/ {
            for (i = 1; i <= NF; i++) {
                split($i, pair, "=")
                if (pair[1] == "slowest_quiet_ms")
                    slowest = pair[2] > slowest ? pair[2] : slowest
                else
                    total[pair[1]] += pair[2]
            }
        }
        function show(title,   names, n, i) {
            n = split(order[title], names, " ")
            printf "%s", title
            for (i = 1; i <= n; i++)
                printf " %s=%d", names[i], sum[title, names[i]]
            printf "\n"
        }
        END {
            show("operations:")
            show("faults:")
            show("classes:")
            printf "seeds=%d events=%d updates=%d expired=%d listed=%d forgotten=%d in_vain=%d slowest_quiet_ms=%d",
                total["seeds"], total["events"], total["updates"], total["expired"], total["listed"],
                total["forgotten"], total["in_vain"], slowest
        }' "$@"
}

run_range() {
    local first=$1 last=$2 jobs=$3 twice=$4
    local out begin status=0 job from to pids=()
    local share=$(((last - first + jobs) / jobs))

    out=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$out'" EXIT
    begin=$(date +%s%N)
    for ((job = 0; job < jobs; job++)); do
        from=$((first + job * share))
        to=$((from + share - 1 < last ? from + share - 1 : last))
        [ "$from" -le "$to" ] || continue
        # shellcheck disable=SC2086
        "$program" "$from" "$to" $twice >"$out/$job" 2>&1 &
        pids+=($!)
    done
    for job in "${pids[@]}"; do
        wait "$job" || status=1
    done
    if [ "$status" -ne 0 ]; then
        grep -h -B1 FAILED "$out"/* >&2 || cat "$out"/* >&2
        echo "see: tests/sim/run.sh --shrink SEED" >&2
        return 1
    fi
    add_up "$out"/*
    awk -v ns="$(($(date +%s%N) - begin))" -v count="$((last - first + 1))" \
        'BEGIN { printf " seconds=%.1f seeds_per_second=%.1f violations=0\n", ns / 1e9, count * 1e9 / ns }'
}

run_known() {
    local seed _ status=0 count=0

    while read -r seed _; do
        [[ $seed =~ ^[0-9]+$ ]] || continue
        count=$((count + 1))
        "$program" "$seed" "$seed" >/dev/null || {
            echo "FAILED: seed $seed, which failed once, fails again" >&2
            status=1
        }
    done <"$here/seeds.txt"
    echo "known=$count"
    return "$status"
}

program=$(find_program)
seeds=""
twice=""
jobs=$(nproc)
while [ $# -gt 0 ]; do
    case $1 in
    --seeds)
        [ $# -ge 2 ] || usage
        seeds=$2
        shift
        ;;
    --twice) twice=--twice ;;
    --jobs)
        [ $# -ge 2 ] || usage
        jobs=$2
        shift
        ;;
    --known)
        run_known
        exit
        ;;
    --trace | --script | --shrink)
        [ $# -ge 2 ] || usage
        exec "$program" "$1" "$2"
        ;;
    *) usage ;;
    esac
    shift
done
[[ $seeds =~ ^([0-9]+)\.\.([0-9]+)$ ]] || usage
run_range "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "$jobs" "$twice"

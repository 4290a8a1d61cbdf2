#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Users, kill -9, pauses, a broken network and wrong clocks at once, on three real agents.
#
#   storm.sh SECONDS [SEED]
#
# After each round all trees must be equal, no file torn, and every content that no user gave up in the
# trees or in a preserve area. STORM_FAULTS: which of the faults below may happen (all). Each storm has
# networks of its own: several may run side by side.
#
#   crash    kill -9, back within a second      pause   SIGSTOP for up to three seconds
#   cut      no packet passes at all            part    two agents do not reach each other
#   oneway   only one of the two is not heard   clock   one agent's clock is off, by seconds to ten years
#   slow     a thin link that drops packets      forget  the kernel forgets all names, as under memory pressure
#
# The clocks are off for the rest of the round's load, and right again while it settles. Tickets would be
# refused beyond Kerberos' five minutes; what is tried here is what replication makes of the time of
# day, so this realm allows any difference (kdc.sh --skew).
export AGENTS_APART=1 AGENTS_CLOCKS=1 AGENTS_SKEW=${STORM_SKEW:-1000000000}
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

seconds=${1:-45}
seed=${2:-$(( $(date +%s) % 100000 ))}
read -r -a faults <<< "${STORM_FAULTS-crash pause cut part oneway slow clock forget none}"
jumps=(1 -1 200 -200 3600 -3600 86400 -86400 315360000 -315360000)
RANDOM=$seed
declare -A fault_count
settle_ms_max=0

storm_fault() {
    local n=$(( RANDOM % 3 + 1 )) other fault=${faults[RANDOM % ${#faults[@]}]:-none}
    local jump=${jumps[RANDOM % ${#jumps[@]}]} span="$(( RANDOM % 3 )).$(( RANDOM % 10 ))"
    other=$(( (n + RANDOM % 2) % 3 + 1 ))
    fault_count[$fault]=$(( ${fault_count[$fault]:-0} + 1 ))
    case $fault in
    crash) echo "  kill -9 $n"; crash "$n"; sleep "0.$(( RANDOM % 10 ))"; start "$n" ;;
    pause) echo "  pause $n"; pause "$n"; sleep "$span"; resume "$n" ;;
    cut) echo "  cut"; cut_network; sleep "$span"; join_network ;;
    part) echo "  part $n $other"; part "$n" "$other"; part "$other" "$n"; sleep "$span"; heal ;;
    oneway) echo "  $n is not heard by $other"; part "$n" "$other"; sleep "$span"; heal ;;
    slow) echo "  slow $n"; slow "$n"; sleep "$span"; heal ;;
    clock) echo "  clock $n $jump"; clock "$n" "$jump" ;;
    forget) echo "  forget"; echo 2 > /proc/sys/vm/drop_caches ;;
    none) ;;
    esac
    sleep "0.$(( RANDOM % 10 ))"
}

# What must not grow from round to round.
storm_resources() {
    local n pid
    for n in 1 2 3; do
        pid=$(agents_pid "$scenario_dir" "$n")
        printf '  agent %d: rss %d KiB, %d descriptors, %d threads\n' "$n" \
            "$(awk '/^VmRSS/ {print $2}' "/proc/$pid/status")" "$(ls "/proc/$pid/fd" | wc -l)" \
            "$(ls "/proc/$pid/task" | wc -l)"
    done
}

storm_round() {
    local until=$(( $(date +%s) + 6 )) n users=() begin took
    for n in 1 2 3; do
        python3 "$COTERIE_SOURCE/tests/integration/agents/storm.py" load \
            "$scenario_dir/$n/root" "$n" "$seed-$round" 6 "$scenario_dir/ledger" &
        users+=($!)
    done
    while [ "$(date +%s)" -lt "$until" ]; do storm_fault; done
    wait "${users[@]}" || fail "a user stopped"
    for n in 1 2 3; do clock "$n" 0; done
    begin=$(date +%s%N)
    settle "${STORM_SETTLE:-90}"
    took=$(( ($(date +%s%N) - begin) / 1000000 ))
    [ "$took" -le "$settle_ms_max" ] || settle_ms_max=$took
    python3 "$COTERIE_SOURCE/tests/integration/agents/storm.py" check "$scenario_dir/ledger" \
        "$r1" "$r2" "$r3" || fail "contents"
    # it heals by a look at the whole tree, and is a defect all the same
    ! grep -h "still to be looked at" "$scenario_dir"/*/log || fail "a place could not be looked at to the end"
    storm_resources > "$scenario_dir/resources"
    [ "$round" != 1 ] || cp "$scenario_dir/resources" "$scenario_dir/resources.first"
}

storm_summary() {
    local fault
    echo "rounds $round, slowest to settle $settle_ms_max ms, seed $seed"
    printf 'faults:'
    for fault in "${!fault_count[@]}"; do printf ' %s=%d' "$fault" "${fault_count[$fault]}"; done
    echo
    python3 "$COTERIE_SOURCE/tests/integration/agents/storm.py" summary "$scenario_dir/ledger"
    echo "after the first round:"
    cat "$scenario_dir/resources.first"
    echo "after the last round:"
    cat "$scenario_dir/resources"
}

echo "seed $seed"
scenario_up
mkdir "$scenario_dir/ledger"
end=$(( $(date +%s) + seconds ))
round=0
while [ "$(date +%s)" -lt "$end" ]; do
    round=$(( round + 1 ))
    promise "round $round (storm.sh $seconds $seed)" storm_round
done
storm_summary
scenario_down

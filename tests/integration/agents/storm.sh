#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Users, kill -9, pauses, partitions and wrong clocks at once, on three real agents.
#
#   storm.sh SECONDS [SEED]
#
# Rounds of load and faults. After each the faults end, and then all trees must be equal, no file
# torn, and every content that no user gave up in the trees or in a preserve area. At the end it
# says what happened, how long the longest wait for quiet was, and what memory and descriptors each
# agent held after the first round and after the last.
#
# STORM_FAULTS: which of "crash pause cut bar clock none" may happen (all). cut: no packet passes at
# all; bar: nobody reaches one agent, while it reaches the others; clock: an agent's wall clock is
# wrong for a few seconds, by seconds up to ten years. What it numbers then bears that time. Kerberos
# allows five minutes: further off no new session is let in, and that must heal by itself when the
# clock is right again.
AGENTS_CLOCKS=1
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

seconds=${1:-45}
seed=${2:-$(( $(date +%s) % 100000 ))}
read -r -a faults <<< "${STORM_FAULTS-crash crash pause cut bar bar clock clock none}"
offsets=(+2 -2 +90 -90 +1h -1h +400d -400d +10y -10y)
settle_longest=0
declare -A fault_counts=()
RANDOM=$seed

nap() { sleep "$(( RANDOM % $1 )).$(( RANDOM % 10 ))"; }

storm_fault() {
    local n=$(( RANDOM % 3 + 1 )) kind=${faults[RANDOM % ${#faults[@]}]:-none} offset
    fault_counts[$kind]=$(( ${fault_counts[$kind]:-0} + 1 ))
    case $kind in
    crash) echo "  kill -9 $n"; crash "$n"; nap 1; start "$n" ;;
    pause) echo "  pause $n"; pause "$n"; nap 3; resume "$n" ;;
    cut) echo "  cut"; cut_network; nap 3; join_network ;;
    bar) echo "  bar $n"; bar "$n"; nap 3; unbar "$n" ;;
    clock)
        offset=${offsets[RANDOM % ${#offsets[@]}]}
        echo "  clock $n $offset"
        clock "$n" "$offset"; nap 3; clock "$n" +0 ;;
    none) ;;
    esac
    nap 1
}

held() { # what each agent holds now
    local n pid
    for n in 1 2 3; do
        pid=$(agents_pid "$scenario_dir" "$n")
        printf ' %d: %d KiB %d fds' "$n" "$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")" \
            "$(find "/proc/$pid/fd" -mindepth 1 2>/dev/null | wc -l)"
    done
}

storm_round() {
    local until=$(( $(date +%s) + 6 )) n users=() begin waited
    for n in 1 2 3; do
        python3 "$COTERIE_SOURCE/tests/integration/agents/storm.py" load \
            "$scenario_dir/$n/root" "$n" "$seed-$round" 6 "$scenario_dir/ledger" &
        users+=($!)
    done
    while [ "$(date +%s)" -lt "$until" ]; do storm_fault; done
    wait "${users[@]}" || fail "a user stopped"
    begin=$(date +%s%N)
    settle "${STORM_SETTLE:-90}"
    waited=$(( ($(date +%s%N) - begin) / 1000000 ))
    [ "$waited" -gt "$settle_longest" ] && settle_longest=$waited
    python3 "$COTERIE_SOURCE/tests/integration/agents/storm.py" check "$scenario_dir/ledger" \
        "$r1" "$r2" "$r3" || fail "contents"
    [ "$round" != 1 ] || held_first=$(held)
}

echo "seed $seed"
scenario_up
mkdir "$scenario_dir/ledger"
end=$(( $(date +%s) + seconds ))
round=0
held_first=
while [ "$(date +%s)" -lt "$end" ]; do
    round=$(( round + 1 ))
    promise "round $round (storm.sh $seconds $seed)" storm_round
done
echo "rounds $round"
python3 "$COTERIE_SOURCE/tests/integration/agents/storm.py" sum "$scenario_dir/ledger"
for kind in "${!fault_counts[@]}"; do echo "fault $kind ${fault_counts[$kind]}"; done | sort
echo "longest wait for quiet $settle_longest ms"
echo "held after round 1:  $held_first"
echo "held after round $round: $(held)"
scenario_down

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Users, kill -9, pauses and a broken network at once, on three real agents.
#
#   storm.sh SECONDS [SEED]
#
# After each round all trees must be equal, no file torn, and every content that no user gave up in the
# trees or in a preserve area. STORM_FAULTS: which of "crash pause cut" may happen (all).
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

seconds=${1:-45}
seed=${2:-$(( $(date +%s) % 100000 ))}
read -r -a faults <<< "${STORM_FAULTS-crash pause cut none}"
RANDOM=$seed

storm_fault() {
    local n=$(( RANDOM % 3 + 1 ))
    case ${faults[RANDOM % ${#faults[@]}]:-none} in
    crash) echo "  kill -9 $n"; crash "$n"; sleep "0.$(( RANDOM % 10 ))"; start "$n" ;;
    pause) echo "  pause $n"; pause "$n"; sleep "$(( RANDOM % 3 )).$(( RANDOM % 10 ))"; resume "$n" ;;
    cut) echo "  cut"; cut_network; sleep "$(( RANDOM % 3 )).$(( RANDOM % 10 ))"; join_network ;;
    none) ;;
    esac
    sleep "0.$(( RANDOM % 10 ))"
}

storm_round() {
    local until=$(( $(date +%s) + 6 )) n users=()
    for n in 1 2 3; do
        python3 "$COTERIE_SOURCE/tests/integration/agents/storm.py" load \
            "$scenario_dir/$n/root" "$n" "$seed-$round" 6 "$scenario_dir/ledger" &
        users+=($!)
    done
    while [ "$(date +%s)" -lt "$until" ]; do storm_fault; done
    wait "${users[@]}" || fail "a user stopped"
    settle "${STORM_SETTLE:-90}"
    python3 "$COTERIE_SOURCE/tests/integration/agents/storm.py" check "$scenario_dir/ledger" \
        "$r1" "$r2" "$r3" || fail "contents"
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
scenario_down

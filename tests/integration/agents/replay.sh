#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Put real agents through what a run of the simulation did to its members.
#
#   replay.sh SCRIPT [SECONDS]     SCRIPT: from tests/sim/run.sh --script SEED (the words: tests/sim/script.h)
#
# The script's time is pressed into SECONDS (8). Afterwards all must be in sync, the trees equal, no file
# torn, and every content in the trees, in a preserve area, or given up by a user. REPLAY_SPOIL is a
# command that spoils the outcome before it is judged: to see that the judge notices.
#
# A session cannot be broken from outside while its network stands: "cut" parts the two for a moment, and
# "close" parts them until "open". A member that the script leaves away comes back at its end.
export AGENTS_APART=1 AGENTS_CLOCKS=1 AGENTS_SKEW=1000000000
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

script=${1:?SCRIPT}
seconds=${2:-8}
done_count=0
missed_count=0
declare -A closed loses back_at

replay_world() {
    members=$(awk '$1 == "members" {print $2}' "$script")
    AGENTS_READER=$(awk '$1 == "reader" {print $2}' "$script")
    AGENTS_LINKS=$(awk '$1 == "link" {printf "%s%d-%d", sep, $2, $3; sep = " "}' "$script")
    last_ms=$(awk '$3 == "healed" {print $1}' "$script")
    [ "${members:-0}" -gt 0 ] && [ "${last_ms:-0}" -gt 0 ] || { echo "replay.sh: not a script: $script"; exit 2; }
}

now_ms() { echo $(( $(date +%s%N) / 1000000 )); }
real_ms() { echo $(( $1 * seconds * 1000 / last_ms )); } # of the script's milliseconds

user() { # MEMBER WORD ARGUMENT…
    local answer
    echo "$@" >&"${users[1]}"
    read -r -u "${users[0]}" answer || fail "the users stopped at: $*"
    if [ "$answer" = "done" ]; then done_count=$(( done_count + 1 )); else missed_count=$(( missed_count + 1 )); fi
}

part_both() { part "$1" "$2"; part "$2" "$1"; }
keep_closed() {
    local pair
    for pair in "${!closed[@]}"; do part_both "${pair%-*}" "${pair#*-}"; done
}

replay_crash() { # MEMBER AWAY_MS
    [ -z "${back_at[$1]:-}" ] || return 0
    crash "$1"
    [ -z "${loses[$1]:-}" ] || rm -f "$scenario_dir/$1/root/.coterie/"*/folder.db*
    unset "loses[$1]"
    back_at[$1]=$(( $(now_ms) + $(real_ms "$2") ))
}

come_back() { # UNTIL_MS: those whose time has come
    local n
    for n in "${!back_at[@]}"; do
        [ "${back_at[$n]}" -le "$1" ] || continue
        unset "back_at[$n]"
        start "$n"
    done
}

replay_line() { # MEMBER WORD ARGUMENT…
    case $2 in
    start) ;;
    crash) replay_crash "$1" "$3" ;;
    lose) loses[$1]=1 ;;
    clock) clock "$1" $(( $3 / 1000 )) ;;
    part) part_both "$3" "$4" ;;
    cut) part_both "$3" "$4"; sleep 0.1; heal; keep_closed ;;
    close) closed[$3-$4]=1; keep_closed ;;
    open) unset "closed[$3-$4]"; heal; keep_closed ;;
    heal) heal; keep_closed ;;
    healed) closed=(); heal ;;
    *) user "$@" ;;
    esac
}

# What the members hold before they first start.
before_up() {
    local at line
    local n at line
    for n in $(seq "$members"); do roots+=("$scenario_dir/$n/root"); done
    mkdir "$scenario_dir/ledger"
    coproc USERS { python3 "$COTERIE_SOURCE/tests/integration/agents/replay.py" users "$scenario_dir/ledger" \
        "${roots[@]}"; }
    users=("${USERS[@]}")
    while read -r at line; do
        [[ $at =~ ^[0-9]+$ ]] || continue
        [ "${line##* }" != start ] || break
        # shellcheck disable=SC2086  # words
        replay_line $line
    done < "$script"
}

replay() {
    local at line begin started=
    begin=$(now_ms)
    while read -r at line <&3; do
        [[ $at =~ ^[0-9]+$ ]] || continue
        [ -n "$started" ] || { [ "${line##* }" != start ] || started=1; continue; }
        while [ $(( $(now_ms) - begin )) -lt "$(real_ms "$at")" ]; do sleep 0.02; come_back "$(now_ms)"; done
        # shellcheck disable=SC2086  # words
        replay_line $line
    done 3< "$script"
    come_back "$(( $(now_ms) + 1000000 ))"
    local n
    for n in $(seq "$members"); do clock "$n" 0; done
    settle "${REPLAY_SETTLE:-60}"
    [ -z "${REPLAY_SPOIL:-}" ] || (cd "$scenario_dir" && eval "$REPLAY_SPOIL")
    python3 "$COTERIE_SOURCE/tests/support/trees.py" equal "${roots[@]}" || fail "trees differ"
    python3 "$COTERIE_SOURCE/tests/integration/agents/replay.py" judge "$scenario_dir/ledger" "${roots[@]}" ||
        fail "contents"
}

replay_world
roots=()
SCENARIO_AT_ONCE=1 scenario_up "$members"
promise "$(head -n 1 "$script")" replay
echo "operations: done $done_count, missed $missed_count"
scenario_down

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Scenarios on three real agents: to be sourced, after which the script is inside its own namespaces.
#
#   scenario_up [COUNT]      agents up and in sync (with SCENARIO_AT_ONCE: only up); $r1 $r2 $r3 are
#                            their roots
#   promise "TEXT" FUNCTION  run one scenario; afterwards all are in sync and hold equal trees
#   check COMMAND…           must succeed
#   comes_true COMMAND…      must succeed within 10 s
#   holds FILE TEXT          its content is TEXT
#   settle [SECONDS]         wait until all are in sync, then compare the trees
#   stop N, start N          end an agent cleanly; start it again
#   crash N                  kill -9
#   pause N, resume N        SIGSTOP, SIGCONT
#   cut_network, join_network   no packet passes between anybody; it does again
#   part A B, heal           nothing passes from A to B; everything passes again (AGENTS_APART)
#   slow N                   a thin link that drops packets, until heal (AGENTS_APART)
#   clock N SECONDS          how much N's clock differs (AGENTS_CLOCKS)
#   preserved TEXT           how many preserved files on all members hold TEXT
#   conflicts                how many losing versions all members have preserved
#   received N, sent N       bytes of content and updates that agent N got, gave, since it started
#   scenario_down            ends everything; checks that each agent ends cleanly
#
# A failure prints what differs and the ends of the logs, and ends the script.
: "${COTERIE_BUILD:?}" "${COTERIE_SOURCE:?}"
. "$COTERIE_SOURCE/tests/support/agents.sh"

scenario_dir=
scenario_count=3
scenario_text=

fail() {
    echo "FAILED: $scenario_text: $*"
    local n
    for n in $(seq "$scenario_count"); do
        echo "--- agent $n"
        timeout 5 "$COTERIE_BUILD/cli/coterie" agent status --socket "$scenario_dir/$n/agent.sock"
        timeout 5 "$COTERIE_BUILD/cli/coterie" agent idle --socket "$scenario_dir/$n/agent.sock"
        cat "/proc/$(agents_pid "$scenario_dir" "$n")"/task/*/wchan 2>/dev/null | tr '\0' ' '; echo
        tail -n 40 "/proc/$(agents_pid "$scenario_dir" "$n")"/task/*/stack 2>/dev/null | grep -A4 'fsync\|sync_\|writeback\|lock'
        tail -n "${SCENARIO_LOG_LINES:-25}" "$scenario_dir/$n/log"
    done
    exit 1
}

scenario_end() {
    local status=$?
    [ -n "$scenario_dir" ] || exit "$status"
    agents_down "$scenario_dir" >/dev/null 2>&1
    if [ "$status" = 0 ] || [ -z "${SCENARIO_KEEP:-}" ]; then
        umount -q "$scenario_dir"/*/root "$scenario_dir"/*/net
        rm -rf "$scenario_dir"
    else
        echo "kept: $scenario_dir"
    fi
    exit "$status"
}

scenario_up() {
    scenario_count=${1:-3}
    scenario_text="start"
    # not a tmpfs: what is tested depends on real file handles, and on a disk that remembers
    scenario_dir=$(mktemp -d "${SCENARIO_BASE:-/var/tmp}/coterie-agents-XXXXXX")
    trap scenario_end EXIT
    trap 'exit 1' INT TERM
    local n
    for n in $(seq "$scenario_count"); do
        eval "r$n=$scenario_dir/$n/root"
        mkdir -p "$scenario_dir/$n/root"
    done
    type before_up >/dev/null 2>&1 && before_up
    agents_up "$scenario_dir" "$scenario_count" || exit
    [ -n "${SCENARIO_AT_ONCE:-}" ] || settle
}

# shellcheck disable=SC2120  # the seconds are for those who need more than the usual
# shellcheck disable=SC2120 # the scenarios that source this may give another time
settle() { # [SECONDS]
    local roots=() n
    agents_idle "$scenario_dir" "$scenario_count" "${1:-${SCENARIO_PATIENCE:-30}}" || fail "not in sync in time"
    for n in $(seq "$scenario_count"); do
        roots+=("$scenario_dir/$n/root")
    done
    # an event may be on its way when the first answer comes
    python3 "$COTERIE_SOURCE/tests/support/trees.py" equal "${roots[@]}" >/dev/null && return
    agents_idle "$scenario_dir" "$scenario_count" "${1:-${SCENARIO_PATIENCE:-30}}" || fail "not in sync in time"
    python3 "$COTERIE_SOURCE/tests/support/trees.py" equal "${roots[@]}" || fail "trees differ"
}

promise() {
    scenario_text=$1
    local begin
    begin=$(date +%s%N)
    $2
    settle
    printf 'ok %6d ms  %s\n' $(( ($(date +%s%N) - begin) / 1000000 )) "$1"
}

check() { "$@" || fail "$*"; }
comes_true() {
    local try
    for try in $(seq 100); do
        "$@" && return
        sleep 0.1
    done
    fail "in 10 s not: $*"
}
holds() { [ "$(cat "$1" 2>/dev/null)" = "$2" ] || fail "$1 holds \"$(cat "$1" 2>&1 | head -c 200)\", not \"$2\""; }
missing() { [ ! -e "$1" ] && [ ! -L "$1" ] || fail "$1 still exists"; }

stop() { agents_end "$scenario_dir" "$1" TERM || fail "agent $1 did not end cleanly: $?"; }
start() { agents_start "$scenario_dir" "$1"; }
crash() { agents_end "$scenario_dir" "$1" KILL; }
pause() { kill -STOP "$(agents_pid "$scenario_dir" "$1")"; }
resume() { kill -CONT "$(agents_pid "$scenario_dir" "$1")"; }
cut_network() { agents_cut; }
join_network() { agents_join; }
part() { agents_part "$scenario_dir" "$1" "$2"; }
slow() { agents_slow "$scenario_dir" "$1"; }
heal() { agents_heal "$scenario_dir" "$scenario_count"; }
clock() { agents_clock "$scenario_dir" "$1" "$2"; }

preserved() {
    grep -rlxF -- "$1" "$scenario_dir"/*/root/.coterie/preserve 2>/dev/null | wc -l
}

conflicts() {
    cat "$scenario_dir"/*/root/.coterie/preserve/manifest 2>/dev/null | grep -c conflict
}

received() { moved "$1" inbound bytes_received; }
sent() { moved "$1" outbound bytes_sent; }

moved() { # N DIRECTION COUNTER
    "$COTERIE_BUILD/cli/coterie" agent status --json --socket "$scenario_dir/$1/agent.sock" |
        python3 -c 'import json, sys
print(sum(c.get(sys.argv[2], 0) for f in json.load(sys.stdin)["folders"]
          for c in f["connections"] if c["direction"] == sys.argv[1]))' "$2" "$3"
}

scenario_down() {
    scenario_text="end"
    agents_down "$scenario_dir" || fail "an agent did not end cleanly"
    echo "all scenarios hold"
}

agents_enter "$0" "$@"

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two or more real agents in a full mesh with a KDC, without directory and controller: to be sourced.
#
#   agents_enter "$0" "$@"       first: run the script in namespaces of its own (network, mounts)
#   agents_up DIR COUNT          start KDC and agents 1 … COUNT on DIR/1/root …; agent 1 is primary
#   agents_idle DIR COUNT SECONDS   wait until all are in sync; false when the time is over
#   agents_start DIR N           start an agent again
#   agents_end DIR N SIGNAL      end it and wait for its end; prints its exit status
#   agents_pid DIR N
#   agents_cut, agents_join      no packet passes between anybody; it does again
#   agents_bar N, agents_unbar N no packet reaches agent N's address: nobody pulls from it, while it
#                                pulls from the others; it does again
#   agents_clock DIR N OFFSET    with AGENTS_CLOCKS: its wall clock is off by that from now on
#                                (+0, -3600, +10y …), its monotonic one and the files' times are not
#   agents_down DIR              end everything; false when an agent did not end cleanly
#
# Needs root, COTERIE_BUILD and COTERIE_SOURCE. AGENTS_CLOCKS: each agent has a wall clock of its own
# (libfaketime). AGENTS_LOG is the log level, AGENTS_WRAP a command
# that runs each agent (valgrind …), AGENTS_IN how an agent receives (make_assignment.c).

agents_name() { echo "a$1.agents.test"; }
agents_address() { echo "127.91.0.$1"; }
agents_pid() { cat "$1/$2/pid"; }

# A network of its own: addresses never meet those of another run, and it can be cut.
agents_enter() {
    [ -n "${AGENTS_INSIDE:-}" ] && return
    [ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
    unshare -mn true 2>/dev/null || { echo "skipped: namespaces are not allowed here"; exit 77; }
    AGENTS_INSIDE=1 exec unshare -mn bash "$@"
}

agents_cut() { ip link set lo down; }
agents_join() { ip link set lo up; }

# The rules for local addresses make way for ours, in this network alone.
agents_bars_up() {
    ip rule show | grep -q '^100:' && return
    ip rule add pref 100 lookup local
    ip rule del pref 0
}
agents_bar() { ip rule add pref 10 to "$(agents_address "$1")" blackhole; }
agents_unbar() { ip rule del pref 10 to "$(agents_address "$1")" blackhole 2>/dev/null || true; }

agents_clock() { # DIR N OFFSET
    # in one step: the agent reads it whenever it asks for the time
    echo "$3" > "$1/$2/clock.new"
    mv "$1/$2/clock.new" "$1/$2/clock"
}

# What makes agent N live by its own clock.
agents_clock_env() { # DIR N
    [ -n "${AGENTS_CLOCKS:-}" ] || return 0
    [ -f "$1/$2/clock" ] || agents_clock "$1" "$2" +0
    echo env "LD_PRELOAD=$(echo /usr/lib/*/faketime/libfaketimeMT.so.1)" \
        "FAKETIME_TIMESTAMP_FILE=$1/$2/clock" FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 \
        NO_FAKE_STAT=1
}

agents_start() { # DIR N
    local dir=$1 n=$2
    . "$dir/kdc/env"
    # shellcheck disable=SC2046,SC2086  # words
    $(agents_clock_env "$dir" "$n") ${AGENTS_WRAP:-} "$COTERIE_BUILD/agent/coterie-agent" --config "$dir/$n/agent.conf" \
        2>>"$dir/$n/log" &
    echo $! > "$dir/$n/pid"
}

agents_end() { # DIR N SIGNAL
    local dir=$1 n=$2 pid status=0
    pid=$(agents_pid "$dir" "$n")
    kill "-$3" "$pid" 2>/dev/null
    # a helper shell may not wait for a child of its parent's: then look
    wait "$pid" 2>/dev/null || status=$?
    rm -f "$dir/$n/pid"
    return "$status"
}

agents_write() { # DIR N COUNT
    local dir=$1 n=$2 count=$3 m role=member connections=()
    mkdir -p "$dir/$n/root" "$dir/$n/state"
    [ "$n" = 1 ] && role=primary
    for m in $(seq "$count"); do
        [ "$m" = "$n" ] && continue
        connections+=("$(printf '00000000-0000-0000-0000-%04d%08d' "$n" "$m")" "${AGENTS_IN:-in}"
            "$(agents_name "$m")" 7722 "host/$(agents_name "$m")@$KDC_REALM")
        connections+=("$(printf '00000000-0000-0000-0000-%04d%08d' "$m" "$n")" out
            "$(agents_name "$m")" 7722 "host/$(agents_name "$m")@$KDC_REALM")
    done
    ASAN_OPTIONS=detect_leaks=0 "$COTERIE_BUILD/tests/support/make_assignment" "$dir/$n/state/assignment" "$(agents_name "$n")" \
        11111111-1111-1111-1111-111111111111 22222222-2222-2222-2222-222222222222 \
        "33333333-3333-3333-3333-$(printf '%012d' "$n")" "$dir/$n/root" $role "${connections[@]}"
    cat > "$dir/$n/agent.conf" <<C
[agent]
controller = 127.0.0.1:1
keytab = $dir/kdc/host_$(agents_name "$n").keytab
host_name = $(agents_name "$n")
listen = $(agents_address "$n")
state_dir = $dir/$n/state
socket = $dir/$n/agent.sock
log_level = ${AGENTS_LOG:-info}
C
}

agents_up() { # DIR COUNT
    local dir=$1 count=$2 n names=()
    mkdir -p "$dir"
    agents_join
    agents_bars_up
    cp /etc/hosts "$dir/hosts"
    for n in $(seq "$count"); do
        names+=("host/$(agents_name "$n")")
        echo "$(agents_address "$n") $(agents_name "$n")" >> "$dir/hosts"
    done
    mount --bind "$dir/hosts" /etc/hosts
    bash "$COTERIE_SOURCE/tests/support/kdc.sh" start "$dir/kdc" "${names[@]}" || return
    . "$dir/kdc/env"
    for n in $(seq "$count"); do
        agents_write "$dir" "$n" "$count"
        agents_start "$dir" "$n"
    done
}

agents_idle() { # DIR COUNT SECONDS
    local dir=$1 count=$2 until=$(( $(date +%s) + $3 )) n
    while :; do
        for n in $(seq "$count"); do
            "$COTERIE_BUILD/cli/coterie" agent idle --socket "$dir/$n/agent.sock" >/dev/null 2>&1 || break
            [ "$n" = "$count" ] && return 0
        done
        [ "$(date +%s)" -lt "$until" ] || return 1
        sleep 0.1
    done
}

agents_down() { # DIR
    local dir=$1 file n status=0
    agents_join
    for file in "$dir"/*/pid; do
        [ -f "$file" ] && kill -CONT "$(cat "$file")" 2>/dev/null && kill "$(cat "$file")"
    done
    for file in "$dir"/*/pid; do
        [ -f "$file" ] || continue
        n=$(basename "$(dirname "$file")")
        wait "$(cat "$file")" || { status=1; echo "agent $n ended with status $?"; }
        rm -f "$file"
    done
    bash "$COTERIE_SOURCE/tests/support/kdc.sh" stop "$dir/kdc"
    return "$status"
}

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two or more real agents in a full mesh with a KDC, without directory and controller: to be sourced.
#
#   agents_up DIR COUNT      start KDC and agents 1 … COUNT on DIR/1/root …, agent 1 is primary
#   agents_idle DIR COUNT SECONDS   wait until all are in sync; false when the time is over
#   agents_down DIR
#
# Needs root (private /etc/hosts by mount namespaces) and COTERIE_BUILD, COTERIE_SOURCE.
agents_name() { echo "a$1.agents.test"; }
agents_address() { echo "127.91.$(( $2 % 250 )).$1"; }

agents_start_one() { # DIR N SALT
    local dir=$1 n=$2
    . "$dir/kdc/env"
    unshare -m bash -c "mount --bind '$dir/hosts' /etc/hosts && exec '$COTERIE_BUILD/agent/coterie-agent' --config '$dir/$n/agent.conf'" \
        2>>"$dir/$n/log" & echo $! > "$dir/$n/pid"
}

agents_up() {
    local dir=$1 count=$2 n m salt=$(( $$ % 250 )) names=()
    mkdir -p "$dir"
    cat /etc/hosts > "$dir/hosts"
    for n in $(seq "$count"); do
        names+=("host/$(agents_name "$n")")
        echo "$(agents_address "$n" "$salt") $(agents_name "$n")" >> "$dir/hosts"
    done
    bash "$COTERIE_SOURCE/tests/support/kdc.sh" start "$dir/kdc" "${names[@]}"
    . "$dir/kdc/env"
    for n in $(seq "$count"); do
        mkdir -p "$dir/$n/root" "$dir/$n/state"
        local role=member args=()
        [ "$n" = 1 ] && role=primary
        for m in $(seq "$count"); do
            [ "$m" = "$n" ] && continue
            args+=("$(printf '00000000-0000-0000-0000-%04d%08d' "$n" "$m")" in "$(agents_name "$m")" 7722 "host/$(agents_name "$m")@$KDC_REALM")
            args+=("$(printf '00000000-0000-0000-0000-%04d%08d' "$m" "$n")" out "$(agents_name "$m")" 7722 "host/$(agents_name "$m")@$KDC_REALM")
        done
        "$COTERIE_BUILD/tests/support/make_assignment" "$dir/$n/state/assignment" "$(agents_name "$n")" \
            11111111-1111-1111-1111-111111111111 22222222-2222-2222-2222-222222222222 \
            "33333333-3333-3333-3333-$(printf '%012d' "$n")" "$dir/$n/root" $role "${args[@]}"
        cat > "$dir/$n/agent.conf" <<C
[agent]
controller = 127.0.0.1:1
keytab = $dir/kdc/host_$(agents_name "$n").keytab
host_name = $(agents_name "$n")
listen = $(agents_address "$n" "$salt")
state_dir = $dir/$n/state
socket = $dir/$n/agent.sock
log_level = ${AGENTS_LOG:-info}
C
        agents_start_one "$dir" "$n"
    done
}

agents_idle() {
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

agents_down() {
    local dir=$1 pid
    for pid in "$dir"/*/pid; do
        [ -f "$pid" ] && kill "$(cat "$pid")" 2>/dev/null
    done
    wait
    bash "$COTERIE_SOURCE/tests/support/kdc.sh" stop "$dir/kdc"
}

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
#   agents_part DIR A B           nothing passes from A to B any more (the other way it does)
#   agents_slow DIR N              what N sends passes at SLOW_RATE, and what queues up is dropped
#   agents_heal DIR COUNT          everything passes between all pairs again, at full speed
#   agents_clock DIR N SECONDS   from now on agent N's clock differs by so much; it goes on running
#   agents_down DIR              end everything; false when an agent did not end cleanly
#
# To be set before: AGENTS_APART=1 gives each agent a network of its own, which agents_part needs;
# AGENTS_CLOCKS=1 gives each a clock of its own, which agents_clock needs; AGENTS_LINKS="1-2 2-1" says
# who pulls from whom ("1-2": 2 from 1), otherwise everybody from everybody; AGENTS_READER=N makes
# agent N read-only.
#
# AGENTS_SKEW: seconds that clocks may differ (kdc.sh). Needs root, COTERIE_BUILD and COTERIE_SOURCE. AGENTS_LOG is the log level, AGENTS_WRAP a command
# that runs each agent (valgrind …), AGENTS_IN how an agent receives (make_assignment.c).

agents_name() { echo "a$1.agents.test"; }
agents_address() { [ -n "${AGENTS_APART:-}" ] && echo "10.91.0.$1" || echo "127.91.0.$1"; }
agents_mac() { printf '02:00:00:00:00:%02x' "$1"; }
agents_pid() { cat "$1/$2/pid"; }

# A network of its own: addresses never meet those of another run, and it can be cut.
agents_enter() {
    [ -n "${AGENTS_INSIDE:-}" ] && return
    [ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
    unshare -mn true 2>/dev/null || { echo "skipped: namespaces are not allowed here"; exit 77; }
    AGENTS_INSIDE=1 exec unshare -mn bash "$@"
}

agents_cut() {
    if [ -n "${AGENTS_APART:-}" ]; then ip link set agents down; else ip link set lo down; fi
}
agents_join() {
    ip link set lo up
    [ -z "${AGENTS_APART:-}" ] || ip link set agents up
}

# A bridge with the KDC on it, and behind it a network for each agent.
agents_lay_networks() { # DIR COUNT
    local dir=$1 n
    ip link add agents type bridge && ip addr add 10.91.0.254/24 dev agents && ip link set agents up || return
    for n in $(seq "$2"); do
        mkdir -p "$dir/$n"
        touch "$dir/$n/net"
        unshare --net="$dir/$n/net" true || return
        ip link add "v$n" type veth peer name "p$n" address "$(agents_mac "$n")" &&
            ip link set "v$n" master agents up && ip link set "p$n" netns "$dir/$n/net" || return
        nsenter --net="$dir/$n/net" sh -c "ip link set lo up && ip link set p$n name eth0 &&
            ip addr add $(agents_address "$n")/24 dev eth0 && ip link set eth0 up" || return
    done
}

# A wrong hardware address loses packets as a broken network does: nobody is told.
agents_part() { # DIR A B
    nsenter --net="$1/$2/net" ip neigh replace "$(agents_address "$3")" \
        lladdr 02:00:00:00:ff:ff nud permanent dev eth0
}
SLOW_RATE=${SLOW_RATE:-512kbit}
agents_slow() { # DIR N
    nsenter --net="$1/$2/net" tc qdisc replace dev eth0 root tbf rate "$SLOW_RATE" burst 4kb latency 20ms
}
agents_heal() { # DIR COUNT
    local a b
    for a in $(seq "$2"); do
        nsenter --net="$1/$a/net" tc qdisc del dev eth0 root 2>/dev/null
        for b in $(seq "$2"); do
            [ "$a" = "$b" ] || nsenter --net="$1/$a/net" ip neigh replace "$(agents_address "$b")" \
                lladdr "$(agents_mac "$b")" nud permanent dev eth0
        done
    done
}

# Only what the agent takes for the time of day: its timers, and the times of files, stay true.
agents_clock() { # DIR N SECONDS
    printf '%+d\n' "$3" > "$1/$2/clock.new"
    mv "$1/$2/clock.new" "$1/$2/clock"
}

agents_surroundings() { # DIR N: prints what runs the agent
    local library
    [ -z "${AGENTS_APART:-}" ] || echo nsenter "--net=$1/$2/net"
    [ -n "${AGENTS_CLOCKS:-}" ] || return 0
    library=$(dpkg -L libfaketime | grep -m1 'libfaketimeMT.so.1$')
    echo env "LD_PRELOAD=$library" "FAKETIME_TIMESTAMP_FILE=$1/$2/clock" FAKETIME_CACHE_DURATION=1 \
        FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1
}

agents_start() { # DIR N
    local dir=$1 n=$2 around=()
    . "$dir/kdc/env"
    [ -z "${AGENTS_CLOCKS:-}" ] || [ -f "$dir/$n/clock" ] || agents_clock "$dir" "$n" 0
    read -r -d '' -a around < <(agents_surroundings "$dir" "$n")
    "${around[@]}" ${AGENTS_WRAP:-} "$COTERIE_BUILD/agent/coterie-agent" --config "$dir/$n/agent.conf" \
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

agents_linked() { # A B: B pulls from A
    [[ -z "${AGENTS_LINKS:-}" || " $AGENTS_LINKS " = *" $1-$2 "* ]]
}

agents_write() { # DIR N COUNT
    local dir=$1 n=$2 count=$3 m role=member connections=()
    mkdir -p "$dir/$n/root" "$dir/$n/state"
    [ "$n" = 1 ] && role=primary
    [ "$n" = "${AGENTS_READER:-}" ] && role=reader
    for m in $(seq "$count"); do
        [ "$m" = "$n" ] && continue
        agents_linked "$m" "$n" &&
            connections+=("$(printf '00000000-0000-0000-0000-%04d%08d' "$n" "$m")" "${AGENTS_IN:-in}"
            "$(agents_name "$m")" 7722 "host/$(agents_name "$m")@$KDC_REALM")
        agents_linked "$n" "$m" &&
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
    if [ -n "${AGENTS_APART:-}" ]; then
        agents_lay_networks "$dir" "$count" && agents_heal "$dir" "$count" || return
        export KDC_LISTEN=10.91.0.254
    fi
    agents_join
    cp /etc/hosts "$dir/hosts"
    for n in $(seq "$count"); do
        names+=("host/$(agents_name "$n")")
        echo "$(agents_address "$n") $(agents_name "$n")" >> "$dir/hosts"
    done
    mount --bind "$dir/hosts" /etc/hosts
    bash "$COTERIE_SOURCE/tests/support/kdc.sh" start "$dir/kdc" ${AGENTS_SKEW:+--skew "$AGENTS_SKEW"} \
        "${names[@]}" || return
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
    [ -z "${AGENTS_APART:-}" ] || umount -q "$dir"/*/net
    bash "$COTERIE_SOURCE/tests/support/kdc.sh" stop "$dir/kdc"
    return "$status"
}

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A lab of real parts on one machine: directory, realm, controller and agents. To be sourced.
#
# Who uses it: deploy/demo.sh (nodes in network namespaces of their own) and tests/bench/adapter
# (nodes where the bench harness puts them). One way to start a lab, so that what is measured and
# what is shown is the same product.
#
# Words: a *node* is a machine of the lab: hub (directory, KDC, controller) or an agent's (a1, a2 …).
# Every node has a name NODE.coterie.test, told by a private /etc/hosts in a mount namespace; the
# machine's own /etc stays as it is. Every process has a file run/NAME.pid with its id and start
# time, so that only processes of this lab are ever ended.
#
# Set before lab_init:
#   lab_dir      where everything of this lab stands; short, since sockets live there
#   lab_name     prefix of the namespaces' names
#   lab_build    folder of a built tree
# Filled by whoever puts the nodes into place (lab_network_up, or the adapter):
#   lab_address  [node] the address that other nodes reach it by
#   lab_prefix   [node] command words that run a command on that node
set -euo pipefail

: "${lab_dir:?}" "${lab_name:?}" "${lab_build:?}"
lab_source=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/..")
lab_domain=coterie.test
lab_realm=COTERIE.TEST
lab_base=dc=coterie,dc=test
lab_http_port=7720

# In this file "return 1", never a bare "return": in a trap that would give the status from before it.
declare -gA lab_address=() lab_prefix=()

lab_fail() {
    echo "lab: $*" >&2
    return 1
}

lab_init() {
    local longest=$lab_dir/run/controller.sock
    ((${#longest} < 100)) ||
        lab_fail "the path $lab_dir is too long for sockets: choose a shorter one" || return 1
    mkdir -p "$lab_dir"/{conf,log,run,state,trees}
    : > "$lab_dir/resolv.conf"
}

# ---- processes -------------------------------------------------------------------------------

lab_start_time() { # PID -> when it started, in ticks; fails when there is no such process
    local text fields
    text=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    read -ra fields <<< "${text##*) }"
    # an ended child that nobody has waited for is not running
    [ "${fields[0]}" != Z ] && echo "${fields[19]}"
}

# lab_spawn NAME NODE COMMAND...: start in the background; output goes to log/NAME.log
lab_spawn() {
    local name=$1 node=$2
    shift 2
    local words=()
    read -ra words <<< "${lab_prefix[$node]}"
    setsid "${words[@]}" unshare --mount --uts --propagation private "$lab_source/deploy/on-node" \
        "$lab_dir" "$node.$lab_domain" "$@" < /dev/null >> "$lab_dir/log/$name.log" 2>&1 &
    lab_remember "$name" $!
}

# lab_spawn_here NAME COMMAND...: the same on the machine itself
lab_spawn_here() {
    local name=$1
    shift
    setsid "$@" < /dev/null >> "$lab_dir/log/$name.log" 2>&1 &
    lab_remember "$name" $!
}

lab_remember() { # NAME PID
    echo "$2 $(lab_start_time "$2" || echo 0)" > "$lab_dir/run/$1.pid"
}

lab_running() { # NAME -> prints its process id, or fails
    local pid started
    read -r pid started 2>/dev/null < "$lab_dir/run/$1.pid" || return 1
    [ "$(lab_start_time "$pid" || echo gone)" = "$started" ] || return 1
    echo "$pid"
}

lab_signal() { # NAME SIGNAL
    local pid
    pid=$(lab_running "$1") && kill -s "$2" "$pid"
}

# lab_stop NAME: ask it to end and wait; says so and fails when it has to be killed
lab_stop() {
    local pid waited
    if ! pid=$(lab_running "$1"); then
        rm -f "$lab_dir/run/$1.pid"
        return 0
    fi
    kill -TERM "$pid" 2>/dev/null || true
    for ((waited = 0; waited < 200; waited++)); do
        lab_running "$1" > /dev/null || break
        sleep 0.05
    done
    if lab_running "$1" > /dev/null; then
        kill -KILL "$pid" 2>/dev/null || true
        rm -f "$lab_dir/run/$1.pid"
        lab_fail "$1 did not end within 10 s of SIGTERM and was killed"
        return 1
    fi
    rm -f "$lab_dir/run/$1.pid"
}

# lab_wait SECONDS COMMAND...: repeat until it succeeds
lab_wait() {
    local end=$((SECONDS + $1))
    shift
    until "$@" > /dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

# lab_on NODE COMMAND...: run a command there and wait for it
lab_on() {
    local node=$1
    shift
    local words=()
    read -ra words <<< "${lab_prefix[$node]}"
    "${words[@]}" unshare --mount --uts --propagation private "$lab_source/deploy/on-node" \
        "$lab_dir" "$node.$lab_domain" "$@"
}

# ---- network namespaces ----------------------------------------------------------------------
#
#   a1 ─ peer0 ┐                    every agent has two links: peer0 carries what agents say to
#   a2 ─ peer0 ┼─ bridge "peers"    each other and nothing else, so its counters are the wire
#   a3 ─ peer0 ┘                    bytes between agents and its capture is theirs; service0
#   a1..a3 ─ service0 ─ bridge      leads to the directory, the KDC and the controller in the hub.
#                     "services"

# lab_network_up NODE...: a namespace for the hub and one for each agent's node
lab_network_up() {
    local hub=$lab_name-hub number=0 node namespace
    ip netns add "$hub"
    ip -n "$hub" link set lo up
    ip -n "$hub" link add peers type bridge
    ip -n "$hub" link add services type bridge
    ip -n "$hub" addr add 198.51.100.1/24 dev services
    ip -n "$hub" link set peers up
    ip -n "$hub" link set services up
    for node in "$@"; do
        number=$((number + 1))
        namespace=$lab_name-$node
        ip netns add "$namespace"
        # neighbour discovery would count as bytes between agents
        nsenter --net="/run/netns/$namespace" sh -c \
            'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null || true
        ip -n "$namespace" link set lo up
        ip link add peer0 netns "$namespace" type veth peer name "p-$node" netns "$hub"
        ip link add service0 netns "$namespace" type veth peer name "s-$node" netns "$hub"
        ip -n "$hub" link set "p-$node" master peers up
        ip -n "$hub" link set "s-$node" master services up
        ip -n "$namespace" addr add "192.0.2.1$number/24" dev peer0
        ip -n "$namespace" addr add "198.51.100.1$number/24" dev service0
        ip -n "$namespace" link set peer0 up
        ip -n "$namespace" link set service0 up
    done
    lab_network_names "$@"
}

# lab_network_names NODE...: where lab_network_up has put the nodes
lab_network_names() {
    local number=0 node
    lab_address[hub]=198.51.100.1
    lab_prefix[hub]="nsenter --net=/run/netns/$lab_name-hub"
    for node in "$@"; do
        number=$((number + 1))
        lab_address[$node]=192.0.2.1$number
        lab_prefix[$node]="nsenter --net=/run/netns/$lab_name-$node"
    done
}

lab_namespaces() {
    ip netns list | awk -v prefix="$lab_name-" 'index($1, prefix) == 1 { print $1 }'
}

# lab_link NODE up|down: its link to the other agents
lab_link() {
    ip -n "$lab_name-$1" link set peer0 "$2"
}

# lab_wire NODE...: bytes over the nodes' links to other agents, each byte counted once
lab_wire() {
    local node total=0 count
    for node in "$@"; do
        count=$(lab_on "$node" cat /proc/net/dev | awk '$1 == "peer0:" { print $10 }')
        total=$((total + count))
    done
    echo $total
}

# ---- names -----------------------------------------------------------------------------------

lab_write_hosts() {
    local node
    {
        echo "127.0.0.1 localhost"
        for node in "${!lab_address[@]}"; do
            echo "${lab_address[$node]} $node.$lab_domain $node"
        done
        echo "${lab_address[hub]} controller.$lab_domain directory.$lab_domain kdc.$lab_domain"
    } > "$lab_dir/hosts"
}

# ---- disks -----------------------------------------------------------------------------------

# lab_disk PLACE SIZE: a file system of its own, mounted at PLACE beneath the lab's folder
lab_disk() {
    local image
    image=$lab_dir/disks/$(cksum <<< "$1" | cut -d' ' -f1)
    mkdir -p "$lab_dir/disks" "$1"
    truncate -s "$2" "$image"
    mkfs.ext4 -q -m 0 -E nodiscard "$image"
    mount -o loop,noinit_itable "$image" "$1"
    rmdir "$1/lost+found"
}

# ---- directory and realm ---------------------------------------------------------------------

lab_directory() { # VERB ARGUMENT...: tests/support/directory.sh on the hub
    local verb=$1
    shift
    lab_on hub "$lab_source/tests/support/directory.sh" "$verb" "$lab_dir/realm" "$@"
}

lab_directory_start() {
    lab_directory start --address "${lab_address[hub]}" --realm $lab_realm --base $lab_base
}

# needs no node: also ends what a lab left whose namespaces are gone
lab_directory_stop() {
    [ ! -e "$lab_dir/realm/env" ] || "$lab_source/tests/support/directory.sh" stop "$lab_dir/realm"
}

# the directory alone, while the realm goes on; lab_directory_start brings it back
lab_slapd_stop() {
    local pid
    pid=$(cat "$lab_dir/realm/slapd.pid")
    kill -TERM "$pid"
    lab_wait 10 bash -c "! kill -0 $pid"
}

# lab_keytab NODE -> its keytab, made when there is none; the hub's holds the controller's names
lab_keytab() {
    local node=$1 keytab=$lab_dir/realm/keytabs/$1.keytab
    if [ "$node" = hub ]; then
        keytab=$lab_dir/realm/keytabs/controller.keytab
        node=controller
    fi
    lab_directory add-principal "host/$node.$lab_domain" "$keytab"
}

# lab_make_group OPTION...: ldap-schema/make-group for this lab's domain, into the directory
lab_make_group() {
    # no file is left out by its name, so that trees can be compared as they are
    "$lab_source/ldap-schema/make-group" --base $lab_base --write-guids \
        --file-filter '*.left-out-of-the-lab' "$@" > "$lab_dir/conf/group.ldif"
    lab_directory add "$lab_dir/conf/group.ldif"
}

# lab_find FILTER [BASE] -> the distinguished names that match
lab_find() {
    lab_directory search -b "${2:-$lab_base}" "$1" dn | sed -n 's/^dn: //p'
}

# lab_set DN ATTRIBUTE VALUE: replace; VALUE is base64 when ATTRIBUTE ends in ":"
lab_set() {
    printf 'dn: %s\nchangetype: modify\nreplace: %s\n%s: %s\n' "$1" "${2%:}" "$2" "$3" |
        lab_directory modify
}

# lab_unset DN ATTRIBUTE
lab_unset() {
    printf 'dn: %s\nchangetype: modify\ndelete: %s\n' "$1" "$2" | lab_directory modify
}

# ---- the product -----------------------------------------------------------------------------

lab_controller_start() {
    cat > "$lab_dir/conf/controller.conf" << END
[controller]
directory = ldap://${lab_address[hub]}:3890
base = $lab_base
keytab = $(lab_keytab hub)
realm = $lab_realm
listen = ${lab_address[hub]}
http_listen = ${lab_address[hub]}
http_port = $lab_http_port
END
    lab_spawn controller hub "$lab_build/controller/coterie-controller" \
        --config "$lab_dir/conf/controller.conf"
}

# lab_agent_conf NODE ROOTS [KEY=VALUE...]: write its configuration; the given keys win
lab_agent_conf() {
    local node=$1 roots=$2 pair
    shift 2
    local -A keys=(
        [controller]=controller.$lab_domain:7721
        [keytab]=$lab_dir/realm/keytabs/$node.keytab
        [service]=host
        [host_name]=$node.$lab_domain
        [listen]=${lab_address[$node]}
        [port]=7722
        [state_dir]=$lab_dir/state/$node
        [socket]=$lab_dir/run/$node.socket
        [allowed_roots]=$roots
        [log_level]=info
    )
    for pair in "$@"; do
        keys[${pair%%=*}]=${pair#*=}
    done
    mkdir -p "${keys[state_dir]}"
    {
        echo "[agent]"
        for pair in "${!keys[@]}"; do
            echo "$pair = ${keys[$pair]}"
        done | sort
    } > "$lab_dir/conf/$node.conf"
}

lab_agent_start() { # NODE [COMMAND...]: started by such a command
    lab_spawn "$1" "$1" "${@:2}" "$lab_build/agent/coterie-agent" --config "$lab_dir/conf/$1.conf"
}

lab_agent() { # NODE VERB ARGUMENT...: coterie agent VERB of that agent
    "$lab_build/cli/coterie" agent "$2" --socket "$lab_dir/run/$1.socket" "${@:3}"
}

lab_idle() { # NODE...: all in sync and nothing to do
    local node
    for node in "$@"; do
        lab_agent "$node" idle || return 1
    done
}

lab_status_url() {
    echo "http://${lab_address[hub]}:$lab_http_port"
}

lab_http() { # PATH OPTION...: from the controller; options are curl's
    lab_on hub curl -sS --max-time 5 "$(lab_status_url)$1" "${@:2}"
}

# lab_problems -> every problem that the status names: object: cause: remedy
lab_problems() {
    lab_http /v1/status | jq -r \
        '.. | objects | select(has("cause") and has("remedy")) | "\(.object): \(.cause): \(.remedy)"'
}

# ---- the end ---------------------------------------------------------------------------------

# lab_stop_all: agents first, then the controller, then the directory
lab_stop_all() {
    local file result=0
    for file in "$lab_dir"/run/*.pid; do
        [ -e "$file" ] || continue
        [ "$file" = "$lab_dir/run/controller.pid" ] || lab_stop "$(basename "$file" .pid)" || result=1
    done
    lab_stop controller || result=1
    lab_directory_stop || result=1
    return $result
}

# lab_unmount: whatever is mounted beneath the lab's folder, innermost first
lab_unmount() {
    awk -v below="$lab_dir/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r |
        while read -r place; do umount "$place"; done
}

# lab_down: leave no process, mount or namespace, in whatever state the lab is
lab_down() {
    local namespace pid result=0
    [ ! -d "$lab_dir" ] || lab_stop_all || result=1
    for namespace in $(lab_namespaces); do
        for pid in $(ip netns pids "$namespace"); do
            echo "lab: ends $(tr '\0' ' ' < "/proc/$pid/cmdline") left in $namespace" >&2
            kill -KILL "$pid" || true
            result=1
        done
        ip netns del "$namespace" || result=1
    done
    lab_unmount || result=1
    return $result
}

# lab_leftovers -> one line for each process, mount or namespace of this lab that is still there
lab_leftovers() {
    local file
    for file in "$lab_dir"/run/*.pid "$lab_dir"/realm/*.pid; do
        [ ! -e "$file" ] || echo "process: $file"
    done
    # the pattern by a pipe: on the command line grep would find itself
    grep -Fl -f <(echo "$lab_dir/") /proc/[0-9]*/cmdline 2>/dev/null | sed 's/^/process: /' || true
    lab_namespaces | sed 's/^/namespace: /'
    awk -v below="$lab_dir/" 'index($2, below) == 1 { print "mount: " $2 }' /proc/mounts
}

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Coterie on one machine, with real parts: an OpenLDAP directory and an MIT realm, the controller,
# and agents a1, a2, a3 that replicate a real tree among all three. Run as root on Debian 12.
#
#   demo.sh up             start it, replicate 20,000 files, show edits arrive; it stays up
#   demo.sh check [NAME…]  start a second one, prove the promises one by one, take it down again;
#                          ends with "N passed, N failed"; NAME: only these checks (see checks.sh)
#   demo.sh status         what runs, and what the controller says
#   demo.sh down           end it; leaves no process, mount or namespace
#
# COTERIE_DEMO_DIR   where everything is kept; default: .demo beside this script
# COTERIE_DEMO_TREE  a tree to replicate; default: headers and documents of this machine
# COTERIE_DEMO_PORT  of the status page on this machine; default: 7720
# COTERIE_BUILD      a built tree to use; default: builds the release preset first
set -euo pipefail

source_dir=$(readlink -f "$(dirname "$0")/..")
demo_dir=$(readlink -m "${COTERIE_DEMO_DIR:-$source_dir/deploy/.demo}")
lab_build=${COTERIE_BUILD:-$source_dir/build/release}
nodes=(a1 a2 a3)
files_min=20000

use_lab() { # NAME [DIRECTORY]: the lab that the functions of lab.sh work on from here
    local within=${2:-$demo_dir}
    lab_dir=$within/$1
    # another checkout's demonstration has other namespaces
    lab_name=coterie-$(cksum <<< "$within" | cut -d' ' -f1)-$1
    # shellcheck source=deploy/lab.sh
    . "$source_dir/deploy/lab.sh"
}

trees() { "$source_dir/tests/support/trees.py" "$@"; }
tree() { echo "$lab_dir/trees/$1/data"; }

say() { printf '%s\n' "$*"; }

prepare_machine() {
    [ "$(id -u)" = 0 ] || { echo "demo.sh: needs root, for namespaces and packages" >&2; exit 1; }
    "$source_dir/deploy/install-packages" build lab
    [ -z "${COTERIE_BUILD:-}" ] || return 0
    say "building the release preset"
    local log
    mkdir -p "$source_dir/build"
    log=$source_dir/build/release.log
    (cd "$source_dir" && cmake --preset release -DCOTERIE_TESTS=OFF &&
        cmake --build --preset release -- -j"$(nproc)") > "$log" 2>&1 ||
        { tail -n 30 "$log"; echo "demo.sh: the build failed; see $log" >&2; exit 1; }
}

# A real tree: headers and documents of this machine, and more of it until there are enough files;
# a small machine holds fewer, and its copies of them have other names and the same content.
fill_tree() { # DIRECTORY
    local from copy
    if [ -n "${COTERIE_DEMO_TREE:-}" ]; then
        cp -a "$COTERIE_DEMO_TREE" "$1"
        return
    fi
    mkdir -p "$1"
    cp -a /usr/include "$1/include"
    cp -a /usr/share/doc "$1/doc"
    for from in /usr/lib/python3*/ /usr/share/*/; do
        enough_files "$1" && return
        if [ "$from" != /usr/share/doc/ ] && (($(du -sm "$from" | cut -f1) <= 200)); then
            cp -a "$from" "$1/$(basename "$from")"
        fi
    done
    for ((copy = 2; ; copy++)); do
        enough_files "$1" && return
        mkdir "$1/copy-$copy"
        cp -a "$1/include" "$1/doc" "$1/copy-$copy"
    done
}
enough_files() { (($(find "$1" -type f | wc -l) >= files_min)); } # DIRECTORY

# settled SECONDS [BELOW]: all members say that they are idle, and hold the same, beneath BELOW
settled() {
    local end=$((SECONDS + $1)) below=${2:-} node roots=()
    for node in "${nodes[@]}"; do
        roots+=("$(tree "$node")${below:+/$below}")
    done
    until lab_idle "${nodes[@]}" > /dev/null 2>&1 && trees equal "${roots[@]}" > "$lab_dir/different" 2>&1; do
        for node in controller "${nodes[@]}"; do
            [ ! -e "$lab_dir/run/$node.pid" ] || lab_running "$node" > /dev/null ||
                { echo "$node has ended: $(tail -n 1 "$lab_dir/log/$node.log")"; return 1; }
        done
        if ((SECONDS >= end)); then
            for node in "${nodes[@]}"; do
                lab_agent "$node" idle || echo "$node is not idle"
            done
            trees equal "${roots[@]}"
            return 1
        fi
        sleep 0.2
    done
}

# where the status page is reached from this machine: a relay leads into the hub's namespace
page_url() { echo "http://127.0.0.1:${COTERIE_DEMO_PORT:-$lab_http_port}/"; }

milliseconds() { date +%s%3N; }

# Namespaces, names, disks, directory, realm and keytabs for NODES; nothing of the product runs yet.
begin_lab() { # NODE...
    local node
    lab_init
    lab_network_up "$@"
    lab_write_hosts
    lab_directory_start
    lab_keytab hub > /dev/null
    for node in "$@"; do
        lab_keytab "$node" > /dev/null
        lab_disk "$lab_dir/trees/$node" 8G
    done
}

# One group, everybody with everybody, a1's content wins the first time.
make_demo_group() { # OPTION... of make-group
    lab_make_group --group Demo --folder "data=$lab_dir/trees/{member}/data" --primary A1 \
        --member "A1=a1.$lab_domain" --member "A2=a2.$lab_domain" --member "A3=a3.$lab_domain" "$@"
}

start_agents() { # NODE...
    local node
    for node in "$@"; do
        mkdir -p "$(tree "$node")"
        lab_agent_conf "$node" "$lab_dir/trees/$node"
        lab_agent_start "$node"
    done
}

# From here on, a command that fails under set -e is named
name_failures() {
    set -E
    trap 'echo "failed: $BASH_COMMAND (${BASH_SOURCE[0]##*/}:$LINENO)" >&2' ERR
}

# From here on, whatever goes wrong takes the lab down
guard_lab() {
    name_failures
    trap 'failed_lab' EXIT
    trap 'exit 130' INT TERM HUP
}

failed_lab() {
    trap - ERR EXIT INT TERM HUP
    echo "demo.sh: failed; taking everything down" >&2
    tail -n 5 "$lab_dir"/log/*.log >&2 2> /dev/null || true
    lab_down || true
    exit 1
}

up() {
    use_lab demo
    if lab_running controller > /dev/null; then
        say "it is up already"
        status
        return
    fi
    prepare_machine
    guard_lab
    lab_down 2> /dev/null || true
    rm -rf "$lab_dir"

    say "starting the directory and the Kerberos realm"
    begin_lab "${nodes[@]}"
    make_demo_group --settings --write-computers
    fill_tree "$(tree a1)"
    say "a1 holds $(find "$(tree a1)" -type f | wc -l) files, $(du -sm "$(tree a1)" | cut -f1) MB"

    say "starting the controller and the agents a1, a2, a3"
    local start took node
    start=$(milliseconds)
    lab_controller_start
    start_agents "${nodes[@]}"
    settled 300 || { echo "the trees did not become equal" >&2; exit 1; }
    took=$(($(milliseconds) - start))
    say "all three are equal after $((took / 1000)).$((took / 100 % 10)) s (compared by content, owner, mode and times)"

    local writer readers
    for writer in "${nodes[@]}"; do
        readers=()
        for node in "${nodes[@]}"; do
            [ "$node" = "$writer" ] || readers+=("$(tree "$node")")
        done
        read -r p50 max < <(trees edits 6 30 "$(tree "$writer")" "${readers[@]}")
        say "6 edits on $writer were on both others after $p50 ms (median), $max ms at most"
    done

    lab_spawn_here page socat "TCP-LISTEN:${COTERIE_DEMO_PORT:-$lab_http_port},bind=127.0.0.1,reuseaddr,fork" \
        "EXEC:nsenter --net=/run/netns/$lab_name-hub socat STDIO TCP\\:${lab_address[hub]}\\:$lab_http_port"
    lab_wait 5 curl -fsS -o /dev/null "$(page_url)" || { echo "the status page does not answer" >&2; exit 1; }
    trap - ERR EXIT INT TERM HUP
    say ""
    say "status page   $(page_url)"
    say "the trees     $lab_dir/trees/{a1,a2,a3}/data: change anything in any of them"
    say "the logs      $lab_dir/log"
    say "the end       deploy/demo.sh down"
}

status() {
    use_lab demo
    local name
    lab_network_names "${nodes[@]}"
    for name in controller "${nodes[@]}"; do
        if lab_running "$name" > /dev/null; then
            say "$name runs as process $(lab_running "$name")"
        else
            say "$name does not run"
        fi
    done
    lab_running controller > /dev/null || return 1
    lab_on hub "$lab_build/cli/coterie" status --controller "$(lab_status_url)"
    say "status page   $(page_url)"
}

down() {
    local name result=0
    for name in demo check; do
        (
            use_lab "$name"
            lab_down
            rm -rf "$lab_dir"
        ) || result=1
    done
    rmdir "$demo_dir" 2> /dev/null || true
    return $result
}

check() {
    use_lab check
    # shellcheck source=deploy/checks.sh
    . "$source_dir/deploy/checks.sh"
    run_checks "$@"
}

case ${1:-} in
    up | status | down | check) "$@" ;;
    *)
        sed -n '3,16s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A throw-away MIT KDC on an own loopback address, for tests. Needs no root and no network.
#
#   kdc.sh start DIR [OPTIONS] PRINCIPAL…          make realm COTERIE.TEST, a keytab for each
#                                                  principal, and DIR/env to be sourced
#   kdc.sh rekey DIR PRINCIPAL                     change the key, leave the keytab behind
#   kdc.sh stop DIR                                end the KDC
#   kdc.sh run DIR [OPTIONS] PRINCIPAL… -- COMMAND…
#                                                  start, run the command in that environment, stop
#
# Keytabs: DIR/host_a.test.keytab for host/a.test. DIR/env exports KRB5_CONFIG, KRB5_KDC_PROFILE,
# KRB5RCACHEDIR, KDC_DIR, KDC_ADDRESS, KDC_REALM, KDC_SCRIPT (this file).
# Options: --life SECONDS of the tickets (36000); --skew SECONDS that clocks may differ (300).
# KDC_LISTEN: the address to listen on, when no loopback address will do.
# Exit 77: the KDC's programs are not installed.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

realm=COTERIE.TEST
port=18888
script=$(realpath "$0")

die() { echo "kdc.sh: $*" >&2; exit 1; }

need_programs() {
    local program
    for program in krb5kdc kdb5_util kadmin.local; do
        command -v "$program" >/dev/null && continue
        echo "kdc.sh: skipped: $program is not installed (krb5-kdc, krb5-admin-server)" >&2
        exit 77
    done
}

# krb5kdc sets SO_REUSEPORT: two on one address would both start, and share the requests.
# Process ids differ, so each start has an address of its own.
free_address() {
    local try address
    for try in $(seq 0 49); do
        local n=$(( ($$ + try * 977) % 62500 ))
        address=127.88.$(( n / 250 )).$(( n % 250 + 1 ))
        if ! (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null; then
            echo "$address"
            return
        fi
    done
    die "no free address below 127.88.0.0/16"
}

write_configuration() {
    local dir=$1 address=$2 life=$3 skew=$4
    cat >"$dir/krb5.conf" <<EOF
[libdefaults]
 default_realm = $realm
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 qualify_shortname = ""
 rdns = false
 udp_preference_limit = 1
 clockskew = $skew
[realms]
 $realm = {
  kdc = $address:$port
 }
EOF
    cat >"$dir/kdc.conf" <<EOF
[kdcdefaults]
 kdc_listen = $address:$port
 kdc_tcp_listen = $address:$port
[realms]
 $realm = {
  database_name = $dir/principal
  key_stash_file = $dir/stash
  acl_file = $dir/acl
  max_life = ${life}s
  supported_enctypes = aes256-cts-hmac-sha1-96:normal
 }
[logging]
 kdc = FILE:$dir/kdc.log
EOF
    cat >"$dir/env" <<EOF
export KRB5_CONFIG=$dir/krb5.conf
export KRB5_KDC_PROFILE=$dir/kdc.conf
export KRB5RCACHEDIR=$dir
export KDC_DIR=$dir
export KDC_ADDRESS=$address
export KDC_REALM=$realm
export KDC_SCRIPT=$script
EOF
}

make_database() {
    local dir=$1 principal
    shift
    kdb5_util create -s -r "$realm" -P master >"$dir/kdb5_util.log" 2>&1 || die "$(cat "$dir/kdb5_util.log")"
    for principal in "$@"; do
        echo "addprinc -randkey $principal"
        echo "ktadd -k $dir/${principal//\//_}.keytab $principal"
    done | kadmin.local -r "$realm" >"$dir/kadmin.log" 2>&1
    for principal in "$@"; do
        [ -s "$dir/${principal//\//_}.keytab" ] || die "no keytab for $principal: $(cat "$dir/kadmin.log")"
    done
}

wait_for_kdc() {
    local dir=$1 address=$2 try
    for try in $(seq 100); do
        (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null && return
        kill -0 "$(cat "$dir/kdc.pid")" 2>/dev/null || die "krb5kdc ended: $(cat "$dir/kdc.log")"
        sleep 0.05
    done
    die "krb5kdc does not answer on $address:$port"
}

start() {
    need_programs
    local dir=$1 life=36000 skew=300 address
    shift
    while [ $# -gt 1 ]; do
        case $1 in
        --life) life=$2 ;;
        --skew) skew=$2 ;;
        *) break ;;
        esac
        shift 2
    done
    [ $# -gt 0 ] || die "which principals?"
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    address=${KDC_LISTEN:-$(free_address)}
    write_configuration "$dir" "$address" "$life" "$skew"
    . "$dir/env"
    make_database "$dir" "$@"
    krb5kdc -n -r "$realm" >"$dir/krb5kdc.out" 2>&1 </dev/null 3>&- &
    echo $! >"$dir/kdc.pid"
    wait_for_kdc "$dir" "$address"
}

stop() {
    local dir=$1 pid
    [ -f "$dir/kdc.pid" ] || return 0
    pid=$(cat "$dir/kdc.pid")
    kill "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
    rm -f "$dir/kdc.pid"
}

rekey() {
    local dir=$1 principal=$2
    . "$dir/env"
    echo "cpw -randkey $principal" | kadmin.local -r "$realm" >>"$dir/kadmin.log" 2>&1
}

run() {
    local options=()
    run_dir=$1
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    [ $# -gt 1 ] || die "which command?"
    shift
    need_programs
    trap 'stop "$run_dir"; rm -rf "$run_dir"' EXIT
    trap 'exit 1' INT TERM
    start "$run_dir" "${options[@]}"
    "$@"
}

[ $# -ge 2 ] || die "usage: kdc.sh start|stop|rekey|run DIR …"
command=$1
shift
case $command in
start | stop | rekey | run) "$command" "$@" ;;
*) die "unknown command $command" ;;
esac

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A private directory for tests and the demonstration: MIT KDC and OpenLDAP with the msDFSR schema,
# GSSAPI and change notification, on a loopback address, by any user, leaving no file outside DIR.
#
#   directory.sh start DIR [--address 127.X.Y.Z] [--port N] [--kdc-port N] [--realm R] [--base DN]
#   directory.sh stop DIR
#   directory.sh add-principal DIR PRINCIPAL [KEYTAB]   prints the keytab, DIR/keytabs/… by default
#   directory.sh add DIR [FILE]                         ldapadd of FILE or standard input, as admin
#   directory.sh modify DIR [FILE]                      ldapmodify likewise
#   directory.sh search DIR ARGUMENT…                   ldapsearch likewise
#
# start returns when a Kerberos bind has worked; afterwards DIR/env holds, for `. DIR/env`:
# KRB5_CONFIG KRB5_KDC_PROFILE KRB5RCACHEDIR LDAPCONF and COTERIE_LDAP_URI COTERIE_LDAPI_URI
# COTERIE_REALM COTERIE_BASE_DN COTERIE_ADDRESS COTERIE_KEYTABS COTERIE_CONTROLLER_KEYTAB.
# Every verb may be repeated; start's options count the first time. Any principal
# of the realm may read, over an encrypted layer only.
# exit: 0 done, 1 failed, 77 a needed program is missing.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
schema=${COTERIE_SCHEMA:-$here/../../ldap-schema}

fail() {
    echo "directory.sh: $*" >&2
    exit 1
}

require_programs() {
    for program in slapd slapadd slaptest ldapwhoami kdb5_util kadmin.local krb5kdc ss; do
        command -v "$program" > /dev/null && continue
        echo "directory.sh: $program is missing; needs packages slapd ldap-utils krb5-kdc" \
            "krb5-admin-server libsasl2-modules-gssapi-mit iproute2" >&2
        exit 77
    done
}

# A pid from a file counts only while the process is what we started; an ended one may linger as a
# zombie until init looks.
running() { # PIDFILE NAME
    local pid
    pid=$(cat "$1" 2> /dev/null) && grep -q "^$pid ($2) [^ZX]" "/proc/$pid/stat" 2> /dev/null
}

stop_one() { # PIDFILE NAME
    if running "$1" "$2"; then
        kill -TERM "$(cat "$1")" 2> /dev/null || true
        for _ in $(seq 100); do
            running "$1" "$2" || break
            sleep 0.05
        done
        running "$1" "$2" && kill -KILL "$(cat "$1")"
    fi
    rm -f "$1"
}

stop() { stop_one "$dir/slapd.pid" slapd; stop_one "$dir/kdc.pid" krb5kdc; }

# An address of its own for each DIR: a second KDC on the same address and port would start without
# a complaint and take a part of the requests.
own_address() {
    local sum
    sum=$(printf %s "$dir" | cksum | cut -d' ' -f1)
    echo "127.$((64 + sum % 128)).$((sum / 128 % 256)).$((1 + sum / 32768 % 254))"
}

write_env() {
    cat > "$dir/env" << EOF
export KRB5_CONFIG='$dir/krb5.conf' KRB5_KDC_PROFILE='$dir/kdc.conf' KRB5RCACHEDIR='$dir/rcache'
export LDAPCONF='$dir/ldap.conf' COTERIE_LDAP_PORT=$port COTERIE_KDC_PORT=$kdc_port
export COTERIE_LDAP_URI='ldap://$address:$port' COTERIE_LDAPI_URI='ldapi://${dir//\//%2F}%2Fldapi'
export COTERIE_REALM='$realm' COTERIE_BASE_DN='$base' COTERIE_ADDRESS='$address'
export COTERIE_KEYTABS='$dir/keytabs' COTERIE_CONTROLLER_KEYTAB='$dir/keytabs/controller.keytab'
EOF
}

write_kerberos() {
    cat > "$dir/krb5.conf" << EOF
[libdefaults]
  default_realm = $realm
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  qualify_shortname = ""
  rdns = false
  udp_preference_limit = 1
[realms]
  $realm = {
    kdc = $address:$kdc_port
  }
[domain_realm]
  $address = $realm
EOF
    cat > "$dir/kdc.conf" << EOF
[kdcdefaults]
  kdc_listen = $address:$kdc_port
  kdc_tcp_listen = $address:$kdc_port
[realms]
  $realm = {
    database_name = $dir/kdc/principal
    key_stash_file = $dir/kdc/stash
    acl_file = $dir/kdc/acl
    max_life = 10h
    supported_enctypes = aes256-cts-hmac-sha1-96:normal
  }
[logging]
  kdc = FILE:$dir/kdc/log
  admin_server = FILE:$dir/kdc/log
  default = FILE:$dir/kdc/log
EOF
}

write_slapd() {
    printf 'SASL_NOCANON on\nURI ldap://%s:%s\nBASE %s\n' "$address" "$port" "$base" > "$dir/ldap.conf"
    cat > "$dir/slapd.conf" << EOF
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include $schema/ad-base.schema
include $schema/msdfsr.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
sasl-realm $realm
sasl-host $address
sasl-secprops noanonymous,noplain
authz-regexp "^gidNumber=[0-9]+\\\\+uidNumber=$(id -u),cn=peercred,cn=external,cn=auth\$" "cn=admin,$base"
database config
rootdn "cn=admin,$base"
database mdb
suffix "$base"
rootdn "cn=admin,$base"
directory $dir/db
maxsize 1073741824
dbnosync
index objectClass,entryUUID,entryCSN,objectGUID eq
index msDFSR-ReplicationGroupGuid,msDFSR-ComputerReference,msDFSR-MemberReference eq
sizelimit size.soft=unlimited size.hard=unlimited size.prtotal=unlimited
overlay syncprov
syncprov-checkpoint 1000 10
syncprov-sessionlog 10000
access to * by users ssf=56 read by * none
EOF
}

create() {
    umask 077
    rm -rf "${dir:?}"/{kdc,db,slapd.d,keytabs,slapd.keytab}
    mkdir -p "$dir"/{kdc,db,keytabs,rcache,slapd.d}
    write_env
    write_kerberos
    write_slapd
    # shellcheck source=/dev/null
    . "$dir/env"
    kdb5_util create -s -r "$realm" -P "$(head -c 18 /dev/urandom | base64)" > "$dir/kdc/create.log" 2>&1 ||
        fail "no Kerberos database: $(tail -1 "$dir/kdc/create.log")"
    add_principal "ldap/$address" "$dir/slapd.keytab" > /dev/null
    add_principal controller "$dir/keytabs/controller.keytab" > /dev/null
    local first=${base%%,*}
    printf 'dn: %s\nobjectClass: domain\ndc: %s\n' "$base" "${first#*=}" > "$dir/base.ldif"
    slapadd -q -f "$dir/slapd.conf" -b "$base" -l "$dir/base.ldif" > "$dir/slapadd.log" 2>&1 ||
        fail "slapd refuses its configuration: $(tail -3 "$dir/slapadd.log")"
    # only once the database exists does slaptest write cn=config
    slaptest -f "$dir/slapd.conf" -F "$dir/slapd.d" > "$dir/slaptest.log" 2>&1 ||
        fail "slapd refuses its configuration: $(tail -3 "$dir/slaptest.log")"
    touch "$dir/created"
}

has_key() { # PRINCIPAL KEYTAB
    klist -k "$2" 2> /dev/null | awk '{ print $2 }' | grep -qxF "$1@$COTERIE_REALM"
}

add_principal() { # PRINCIPAL KEYTAB
    has_key "$1" "$2" || printf 'addprinc -randkey %s\nktadd -norandkey -k %s %s\n' "$1" "$2" "$1" |
        kadmin.local > "$dir/kadmin.log" 2>&1
    has_key "$1" "$2" || fail "no key for $1: see $dir/kadmin.log"
    echo "$2"
}

start_servers() {
    if ! running "$dir/kdc.pid" krb5kdc && ! running "$dir/slapd.pid" slapd &&
        ss -Hlntu "src $COTERIE_ADDRESS and ( sport = :$COTERIE_LDAP_PORT or sport = :$COTERIE_KDC_PORT )" | grep -q .; then
        fail "$COTERIE_ADDRESS: port $COTERIE_LDAP_PORT or $COTERIE_KDC_PORT is in use; give others"
    fi
    if ! running "$dir/kdc.pid" krb5kdc; then
        setsid krb5kdc -n > "$dir/kdc/out" 2>&1 < /dev/null &
        echo $! > "$dir/kdc.pid"
    fi
    if ! running "$dir/slapd.pid" slapd; then
        rm -f "$dir/ldapi"
        KRB5_KTNAME=FILE:$dir/slapd.keytab setsid slapd -d 0 -F "$dir/slapd.d" \
            -h "$COTERIE_LDAP_URI $COTERIE_LDAPI_URI" > "$dir/slapd.out" 2>&1 < /dev/null &
        echo $! > "$dir/slapd.pid"
    fi
}

wait_ready() {
    for _ in $(seq 200); do
        KRB5CCNAME=MEMORY: KRB5_CLIENT_KTNAME=$COTERIE_CONTROLLER_KEYTAB \
            ldapwhoami -Q -Y GSSAPI -H "$COTERIE_LDAP_URI" > "$dir/ready.log" 2>&1 && return
        sleep 0.05
    done
    stop
    fail "not ready after 10 s: $(tail -2 "$dir/ready.log" "$dir/slapd.out" "$dir/kdc/out")"
}

start() {
    address=$(own_address) port=3890 kdc_port=8800 realm=CORP.EXAMPLE base=dc=corp,dc=example
    while [ $# -gt 0 ]; do
        case $1 in
        --address) address=$2 ;;
        --port) port=$2 ;;
        --kdc-port) kdc_port=$2 ;;
        --realm) realm=$2 ;;
        --base) base=$2 ;;
        *) fail "unknown option $1" ;;
        esac
        shift 2
    done
    [ -f "$dir/created" ] || create
    # shellcheck source=/dev/null
    . "$dir/env"
    start_servers
    wait_ready
}

as_admin() { "$1" -Q -Y EXTERNAL -H "$COTERIE_LDAPI_URI" "${@:2}"; } # PROGRAM ARGUMENT…

main() {
    [ $# -ge 2 ] || fail "usage: directory.sh start|stop|add-principal|add|modify|search DIR …"
    local verb=$1
    dir=$(realpath -m "$2")
    shift 2
    require_programs
    case $verb in
    start) start "$@"; return ;;
    stop) stop; return ;;
    esac
    [ -f "$dir/env" ] || fail "$dir: not started"
    # shellcheck source=/dev/null
    . "$dir/env"
    case $verb in
    add-principal) add_principal "$1" "$(realpath -m "${2:-$dir/keytabs/${1//\//_}.keytab}")" ;;
    add) as_admin ldapadd -f "${1:-/dev/stdin}" > /dev/null ;;
    modify) as_admin ldapmodify -f "${1:-/dev/stdin}" > /dev/null ;;
    search) as_admin ldapsearch -LLL -o ldif-wrap=no "$@" ;;
    *) fail "unknown verb $verb" ;;
    esac
}

main "$@"

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# deploy/lab.sh, without the product: nodes have names and private links, a directory answers over
# GSSAPI, and whatever way a lab ends, no process, mount or namespace stays.
set -euo pipefail

source_dir=${COTERIE_SOURCE:?}
[ "$(id -u)" = 0 ] || { echo "needs root for network namespaces"; exit 77; }
for program in slapd krb5kdc ip socat; do
    PATH=$PATH:/usr/sbin:/sbin command -v $program > /dev/null || { echo "$program is missing"; exit 77; }
done

lab_dir=$(mktemp -d /tmp/coterie-lab-XXXXXX)
lab_name=coterie-test-$$
lab_build=${COTERIE_BUILD:?}
# shellcheck source=deploy/lab.sh
. "$source_dir/deploy/lab.sh"
trap 'lab_down; rm -rf "$lab_dir"' EXIT

failed=0
expect() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@" > "$lab_dir/out" 2>&1; then
        echo "ok - $what"
    else
        echo "FAILED - $what: $(tail -n 3 "$lab_dir/out")"
        failed=1
    fi
}

# shellcheck disable=SC2317
is() { [ "$1" = "$2" ] || { echo "\"$1\" is not \"$2\""; return 1; }; }

lab_init
lab_network_up a1 a2
lab_write_hosts
lab_directory_start
lab_keytab a1 > /dev/null

expect "a node has its own name" is "$(lab_on a1 hostname)" "a1.$lab_domain"
expect "a node knows the others" is "$(lab_on a1 getent hosts "a2.$lab_domain" | cut -d' ' -f1)" \
    "${lab_address[a2]}"
expect "the machine's own hosts file is untouched" is "$(grep -c "$lab_domain" /etc/hosts)" 0
# shellcheck disable=SC2016
expect "the directory answers a node by Kerberos" lab_on a1 bash -c '. "$1/env" &&
    KRB5CCNAME=MEMORY: KRB5_CLIENT_KTNAME=$1/keytabs/a1.keytab ldapwhoami -Q -Y GSSAPI -H "$COTERIE_LDAP_URI"' \
    - "$lab_dir/realm"

before=$(lab_wire a1 a2)
lab_spawn receiver a2 socat -u TCP-LISTEN:9999,reuseaddr "CREATE:$lab_dir/received"
lab_wait 5 lab_on a2 sh -c 'ss -Hlnt "sport = :9999" | grep -q .'
head -c 1000000 /dev/zero | lab_on a1 socat -u STDIN "TCP:a2.$lab_domain:9999"
lab_wait 5 test "$(stat -c %s "$lab_dir/received")" = 1000000
bytes=$(($(lab_wire a1 a2) - before))
expect "the wire counter counts each byte once ($bytes)" test $bytes -ge 1000000 -a $bytes -le 1100000

lab_link a1 down
expect "a link that is down separates two nodes" \
    lab_on a1 bash -c "! timeout 2 socat -u STDIN TCP:a2.$lab_domain:9999 < /dev/null"

lab_spawn sleeper a1 sleep 1000
pid=$(lab_running sleeper)
mkdir "$lab_dir/mounted"
mount -t tmpfs none "$lab_dir/mounted"
left=$(lab_leftovers)
for kind in process namespace mount; do
    expect "a $kind that is there is found" grep "^$kind: " <<< "$left"
done
expect "an end by its own means is clean" lab_down
expect "no process stays" bash -c "! kill -0 $pid"
expect "nothing stays" is "$(lab_leftovers)" ""
expect "ending twice is fine" lab_down

exit $failed

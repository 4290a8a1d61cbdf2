#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The schema loads in both of OpenLDAP's ways, make-group's LDIF is accepted, and the example is
# what make-group prints.
set -euo pipefail

source_dir=${COTERIE_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
tools=$source_dir/ldap-schema
directory=$source_dir/tests/support/directory.sh
work=$(mktemp -d)
trap '"$directory" stop "$work/d" > /dev/null 2>&1; rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

make_example() {
    "$tools/make-group" --base dc=corp,dc=example --settings --write-computers --write-guids \
        --group Projects --folder cad=/srv/cad --folder office=/srv/office \
        --member FS1=fs1.corp.example --member FS2=fs2.corp.example \
        --member FS3=fs3.corp.example --hub FS1 --primary FS1 --read-only FS3
}

example_is_what_make_group_prints() {
    make_example | diff - "$tools/example.ldif" || fail "example.ldif is not make-group's"
}

slapd_conf_accepts_the_schema_and_the_example() {
    "$directory" start "$work/d" || exit $?
    "$directory" add "$work/d" "$tools/example.ldif"
    local count
    count=$("$directory" search "$work/d" -b dc=corp,dc=example '(objectClass=msDFSR-Subscription)' dn |
        grep -c ^dn:)
    [ "$count" = 6 ] || fail "$count subscriptions instead of 6"
}

a_second_group_of_the_same_members_is_accepted() {
    "$tools/make-group" --base dc=corp,dc=example --write-guids --no-local-settings \
        --group 'R+D, "new"' --folder 'Entwürfe #1=/srv/{member}/e' --member FS1 --member FS2 |
        "$directory" add "$work/d"
}

# A server that has none of the schema gets it by load-schema while it runs.
cn_config_accepts_the_schema_twice() {
    local dir=$work/d
    "$directory" stop "$dir"
    sed -i '/ad-base.schema\|msdfsr.schema\|msDFSR-/d; s/,objectGUID//' "$dir/slapd.conf"
    rm -rf "$dir"/{slapd.d,db}/*
    slapadd -q -f "$dir/slapd.conf" -b dc=corp,dc=example -l "$dir/base.ldif"
    slaptest -f "$dir/slapd.conf" -F "$dir/slapd.d" 2> /dev/null
    "$directory" start "$dir"
    # shellcheck source=/dev/null
    . "$dir/env"
    "$directory" add "$dir" "$tools/example.ldif" 2> /dev/null && fail "the schema was still there"
    "$tools/load-schema" -Q -Y EXTERNAL -H "$COTERIE_LDAPI_URI" | grep -qx 'msdfsr: loaded' ||
        fail "not loaded"
    "$tools/load-schema" -Q -Y EXTERNAL -H "$COTERIE_LDAPI_URI" | grep -qx 'msdfsr: already there' ||
        fail "not recognised"
    "$directory" add "$dir" "$tools/example.ldif"
}

make_group_refuses_what_could_not_work() {
    local options=(--base dc=x --group g --folder f=/f --member A --member B)
    "$tools/make-group" "${options[@]}" > /dev/null 2> "$work/err" && fail "GUIDs were made up"
    grep -q -- --group-guid "$work/err" || fail "the missing option is not named"
    "$tools/make-group" "${options[@]}" --write-guids --hub C > /dev/null 2>&1 && fail "unknown hub"
    "$tools/make-group" "${options[@]}" --write-guids --primary A --read-only A > /dev/null 2>&1 &&
        fail "primary and read-only"
    "$tools/make-group" --base dc=x --group g --folder f=rel --member A --write-guids > /dev/null 2>&1 &&
        fail "relative path"
    return 0
}

for test in example_is_what_make_group_prints make_group_refuses_what_could_not_work \
    slapd_conf_accepts_the_schema_and_the_example a_second_group_of_the_same_members_is_accepted \
    cn_config_accepts_the_schema_twice; do
    $test
    echo "ok $test"
done

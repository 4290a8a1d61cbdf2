# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Who may take part, and what others can see.
# Sourced by deploy/checks.sh, which says what a check is.
set -euo pipefail

: "${lab_dir:?}" "${lab_build:?}" "${lab_domain:?}" "${lab_base:?}" "${groups_base:?}" "${spare_nodes[*]:?}"

# agent_complains OPTION...: an agent on a4 with these settings gives exactly one line that is no
# information, and it matches the pattern; it never takes the process down by a signal
agent_complains() {
    local pattern=$1 lines result=0
    shift
    lab_agent_conf a4 "$lab_dir/trees/a4" "$@" "state_dir=$lab_dir/state/complaint"
    lab_on a4 timeout 6 "$lab_build/agent/coterie-agent" --config "$lab_dir/conf/a4.conf" \
        > "$lab_dir/complaint" 2>&1 || result=$?
    ((result < 128)) || fail "the agent died by signal $((result - 128))"
    lines=$(grep -Ec ' (error|warn): ' "$lab_dir/complaint" || true)
    grep -Eiq -- "$pattern" "$lab_dir/complaint" || fail "nothing matches $pattern: $(cat "$lab_dir/complaint")"
    ((lines == 1)) || fail "$lines lines instead of one: $(cat "$lab_dir/complaint")"
    grep -E ' (error|warn): ' "$lab_dir/complaint" | cut -c 1-200 > "$lab_dir/note"
}

missing_keytab_is_one_clear_line() {
    agent_complains "$lab_dir/conf/nothing.keytab" "keytab=$lab_dir/conf/nothing.keytab"
}

unreadable_keytab_is_one_clear_line() {
    head -c 300 /dev/urandom > "$lab_dir/conf/noise.keytab"
    chmod 0600 "$lab_dir/conf/noise.keytab"
    agent_complains "$lab_dir/conf/noise.keytab" "keytab=$lab_dir/conf/noise.keytab"
}

wrong_keytab_is_one_clear_line() {
    # a key for a principal that the KDC does not know
    printf 'addprinc -randkey host/stale.%s\nktadd -norandkey -k %s host/stale.%s\ndelprinc -force host/stale.%s\n' \
        "$lab_domain" "$lab_dir/conf/stale.keytab" "$lab_domain" "$lab_domain" > "$lab_dir/conf/stale.commands"
    # shellcheck disable=SC2016
    lab_on hub bash -c '. "$1/realm/env"; kadmin.local < "$1/conf/stale.commands"' - "$lab_dir" > /dev/null
    agent_complains "host/(stale|a4)\.$lab_domain" "keytab=$lab_dir/conf/stale.keytab" \
        "host_name=stale.$lab_domain"
}

delete_member() { # GROUP COMPUTER: its member, both directions of its connections, its subscriber
    local member
    member=$(lab_find "(&(objectClass=msDFSR-Member)(msDFSR-ComputerReference=$2))" "CN=$1,$groups_base")
    {
        lab_find "(&(objectClass=msDFSR-Connection)(fromServer=$member))"
        lab_find '(objectClass=msDFSR-Connection)' "$member"
        echo "$member"
        # what is deepest goes first
        lab_find '(objectClass=*)' "CN=DFSR-LocalSettings,$2" | awk '{ print gsub(",", ",") "\t" $0 }' |
            sort -rn | cut -f2
    } | while read -r dn; do
        printf 'dn: %s\nchangetype: delete\n\n' "$dn"
    done | lab_directory modify
}

spare_group_works() {
    echo spare > "$lab_dir/trees/a1/small/spare/file"
    arrives 60 small/spare/file a1 a2 a3 a4
    note "a second group with a fourth member, a4, beside the first"
}

skewed_clock_is_named_and_recovers() {
    local library
    # what the command faketime sets, but without a process between
    library=$(dpkg -L libfaketime | grep -m1 'libfaketimeMT.so.1$')
    lab_stop a4
    lab_agent_start a4 env LD_PRELOAD="$library" FAKETIME=+20m
    named 40 "small/spare.*a4\.$lab_domain.*clock|a4\.$lab_domain.*skew.*clock"
    echo "of a skewed machine" > "$lab_dir/trees/a4/small/spare/skewed"
    log_says a4 'clock skew too great' || fail "a4's log does not name the skew"
    lab_stop a4
    lab_agent_start a4
    arrives 60 small/spare/skewed a4 a1 a2 a3
    lab_wait 30 no_problem_named skew || fail "the status still names it"
}

stranger_is_refused_by_peers() {
    lab_stop a4
    delete_member Spare "CN=A4,CN=Computers,$lab_base"
    sleep 3
    # a4 still has its last good assignment and no controller to tell it better
    echo "of a stranger" > "$lab_dir/trees/a4/small/spare/stranger"
    lab_agent_conf a4 "$lab_dir/trees/a4" "controller=controller.$lab_domain:9"
    lab_agent_start a4
    lab_wait 40 log_says a1 "(refus|den|not).*a4\.$lab_domain|a4\.$lab_domain.*(refus|den|not)" ||
        fail "a1's log does not name the refusal"
    named 40 "a4\.$lab_domain"
    [ ! -e "$lab_dir/trees/a1/small/spare/stranger" ] || fail "a1 took a file from a stranger"
    lab_stop a4
}

stranger_is_refused_by_the_controller() {
    lab_agent_conf a4 "$lab_dir/trees/a4" "state_dir=$lab_dir/state/stranger"
    mkdir -p "$lab_dir/state/stranger"
    lab_agent_start a4
    lab_wait 40 log_says controller "a4\.$lab_domain" || fail "the controller's log does not name it"
    named 40 "a4\.$lab_domain.*no member|no member.*a4\.$lab_domain"
    lab_wait 10 log_says a4 "(no|not).*(assignment|member)" || fail "a4's log does not say why"
    lab_stop a4
}

capture() { # FILE COMMAND...: what goes over a1's link to the others while COMMAND runs
    local file=$1
    shift
    rm -f "$lab_dir/log/capture.log"
    lab_spawn capture a1 tcpdump -Z root -i peer0 -s 0 -U -w "$file"
    lab_wait 10 log_says capture 'listening on'
    "$@"
    sleep 0.5
    lab_stop capture
}

plain_copy() { # FILE: over the same link without any protection
    lab_spawn plain a2 socat -u TCP-LISTEN:9999,reuseaddr "CREATE:$lab_dir/plain.copy"
    lab_wait 5 lab_on a2 sh -c 'ss -Hlnt "sport = :9999" | grep -q .'
    lab_on a1 socat -u "FILE:$1" "TCP:a2.$lab_domain:9999"
    lab_wait 5 cmp "$1" "$lab_dir/plain.copy"
    lab_stop plain
}

replicate_copy() { # FILE NAME
    cp "$1" "$(tree a1)/$2"
    arrives 20 "data/$2" a1 a2 a3
}

capture_shows_no_plaintext() {
    local secret=$lab_dir/secret.bin name="name-of-a-secret-$RANDOM" seen control size
    head -c 256K /dev/urandom > "$secret"
    capture "$lab_dir/agents.pcap" replicate_copy "$secret" "$name"
    size=$(stat -c %s "$lab_dir/agents.pcap")
    ((size > 256 << 10)) || fail "the capture is too small to hold the file: $size bytes"
    seen=$(trees occurrences "$secret" "$lab_dir/agents.pcap")
    ! grep -qa "$name" "$lab_dir/agents.pcap" || fail "the file's name is in the capture"
    # the same search must be able to find it
    capture "$lab_dir/plain.pcap" plain_copy "$secret"
    control=$(trees occurrences "$secret" "$lab_dir/plain.pcap")
    # a piece is missed where a packet ends inside it
    ((control > 500)) || fail "the control found only $control pieces: the search proves nothing"
    ((seen == 0)) || fail "$seen pieces of the file are in the capture in the clear"
    note "0 of 1023 pieces in $size captured bytes; a plain copy over the same link shows $control"
}

garbage_from_a_peer_is_harmless() {
    local pid_controller pid_a1 turn
    pid_controller=$(lab_running controller)
    pid_a1=$(lab_running a1)
    for turn in 1 2 3 4 5; do
        head -c $((turn * 40000)) /dev/urandom |
            lab_on a4 timeout 5 socat -u STDIN "TCP:a1.$lab_domain:7722" > /dev/null 2>&1 || true
        head -c $((turn * 40000)) /dev/urandom |
            lab_on a4 timeout 5 socat -u STDIN "TCP:controller.$lab_domain:7721" > /dev/null 2>&1 || true
    done
    # a well-formed start of HTTP/2 without TLS, and a TLS record of nonsense
    printf 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' | lab_on a4 timeout 5 socat -u STDIN "TCP:a1.$lab_domain:7722" || true
    printf '\026\003\001\377\377' | lab_on a4 timeout 5 socat -u STDIN "TCP:a1.$lab_domain:7722" || true
    [ "$(lab_running controller)" = "$pid_controller" ] || fail "the controller is another process now"
    [ "$(lab_running a1)" = "$pid_a1" ] || fail "a1 is another process now"
    replicates 20 a1 a2 a3
}

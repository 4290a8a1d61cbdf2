# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The promises of "demo.sh check", one function each; sourced by demo.sh, in whose lab they run.
#
# A check runs in a subshell under set -e: it fails by fail or by any failing command, and what it
# changes it puts back by a trap of its own. note leaves the figures for its line. They run in the
# order of the list at the end; those before "initial_sync" prepare what the others stand on.
set -euo pipefail

: "${lab_dir:?}" "${lab_build:?}" "${lab_domain:?}" "${lab_base:?}"
: "${source_dir:?}" "${nodes[*]:?}" "${files_min:?}"
spare_nodes=(a1 a2 a3 a4)
groups_base=CN=DFSR-GlobalSettings,CN=System,$lab_base

fail() {
    echo "$*"
    exit 1
}

note() { echo "$*" > "$lab_dir/note"; }

# never grep -q behind a pipe here: it ends early, and pipefail makes that a failure
problem_named() { lab_problems | grep -Ei -- "$1" > /dev/null; }
no_problem_named() { ! problem_named "$1"; }
log_says() { grep -Eiq -- "$2" "$lab_dir/log/$1.log"; } # NAME PATTERN

# named SECONDS PATTERN: the status names such a problem, with cause and remedy; noted
named() {
    lab_wait "$1" problem_named "$2" || fail "no problem in the status matches $2; it has: $(lab_problems)"
    lab_problems | grep -Ei -- "$2" | sed -n '1s/^\(.\{200\}\).*/\1 …/;1p' > "$lab_dir/note"
}

arrives() { # SECONDS FILE NODE...: a file written on one of them is on all, alike
    local seconds=$1 file=$2 node
    shift 2
    for node in "$@"; do
        lab_wait "$seconds" cmp "$lab_dir/trees/$1/$file" "$lab_dir/trees/$node/$file" ||
            fail "$file did not come from $1 to $node within $seconds s"
    done
}

write_new() { # NODE: a new small file beneath data; prints its path below the tree
    local file=data/new-$RANDOM$RANDOM.txt
    head -c 2000 /dev/urandom | base64 > "$lab_dir/trees/$1/$file"
    echo "$file"
}

replicates() { # SECONDS NODE...: a fresh file goes from the first to all
    local seconds=$1 file
    shift
    file=$(write_new "$1")
    arrives "$seconds" "$file" "$@"
}

connections() { lab_find '(objectClass=msDFSR-Connection)' "CN=$1,$groups_base"; }

controller_answers() { [ "$(lab_http /healthz -o /dev/null -w '%{http_code}')" = "$1" ]; }

attached() { lab_agent "$1" status --json | jq -e '.controller_attached' > /dev/null; }
all_attached() {
    local node
    for node in "${nodes[@]}"; do
        attached "$node" || return 1
    done
}

# ---- before there is anything ----------------------------------------------------------------

controller_waits_for_the_directory() {
    lab_directory_stop
    lab_controller_start
    lab_wait 10 controller_answers 503 || fail "/healthz is not 503 without a directory"
    sleep 3
    local lines
    lines=$(grep -Ec ' (warn|error): .*ldap://' "$lab_dir/log/controller.log" || true)
    ((lines == 1)) || fail "$lines lines instead of one say that the directory is away"
    lab_directory_start
    local start=$SECONDS
    lab_wait 60 controller_answers 200 || fail "the directory is back and the controller did not notice"
    note "one line while it was away; read $((SECONDS - start)) s after it was back"
}

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

# ---- the main job ----------------------------------------------------------------------------

initial_sync_is_equal_on_all() {
    local start took before files
    files=$(find "$(tree a1)" -type f | wc -l)
    ((files >= files_min)) || fail "only $files files to begin with"
    before=$(lab_wire "${nodes[@]}")
    start=$(milliseconds)
    start_agents
    touch "$lab_dir/no-sync"
    settled 150
    rm "$lab_dir/no-sync"
    took=$(($(milliseconds) - start))
    note "$files files, $(du -sm "$(tree a1)" | cut -f1) MB in $((took / 1000)).$((took / 100 % 10)) s," \
        "$((($(lab_wire "${nodes[@]}") - before) >> 20)) MiB on the wire for both copies"
}

edits_from() { # NODE
    local node readers=()
    for node in "${nodes[@]}"; do
        [ "$node" = "$1" ] || readers+=("$(tree "$node")")
    done
    local p50 max
    read -r p50 max < <(trees edits 10 20 "$(tree "$1")" "${readers[@]}") || fail "an edit on $1 did not arrive"
    note "p50 $p50 ms, max $max ms until both others had it"
}
edit_on_a1_arrives_on_both_others() { edits_from a1; }
edit_on_a2_arrives_on_both_others() { edits_from a2; }
edit_on_a3_arrives_on_both_others() { edits_from a3; }

every_kind_of_change_arrives() {
    local one two three
    one=$(tree a1)/kinds two=$(tree a2)/kinds three=$(tree a3)/kinds
    mkdir -p "$one"/{deep/er,gone,moved,"name with	tab and
newline"}
    printf '\377' > "$one/$(printf 'latin\377')"
    touch "$one"/{deleted,renamed,stays,"name with	tab and
newline/x"}
    ln -s ../stays "$one/deep/link"
    ln -s nowhere "$one/dangling"
    truncate -s 3M "$one/sparse"
    settled 30 kinds
    rm -r "$two"/{deleted,gone,dangling}
    mv "$two/renamed" "$two/deep/er/renamed"
    mv "$two/moved" "$two/deep/moved"
    ln -sfn ../../elsewhere "$two/deep/link"
    settled 30 kinds
    chmod 2750 "$three/deep"
    chown 1:2 "$three/stays"
    touch -d '2001-02-03 04:05:06.789' "$three/stays"
    setfacl -m u:1:r "$three/deep/er/renamed"
    /usr/bin/python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.note", b"kept")' "$three/stays"
    settled 30 kinds
    [ "$(stat -c '%u:%g %Y' "$one/stays")" = "$(stat -c '%u:%g %Y' "$three/stays")" ]
    note "create, delete, rename, move, symlinks, modes, owners, times, ACLs, attributes, odd names"
}

rename_of_1000_files_moves_no_data() {
    local before bytes
    trees make-files "$(tree a2)/thousand" 1000 16384
    settled 60 thousand
    sleep 1
    before=$(lab_wire "${nodes[@]}")
    mv "$(tree a2)/thousand" "$(tree a2)/renamed-thousand"
    settled 30 renamed-thousand
    [ ! -e "$(tree a1)/thousand" ] || fail "the old name is still there on a1"
    [ ! -e "$(tree a3)/thousand" ] || fail "the old name is still there on a3"
    bytes=$(($(lab_wire "${nodes[@]}") - before))
    note "$bytes bytes on the wire for 16384000 bytes of content"
    ((bytes < 163840)) || fail "$bytes bytes went over the wire"
}

insertion_travels_as_a_delta() {
    local file before bytes size percent
    file=$(tree a3)/large.bin
    head -c 64M /dev/urandom > "$file"
    settled 60
    sleep 1
    before=$(lab_wire "${nodes[@]}")
    trees insert "$file" 5000 1000
    arrives 30 data/large.bin a3 a1 a2
    settled 30
    size=$((64 << 20))
    bytes=$((($(lab_wire "${nodes[@]}") - before) / 2))
    percent=$(awk -v b=$bytes -v s=$size 'BEGIN { printf "%.2f", b * 100 / s }')
    note "$bytes bytes on the wire for each copy, $percent % of 64 MiB"
    ((bytes * 50 < size)) || fail "$percent % of the file went over the wire"
}

# ---- trouble ---------------------------------------------------------------------------------

conflict_has_one_winner_and_keeps_the_loser() {
    trap 'lab_link a1 up' EXIT
    local file one two winner loser
    file=$(tree a1)/conflict.txt
    echo "before" > "$file"
    arrives 20 data/conflict.txt a1 a2 a3
    settled 20
    lab_link a1 down
    echo "from a1 $RANDOM" > "$file"
    one=$(sha256sum < "$file")
    sleep 1.1
    echo "from a2 $RANDOM" > "$(tree a2)/conflict.txt"
    two=$(sha256sum < "$(tree a2)/conflict.txt")
    arrives 20 data/conflict.txt a2 a3
    lab_link a1 up
    settled 90
    winner=$(sha256sum < "$file")
    case $winner in
        "$one") loser=$two ;;
        "$two") loser=$one ;;
        *) fail "the winner is neither of the two" ;;
    esac
    find "$lab_dir"/trees/*/data/.coterie -type f -path '*preserve*' -exec sha256sum {} + |
        grep "^${loser%% *}" > /dev/null || fail "the losing content is not preserved anywhere"
    note "what came $(cut -d' ' -f1,2 "$file") wins on all three, the other content is preserved"
}

controller_away_and_replication_goes_on() {
    lab_stop controller
    local node
    for node in "${nodes[@]}"; do
        lab_agent "$node" status --json > /dev/null
    done
    replicates 20 a1 a2 a3
    replicates 20 a3 a1 a2
}

controller_back_and_agents_reattach() {
    local start=$SECONDS
    lab_running controller > /dev/null || lab_controller_start
    lab_wait 90 all_attached || fail "not all agents are attached again"
    lab_wait 20 controller_answers 200
    note "$((SECONDS - start)) s until all three were attached"
}

agent_killed_while_it_receives() {
    trees make-files "$(tree a1)/burst" 500 8192
    lab_signal a2 KILL
    sleep 1
    lab_agent_start a2
    settled 90
    note "500 files were on their way; a2 came back by itself to the same tree"
}

# closed and open again: the directory's schedule
set_schedules() { # BASE64
    local connection
    while read -r connection; do
        lab_set "$connection" msDFSR-Schedule: "$1"
    done < <(connections Demo)
}
unset_schedules() {
    local connection
    while read -r connection; do
        lab_unset "$connection" msDFSR-Schedule 2> /dev/null || true
    done < <(connections Demo)
}
says_closed() { lab_http /v1/status | grep 'closed-by-schedule' > /dev/null; }

schedule_closed_and_opened_in_the_directory() {
    trap unset_schedules EXIT
    set_schedules "$(head -c 336 /dev/zero | base64 -w0)"
    lab_wait 30 says_closed || fail "no connection says that its schedule is closed"
    sleep 1
    local file start
    file=$(write_new a1)
    sleep 5
    if [ -e "$lab_dir/trees/a2/$file" ] || [ -e "$lab_dir/trees/a3/$file" ]; then
        fail "the schedule is closed and $file was replicated"
    fi
    start=$(milliseconds)
    unset_schedules
    arrives 30 "$file" a1 a2 a3
    note "nothing for 5 s while closed; there $(($(milliseconds) - start)) ms after it was opened"
}

malformed_schedule_is_named() {
    local connection
    connection=$(connections Demo | sed -n 1p)
    # shellcheck disable=SC2064
    trap "lab_unset '$connection' msDFSR-Schedule" EXIT
    lab_set "$connection" msDFSR-Schedule: "$(head -c 10 /dev/zero | base64)"
    named 30 schedule
    replicates 20 a1 a2 a3
}
malformed_schedule_is_forgotten_when_mended() {
    lab_wait 30 no_problem_named schedule || fail "the status still names it"
}

# ---- who may ---------------------------------------------------------------------------------

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
    local node
    for node in "${spare_nodes[@]}"; do
        [ "$node" = a3 ] || mkdir -p "$lab_dir/trees/$node/spare"
    done
    lab_agent_conf a4 "$lab_dir/trees/a4"
    lab_agent_start a4
    echo spare > "$lab_dir/trees/a1/spare/file"
    arrives 60 spare/file a1 a2 a3 a4
    note "a second group with a fourth member, a4, beside the first"
}

stranger_is_refused_by_peers() {
    lab_stop a4
    delete_member Spare "CN=A4,CN=Computers,$lab_base"
    sleep 3
    # a4 still has its last good assignment and no controller to tell it better
    echo "of a stranger" > "$lab_dir/trees/a4/spare/stranger"
    lab_agent_conf a4 "$lab_dir/trees/a4" "controller=controller.$lab_domain:9"
    lab_agent_start a4
    lab_wait 40 log_says a1 "(refus|den|not).*a4\.$lab_domain|a4\.$lab_domain.*(refus|den|not)" ||
        fail "a1's log does not name the refusal"
    named 40 "a4\.$lab_domain"
    [ ! -e "$lab_dir/trees/a1/spare/stranger" ] || fail "a1 took a file from a stranger"
    lab_stop a4
}

stranger_is_refused_by_the_controller() {
    lab_agent_conf a4 "$lab_dir/trees/a4" "state_dir=$lab_dir/state/stranger"
    mkdir -p "$lab_dir/state/stranger"
    lab_agent_start a4
    lab_wait 40 log_says controller "a4\.$lab_domain" || fail "the controller's log does not name it"
    named 40 "a4\.$lab_domain"
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
    ((control > 1000)) || fail "the control found only $control pieces: the search proves nothing"
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

# ---- disks -----------------------------------------------------------------------------------

vanished_root_stops_its_folder_alone() {
    local data away before
    data=$(tree a3) away=$lab_dir/trees/a3/away
    # shellcheck disable=SC2064
    trap "[ ! -e '$away' ] || { rmdir '$data'; mv '$away' '$data'; }" EXIT
    settled 30
    before=$(trees list "$(tree a1)" | sha256sum)
    # what an unmounted disk looks like: the place is there, and empty
    mv "$data" "$away"
    mkdir "$data"
    named 40 "$data"
    sleep 3
    [ "$(trees list "$(tree a1)" | sha256sum)" = "$before" ] || fail "files were deleted on a1"
    replicates 20 a1 a2
    [ -z "$(ls -A "$data")" ] || fail "a3 writes into a place that is not its folder"
}
vanished_root_recovers_when_it_is_back() {
    local start=$SECONDS
    settled 90
    lab_wait 30 no_problem_named "$(tree a3)" || fail "the status still names it"
    note "$((SECONDS - start)) s until all were equal again"
}

# a3 keeps its part of the second group on a file system of 48 MiB
mount_small_disk() {
    mkdir -p "$lab_dir/trees/a3/spare"
    truncate -s 48M "$lab_dir/small.disk"
    mkfs.ext4 -q -m 0 "$lab_dir/small.disk"
    mount -o loop "$lab_dir/small.disk" "$lab_dir/trees/a3/spare"
    rmdir "$lab_dir/trees/a3/spare/lost+found"
}

full_disk_is_named() {
    local spare=$lab_dir/trees
    head -c 30M /dev/urandom > "$spare/a1/spare/first"
    arrives 40 spare/first a1 a2 a3
    head -c 30M /dev/urandom > "$spare/a1/spare/second"
    arrives 40 spare/second a1 a2
    named 40 "no space|full|space left"
    cmp "$spare/a1/spare/first" "$spare/a3/spare/first"
    [ ! -e "$spare/a3/spare/second" ] || fail "a3 shows a file for which it has no space"
}
full_disk_heals_when_there_is_space() {
    rm "$lab_dir/trees/a1/spare/first"
    # what a delete leaves in the preserve area may have to make room first
    arrives 90 spare/second a1 a3
    [ ! -e "$lab_dir/trees/a3/spare/first" ] || fail "the deleted file is still there"
    lab_wait 30 no_problem_named "no space|full|space left" || fail "the status still names it"
    replicates 20 a1 a2 a3
}

missing_path_is_named_and_recovers() {
    local away=$lab_dir/trees/a2/spare
    # shellcheck disable=SC2064
    trap "[ -e '$away' ] || mv '$away.away' '$away'" EXIT
    lab_stop a2
    mv "$away" "$away.away"
    lab_agent_start a2
    named 40 "$away"
    mv "$away.away" "$away"
    echo "again" > "$lab_dir/trees/a1/spare/again"
    arrives 60 spare/again a1 a2
    settled 60
}

# ---- the end ---------------------------------------------------------------------------------

no_program_has_died() {
    local name
    for name in controller "${nodes[@]}"; do
        lab_running "$name" > /dev/null || fail "$name does not run any more"
        ! grep -Ei 'assert|sanitizer|segmentation' "$lab_dir/log/$name.log" || fail "in $name's log"
    done
    settled 30
}

down_leaves_nothing() {
    lab_down
    local left
    left=$(lab_leftovers)
    [ -z "$left" ] || fail "$left"
    lab_down
}

failing_start_leaves_nothing() {
    local broken=$lab_dir/broken result=0 left
    mkdir -p "$broken/controller" "$broken/agent" "$broken/cli"
    ln -sf /bin/false "$broken/controller/coterie-controller"
    ln -sf /bin/false "$broken/agent/coterie-agent"
    ln -sf /bin/false "$broken/cli/coterie"
    COTERIE_BUILD=$broken COTERIE_DEMO_DIR=$lab_dir/failing \
        timeout 120 "$source_dir/deploy/demo.sh" up > "$lab_dir/failing.log" 2>&1 || result=$?
    ((result == 1)) || fail "up ended with $result: $(tail -n 2 "$lab_dir/failing.log")"
    left=$(use_lab demo "$lab_dir/failing" && lab_leftovers)
    [ -z "$left" ] || fail "$left"
}

all_checks=(
    controller_waits_for_the_directory
    missing_keytab_is_one_clear_line
    unreadable_keytab_is_one_clear_line
    wrong_keytab_is_one_clear_line
    initial_sync_is_equal_on_all
    edit_on_a1_arrives_on_both_others
    edit_on_a2_arrives_on_both_others
    edit_on_a3_arrives_on_both_others
    every_kind_of_change_arrives
    rename_of_1000_files_moves_no_data
    insertion_travels_as_a_delta
    conflict_has_one_winner_and_keeps_the_loser
    controller_away_and_replication_goes_on
    controller_back_and_agents_reattach
    agent_killed_while_it_receives
    schedule_closed_and_opened_in_the_directory
    malformed_schedule_is_named
    malformed_schedule_is_forgotten_when_mended
    capture_shows_no_plaintext
    garbage_from_a_peer_is_harmless
    vanished_root_stops_its_folder_alone
    vanished_root_recovers_when_it_is_back
    spare_group_works
    stranger_is_refused_by_peers
    stranger_is_refused_by_the_controller
    full_disk_is_named
    full_disk_heals_when_there_is_space
    missing_path_is_named_and_recovers
    no_program_has_died
    down_leaves_nothing
    failing_start_leaves_nothing
)

# Whatever is asked for, these prepare and end the lab.
always=" controller_waits_for_the_directory initial_sync_is_equal_on_all spare_group_works down_leaves_nothing "

prepare_checks() {
    guard_lab
    lab_down 2> /dev/null || true
    rm -rf "$lab_dir"
    begin_lab "${spare_nodes[@]}"
    local node members=()
    for node in "${spare_nodes[@]}"; do
        members+=(--member "${node^^}=$node.$lab_domain")
    done
    # the second group first: it writes the accounts of all four
    lab_make_group --settings --write-computers --group Spare "${members[@]}" \
        --folder "spare=$lab_dir/trees/{member}/spare" --primary A1
    make_demo_group --no-local-settings
    mount_small_disk
    fill_tree "$(tree a1)"
}

# run_check FUNCTION: prints its line, counts. Not to be called in a condition: bash would switch
# set -e off for all of the check.
run_check() {
    local title=${1//_/ } log=$lab_dir/log/check-$1.log result=0 start=$SECONDS
    rm -f "$lab_dir/note"
    set +e
    (
        trap - EXIT
        set -e
        "$1"
    ) > "$log" 2>&1
    result=$?
    set -e
    local figures
    figures=$(cat "$lab_dir/note" 2> /dev/null || true)
    if ((result == 0)); then
        passed=$((passed + 1))
        say "ok - $title${figures:+: $figures} ($((SECONDS - start)) s)"
    else
        failed=$((failed + 1))
        say "FAILED - $title: $(tail -n 3 "$log" | tr '\n' ' ')${figures:+ [$figures]} ($((SECONDS - start)) s)"
    fi
}

run_checks() { # [NAME…]
    local name wanted=" $* " start=$SECONDS
    passed=0 failed=0
    for name in "$@"; do
        [[ " ${all_checks[*]} " == *" $name "* ]] || { echo "demo.sh: no check is called $name" >&2; exit 2; }
    done
    prepare_machine
    prepare_checks
    for name in "${all_checks[@]}"; do
        [ $# = 0 ] || [[ $wanted$always == *" $name "* ]] || continue
        if [ -e "$lab_dir/no-sync" ] && [[ $name != *_leaves_nothing ]]; then
            failed=$((failed + 1))
            say "FAILED - ${name//_/ }: not tried, since the initial sync failed"
        else
            run_check "$name"
        fi
    done
    trap - EXIT INT TERM HUP
    if ((failed)); then
        say "the logs of this run are kept under $lab_dir/log"
    else
        rm -rf "$lab_dir"
    fi
    say "took $((SECONDS - start)) s"
    say "$passed passed, $failed failed"
    ((failed == 0))
}

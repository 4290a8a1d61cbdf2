# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Conflicts, programs that are away, schedules.
# Sourced by deploy/checks.sh, which says what a check is.
set -euo pipefail

: "${lab_dir:?}" "${nodes[*]:?}"

controller_waits_for_the_directory() {
    trap lab_directory_start EXIT
    lab_slapd_stop
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
connections_say() { # JQ_CONDITION: of every connection of the group
    lab_http /v1/status | jq -e "[.groups[] | select(.name == \"Demo\") | .folders[].connections[]] |
        length > 0 and all($1)" > /dev/null
}
some_connection_says() {
    lab_http /v1/status | jq -e "[.groups[] | select(.name == \"Demo\") | .folders[].connections[]] | any($1)" > /dev/null
}

schedule_closed_and_opened_in_the_directory() {
    trap unset_schedules EXIT
    local file start
    set_schedules "$(head -c 336 /dev/zero | base64 -w0)"
    lab_wait 30 connections_say '.schedule_open == false' || fail "the status does not show closed schedules"
    sleep 1
    file=$(write_new a1)
    sleep 5
    if [ -e "$lab_dir/trees/a2/$file" ] || [ -e "$lab_dir/trees/a3/$file" ]; then
        fail "the schedule is closed and $file was replicated"
    fi
    lab_wait 20 some_connection_says '.state == "closed-by-schedule"' ||
        fail "no connection says that it waits for its schedule"
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

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
no_problem_named() {
    local all
    all=$(lab_problems) || return 1
    ! grep -Eiq -- "$1" <<< "$all"
}
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

for part in job trouble trust disk; do
    # shellcheck source=/dev/null
    . "$source_dir/deploy/checks/$part.sh"
done

no_program_has_died() {
    local name
    for name in controller "${nodes[@]}"; do
        lab_running "$name" > /dev/null || fail "$name does not run any more"
        (($(stat -c %s "$lab_dir/log/$name.log") < 2 << 20)) ||
            fail "$name has written $(stat -c %s "$lab_dir/log/$name.log") bytes of log"
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
    skewed_clock_is_named_and_recovers
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
        --folder "spare=$lab_dir/trees/{member}/small/spare" --primary A1
    make_demo_group --no-local-settings
    # a3 keeps its part of the second group on a disk that is soon full
    lab_disk "$lab_dir/trees/a3/small" 64M
    for node in "${spare_nodes[@]}"; do
        mkdir -p "$lab_dir/trees/$node/small/spare"
    done
    fill_tree "$(tree a1)"
}

# run_check FUNCTION: prints its line, counts. Not to be called in a condition: bash would switch
# set -e off for all of the check.
run_check() {
    local title=${1//_/ } log=$lab_dir/log/check-$1.log result=0 start=$SECONDS
    rm -f "$lab_dir/note"
    set +e
    trap - ERR
    (
        trap - EXIT
        name_failures
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
    trap - ERR EXIT INT TERM HUP
    if ((failed)); then
        say "the logs of this run are kept under $lab_dir/log"
    else
        rm -rf "$lab_dir"
    fi
    say "took $((SECONDS - start)) s"
    say "$passed passed, $failed failed"
    ((failed == 0))
}

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Disks that fill up or vanish.
# Sourced by deploy/checks.sh, which says what a check is.
set -euo pipefail

: "${lab_dir:?}" "${nodes[*]:?}"

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

full="no space|disk is full|file system is full|free space"

full_disk_is_named() {
    local trees=$lab_dir/trees
    # something that is not ours takes the space
    head -c 48M /dev/zero > "$trees/a3/small/ballast"
    head -c 30M /dev/urandom > "$trees/a1/small/spare/large"
    arrives 40 small/spare/large a1 a2
    named 40 "$full"
    [ ! -e "$trees/a3/small/spare/large" ] || fail "a3 shows a file for which it has no space"
    # what fits goes on
    echo "little" > "$trees/a2/small/spare/little"
    arrives 40 small/spare/little a2 a1 a3
}
full_disk_heals_when_there_is_space() {
    local start=$SECONDS
    rm "$lab_dir/trees/a3/small/ballast"
    arrives 90 small/spare/large a1 a3
    lab_wait 30 no_problem_named "$full" || fail "the status still names it"
    note "by itself, $((SECONDS - start)) s after there was space again"
}

missing_path_is_named_and_recovers() {
    local path=$lab_dir/trees/a2/small/spare
    # shellcheck disable=SC2064
    trap "[ -e '$path' ] || mv '$path.away' '$path'" EXIT
    lab_stop a2
    mv "$path" "$path.away"
    lab_agent_start a2
    named 40 "$path"
    mv "$path.away" "$path"
    echo "again" > "$lab_dir/trees/a1/small/spare/again"
    arrives 60 small/spare/again a1 a2
    settled 60
}

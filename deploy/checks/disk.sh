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

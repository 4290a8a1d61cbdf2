# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The main job: what is written on one member is on all.
# Sourced by deploy/checks.sh, which says what a check is.
set -euo pipefail

: "${lab_dir:?}" "${files_min:?}" "${spare_nodes[*]:?}" "${nodes[*]:?}"

initial_sync_is_equal_on_all() {
    local start took before files
    touch "$lab_dir/no-sync"
    files=$(find "$(tree a1)" -type f | wc -l)
    [ -n "${COTERIE_DEMO_TREE:-}" ] || ((files >= files_min)) || fail "only $files files to begin with"
    before=$(lab_wire "${nodes[@]}")
    start=$(milliseconds)
    # a4 too: a member of the second group that is away would rightly be named as not in sync
    start_agents "${spare_nodes[@]}"
    settled 300
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

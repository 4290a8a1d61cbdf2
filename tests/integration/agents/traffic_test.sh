#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How little has to travel: content that is there already, and what both ends count.
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

# travels N BYTES_MAX COMMAND…: do it, wait, and see how much agent N has got for it
travels() {
    local n=$1 most=$2 before after
    shift 2
    before=$(received "$n")
    "$@" || fail "$*"
    settle 60
    after=$(received "$n")
    check test $(( after - before )) -lt "$most"
}

a_copy_under_another_name_moves_no_content() {
    head -c 20000000 /dev/urandom > "$r1/original"
    settle 60
    travels 2 20000 cp "$r1/original" "$r1/copy"
    check cmp "$r1/original" "$r2/copy"
    # also when the copy takes the place of something else
    echo other > "$r1/other"
    settle
    travels 3 20000 cp "$r1/original" "$r1/other"
    check cmp "$r1/original" "$r3/other"
}

change_while_copied() {
    pause 2
    cp "$r1/original" "$r1/second"
    printf %s "$1" | dd of="$r2/original" conv=notrunc status=none
    resume 2
}

a_copy_of_what_has_changed_here_meanwhile_arrives_right() {
    # another file still has that content
    travels 2 20000 change_while_copied x
    check test "$(head -c 1 "$r1/original")" = x
    check cmp "$r1/copy" "$r2/second"
}

edit() { python3 "$COTERIE_SOURCE/tests/support/trees.py" insert "$1" "$2" "$3"; }

overwrite() { printf %s "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

# bytes that agent N has read from anything at all, sockets included
has_read() { awk '$1 == "rchar:" { print $2 }' "/proc/$(agents_pid "$scenario_dir" "$1")/io"; }

a_near_copy_under_a_new_name_travels_as_a_delta() {
    cp "$r1/original" "$scenario_dir/near" && edit "$scenario_dir/near" 7000000 5000
    travels 2 200000 mv "$scenario_dir/near" "$r1/near"
    check cmp "$r1/near" "$r2/near"
    # from a member that got both from another
    cp "$r3/near" "$scenario_dir/nearer" && edit "$scenario_dir/nearer" 12000000 5000
    travels 1 200000 mv "$scenario_dir/nearer" "$r3/nearer"
    check cmp "$r3/nearer" "$r1/nearer"
}

what_is_known_of_contents_survives_a_restart() {
    stop 1; start 1
    stop 2; start 2
    settle 60
    cp "$r1/original" "$scenario_dir/near" && edit "$scenario_dir/near" 3000000 5000
    travels 2 200000 mv "$scenario_dir/near" "$r1/near_too"
    rm -rf "$r1/.coterie/signatures"/* "$r2/.coterie/signatures"/*
    travels 2 400000 edit "$r1/near_too" 9000000 1000
    check cmp "$r1/near_too" "$r2/near_too"
}

an_edit_is_not_read_again_for_each_partner() {
    local before
    head -c 30000000 /dev/urandom > "$r1/edited"
    settle 60
    before=$(has_read 1)
    travels 2 10000 overwrite "$r1/edited" 10000000 changed
    # once to hash and sign it; partners cost what has changed
    check test $(( $(has_read 1) - before )) -lt 36000000
}

a_connection_without_rdc_moves_whole_files() {
    local before
    stop 2
    AGENTS_IN=in-whole agents_write "$scenario_dir" 2 3
    start 2
    settle 60
    before=$(received 2)
    overwrite "$r1/edited" 20000000 again
    settle 60
    check test $(( $(received 2) - before )) -gt 29000000
    travels 2 20000 cp "$r1/edited" "$r1/edited_copy"
}

# document FILE EDIT: an office document as one is saved: packed text, and a picture
document() {
    python3 - "$@" <<'EOF'
import random, sys, zipfile
path, edit = sys.argv[1:]
words = random.Random(5)
vocabulary = ["%x" % words.getrandbits(28) for _ in range(5000)]
text = [" ".join(words.choices(vocabulary, k=60)) for _ in range(8000)]
text[3000] += edit
with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
    out.writestr(zipfile.ZipInfo("word/document.xml"), "<p>".join(text), zipfile.ZIP_DEFLATED)
    out.writestr(zipfile.ZipInfo("word/media/image1.png"), words.randbytes(300000))
EOF
}

save_document() {
    document "$scenario_dir/document" "$2" && mv "$scenario_dir/document" "$1"
}

a_document_saved_again_travels_as_its_edits() {
    save_document "$r1/report.docx" ""
    settle 60
    check test "$(stat -c %s "$r1/report.docx")" -gt 1500000
    travels 2 60000 save_document "$r1/report.docx" " with something added"
    check cmp "$r1/report.docx" "$r2/report.docx"
    # another member goes on with it
    travels 1 60000 save_document "$r3/report.docx" " with something else"
    check cmp "$r3/report.docx" "$r1/report.docx"
}

the_sender_counts_content_too() {
    local gave got
    gave=$(sent 1)
    got=$(( $(received 2) + $(received 3) ))
    head -c 5000000 /dev/urandom > "$r1/counted"
    settle 60
    gave=$(( $(sent 1) - gave ))
    got=$(( $(received 2) + $(received 3) - got ))
    check test "$gave" -gt 4900000
    check test "$got" -gt 9900000
}

scenario_up
promise "a copy under another name moves no content" a_copy_under_another_name_moves_no_content
promise "a copy of what has changed here meanwhile arrives right" a_copy_of_what_has_changed_here_meanwhile_arrives_right
promise "a near copy under a new name travels as a delta" a_near_copy_under_a_new_name_travels_as_a_delta
promise "what is known of contents survives a restart" what_is_known_of_contents_survives_a_restart
promise "an edit is not read again for each partner" an_edit_is_not_read_again_for_each_partner
promise "a document saved again travels as its edits" a_document_saved_again_travels_as_its_edits
promise "a connection without rdc moves whole files" a_connection_without_rdc_moves_whole_files
promise "the sender counts content too" the_sender_counts_content_too
scenario_down

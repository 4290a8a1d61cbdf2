#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Hostile names, large and deep and many, and files that change while they are read.
. "$COTERIE_SOURCE/tests/integration/agents/scenario.sh"

hostile_names_travel() {
    local names=($'new\nline' $'\xff\xfe' ' leading' 'trailing ' '"quoted"' '$(touch x)' '*' '-rf' '\' 'a (deleted)'
        "$(printf 'n%.0s' $(seq 255))")
    local name
    mkdir "$r1/names"
    for name in "${names[@]}"; do
        echo "$name" > "$r1/names/$name"
        mkdir "$r1/names/d${name:1}" && echo in > "$r1/names/d${name:1}/$name"
    done
    settle
    for name in "${names[@]}"; do
        holds "$r3/names/$name" "$name"
        holds "$r3/names/d${name:1}/$name" in
    done
    for name in "${names[@]}"; do
        mv "$r2/names/$name" "$r2/names/d${name:1}/moved"
    done
    settle
    holds "$r1/names/d${names[0]:1}/moved" "${names[0]}"
    rm -rf "$r3/names"
    settle
    missing "$r1/names"
}

an_insertion_into_a_large_file_travels_alone() {
    local before after
    head -c 67108864 /dev/urandom > "$r1/large"
    settle 60
    before=$(received 2)
    python3 "$COTERIE_SOURCE/tests/support/trees.py" insert "$r1/large" 20000000 1000
    settle 60
    after=$(received 2)
    check test "$(stat -c %s "$r2/large")" = 67109864
    check test $(( after - before )) -lt 2000000
    rm "$r1/large"
}

a_deep_tree_travels() {
    local path=deep n
    for n in $(seq 150); do path+=/level$n; done
    mkdir -p "$r1/$path"
    echo bottom > "$r1/$path/file"
    settle
    holds "$r3/$path/file" bottom
    mv "$r3/deep" "$r3/deeper"
    settle
    holds "$r1/deeper${path#deep}/file" bottom
    rm -r "$r2/deeper"
    settle
    missing "$r1/deeper"
}

many_small_files_travel() {
    python3 "$COTERIE_SOURCE/tests/support/trees.py" make-files "$r1" 3000 200
    settle 60
}

a_file_that_changes_while_it_is_read_arrives_whole() {
    local n
    # written by pieces through one descriptor: half of it must never be what stays
    exec 9> "$r1/growing"
    for n in $(seq 40); do
        head -c 50000 /dev/zero | tr '\0' "\\$(printf %o $(( 65 + n % 26 )))" >&9
        sleep 0.05
    done
    exec 9>&-
    settle
    check test "$(stat -c %s "$r3/growing")" = 2000000
    python3 - "$r1/growing" <<'P'
import mmap, sys, time
with open(sys.argv[1], "r+b") as f:
    with mmap.mmap(f.fileno(), 0) as m:
        for i in range(50):
            m[i * 1000] = i
            time.sleep(0.02)
P
    settle
    check cmp "$r1/growing" "$r3/growing"
}

edits_in_quick_succession_all_end_equal() {
    local n
    for n in $(seq 300); do echo "$n" > "$r1/quick"; done
    settle
    holds "$r2/quick" 300
    for n in $(seq 100); do printf '%03d' "$n" | dd of="$r2/quick" conv=notrunc status=none; done
    settle
    check test "$(head -c 3 "$r1/quick")" = 100
}

what_is_not_replicated_is_said() {
    mkfifo "$r1/pipe"
    echo x > "$r1/first" && ln "$r1/first" "$r1/second"
    agents_idle "$scenario_dir" 3 30 || fail "not idle"
    "$COTERIE_BUILD/cli/coterie" agent status --socket "$scenario_dir/1/agent.sock" | grep -q pipe ||
        fail "the fifo is not named"
    rm "$r1/pipe" "$r1/second"
    settle
    "$COTERIE_BUILD/cli/coterie" agent status --socket "$scenario_dir/1/agent.sock" | grep -q pipe &&
        fail "the fifo is still named"
    return 0
}

scenario_up
promise "hostile names travel" hostile_names_travel
promise "an insertion into a large file travels alone" an_insertion_into_a_large_file_travels_alone
promise "a deep tree travels" a_deep_tree_travels
promise "many small files travel" many_small_files_travel
promise "a file that changes while it is read arrives whole" a_file_that_changes_while_it_is_read_arrives_whole
promise "edits in quick succession all end equal" edits_in_quick_succession_all_end_equal
promise "what is not replicated is said" what_is_not_replicated_is_said
scenario_down

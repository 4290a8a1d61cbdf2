#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Does the simulation notice when the core is wrong? Plants one fault at a time into a copy of one
# source file, links the simulation with it, and runs seeds until one fails: those that failed once
# (seeds.txt), then from 1. Prints each fault and the seed that caught it; ends with 1 when one was not caught or
# could not be planted.
#
#   mutants.sh [--seeds N] [NAME…]      at most N seeds more for each fault (default 100000)
#   mutants.sh --model [NAME…]          hunt with all orders of two changes (model/exhaustive.c) instead,
#                                       which knows no crashes, sessions and read-only members
#
# Needs a built simulation (COTERIE_BUILD, else build/release, build/dev). Sources are not touched.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
seed_count=100000

# name | file | what is wrong | sed script
# Some that look like faults are none, or none that a run could show:
# - a clash that is taken for a move of the holder: it waits for that move, in vain, and is decided when
#   nothing comes any more (rule 4); a parked record that is told ends the same way;
# - who wins, by name-conflict tombstones, fences or clocks, is all one to the simulation as long as all
#   agree and the loser is kept: that the right one does is for tests/unit/core/replica_test.c;
# - children that are sent before their parents, and lesser versions before greater, wait, or come again.
mutants() {
    cat <<'LIST'
older_wins|agent/version/update.c|the lesser clock wins|s/rank_compare(a->clock, b->clock)/rank_compare(b->clock, a->clock)/
order_without_gvsn|agent/version/update.c|equal clocks are not told apart|s/order = gvsn_compare(&a->gvsn, &b->gvsn)/order = 0/
vector_off_by_one|agent/version/vector.c|a vector contains one number too many|s/intervals\[at\].low < version->number/intervals[at].low <= version->number/
same_content_by_size|agent/version/update.c|equal size counts as equal content|s/a->size == b->size \&\& content_hash_equal(.*);/a->size == b->size;/
clock_rule_dropped|agent/replica/stamp.c|a fresh version ignores the clocks that it saw|s/u->clock = saw_clock + 1 > stamper->now ? saw_clock + 1 : stamper->now/u->clock = stamper->now/
lesser_claimed|agent/replica/judge.c|a lesser update with content of its own is claimed|s/    return RULING_BEHIND;\n}/&/;/update_same_content(u, ours))/,/return RULING_BEHIND/s/return RULING_BEHIND/return RULING_CLAIM/
conflict_unseen|agent/replica/judge.c|every greater update counts as a successor|s/out->is_concurrent = out->has_ours/out->is_concurrent = false \&\& out->has_ours/
cycle_ignored|agent/replica/judge.c|a move may close a cycle|s/return RULING_KEEP_PLACE;/break;/
new_child_ignored|agent/replica/judge.c|a directory is deleted over a new child|s/return RULING_REVIVE;/return RULING_BURY;/
tombstone_not_waiting|agent/replica/judge.c|a directory's tombstone revives it over children on their way|s/^        return RULING_WAIT;$/        return RULING_REVIVE;/
clash_unseen|agent/replica/judge.c|who loses a name clash keeps the name|s/RULING_PARK : RULING_CLASH;/RULING_PARK : RULING_PLACE;/
conflict_not_preserved|agent/replica/place.c|the loser of concurrent edits is not kept|s/ruling->is_concurrent ? PRESERVE_CONFLICT : PRESERVE_NONE/PRESERVE_NONE/
clash_not_preserved|agent/replica/clash.c|the loser of a name clash is not kept|s/PRESERVE_NAME_CONFLICT/PRESERVE_NONE/
clash_loser_forgotten|agent/replica/clash.c|the loser of a name clash leaves no tombstone|s/if (replica_is_unheard(plan->replica, loser))/if (true)/
delete_not_preserved|agent/replica/remove.c|a deleted file with an unknown edit is not kept|s/reason = PRESERVE_[A-Z_]*;/reason = PRESERVE_NONE;/
claimed_before_done|agent/replica/settle.c|offers whose steps failed are settled as done|s/while (done < count \&\& results\[done\].status == ST_OK)/while (done < count)/
park_not_ahead|agent/replica/settle.c|parking is not recorded ahead of the step|s/mark_parked(plan, 0, PLACE_PARKED);/(void)0;/
fresh_unclaimed|agent/replica/local.c|our own versions are not in our vector|s/vector_add(&change->vector, &record->update.gvsn);/(void)0;/
move_unseen|agent/replica/local.c|a local move is recorded without its new parent|s/u->parent = seen->parent;\n    update_set_name/&/;0,/u->parent = seen->parent;/s/u->parent = seen->parent;/(void)0;/
edit_unseen|agent/replica/local.c|a local edit keeps the old content hash|0,/    set_content(u, seen);/s/    set_content(u, seen);/    (void)set_content;/
expectation_dropped|agent/replica/plan.c|steps do not say which state they expect|s/step->expect_witness = record->witness;/(void)0;/
joined_too_early|agent/session/receiver.c|the sender's vector is joined after an incomplete round|s/} else if (r->complete) {/} else if (true) {/
joined_in_spite|agent/session/receiver.c|the sender's vector is joined though an update was not done|s/        r->lossy = true;/        r->progressed = true;/
always_complete|agent/session/sender.c|every round is called complete|s/\*out_complete = .*;/*out_complete = true;/
tombstones_not_sent|agent/session/sender.c|tombstones are left out|s/s->phase = PHASE_TOMBSTONES;/s->phase = PHASE_LIVE;/
failure_called_done|agent/session/intake.c|an update that could not be settled is called done|s/settle(intake, item, false);/settle(intake, item, true);/
parked_for_ever|agent/replica/clash.c|what is parked waits for ever|s/    if (!plan_knows_object(&parked))/    if (true)/
parked_attributes_kept|agent/replica/plan.c|what was parked returns with attributes that a stopped plan gave it|s/    if (from->place == PLACE_PARKED)/    if (false)/
merged_into_itself|agent/replica/judge.c|a directory whose merges lead back to it is its own heir|s/hop < MERGE_HOP_MAX \&\& !file_id_equal(out_id, \&merged->id)/hop < MERGE_HOP_MAX/
read_only_answers|agent/replica/judge.c|a read-only member answers updates|s/    if (replica->options.read_only)/    if (false)/
read_only_keeps|agent/replica/return.c|what users of a read-only member made stays|s/if (!replica->options.read_only ||/if (true ||/
undone_joined|agent/replica/replica.c|what was undone is claimed with the round that was running|s/        vector_remove(joined, &undone->gvsn);/        (void)joined;/
expired_too_early|agent/replica/replica.c|tombstones expire though a partner lacks them|s/!vector_contains(held, &record.update.gvsn)/false/;s/vector_contains(held, &record.update.gvsn)/true/
heard_ignored|agent/replica/life.c|what partners say of our lost numbers is not heard|s/    if (greatest > state->number_last)/    if (false)/
changed_under_round|agent/session/sender.c|a round is complete though records were replaced while it ran|s/\*out_complete = !s->skipped \&\& .*;/*out_complete = !s->skipped;/
sequence_unchecked|agent/session/sequence.c|a message that is not the next one is taken|s/number == ++s->received/++s->received != 0 || number/
revived_without_fence|agent/replica/remove.c|a directory is revived with less authority than its tombstone|s/            revived.update.fence = u->fence;/            (void)u;/
recovered_blindly|agent/replica/recover.c|after a crash an intent is taken though it does not fit|s/ || !fits(r->replica, &r->view, &record))/)/
stepped_not_out|agent/replica/local.c|what takes the name of the directory that it stood in goes with that|s/        step_out(change, record, \&holder->update.id);/        (void)step_out;/
author_unknown|agent/replica/judge.c|who made a version is not taken to know its own lesser ones|s/ || gvsn_succeeds(&u->gvsn, gvsn);/;/
sister_unknown|agent/replica/judge.c|a name that its holder's maker knew to be free is a clash|s/    if (is_older_sister(u, &ruling->holder.update))/    if (false)/
merge_buried|agent/replica/judge.c|a merged directory goes with the children that it still has|s/? RULING_REHOME : RULING_WAIT/? RULING_BURY : RULING_WAIT/
not_reminded|agent/replica/judge.c|who forgot a deletion is not reminded|s/        return RULING_REMIND;/        return RULING_BEHIND;/
case_unfolded|agent/replica/table.c|names that differ only in case are two on a disk where they are one|s/fold ? fold_byte(a->data\[i\]) : a->data\[i\]/a->data[i]/;s/fold ? fold_byte(a.data\[i\]) : a.data\[i\]/a.data[i]/;s/fold ? fold_byte(b.data\[i\]) : b.data\[i\]/b.data[i]/
read_only_edit_stays|agent/replica/local.c|what users of a read-only member changed does not come again|s/    if (replica->options.read_only \&\& record/    if (false \&\& record/
deleted_before_sync|agent/replica/local.c|a deletion without a say counts|s/    if (replica_has_say(replica) || (is_ours/    if (true || (is_ours/
rescue_dropped|agent/replica/local.c|what is parked goes with the directory that it was in|s/        if (at.update.kind == FILE_DIRECTORY \&\& view_next_child.*/        if (at.update.kind == FILE_DIRECTORY \&\& view_next_child(\&change->view, \&id, NULL, \&child) \&\& child.place != PLACE_PARKED) {/
credit_kept|agent/session/receiver.c|credits never go back|s/    if (r->credit_owed >= CREDIT_PORTION)/    if (false)/
search_ends_early|agent/session/sender.c|a long search ends the pass|s/    return FOUND_REST;/    return FOUND_NONE;/
lives_dropped|agent/replica/life.c|a database that went back issues the same numbers again|s/    return life > VERSION_LIFE_MAX.*/    return number;/
deletions_forgotten|agent/replica/replica.c|what was deleted and dropped is not remembered as forgotten|s/        vector_add(\&state.forgotten, .*/        (void)0;/
undone_forgotten|agent/replica/replica.c|what a read-only member gave up does not come again|s/    keep_undone(replica, .*/    (void)keep_undone;/
recovered_numbers_kept|agent/replica/recover.c|a plan's numbers outlive a roll-back into its middle|s/ = ++r->state.number_last;/ += 0;/
deletion_not_told_anew|agent/replica/remove.c|who made a version that a deletion beats does not hear of it|s/        plan_stamp(plan, \&dead.update, 0);/        (void)0;/
dead_directory_claimed|agent/replica/judge.c|a directory that is dead here is claimed of who does not know it|s/(ours->present \&\& update_same_content(u, ours))/u->kind == FILE_DIRECTORY || update_same_content(u, ours)/
waits_for_ever|agent/session/intake.c|a tombstone waits for ever for what does not come|s/    return !item->failed \&\& !item->in_vain;/    return false;/
vain_wait_called_done|agent/session/intake.c|what waits in vain is called done|s/tell_settled(intake, source, &item->update.gvsn, false);/tell_settled(intake, source, \&item->update.gvsn, true);/
LIST
}

find_objects() {
    local dir

    for dir in "${COTERIE_BUILD:-}" "$root/build/release" "$root/build/dev"; do
        if [ -n "$dir" ] && [ -x "$dir/tests/sim/$program" ]; then
            echo "$dir/tests/sim/$(dirname "$program")/CMakeFiles/$(basename "$program").dir"
            return
        fi
    done
    echo "mutants.sh: no simulation is built: cmake --workflow --preset dev" >&2
    exit 2
}

# Some faults show in one of a million seeds: once found, they are found again.
known_seeds() {
    local seed _

    [ "$program" = sim ] || return 0
    while read -r seed _; do
        if [[ $seed =~ ^[0-9]+$ ]]; then "$work/sim" "$seed" "$seed" 2>&1 || true; fi
    done <"$here/seeds.txt"
}

# Plants one fault and hunts it. Returns 1 when it is not caught.
hunt() {
    local name=$1 file=$2 what=$3 script=$4
    local copy="$work/$file" others verdict

    mkdir -p "$(dirname "$copy")"
    sed "$script" "$root/$file" >"$copy"
    if cmp -s "$copy" "$root/$file"; then
        printf '%-24s NOT PLANTED: the text is gone from %s\n' "$name" "$file"
        return 1
    fi
    # shellcheck disable=SC2086
    if ! "${CC:-cc}" -O2 -g -std=c17 $limits -D_GNU_SOURCE -DCOTERIE_VERSION='"mutant"' -I"$root" -w \
        -c "$copy" -o "$work/mutant.o" 2>"$work/log"; then
        printf '%-24s NOT PLANTED: it does not compile\n' "$name"
        cat "$work/log" >&2
        return 1
    fi
    others=$(find "$objects" -name '*.o' ! -path "*/$file.o")
    # shellcheck disable=SC2086
    "${CC:-cc}" -o "$work/sim" $others "$work/mutant.o"
    # processor time: what else the machine does must not save a mutant
    verdict=$( (ulimit -t 300; known_seeds; exec "$work/sim" "${search[@]}" 2>&1) |
        grep -m1 -E 'FAILED|VIOLATION|Assertion') || verdict=""
    rm -f "$copy"
    if [ -z "$verdict" ]; then
        printf '%-24s NOT CAUGHT by %s: %s\n' "$name" "${search[*]}" "$what"
        return 1
    fi
    printf '%-24s %s\n%-24s caught: %s\n' "$name" "$what" "" "${verdict#FAILED: }"
}

only=()
program=sim
while [ $# -gt 0 ]; do
    case $1 in
    --seeds)
        seed_count=$2
        shift
        ;;
    --model) program=model/exhaustive ;;
    -*)
        sed -n '3,12s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
    *) only+=("$1") ;;
    esac
    shift
done
objects=$(find_objects)
search=(1 "$seed_count")
[ "$program" = sim ] || search=(--depth 2)
limits=$(grep -o 'SESSION_[A-Z_]*=[0-9]*u' "$here/CMakeLists.txt" | sed 's/^/-D/')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
planted=0
missed=0
while IFS='|' read -r name file what script; do
    if [ ${#only[@]} -gt 0 ] && [[ " ${only[*]} " != *" $name "* ]]; then
        continue
    fi
    planted=$((planted + 1))
    hunt "$name" "$file" "$what" "$script" || missed=$((missed + 1))
done < <(mutants)
echo "faults=$planted caught=$((planted - missed))"
[ "$missed" -eq 0 ]

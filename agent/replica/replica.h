/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/replica/replica.h: one member's copy of one folder: what is true, what wins, what to do.
 *
 * Pure: no clock, disk, network or thread of its own. Local observations and partners' updates come
 * in as values; steps for the disk come out; results come back; records change only in a durable
 * commit of the store (store.h). The same code runs in the agent (agent/folder) and in tests/sim.
 *
 * Rules, all of them functions of (our record, the update, the sender's vector), so that every
 * member decides alike. "The sender knows" a version when its vector contains the gvsn, or when the
 * update itself comes from the same life of the same database and has a greater number: its author
 * knew. Everywhere
 * one law holds: a vector that contains a gvsn belongs to a member whose record of that file is that
 * version or a greater one, and whatever content it gave up for that is superseded or preserved.
 *
 *  1. The greater update of a file wins (update_compare). A lesser one that has no content of its own
 *     to lose (a tombstone; a directory, or the content, that we hold) is claimed. Any other lesser one
 *     is refused as *behind* and not claimed: it was made without knowing ours, and its member keeps
 *     that content until it receives ours and preserves it. Behind resolves itself as soon as the
 *     sender has learned what we know; until then the two are honestly out of sync. If it had learned of
 *     ours and has forgotten it since (a tombstone, dropped), it is told again, as a fresh version.
 *     A tombstone that beats a version which its sender did not know is recorded as a fresh one of ours,
 *     since who made that version may have forgotten the deletion.
 *  2. Conflict or successor: if the sender knows our version, its greater update supersedes ours.
 *     Otherwise the two are concurrent: our content is preserved where it stood on disk, unless both
 *     contents are equal.
 *  3. A live record's parent is a live directory. Parents come before children; an update whose
 *     parent is unknown waits; one whose parent is dead here is behind. The tombstone of a directory
 *     waits while children that the sender knew are still here (their updates are on the way), and
 *     revives the directory with a fresh version when a child that the sender did not know lives in
 *     it. So whoever holds the child answers, once. A tombstone that waits in vain is answered so
 *     all the same: what it waits for may itself wait for us, or be lost.
 *  4. Names are unique among live children of a parent. If the sender knows the record that holds the
 *     name, it has moved or deleted it since: the holder is parked until its own update comes. (So a
 *     sender never tells a record that is parked: its name belongs to another. Such a round is
 *     incomplete.)
 *     Otherwise it is a name clash. A directory beats what is not one, else the greater update wins.
 *     Two directories merge: the lesser one's children move to the greater with fresh versions, it
 *     becomes a name-conflict tombstone that says where they went. Else the lesser becomes a
 *     name-conflict tombstone, and whoever has its content preserves that. Whoever sees both first does
 *     this; but an arriving loser with the winner's content, or a directory that we have elsewhere, is
 *     behind: its own member will see the winner.
 *  5. A move that would make a directory its own ancestor is answered with a fresh version of the
 *     moved directory that keeps our place for it.
 *  6. A fresh version has the next number of our database and clock = max(all it saw + 1, now). No number
 *     is ever issued twice, though the database may have gone back to what it was: each time it is opened
 *     its numbers go on in a new life, above all others by the clock and at a random place. What a lost
 *     time line had issued is lacking in our vector and comes from partners like any update.
 *  7. The vector claims a gvsn only in the commit that makes its update durable here (or a greater
 *     one, by rule 1). A sender's whole vector is joined only after a complete round of which every
 *     update was settled as done.
 *  8. Content on disk that we have not seen is never touched: each step names what it expects to
 *     find; when the disk shows something else the update waits and the folder looks again.
 *  9. Before its first sync a member that is not primary has no say, and serves nobody; a read-only
 *     member never has. What it found of its own yields to any update of the same name, and is
 *     forgotten then rather than tombstoned, since nobody has ever heard of it: equal content and
 *     directories are taken over where they stand, without transfer, differing content is preserved, a
 *     directory in the way of a file is set aside under another name. What it received and then
 *     deleted leaves its vector and comes again; what it received and then changed is changed as by
 *     anybody, except that a read-only member's change yields, and what it changed comes again. What a read-only
 *     member still has of its own after its first sync is preserved and removed.
 *
 * Use. Local:   change = replica_change_begin(); observe…; replica_change_commit().
 *      Remote:  replica_judge() on arrival (is content needed?); when content is staged:
 *               replica_plan() → steps; replica_intend(); the folder executes the steps in order;
 *               replica_settle() with the results.
 * Only one change or plan is open at a time.
 */
#ifndef AGENT_REPLICA_REPLICA_H
#define AGENT_REPLICA_REPLICA_H

#include "agent/replica/store.h"
#include "common/base/instant.h"
#include "common/base/log.h"

struct replica;

struct replica_options {
    struct guid folder;
    struct store store;
    bool primary;             /* first scan stamps with FENCE_INITIAL_PRIMARY */
    bool read_only;           /* local changes are undone, never stamped */
    bool case_insensitive;    /* names that differ only in ASCII case clash */
    struct guid member;         /* this member of the folder, by the assignment */
    struct guid fresh_database; /* random; used when the store has no state yet, or is not ours */
    struct walltime now;
    const struct log_ctx *log;
};

/*
 * The store of another member (its machine was cloned) goes on under a fresh database. So does one that had
 * no first sync yet, each time: what it numbered is renamed, since a lost time line may have given up what
 * nobody had heard of, and others know those numbers.
 *
 * Errors: ST_IO (store), ST_BADDATA (state in the store breaks a rule).
 */
NODISCARD enum status replica_open(const struct replica_options *options, struct replica **out_replica);
void replica_close(struct replica *replica); /* NULL allowed */

/* Borrowed until the next commit. */
const struct vector *replica_vector(const struct replica *replica);
const struct replica_state *replica_state(const struct replica *replica);
struct file_id replica_root(const struct replica *replica);

/*
 * What a partner says that it has, either way; may come while a plan is open. Numbers of ours that we have
 * not reached are left out from now on. When it has versions of our own database that we lack, the database
 * has gone back; they come again like any update.
 */
void replica_heard(struct replica *replica, const struct vector *partner_vector);
/* The database has gone back, and not all that partners have of it has come again. */
bool replica_went_back(const struct replica *replica);

/* --- local changes --- */

/* Something seen on disk in the tree. */
struct observation {
    struct file_id parent;
    struct span name;
    enum file_kind kind;
    struct object object;
    struct witness witness;
    uint64_t size;
    struct content_hash hash;
    struct span attributes;
    uint64_t create_time;
};

enum observed {
    OBSERVED_SAME,    /* as recorded, perhaps with a new witness */
    OBSERVED_NEW,
    OBSERVED_CHANGED, /* content or attributes */
    OBSERVED_MOVED,   /* place, perhaps content too */
    OBSERVED_LATER,   /* its parent or the holder of its name must be looked at first */
};

struct change;

/* A scan also looks into parked directories: what stands in one belongs to the tree. */
struct change *replica_change_begin(struct replica *replica, struct walltime now);

/*
 * The object stands at this place with this content. An object we know is the same file wherever it
 * stands. An unknown object at a recorded name whose own object has gone is a new version of that
 * file when the kinds agree (editors replace by rename), else a tombstone and a new file; the caller
 * has looked whether the recorded object still stands elsewhere and reported that first
 * (@holder_gone true), otherwise OBSERVED_LATER.
 */
enum observed replica_observe(struct change *change, const struct observation *seen,
                              bool holder_gone, struct file_id *out_id);

/* The object of a present record stands nowhere any more, neither in the tree nor parked. Children are
 * tombstoned with it, deepest first. */
void replica_observe_gone(struct change *change, const struct file_id *id);

/* The object of this record stands at another place that is held too, so that every observation of a
 * cycle of renames comes back as OBSERVED_LATER: take it out of its place. The caller observes it at
 * its new place in the same change. */
void replica_observe_displaced(struct change *change, const struct file_id *id);

/* A parked file was found in the parked directory in another state than recorded: who has it open goes on
 * writing there. A change like any other of the file, which stays parked. @seen: its name, parent and
 * attributes do not count: a plan that stopped may have changed those, and the next one sets them. */
enum observed replica_observe_parked(struct change *change, const struct observation *seen);

/* Durable; the vector contains the new gvsns afterwards. @out_count: updates issued, and those that
 * left the vector to come again: partners are to hear of either. */
NODISCARD enum status replica_change_commit(struct change *change, size_t *out_count);
void replica_change_abort(struct change *change);

/* The first scan has seen the whole tree. */
NODISCARD enum status replica_initial_scan_done(struct replica *replica);

/* --- partners' updates --- */

enum verdict {
    VERDICT_KNOWN,  /* processed before: settle it as done at once */
    VERDICT_READY,  /* plan it: no content needed, or it is on this disk already */
    VERDICT_FETCH,  /* content needed first */
    VERDICT_WAIT,   /* another update must be processed first; judge again later */
    VERDICT_BEHIND, /* the sender must learn something of ours first: settle it as not done at once */
};

/* Cheap; no write. @in_vain: as in struct offer. */
enum verdict replica_judge(struct replica *replica, const struct update *update,
                           const struct vector *sender_vector, bool in_vain);

struct offer {
    const struct update *update;
    const struct vector *sender_vector;
    bool staged;          /* content stands ready under this object */
    struct object object; /* of the staged file */
    uint64_t stage;       /* the folder's own name for it */
    bool in_vain;         /* it waits, in each complete round for SESSION_STANDOFF_MS (rule 3) */
};

enum preserve_reason { PRESERVE_NONE, PRESERVE_DELETED, PRESERVE_CONFLICT, PRESERVE_NAME_CONFLICT };

enum step_kind {
    STEP_INSTALL,    /* put the staged file at the place; exchange it with what is expected there */
    STEP_MAKE_DIR,
    STEP_MAKE_LINK,  /* symlink; its target was staged as content */
    STEP_MOVE,       /* from its recorded place (tree or parked) to the place */
    STEP_PARK,       /* from its place into the private directory */
    STEP_REMOVE,     /* take it out of the tree; preserve it when asked */
    STEP_ATTRIBUTES, /* set attributes of what stands at the place */
};

/*
 * One thing to do on disk. Paths are names joined by '/' beneath the root; owned by the plan. What is
 * parked stands at PARKED_DIR/<replica_parked_name()>, and paths may lead through it.
 */
struct step {
    enum step_kind kind;
    size_t offer_index;            /* the offer that asked for it */
    struct file_id id;
    enum file_kind file_kind;
    const char *path;              /* the place; for PARK and REMOVE where it stands now */
    const char *from_path;         /* MOVE: where it stands now */
    const char *known_as;          /* REMOVE of what is parked: its place in the tree, for people; else NULL */
    struct span attributes;        /* INSTALL, MAKE_DIR, MAKE_LINK, ATTRIBUTES */
    uint64_t stage;                /* INSTALL, MAKE_LINK */
    /* INSTALL, MAKE_DIR, MAKE_LINK, MOVE: the directory that the place is in; none: the root, or made by
     * this plan. A user may have given its name to another one, which nobody would then look into. */
    struct object expect_dir;
    struct object expect;          /* what must stand there (at from_path for MOVE); none: nothing */
    struct witness expect_witness; /* of a regular file; all zero: an earlier step put it there */
    enum preserve_reason preserve; /* of what is displaced or removed */
    struct gvsn preserve_gvsn;     /* of the version that is preserved */
};

#define PARKED_DIR       PRIVATE_DIR_NAME "/parked"
#define PARKED_NAME_SIZE (GUID_TEXT_SIZE + 21)

/* "<database>-<number>": the name of a parked object. */
void replica_parked_name(const struct file_id *id, char out_name[PARKED_NAME_SIZE]);
/* The other way round; false when no file is parked under such a name. */
bool replica_parked_id(const char *name, struct file_id *out_id);

struct step_result {
    /* ST_OK; ST_AGAIN: the disk shows something else than expected (the folder will look and
     * report); ST_FULL, ST_IO, ST_REFUSED: could not be done */
    enum status status;
    /* What stands at the place (parked: in the private directory) now; after every step but REMOVE:
     * a rename alone changes the witness. */
    struct object object;
    struct witness witness;
};

struct plan;

/*
 * Decide a batch of offers in order, at most PLAN_OFFER_COUNT_MAX. Later ones see the effect of earlier
 * ones. *out_plan holds the steps; offers that turn out to be known or to wait have none. At the end
 * parked files go back whose name has become free, and a read-only member preserves and removes
 * files of its own: a plan of no offers (NULL, 0) does only that.
 */
NODISCARD enum status replica_plan(struct replica *replica, struct walltime now,
                                   const struct offer *offers, size_t offer_count,
                                   struct plan **out_plan);
const struct step *replica_plan_steps(const struct plan *plan, size_t *out_count);

/* Make the plan's intents durable, before the first step touches the disk. Not needed without steps. */
NODISCARD enum status replica_intend(struct plan *plan);

enum settled {
    SETTLED_DONE,   /* processed; its gvsn is claimed */
    SETTLED_WAIT,   /* as VERDICT_WAIT or FETCH: judge it again after others */
    SETTLED_BEHIND, /* as VERDICT_BEHIND: not done, and no use before the sender's next round */
    SETTLED_AGAIN,  /* a step failed (the first of these) or was not reached: offer it again */
};

/*
 * @results for the first @result_count steps: the folder stops at the first that is not ST_OK (its
 * result is the last). Commits what was done up to there, in one durable transaction, and with it
 * all offers whose steps were all done; frees the plan. @out_settled has one entry for each offer. @out_issued: fresh versions of our own
 * that this made (revivals, conflicts).
 */
NODISCARD enum status replica_settle(struct plan *plan, const struct step_result *results,
                                     size_t result_count, enum settled *out_settled,
                                     size_t *out_issued);

/*
 * A round of a partner has ended, though not all of it could be settled as done: what is left is behind,
 * or waits for what the partner will tell later. That ends the first sync too, or members that wait
 * for each other would never serve. May come while a plan is open; no-op after the first.
 */
NODISCARD enum status replica_round_ended(struct replica *replica);

/* A complete round's sender vector, after all its updates were settled as done; and what the sender has
 * forgotten (see below), after its listing. Durable. */
NODISCARD enum status replica_join(struct replica *replica, const struct vector *sender_vector,
                                   const struct vector *forgotten);

/* Whether a plan of no offers would bring something back, or take away what users of a read-only
 * member made: ask when there is nothing else to do, after local changes above all. When a step of
 * such a plan fails, look, and wait before the next. */
bool replica_can_return(struct replica *replica);

/*
 * Parked records whose update did not come: plan their way back to their place, or resolve the name
 * clash that now stands. For when nothing is in hand and nothing was settled for PARKED_WAIT_MS:
 * deciding earlier is valid too, but the update may be on its way, and a clash is final. Members
 * may wait for each other, so this depends on stillness alone, never on what partners say. Steps and
 * settling as for replica_plan(), with no offers.
 */
bool replica_has_parked(struct replica *replica);
NODISCARD enum status replica_plan_unpark(struct replica *replica, struct walltime now,
                                          struct plan **out_plan);

/*
 * After a crash, before anything else: for each intent the folder says whether the disk shows the
 * update's effect: its object stands at the path (a directory or symlink when it has none), with its
 * attributes; for a tombstone nothing of ours does.
 * replica_recover() commits those that are done and drops the rest: what it drops comes again, and
 * a scan tells the difference. Parked records may still stand in the tree: replica_observe() takes
 * them back.
 */
bool replica_intent(struct replica *replica, size_t index, struct intent *out_intent,
                    const char **out_path /* of its place; owned by the replica until next call */);
NODISCARD enum status replica_recover(struct replica *replica, const bool *done,
                                      const struct step_result *results, size_t count);

/* --- deletions that are forgotten (docs/decisions/0012) --- */

/*
 * Drop tombstones older than @life_ms, the oldest first and at most EXPIRE_COUNT_MAX, up to the first
 * one that @held lacks. Their versions stay in replica_state.forgotten.
 *
 * @held       what every partner holds, those that pull from us and those that we pull from; none of them
 *             holds anything that we lack: then no version that the deletion had superseded can reach us again
 *             as if it were new
 * @out_count  how many were dropped
 *
 * While a partner is away nothing expires. Who was no partner then, or has gone back since, is told by
 * the listing.
 */
NODISCARD enum status replica_expire(struct replica *replica, struct walltime now, int64_t life_ms,
                                     const struct vector *held, size_t *out_count);

/*
 * A sender says at the start of a round which versions it has forgotten that we lack. If there are any,
 * it may know nothing of a file that we hold, and would never tell. So when all updates of the
 * round are settled, as done or not, it lists the ids of its live files, ascending, and what we hold in a version that it
 * had processed by the round's start and does not list was deleted. Such files go, preserved, by tombstones
 * of our own that yield to any edit; a directory with children that the sender does not know stays. Then
 * the round is joined, if all of it was done; else it comes again, with all of this.
 *
 * A file that is new to us and told by who lacks what we have forgotten may be one of these, too: it is
 * taken as a fresh version of ours, so that whoever remembers its deletion decides.
 */
struct listing;

/* @sender_vector: the round's. */
struct listing *listing_begin(const struct replica *replica, const struct vector *sender_vector);
void listing_free(struct listing *listing); /* NULL allowed */
/* Up to where it came; NULL: nowhere yet. */
const struct file_id *listing_after(const struct listing *listing);
/* The next part, which ends at @upto, or with NULL is the last one. Returns NULL, or the broken rule. */
const char *listing_part(struct listing *listing, const struct replica *replica,
                         const struct file_id *ids, size_t count, const struct file_id *upto);
/*
 * What to do after the last part, again and again. A plan has no offers; intend and settle it as any
 * other. When it was settled without progress, or a step failed, the round is not joined.
 */
enum listing_next {
    LISTING_PLAN, /* *out_plan removes some of what is missing */
    LISTING_JOIN,
    LISTING_VOID, /* the round can not be joined: what is missing can not go now, or others told us meanwhile of
                     versions that the sender had processed and may have forgotten */
    LISTING_STORE_FAILED,
};
enum listing_next listing_next(struct listing *listing, struct replica *replica,
                               struct walltime now, struct plan **out_plan);

/* Path of a live record beneath the root ("" for the root), or false when it is not in the tree.
 * Free the text. */
bool replica_path(struct replica *replica, const struct file_id *id, char **out_path);
/* Where it stands: the same, or through PARKED_DIR when it or a directory above it is parked. */
bool replica_path_on_disk(struct replica *replica, const struct file_id *id, char **out_path);
/* As replica_path() in any store, such as a reader's. */
bool store_path(const struct store *store, const struct file_id *root, const struct file_id *id,
                char **out_path);

#endif

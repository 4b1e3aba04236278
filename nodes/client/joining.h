/* SPDX-License-Identifier: MPL-2.0
 * A gather, race or map under way. The thread that called for it gives portions of inputs and takes
 * how they ended; the I/O thread sends the portions, pages the outcomes and judges them.
 *
 *   given ──▶ sent ──▶ taken ──▶ ended, without a gap ──▶ delivered
 *                │
 *                └▶ refused for now: sent again, in order
 *
 * Positions are 32 bits wide, as on the wire. */
#ifndef GROVE_NODES_CLIENT_JOINING_H
#define GROVE_NODES_CLIENT_JOINING_H

#include <pthread.h>

#include "nodes/client/outcomes.h"
#include "nodes/client/parcels.h"
#include "nodes/client/portion.h"

#define JOINING_OUTSTANDING 65536u /* inputs given whose outcomes have not been delivered */

/* How an input ended: one of the two is filled. */
struct ending {
    struct table_link link; /* while its outcome is looked for */
    struct id id;
    struct ending *twin; /* another input that is the same task, or NULL */
    bool has_come;
    enum grove_status status;
    struct grove_result result;
    struct grove_failure failure;
};

/* One page of them. */
struct endings {
    STAILQ_ENTRY(endings) link;
    uint32_t offset, count;
    size_t size; /* bytes of results and failures */
    struct ending ending[];
};

STAILQ_HEAD(endings_queue, endings);

/* What the thread waits for, beside the end of the join: any of a set. */
enum joining_want {
    WANT_ENDINGS = 1,  /* something to deliver */
    WANT_MORE = 2,     /* room for `more` inputs */
    WANT_PROGRESS = 4, /* a look at how far it is, now and then */
};

struct joining {
    /* Fixed once it is posted. */
    enum join_kind kind;
    struct grove_attempt *attempt; /* NULL: from outside */
    struct id id, root, parent;
    uint32_t attempt_number, generation;
    struct buffer terms; /* in every Append; empty from outside */
    bool is_patient;     /* takes outcomes when it is over, so that a parent sleeps till then */
    bool may_be_known;   /* to the mesh, from an earlier attempt or by its key */

    STAILQ_ENTRY(joining) queued;  /* for the I/O thread: there is something to send */
    bool is_queued;                /* both under the lock of whoever has that thread */
    STAILQ_ENTRY(joining) sending; /* of a worker's I/O thread: to be looked at in this turn */
    bool is_sending;

    pthread_mutex_t lock; /* guards all below */
    unsigned holders;     /* parcels that name it, and being queued */
    bool is_left;         /* its thread is gone: so is it, with its last holder */

    /* Inputs. */
    struct portion_list portions; /* by position; gone when taken and ended */
    struct portion *unsent;       /* the first that is to be sent, or NULL */
    uint32_t given, taken;
    uint32_t frontier;    /* up to here it takes inputs, as far as we know */
    size_t untaken_size;  /* bytes of bodies */
    uint32_t in_flight;   /* portions */
    bool is_careful;      /* one was refused for its place: nothing goes before the first untaken */
    uint64_t retry_ms;    /* monotonic: nothing goes before */
    bool is_rooted;       /* its root is accepted; of a handler: always */
    bool is_open;         /* in the mesh */
    bool is_closed;       /* there, by a portion of ours */
    bool is_full;         /* there, with as many inputs as are accepted */
    bool is_seen;         /* the mesh has said how far it is */
    bool is_refused_more; /* it is over, as far as an answer said */

    /* What the mesh says of it. */
    enum join_state state;
    uint32_t accepted; /* final once it is over */
    uint32_t succeeded, failed, running;
    uint32_t winner[LIMIT_WINNERS];
    uint32_t winner_count;

    /* Outcomes. */
    uint32_t paged, delivered; /* inputs whose outcomes have come; whose thread has them */
    struct endings_queue endings;
    size_t endings_size;
    uint64_t asking; /* correlation of the last Page, until it is answered */
    uint32_t asked_most, asked_room;
    uint64_t looking;   /* correlation of the Page that asks how far it is; 0: none does */
    uint64_t looked_ms; /* monotonic: when its thread last looked at it, or was called to */
    bool is_to_look;

    /* Why it cannot go on. */
    bool has_failed;
    enum refusal refusal; /* REFUSED_NOT: for a reason of our own */
    struct grove_failure failure;

    /* The thread. */
    struct call *call; /* that it is blocked in, or NULL */
    unsigned wants;    /* set of enum joining_want */
    uint32_t more;
    bool is_woken; /* patient: called for more inputs, and has not come yet */
};

STAILQ_HEAD(joining_queue, joining);

/* Whose I/O thread it is. */
struct joining_io {
    struct session *session;
    struct parcels *parcels;
    struct outcomes *outcomes;
};

/* ---- the thread */

struct joining *joining_create(enum join_kind kind, struct grove_attempt *attempt);

/* Takes a portion, to be sent when the I/O thread is called. */
void joining_give(struct joining *joining, struct portion *portion);

/* How many more inputs may be given now. */
uint32_t joining_room(struct joining *joining);

/* How many are worth a portion: `least`, or all that the mesh has already, to be compared. */
uint32_t joining_worth(struct joining *joining, uint32_t least);

/* Whether what the thread waits for comes by itself soon, so that it is not worth a slot. */
bool joining_is_brief(struct joining *joining);

/* Whether the mesh has other inputs than the `given` ones, or fewer and no more to come. */
bool joining_differs(struct joining *joining, uint64_t given);

/* The root of a join from outside is accepted. */
void joining_root(struct joining *joining);

/* Says what to wait for. False when that is there already, or when nothing more will come. */
bool joining_want(struct joining *joining, unsigned wants, uint32_t more);

/* The patient thread has given what it could, and waits on for room for `more` inputs; 0: for none.
 * False when that is there already. */
bool joining_wait_on(struct joining *joining, uint32_t more);

/* The next page of endings, which is the caller's; or NULL. */
struct endings *joining_deliver(struct joining *joining);
void endings_destroy(struct endings *endings);

/* Whether nothing more will come: it is over, and all outcomes were delivered; or it has failed. */
bool joining_has_ended(struct joining *joining);

struct grove_join_progress joining_progress(struct joining *joining);

/* The thread is done with it.
 *
 *   returns   false: the I/O thread has to drop it first; it is held for the caller, who calls that
 *             thread and then releases it */
bool joining_leave(struct joining *joining);

/* Keeps it while it is queued for the I/O thread. */
void joining_hold(struct joining *joining);
void joining_release(struct joining *joining);

/* ---- the I/O thread */

/* Takes the next portion that may be sent and begins its frame; the caller adds what else belongs
 * in it and closes the writer. NULL: none may. */
struct parcel *joining_send(struct joining *joining, const struct joining_io *io,
                            struct wire_writer *writer);

/* Whether there is one more that may be sent. */
bool joining_has_unsent(struct joining *joining);

/* Its thread waits; the call ends when what it wants is there. */
void joining_block(struct joining *joining, const struct joining_io *io, struct call *call);

/* Asks how far it is, unless that question is on its way: for outcomes and room, or for room only.
 */
void joining_ask(struct joining *joining, const struct joining_io *io, bool for_outcomes);

/* What comes for one of its parcels. */
void joining_answered(struct parcel *parcel, const struct joining_io *io,
                      const struct accepted *accepted);
void joining_paged(struct parcel *parcel, const struct joining_io *io, const struct paged *paged);
void joining_refused(struct parcel *parcel, const struct joining_io *io,
                     const struct failing *failing);

/* What its attempt waits for. */
struct awaited_join joining_awaited(struct joining *joining);

bool joining_is_left(struct joining *joining);
bool joining_is_open(struct joining *joining);  /* in the mesh, and to be awaited */
bool joining_is_whole(struct joining *joining); /* in one portion, which closes it */

/* Whether its thread, the only one of its attempt, is patient: outcomes are asked for when the wait
 * is over. */
bool joining_is_asleep(struct joining *joining);

/* Whether it is over or has failed. */
bool joining_is_over(struct joining *joining);

/* Every SESSION_TICK_MS while its thread waits: calls a thread that wants to look at it. True when
 * that is due. */
bool joining_tick(struct joining *joining, const struct joining_io *io, uint64_t now_ms);

/* Asks how far it is now. Its outcomes come in their order, and the first may be the last to end.
 */
void joining_look(struct joining *joining, const struct joining_io *io);

/* It cannot go on. */
void joining_fail(struct joining *joining, const struct joining_io *io,
                  const struct failing *failing);

/* Drops its parcels when its thread has left it; held meanwhile. False: that has not. */
bool joining_drop(struct joining *joining, const struct joining_io *io);

/* A parcel of it is gone unanswered. */
void joining_lose(struct parcel *parcel);

#endif

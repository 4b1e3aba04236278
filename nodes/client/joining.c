/* SPDX-License-Identifier: MPL-2.0
 * A join between its thread and the I/O thread: one lock, taken for each portion and each page. */
#include "nodes/client/joining_state.h"

#include <stdlib.h>

#include "nodes/host/clock.h"

#define UNTAKEN_MOST ((size_t)4 * LIMIT_MIB) /* bytes of inputs given and not taken */
#define LOOK_MS 200u                         /* between two looks at how far it is */

struct joining *joining_create(enum join_kind kind, struct grove_attempt *attempt)
{
    struct joining *joining = calloc(1, sizeof(*joining));

    if (!joining) {
        abort();
    }
    joining->kind = kind;
    joining->attempt = attempt;
    joining->is_rooted = attempt != NULL;
    joining->looked_ms = clock_monotonic_ms();
    pthread_mutex_init(&joining->lock, NULL);
    TAILQ_INIT(&joining->portions);
    STAILQ_INIT(&joining->endings);
    return joining;
}

void endings_destroy(struct endings *endings)
{
    for (uint32_t i = 0; endings && i < endings->count; i++) {
        grove_result_clear(&endings->ending[i].result);
        grove_failure_clear(&endings->ending[i].failure);
    }
    free(endings);
}

static void destroy(struct joining *joining)
{
    struct portion *portion;
    struct endings *endings;

    while ((portion = TAILQ_FIRST(&joining->portions)) != NULL) {
        TAILQ_REMOVE(&joining->portions, portion, link);
        portion_destroy(portion);
    }
    while ((endings = STAILQ_FIRST(&joining->endings)) != NULL) {
        STAILQ_REMOVE_HEAD(&joining->endings, link);
        endings_destroy(endings);
    }
    grove_failure_clear(&joining->failure);
    buffer_clear(&joining->terms);
    pthread_mutex_destroy(&joining->lock);
    free(joining);
}

bool locked_is_over(const struct joining *joining)
{
    return joining->state != JOIN_OPEN;
}

/* ---- the thread */

void joining_give(struct joining *joining, struct portion *portion)
{
    pthread_mutex_lock(&joining->lock);
    TAILQ_INSERT_TAIL(&joining->portions, portion, link);
    joining->given = portion->offset + portion->count;
    joining->untaken_size += portion->body.size;
    if (!joining->unsent) {
        joining->unsent = portion;
    }
    pthread_mutex_unlock(&joining->lock);
}

bool locked_is_to_be_seen(const struct joining *joining)
{
    return joining->may_be_known && !joining->is_seen && !joining->is_closed;
}

static uint32_t worth(const struct joining *joining, uint32_t least)
{
    if (locked_is_over(joining) || joining->is_full) {
        return 1;
    }
    const uint32_t kept =
        joining->accepted > joining->given ? joining->accepted - joining->given : 0;

    return kept > 0 && kept < least ? kept : least;
}

/* Up to where inputs may be given. What is full takes those that differ from what it has, and is
 * over with that. */
static uint32_t reach(const struct joining *joining)
{
    if (locked_is_over(joining)) {
        return joining->accepted;
    }
    if (joining->is_full) {
        return joining->accepted + (joining->given == joining->accepted ? LIMIT_BATCH_ITEMS : 0);
    }
    return joining->frontier;
}

bool locked_takes(const struct joining *joining, uint32_t more)
{
    const uint32_t until = reach(joining);

    more = worth(joining, more);
    if (joining->has_failed || joining->is_refused_more || joining->untaken_size >= UNTAKEN_MOST ||
        joining->given - joining->delivered + more > JOINING_OUTSTANDING) {
        return false;
    }
    return joining->given <= until && more <= until - joining->given;
}

uint32_t joining_room(struct joining *joining)
{
    uint32_t room = 0;

    pthread_mutex_lock(&joining->lock);
    if (locked_takes(joining, 1)) {
        const uint32_t outstanding = joining->given - joining->delivered;

        room = reach(joining) - joining->given;
        room = room < JOINING_OUTSTANDING - outstanding ? room : JOINING_OUTSTANDING - outstanding;
    }
    pthread_mutex_unlock(&joining->lock);
    return room;
}

uint32_t joining_worth(struct joining *joining, uint32_t least)
{
    pthread_mutex_lock(&joining->lock);
    least = worth(joining, least);
    pthread_mutex_unlock(&joining->lock);
    return least;
}

bool joining_is_brief(struct joining *joining)
{
    bool it_is;

    pthread_mutex_lock(&joining->lock);
    it_is = joining->has_failed || locked_is_over(joining) || joining->untaken_size >= UNTAKEN_MOST;
    pthread_mutex_unlock(&joining->lock);
    return it_is;
}

bool joining_differs(struct joining *joining, uint64_t given)
{
    bool it_differs;

    pthread_mutex_lock(&joining->lock);
    it_differs = joining->has_failed ? joining->refusal == REFUSED_DIFFERS
                                     : joining->state == JOIN_COMPLETE && given > joining->accepted;
    pthread_mutex_unlock(&joining->lock);
    return it_differs;
}

void joining_root(struct joining *joining)
{
    pthread_mutex_lock(&joining->lock);
    joining->is_rooted = true;
    joining->retry_ms = 0;
    pthread_mutex_unlock(&joining->lock);
}

bool locked_is_complete(const struct joining *joining)
{
    return joining->has_failed || (locked_is_over(joining) && joining->paged >= joining->accepted);
}

static bool has_news(const struct joining *joining)
{
    const bool is_awake = !joining->is_patient || locked_is_over(joining);

    return locked_is_complete(joining) ||
           (is_awake && (joining->wants & WANT_ENDINGS) && !STAILQ_EMPTY(&joining->endings)) ||
           (is_awake && (joining->wants & WANT_MORE) && locked_takes(joining, joining->more)) ||
           ((joining->wants & WANT_PROGRESS) && joining->is_to_look);
}

bool joining_want(struct joining *joining, unsigned wants, uint32_t more)
{
    bool is_to_wait;

    pthread_mutex_lock(&joining->lock);
    joining->wants = wants;
    joining->more = more;
    is_to_wait = !has_news(joining);
    pthread_mutex_unlock(&joining->lock);
    return is_to_wait;
}

bool joining_wait_on(struct joining *joining, uint32_t more)
{
    pthread_mutex_lock(&joining->lock);
    joining->wants = more > 0 ? joining->wants | WANT_MORE : joining->wants & ~(unsigned)WANT_MORE;
    joining->more = more;
    joining->is_woken = more > 0 && locked_takes(joining, more);
    const bool is_to_wait = !joining->is_woken;

    pthread_mutex_unlock(&joining->lock);
    return is_to_wait;
}

struct endings *joining_deliver(struct joining *joining)
{
    struct endings *endings;

    pthread_mutex_lock(&joining->lock);
    joining->is_to_look = false;
    endings = STAILQ_FIRST(&joining->endings);
    if (endings) {
        STAILQ_REMOVE_HEAD(&joining->endings, link);
        joining->endings_size -= endings->size;
        joining->delivered += endings->count;
    }
    pthread_mutex_unlock(&joining->lock);
    return endings;
}

bool joining_has_ended(struct joining *joining)
{
    bool has_ended;

    pthread_mutex_lock(&joining->lock);
    has_ended =
        joining->has_failed || (locked_is_complete(joining) && STAILQ_EMPTY(&joining->endings));
    pthread_mutex_unlock(&joining->lock);
    return has_ended;
}

struct grove_join_progress joining_progress(struct joining *joining)
{
    struct grove_join_progress progress;

    pthread_mutex_lock(&joining->lock);
    progress = (struct grove_join_progress){
        .succeeded = joining->succeeded,
        .failed = joining->failed,
        .running = joining->running,
    };
    memcpy(&progress.id, &joining->id, sizeof(progress.id));
    pthread_mutex_unlock(&joining->lock);
    return progress;
}

bool locked_leave(struct joining *joining)
{
    const bool goes = joining->is_left && joining->holders == 0;

    pthread_mutex_unlock(&joining->lock);
    if (goes) {
        destroy(joining);
    }
    return goes;
}

bool joining_leave(struct joining *joining)
{
    pthread_mutex_lock(&joining->lock);
    joining->is_left = true;
    joining->holders += joining->holders > 0; /* lest the others let go of it before the call */
    return locked_leave(joining);
}

void joining_hold(struct joining *joining)
{
    pthread_mutex_lock(&joining->lock);
    joining->holders++;
    pthread_mutex_unlock(&joining->lock);
}

void joining_release(struct joining *joining)
{
    pthread_mutex_lock(&joining->lock);
    joining->holders--;
    locked_leave(joining);
}

bool joining_is_left(struct joining *joining)
{
    bool it_is;

    pthread_mutex_lock(&joining->lock);
    it_is = joining->is_left;
    pthread_mutex_unlock(&joining->lock);
    return it_is;
}

/* ---- the I/O thread: its thread's call */

static void end_call(struct joining *joining, const struct joining_io *io)
{
    struct call *call = joining->call;

    joining->call = NULL;
    call->left = 0;
    call_finish(call, &io->outcomes->finished);
}

/* A patient thread gives more without a slot, and waits on. */
void locked_tell(struct joining *joining, const struct joining_io *io)
{
    if (!joining->call) {
        return;
    }
    if (has_news(joining)) {
        end_call(joining, io);
    } else if ((joining->wants & WANT_MORE) && !joining->is_woken &&
               locked_takes(joining, joining->more)) {
        joining->is_woken = true;
        sem_post(&joining->call->done);
    }
}

void joining_block(struct joining *joining, const struct joining_io *io, struct call *call)
{
    pthread_mutex_lock(&joining->lock);
    joining->call = call;
    joining->is_woken = false;
    locked_tell(joining, io);
    pthread_mutex_unlock(&joining->lock);
}

void locked_fail(struct joining *joining, const struct joining_io *io,
                 const struct failing *failing)
{
    if (!joining->has_failed) {
        joining->has_failed = true;
        failure_write(&joining->failure, failing);
    }
    locked_tell(joining, io);
}

void joining_fail(struct joining *joining, const struct joining_io *io,
                  const struct failing *failing)
{
    pthread_mutex_lock(&joining->lock);
    locked_fail(joining, io, failing);
    pthread_mutex_unlock(&joining->lock);
}

struct awaited_join joining_awaited(struct joining *joining)
{
    struct awaited_join awaited;

    pthread_mutex_lock(&joining->lock);
    awaited.join = joining->id;
    awaited.until = joining->is_patient ? 0 : joining->paged + 1;
    awaited.room = !joining->is_patient && (joining->wants & WANT_MORE) ? joining->more : 0;
    pthread_mutex_unlock(&joining->lock);
    return awaited;
}

bool joining_is_open(struct joining *joining)
{
    bool it_is;

    pthread_mutex_lock(&joining->lock);
    it_is = joining->is_open && !locked_is_to_be_seen(joining);
    pthread_mutex_unlock(&joining->lock);
    return it_is;
}

bool joining_is_asleep(struct joining *joining)
{
    bool it_is;

    pthread_mutex_lock(&joining->lock);
    it_is = joining->is_patient && (!joining->call || joining->call->is_alone);
    pthread_mutex_unlock(&joining->lock);
    return it_is;
}

bool joining_is_whole(struct joining *joining)
{
    const struct portion *first;
    bool it_is;

    pthread_mutex_lock(&joining->lock);
    first = TAILQ_FIRST(&joining->portions);
    it_is = first && first->offset == 0 && first->close;
    pthread_mutex_unlock(&joining->lock);
    return it_is;
}

bool joining_is_over(struct joining *joining)
{
    bool it_is;

    pthread_mutex_lock(&joining->lock);
    it_is = joining->has_failed || locked_is_over(joining);
    pthread_mutex_unlock(&joining->lock);
    return it_is;
}

bool joining_tick(struct joining *joining, const struct joining_io *io, uint64_t now_ms)
{
    pthread_mutex_lock(&joining->lock);
    const bool is_due = (joining->wants & WANT_PROGRESS) && now_ms >= joining->looked_ms + LOOK_MS;

    if (is_due) {
        joining->looked_ms = now_ms;
        joining->is_to_look = true;
        locked_tell(joining, io);
    }
    pthread_mutex_unlock(&joining->lock);
    return is_due;
}

/* ---- the end */

void joining_lose(struct parcel *parcel)
{
    struct joining *joining = parcel->joining;

    pthread_mutex_lock(&joining->lock);
    joining->holders--;
    joining->in_flight -= parcel->portion != NULL;
    if (parcel->correlation == joining->asking) {
        joining->asking = 0;
    }
    if (parcel->correlation == joining->looking) {
        joining->looking = 0;
    }
    locked_leave(joining);
}

bool joining_drop(struct joining *joining, const struct joining_io *io)
{
    struct parcel *parcel;
    struct parcel *next;

    if (!joining_is_left(joining)) {
        return false;
    }
    TAILQ_FOREACH_SAFE(parcel, &io->parcels->list, link, next) {
        if (parcel->joining == joining) {
            parcels_remove(io->parcels, parcel);
            joining_lose(parcel);
            parcel_destroy(parcel);
        }
    }
    return true;
}

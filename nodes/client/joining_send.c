/* SPDX-License-Identifier: MPL-2.0
 * What goes out for a join, portions and questions, and the answers. Portions go in order; one that
 * was refused for now, or for its place, goes again when those before it are taken. */
#include "nodes/client/joining_state.h"

#include "nodes/host/clock.h"

#define IN_FLIGHT 16u                        /* portions unanswered at a time */
#define ENDINGS_MOST ((size_t)1 * LIMIT_MIB) /* bytes of outcomes that nobody has taken */
#define RETRY_MS 50u                         /* until what was refused for now is sent again */

/* ---- portions on their way */

static bool is_first_untaken(const struct joining *joining, const struct portion *portion)
{
    return portion->offset == joining->taken;
}

static bool may_send(const struct joining *joining)
{
    return joining->unsent && !joining->has_failed && !joining->is_left &&
           !(locked_is_over(joining) && joining->unsent->offset >= joining->accepted) &&
           !joining->is_refused_more && joining->in_flight < IN_FLIGHT &&
           (!joining->is_careful || is_first_untaken(joining, joining->unsent)) &&
           (joining->retry_ms == 0 || clock_monotonic_ms() >= joining->retry_ms);
}

bool joining_has_unsent(struct joining *joining)
{
    bool it_has;

    pthread_mutex_lock(&joining->lock);
    it_has = may_send(joining);
    pthread_mutex_unlock(&joining->lock);
    return it_has;
}

static void put_append(const struct joining *joining, const struct portion *portion,
                       struct wire_writer *writer)
{
    struct append append = {
        .parent = joining->parent,
        .attempt = joining->attempt_number,
        .generation = joining->generation,
        .terms = buffer_bytes(&joining->terms),
        .offset = portion->offset,
        .close = portion->close,
    };

    if (portion->is_adopted) {
        append.adopted = buffer_bytes(&portion->body);
    } else if (portion->count > 0) {
        append.count = portion->count;
        wire_put_bytes(writer, EXPAND_BATCH, buffer_bytes(&portion->body));
    }
    wire_put_append(writer, EXPAND_APPENDS, &append);
}

static struct portion *next_unsent(struct portion *portion)
{
    while (portion && portion->state != PORTION_NEW) {
        portion = TAILQ_NEXT(portion, link);
    }
    return portion;
}

struct parcel *joining_send(struct joining *joining, const struct joining_io *io,
                            struct wire_writer *writer)
{
    struct parcel *parcel = NULL;
    struct portion *portion;

    pthread_mutex_lock(&joining->lock);
    if (may_send(joining)) {
        portion = joining->unsent;
        portion->state = PORTION_SENT;
        joining->unsent = next_unsent(portion);
        joining->in_flight++;
        joining->holders++;
        joining->retry_ms = 0;
        parcel = parcel_create(io->session, MESSAGE_EXPAND, 0);
        parcel->joining = joining;
        parcel->portion = portion;
        wire_open(writer, &parcel->frame, MESSAGE_EXPAND, parcel->correlation);
        put_append(joining, portion, writer);
    }
    pthread_mutex_unlock(&joining->lock);
    return parcel;
}

/* To be sent again: at once, when those in front of it are taken, or a little later. */
static void take_back(struct joining *joining, struct portion *portion)
{
    portion->state = PORTION_NEW;
    if (!joining->unsent || portion->offset <= joining->unsent->offset) {
        joining->unsent = portion;
    }
    joining->is_careful = true;
    if (is_first_untaken(joining, portion)) {
        joining->retry_ms = clock_monotonic_ms() + RETRY_MS;
    }
}

void locked_forget(struct joining *joining, struct portion *portion)
{
    if (portion->state == PORTION_TAKEN && portion->left == 0) {
        TAILQ_REMOVE(&joining->portions, portion, link);
        portion_destroy(portion);
    }
}

static void move_taken(struct joining *joining, const struct portion *portion)
{
    while (portion && portion->state == PORTION_TAKEN && is_first_untaken(joining, portion)) {
        joining->taken += portion->count;
        joining->is_careful = false;
        portion = TAILQ_NEXT(portion, link);
    }
}

static void take(struct joining *joining, struct portion *portion, struct bytes ids)
{
    for (uint32_t i = 0; !portion->is_adopted && i < portion->count; i++) {
        memcpy(&portion->input[i].id, ids.data + i * sizeof(struct id), sizeof(struct id));
    }
    portion->state = PORTION_TAKEN;
    joining->untaken_size -= portion->body.size;
    buffer_clear(&portion->body);
    joining->is_open = true;
    joining->is_closed |= portion->close;
    if (portion->offset + portion->count > joining->accepted && !locked_is_over(joining)) {
        joining->accepted = portion->offset + portion->count;
    }
    move_taken(joining, portion);
    locked_forget(joining, portion);
}

/* Of the inputs of a portion that was not taken the first that has a reason for it, and its place.
 */
static struct failing failing_of_append(const struct portion *portion, enum refusal refusal,
                                        struct wire_list refused)
{
    struct failing failing = failing_of_refusal(refusal, bytes_of(NULL, 0));
    struct bytes element;
    struct item_refused item;

    while (wire_next(&refused, &element)) {
        if (wire_item_refused_decode(element, &item) == GROVE_OK && item.code == refusal &&
            item.position < portion->count) {
            failing = failing_of_refusal(refusal, item.text);
            failing.function = portion_function(portion, item.position);
            break;
        }
    }
    return failing;
}

static void refuse(struct joining *joining, const struct joining_io *io, struct portion *portion,
                   enum refusal refusal, const struct failing *failing)
{
    const bool is_premature =
        !joining->is_rooted && (refusal == REFUSED_PARENT || refusal == REFUSED_JOIN);
    const bool is_out_of_turn = refusal == REFUSED_JOIN && !is_first_untaken(joining, portion);

    if (refusal == REFUSED_OVER) {
        joining->is_refused_more = true;
        take_back(joining, portion);
    } else if (refusal_is_retryable(refusal) || is_premature || is_out_of_turn) {
        take_back(joining, portion);
    } else {
        joining->refusal = refusal;
        locked_fail(joining, io, failing);
    }
}

void joining_answered(struct parcel *parcel, const struct joining_io *io,
                      const struct accepted *accepted)
{
    struct joining *joining = parcel->joining;
    struct portion *portion = parcel->portion;
    struct failing failing =
        failing_of_status(GROVE_MALFORMED, "the answer does not say what became of the inputs");

    pthread_mutex_lock(&joining->lock);
    joining->holders--;
    joining->in_flight--;
    if (joining->is_left) {
        locked_leave(joining);
        return;
    }
    if (accepted->appends.size < 1 ||
        (accepted->appends.data[0] == REFUSED_NOT && !portion->is_adopted &&
         accepted->ids.size < portion->count * sizeof(struct id))) {
        locked_fail(joining, io, &failing);
    } else if (accepted->appends.data[0] == REFUSED_NOT) {
        take(joining, portion, accepted->ids);
    } else {
        const enum refusal refusal = (enum refusal)accepted->appends.data[0];

        failing = failing_of_append(portion, refusal, accepted->refused);
        refuse(joining, io, portion, refusal, &failing);
    }
    locked_tell(joining, io);
    pthread_mutex_unlock(&joining->lock);
}

/* A message was refused as a whole, and not just for now. */
void joining_refused(struct parcel *parcel, const struct joining_io *io,
                     const struct failing *failing)
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
    if (joining->is_left) {
        locked_leave(joining);
        return;
    }
    locked_fail(joining, io, failing);
    pthread_mutex_unlock(&joining->lock);
}

/* ---- pages */

/* No outcome is still to come that would tell. */
static bool must_be_over(const struct joining *joining)
{
    return joining->is_refused_more || (joining->is_closed && joining->paged == joining->taken);
}

/* A Page for what its thread wants and has not been asked for. */
static bool has_question(const struct joining *joining, bool for_outcomes, struct page *page)
{
    /* Room is counted from what is taken, so it is asked for when all that was given is. */
    const bool wants_room = (joining->wants & WANT_MORE) && !locked_is_over(joining) &&
                            joining->given == joining->taken &&
                            !locked_takes(joining, joining->more);

    const bool is_there = joining->is_open || joining->is_refused_more;

    if (!is_there || joining->has_failed || joining->is_left || locked_is_complete(joining)) {
        return false;
    }
    *page = (struct page){.join = joining->id, .offset = joining->paged};
    if (locked_is_to_be_seen(joining)) {
        return joining->asking == 0;
    }
    if ((for_outcomes || locked_is_over(joining)) && joining->endings_size < ENDINGS_MOST) {
        const uint32_t outstanding = joining->taken - joining->paged;

        page->most = outstanding < LIMIT_PAGE ? outstanding : LIMIT_PAGE;
    }
    page->room = wants_room ? joining->more : 0;
    if (page->most == 0 && page->room == 0) {
        return must_be_over(joining) && !locked_is_over(joining) && joining->asking == 0;
    }
    return joining->asking == 0 || (page->most > 0 && joining->asked_most == 0) ||
           (page->room > 0 && (joining->asked_room == 0 || page->room < joining->asked_room));
}

void joining_ask(struct joining *joining, const struct joining_io *io, bool for_outcomes)
{
    struct page page;

    pthread_mutex_lock(&joining->lock);
    if (has_question(joining, for_outcomes, &page)) {
        struct parcel *parcel = parcel_create(io->session, MESSAGE_PAGE, 0);

        parcel->joining = joining;
        joining->holders++;
        joining->asking = parcel->correlation;
        joining->asked_most = page.most;
        joining->asked_room = page.room;
        wire_page_encode(&parcel->frame, parcel->correlation, &page);
        parcels_add(io->parcels, parcel);
    }
    pthread_mutex_unlock(&joining->lock);
}

void joining_look(struct joining *joining, const struct joining_io *io)
{
    const struct page page = {.join = joining->id, .offset = UINT32_MAX};

    pthread_mutex_lock(&joining->lock);
    if (joining->is_open && !joining->has_failed && !joining->is_left && joining->looking == 0 &&
        !locked_is_over(joining)) {
        struct parcel *parcel = parcel_create(io->session, MESSAGE_PAGE, 0);

        parcel->joining = joining;
        joining->holders++;
        joining->looking = parcel->correlation;
        wire_page_encode(&parcel->frame, parcel->correlation, &page);
        parcels_add(io->parcels, parcel);
    }
    pthread_mutex_unlock(&joining->lock);
}

static void take_state(struct joining *joining, const struct paged *paged)
{
    const uint64_t reach = (uint64_t)paged->accepted + paged->room;

    joining->state = (enum join_state)paged->state;
    joining->accepted = paged->accepted;
    joining->succeeded = paged->succeeded;
    joining->failed = paged->failed;
    joining->running = paged->running;
    joining->is_open = true;
    joining->is_full = paged->closed;
    joining->is_seen = true;
    if (reach > joining->frontier) {
        joining->frontier = reach < UINT32_MAX ? (uint32_t)reach : UINT32_MAX;
    }
    joining->winner_count = (uint32_t)(paged->winners.size / sizeof(uint32_t));
    for (uint32_t i = 0; i < joining->winner_count; i++) {
        const uint8_t *at = paged->winners.data + i * sizeof(uint32_t);

        joining->winner[i] =
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    }
}

void joining_paged(struct parcel *parcel, const struct joining_io *io, const struct paged *paged)
{
    struct joining *joining = parcel->joining;

    pthread_mutex_lock(&joining->lock);
    joining->holders--;
    if (parcel->correlation == joining->asking) {
        joining->asking = 0;
    }
    if (parcel->correlation == joining->looking) {
        joining->looking = 0;
    }
    if (joining->is_left) {
        locked_leave(joining);
        return;
    }
    if (id_equal(&paged->join, &joining->id) && !joining->has_failed) {
        take_state(joining, paged);
        locked_take_page(joining, io, paged);
        locked_tell(joining, io);
    }
    pthread_mutex_unlock(&joining->lock);
}

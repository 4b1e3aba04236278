/* SPDX-License-Identifier: MPL-2.0
 * What watchers are told: how far a join is, with the outcomes of its inputs in order, and what a
 * Cancel has stopped. */
#include "nodes/coordinator/egress.h"

#include "core/message.h"
#include "nodes/coordinator/reading.h"

/* Pages are read one after the other: a page of so many bytes keeps a long pipe full. */
#define PAGED_SIZE LIMIT_BATCH_SIZE

static void refuse(struct egress *egress, const struct watcher *watcher, enum refusal refusal)
{
    const struct bus_message asked = {.envelope = watcher->envelope};

    egress_refuse(egress, watcher->session, &asked, watcher->correlation, refusal, 0);
}

void egress_watch(struct egress *egress, const struct watcher *question)
{
    if (question->session->is_open && !watchers_add(egress->watchers, question)) {
        refuse(egress, question, REFUSED_BUSY);
    }
}

void egress_await_counts(struct egress *egress, const struct job *job)
{
    struct watcher question = {
        .session = job->session,
        .envelope = job->envelope,
        .correlation = job->correlation,
        .type = MESSAGE_CANCEL,
    };
    struct cancel cancel;

    if (wire_cancel_decode(job->body, &cancel) == GROVE_OK) {
        question.page.join = cancel.task;
        egress_watch(egress, &question);
    }
}

/* ---- what can be answered */

static bool has_news(const struct egress *egress, const struct page *page,
                     const struct join_view *view)
{
    return view->state != JOIN_OPEN || (page->most == 0 && page->room == 0) ||
           (page->room > 0 && view->room >= page->room) ||
           (page->most > 0 && forest_join_has_ended(egress->forest, &page->join, page->offset));
}

/* What is not to be read, or not there any more, is an answer too. */
static bool is_answerable(const struct egress *egress, const struct watcher *watcher)
{
    struct task_view task;
    struct cancelled counts;
    struct join_view view;

    if (watcher->type == MESSAGE_CANCEL) {
        return forest_cancelled(egress->forest, &watcher->page.join, &counts) ||
               !forest_task(egress->forest, &watcher->page.join, &task);
    }
    return reading_judge_join(egress->forest, watcher->session, &watcher->page.join, &view) !=
               REFUSED_NOT ||
           has_news(egress, &watcher->page, &view);
}

void egress_look(struct egress *egress)
{
    struct watched *watched;
    struct watcher *watcher, *next;

    while ((watched = watchers_next(egress->watchers)) != NULL) {
        TAILQ_FOREACH_SAFE(watcher, &watched->watchers, of_watched, next) {
            if (is_answerable(egress, watcher)) {
                watchers_ready(egress->watchers, watcher);
                egress_due(egress, watcher->session);
            }
        }
    }
}

/* ---- answers */

/* The inputs from the page's offset on that have ended without a gap, to egress->ids; their
 * verdicts, which a page has for itself, are sealed. */
static size_t collect(struct egress *egress, const struct page *page)
{
    const size_t most = page->most < EGRESS_MESSAGE_ITEMS ? page->most : EGRESS_MESSAGE_ITEMS;
    struct verdicts *verdicts = &egress->paged_verdicts;
    struct task_view view;
    struct id *ids;
    size_t count;

    buffer_reset(&egress->ids);
    ids = (struct id *)(void *)buffer_extend(&egress->ids, most * sizeof(*ids));
    count = forest_join_page(egress->forest, &page->join, page->offset, ids, most);
    verdicts_reset(verdicts);
    for (size_t i = 0; i < count; i++) {
        if (forest_task(egress->forest, &ids[i], &view) && !view.has_result) {
            verdicts_add(verdicts, &view);
        }
    }
    verdicts_seal(verdicts, egress->credential->signer, &egress->credential->mesh);
    return count;
}

static void put_winners(const struct join_view *view, uint8_t winners[LIMIT_WINNERS * 4])
{
    for (size_t i = 0; i < view->winner_count; i++) {
        for (unsigned at = 0; at < 4; at++) {
            winners[4 * i + at] = (uint8_t)(view->winners[i] >> (8 * at));
        }
    }
}

static void put_page(struct egress *egress, const struct watcher *watcher,
                     const struct join_view *view, struct wire_writer *writer)
{
    uint8_t winners[LIMIT_WINNERS * 4];
    struct outcomes outcomes = {
        .verdicts = &egress->paged_verdicts,
        .size = PAGED_SIZE,
        .field = PAGED_OUTCOMES,
        .certificate_field = PAGED_CERTIFICATES,
    };
    struct paged paged = {
        .join = view->id,
        .state = view->state,
        .accepted = view->accepted,
        .room = view->room,
        .closed = view->closed,
        .succeeded = view->succeeded,
        .failed = view->failed,
        .running = view->running,
        .winners = bytes_of(winners, view->winner_count * 4),
        .offset = watcher->page.offset,
    };
    size_t taken;

    outcomes.count = collect(egress, &watcher->page);
    outcomes.ids = (const struct id *)(void *)egress->ids.data;
    taken = egress_put_outcomes(egress, watcher->session, &outcomes, writer);
    paged.ids = bytes_of(egress->ids.data, taken * sizeof(struct id));
    put_winners(view, winners);
    wire_put_paged(writer, &paged);
}

static void answer_page(struct egress *egress, const struct watcher *watcher)
{
    struct wire_writer writer;
    struct join_view view;
    const enum refusal refusal =
        reading_judge_join(egress->forest, watcher->session, &watcher->page.join, &view);

    if (refusal != REFUSED_NOT) {
        refuse(egress, watcher, refusal);
        return;
    }
    buffer_reset(&egress->frame);
    wire_open(&writer, &egress->frame, MESSAGE_PAGED, watcher->correlation);
    put_page(egress, watcher, &view, &writer);
    wire_close(&writer);
    egress->counters.paged++;
    egress_send(egress, watcher->session, &watcher->envelope, buffer_bytes(&egress->frame));
}

static void answer_cancel(struct egress *egress, const struct watcher *watcher)
{
    struct cancelled counts;

    if (!forest_cancelled(egress->forest, &watcher->page.join, &counts)) {
        refuse(egress, watcher, REFUSED_FORGOTTEN);
        return;
    }
    buffer_reset(&egress->frame);
    wire_cancelled_encode(&egress->frame, watcher->correlation, &counts);
    egress_send(egress, watcher->session, &watcher->envelope, buffer_bytes(&egress->frame));
}

/* Pages are large: a slow reader's wait as questions, and show what is there when they are sent. */
void egress_answer_ready(struct egress *egress, struct session *session)
{
    struct watcher *watcher;

    while ((watcher = TAILQ_FIRST(&session->ready)) != NULL && session_has_room(session)) {
        if (watcher->type == MESSAGE_CANCEL) {
            answer_cancel(egress, watcher);
        } else {
            answer_page(egress, watcher);
        }
        watchers_release(egress->watchers, watcher);
    }
}

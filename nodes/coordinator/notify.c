/* SPDX-License-Identifier: MPL-2.0
 * Outcomes to those who wait for them: results as their workers signed them, verdicts as this
 * coordinator seals them. */
#include "nodes/coordinator/egress.h"

#include "core/message.h"
#include "nodes/coordinator/reading.h"

/* A Wait of this turn; its session is held. */
struct asked {
    struct session *session;
    struct envelope envelope;
    uint64_t correlation;
    size_t first, count; /* of its ids */
};

static const struct id *ids_of(const struct buffer *buffer)
{
    return (const struct id *)(void *)buffer->data;
}

static size_t id_count(const struct buffer *buffer)
{
    return buffer->size / sizeof(struct id);
}

void egress_ask(struct egress *egress, struct session *session, const struct envelope *envelope,
                uint64_t correlation, struct bytes ids)
{
    const struct asked asked = {
        .session = session,
        .envelope = *envelope,
        .correlation = correlation,
        .first = id_count(&egress->asked_ids),
        .count = ids.size / sizeof(struct id),
    };

    session_hold(session);
    buffer_append(&egress->asked, &asked, sizeof(asked));
    buffer_append(&egress->asked_ids, ids.data, asked.count * sizeof(struct id));
}

static void collect(struct egress *egress, const struct buffer *ids)
{
    struct task_view view;

    for (size_t i = 0; i < id_count(ids); i++) {
        if (forest_task(egress->forest, &ids_of(ids)[i], &view) &&
            !task_state_is_open(view.state) && !view.has_result) {
            verdicts_add(&egress->verdicts, &view);
        }
    }
}

/* All verdicts that this turn's Notify messages send, under one seal. Nearly always there are none,
 * and only the first that is needed makes us look. */
static void seal_verdicts(struct egress *egress)
{
    struct session *session;

    if (egress->verdicts.is_sealed) {
        return;
    }
    TAILQ_FOREACH(session, &egress->due, due) {
        collect(egress, &session->settled);
    }
    collect(egress, &egress->asked_ids);
    verdicts_seal(&egress->verdicts, egress->credential->signer, &egress->credential->mesh);
}

static bool outcome_piece(struct egress *egress, const struct verdicts *verdicts,
                          const struct task_view *view, struct piece *piece)
{
    if (!view->has_result) {
        if (verdicts == &egress->verdicts) {
            seal_verdicts(egress);
        }
        return verdicts_find(verdicts, &view->id, piece);
    }
    *piece = (struct piece){
        .seal = view->result_seal,
        .tree = view->result_tree,
        .index = view->result_index,
        .item = view->result,
    };
    return true;
}

static void show_signer(struct egress *egress, struct session *session, const struct seal *seal,
                        uint32_t field, struct wire_writer *writer)
{
    struct bytes signed_form;

    if (seal != egress->shown_seal && shown_add_signer(&session->shown, &seal->signer) &&
        forest_certificate(egress->forest, &seal->signer, &signed_form) != NULL) {
        wire_put_bytes(writer, field, signed_form);
    }
    egress->shown_seal = seal;
}

size_t egress_put_outcomes(struct egress *egress, struct session *session,
                           const struct outcomes *outcomes, struct wire_writer *writer)
{
    struct task_view view;
    struct piece piece;
    size_t size = 0;
    size_t i;

    egress->shown_seal = NULL;
    excerpts_reset(&egress->excerpts);
    for (i = 0; i < outcomes->count && i < EGRESS_MESSAGE_ITEMS; i++) {
        if (!forest_task(egress->forest, &outcomes->ids[i], &view) ||
            task_state_is_open(view.state) ||
            !outcome_piece(egress, outcomes->verdicts, &view, &piece)) {
            continue;
        }
        if (size > 0 && size + piece.item.size > outcomes->size) {
            break;
        }
        size += piece.item.size;
        excerpts_add(&egress->excerpts, &piece);
        show_signer(egress, session, piece.seal, outcomes->certificate_field, writer);
    }
    excerpts_put(&egress->excerpts, &egress->trees, writer, outcomes->field);
    return i;
}

/* Whoever misses what was passed over asks again. */
static size_t put_outcomes(struct egress *egress, struct session *session, const struct id *ids,
                           size_t count, struct wire_writer *writer)
{
    const struct outcomes outcomes = {
        .ids = ids,
        .count = count,
        .verdicts = &egress->verdicts,
        .size = EGRESS_MESSAGE_SIZE,
        .field = NOTIFY_OUTCOMES,
        .certificate_field = NOTIFY_CERTIFICATES,
    };
    const size_t taken = egress_put_outcomes(egress, session, &outcomes, writer);

    egress->counters.notified += excerpts_count(&egress->excerpts);
    return taken;
}

void egress_notify(struct egress *egress, struct session *session)
{
    const size_t count = id_count(&session->settled);
    struct wire_writer writer;
    size_t i = 0;

    while (i < count && session_has_room(session)) {
        buffer_reset(&egress->frame);
        wire_open(&writer, &egress->frame, MESSAGE_NOTIFY, 0);
        i += put_outcomes(egress, session, ids_of(&session->settled) + i, count - i, &writer);
        wire_close(&writer);
        if (egress->excerpts.items.size > 0) {
            egress_send(egress, session, NULL, buffer_bytes(&egress->frame));
        }
    }
    if (i > 0) {
        const size_t left = (count - i) * sizeof(struct id);

        memmove(session->settled.data, session->settled.data + i * sizeof(struct id), left);
        session->settled.size = left;
    }
}

static void put_unknown(struct wire_writer *writer, size_t position, enum refusal refusal)
{
    const struct item_refused unknown = {
        .position = (uint32_t)position,
        .code = refusal,
        .text = bytes_of_text(refusal_text(refusal)),
    };

    wire_put_item_refused(writer, NOTIFY_UNKNOWN, &unknown);
}

/* Sorts the ids of a Wait: unknown ones go into the answer, settled ones to egress->ids, and for
 * the rest the session waits. */
static void sort_ids(struct egress *egress, const struct asked *asked, struct wire_writer *writer)
{
    const struct id *ids = ids_of(&egress->asked_ids) + asked->first;
    struct task_view view;

    buffer_reset(&egress->ids);
    for (size_t i = 0; i < asked->count; i++) {
        const enum refusal refusal = reading_judge(egress->forest, asked->session, &ids[i], &view);

        if (refusal != REFUSED_NOT) {
            put_unknown(writer, i, refusal);
        } else if (task_state_is_open(view.state)) {
            waiters_add(egress->waiters, asked->session, &ids[i]);
        } else {
            buffer_append(&egress->ids, &ids[i], sizeof(ids[i]));
        }
    }
}

/* What does not fit into the answer follows as if it had been settled just now. */
static void answer(struct egress *egress, const struct asked *asked)
{
    struct session *session = asked->session;
    struct wire_writer writer;
    size_t taken;

    buffer_reset(&egress->frame);
    wire_open(&writer, &egress->frame, MESSAGE_NOTIFY, asked->correlation);
    sort_ids(egress, asked, &writer);
    taken = put_outcomes(egress, session, ids_of(&egress->ids), id_count(&egress->ids), &writer);
    wire_close(&writer);
    egress_send(egress, session, &asked->envelope, buffer_bytes(&egress->frame));
    if (taken < id_count(&egress->ids)) {
        buffer_append(&session->settled, ids_of(&egress->ids) + taken,
                      (id_count(&egress->ids) - taken) * sizeof(struct id));
        egress_due(egress, session);
    }
}

void egress_answer_asked(struct egress *egress)
{
    const struct asked *list = (const struct asked *)(void *)egress->asked.data;
    const size_t count = egress->asked.size / sizeof(*list);

    for (size_t i = 0; i < count; i++) {
        if (list[i].session->is_open) {
            answer(egress, &list[i]);
        }
        session_release(list[i].session);
    }
    buffer_reset(&egress->asked);
    buffer_reset(&egress->asked_ids);
}

/* ---- who hears of what */

void egress_notify_later(struct egress *egress, struct session *session, const struct id *task)
{
    buffer_append(&session->settled, task, sizeof(*task));
    egress_due(egress, session);
}

/* The attempt hears of a child it awaits: when it ends, or now. */
static void await_child(struct egress *egress, struct session *session, const struct waits *waits,
                        const struct id *child)
{
    struct task_view view;

    if (!forest_task(egress->forest, child, &view) || view.is_root ||
        !id_equal(&view.parent, &waits->task)) {
        return;
    }
    if (task_state_is_open(view.state)) {
        waiters_add(egress->waiters, session, child);
    } else {
        egress_notify_later(egress, session, child);
    }
}

static void await_children(struct egress *egress, const struct job *job, const struct waits *waits)
{
    const struct id *ids = (const struct id *)(const void *)job->ids.data;
    struct task_view view;

    if (!forest_task(egress->forest, &waits->task, &view) || view.session != job->worker ||
        view.attempt != waits->attempt) {
        return;
    }
    for (size_t at = 0; at + sizeof(struct id) <= waits->awaited.size; at += sizeof(struct id)) {
        struct id child;

        memcpy(&child, waits->awaited.data + at, sizeof(child));
        await_child(egress, job->session, waits, &child);
    }
    for (size_t i = 0; i < waits->positions.size; i++) {
        const uint8_t position = waits->positions.data[i];

        if ((position + 1u) * sizeof(struct id) <= job->ids.size) {
            await_child(egress, job->session, waits, &ids[position]);
        }
    }
}

void egress_await_children(struct egress *egress, const struct job *job)
{
    struct expand expand;
    struct bytes element;
    struct waits waits;
    size_t left = WAITS_COST;

    if (!job->session->is_open || wire_expand_decode(job->body, &expand) != GROVE_OK) {
        return;
    }
    while (left > 0 && wire_next(&expand.waits, &element)) {
        if (wire_waits_decode(element, &waits) != GROVE_OK) {
            left--;
        } else if (waits_pay(&waits, &left)) {
            await_children(egress, job, &waits);
        }
    }
}

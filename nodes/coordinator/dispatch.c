/* SPDX-License-Identifier: MPL-2.0
 * What a worker is told: Assign with the tasks as they were signed, Resume, Stop. */
#include "nodes/coordinator/egress.h"

#include "core/message.h"

static const struct errand *errands(const struct buffer *buffer, size_t *count)
{
    *count = buffer->size / sizeof(struct errand);
    return (const struct errand *)(void *)buffer->data;
}

static struct piece task_piece(const struct task_view *view)
{
    return (struct piece){
        .seal = view->seal,
        .tree = view->tree,
        .index = view->seal_index,
        .item = view->item,
    };
}

/* An assignment until its excerpt has a place. */
struct drafted {
    struct assignment assignment;
    uint32_t item;             /* its number in the excerpts */
    size_t root_at, root_size; /* in egress->root */
};

static void show_signer(struct egress *egress, struct session *session, const struct seal *seal,
                        struct wire_writer *writer)
{
    struct bytes signed_form;

    if (seal != egress->shown_seal && shown_add_signer(&session->shown, &seal->signer) &&
        forest_certificate(egress->forest, &seal->signer, &signed_form) != NULL) {
        wire_put_bytes(writer, ASSIGN_CERTIFICATES, signed_form);
    }
    egress->shown_seal = seal;
}

/* The root's item goes with the first task of its tree: the worker checks the right of its
 * submitter. */
static void draft_root(struct egress *egress, struct session *session, const struct id *root,
                       struct drafted *drafted, struct wire_writer *writer)
{
    struct digest hashes[LIMIT_BATCH_ITEMS];
    struct sealed sealed;
    struct task_view view;
    struct piece piece;

    drafted->root_at = egress->root.size;
    if (!shown_add_root(&session->shown, root) || !forest_task(egress->forest, root, &view)) {
        return;
    }
    piece = task_piece(&view);
    excerpt_of_piece(&piece, &egress->trees, hashes, &sealed);
    wire_sealed_encode(&egress->root, &sealed);
    drafted->root_size = egress->root.size - drafted->root_at;
    show_signer(egress, session, view.seal, writer);
}

/* False when the assignment no longer holds: a later entry of the turn has taken it back. */
static bool still_holds(const struct egress *egress, const struct session *session,
                        const struct errand *errand, struct task_view *view)
{
    return forest_task(egress->forest, &errand->task, view) && view->attempt == errand->attempt &&
           view->session == session->seat->index && view->state == TASK_RUNNING;
}

static size_t draft(struct egress *egress, struct session *session, const struct task_view *view,
                    struct wire_writer *writer)
{
    const struct piece piece = task_piece(view);
    struct drafted drafted = {
        .assignment = {.task = view->id,
                       .attempt = view->attempt,
                       .generation = view->generation,
                       .deadline_ms = view->deadline_ms,
                       .checkpoint = view->checkpoint,
                       .depth = view->depth,
                       .is_behind = view->is_behind},
        .item = excerpts_add(&egress->excerpts, &piece),
    };

    show_signer(egress, session, view->seal, writer);
    if (!view->is_root) {
        draft_root(egress, session, &view->root, &drafted, writer);
    }
    buffer_append(&egress->assignments, &drafted, sizeof(drafted));
    return view->item.size + view->checkpoint.size + drafted.root_size;
}

static void put_assignments(struct egress *egress, struct wire_writer *writer)
{
    struct drafted *list = (struct drafted *)(void *)egress->assignments.data;
    const size_t count = egress->assignments.size / sizeof(*list);

    for (size_t i = 0; i < count; i++) {
        struct assignment *assignment = &list[i].assignment;

        excerpts_place(&egress->excerpts, list[i].item, &assignment->batch, &assignment->item);
        if (list[i].root_size > 0) { /* else there may be no memory to point into */
            assignment->root_batch =
                bytes_of(egress->root.data + list[i].root_at, list[i].root_size);
        }
        wire_put_assignment(writer, ASSIGN_ASSIGNMENTS, assignment);
    }
    egress->counters.assigned += count;
}

/* One Assign of as many as fit; returns how many errands it took. */
static size_t assign_some(struct egress *egress, struct session *session, const struct errand *list,
                          size_t count)
{
    struct wire_writer writer;
    struct task_view view;
    size_t size = 0;
    size_t i = 0;

    egress->shown_seal = NULL;
    excerpts_reset(&egress->excerpts);
    buffer_reset(&egress->root);
    buffer_reset(&egress->assignments);
    buffer_reset(&egress->frame);
    wire_open(&writer, &egress->frame, MESSAGE_ASSIGN, 0);
    while (i < count && i < EGRESS_MESSAGE_ITEMS && size < EGRESS_MESSAGE_SIZE) {
        if (still_holds(egress, session, &list[i], &view)) {
            if (size > 0 && size + view.item.size + view.checkpoint.size > EGRESS_MESSAGE_SIZE) {
                break;
            }
            size += draft(egress, session, &view, &writer);
        }
        i++;
    }
    if (egress->assignments.size > 0) {
        excerpts_put(&egress->excerpts, &egress->trees, &writer, ASSIGN_BATCHES);
        put_assignments(egress, &writer);
        wire_close(&writer);
        egress_send(egress, session, NULL, buffer_bytes(&egress->frame));
    }
    return i;
}

void egress_assign(struct egress *egress, struct session *session)
{
    size_t count;
    const struct errand *list = errands(&session->assigns, &count);

    for (size_t i = 0; i < count && session_has_room(session);) {
        i += assign_some(egress, session, list + i, count - i);
    }
    buffer_reset(&session->assigns);
}

void egress_resume(struct egress *egress, struct session *session)
{
    struct wire_writer writer;
    size_t count;
    const struct errand *list = errands(&session->resumes, &count);

    if (count == 0) {
        return;
    }
    buffer_reset(&egress->frame);
    wire_open(&writer, &egress->frame, MESSAGE_RESUME, 0);
    for (size_t i = 0; i < count; i++) {
        const struct held held = {
            .task = list[i].task, .attempt = list[i].attempt, .state = HELD_RUNNING};

        wire_put_held(&writer, RESUME_RESUMED, &held);
    }
    wire_close(&writer);
    egress_send(egress, session, NULL, buffer_bytes(&egress->frame));
    buffer_reset(&session->resumes);
}

void egress_stop(struct egress *egress, struct session *session)
{
    struct wire_writer writer;
    size_t count;
    const struct errand *list = errands(&session->stops, &count);

    if (count == 0) {
        return;
    }
    buffer_reset(&egress->frame);
    wire_open(&writer, &egress->frame, MESSAGE_STOP, 0);
    for (size_t i = 0; i < count; i++) {
        const struct stopped stopped = {
            .task = list[i].task, .attempt = list[i].attempt, .reason = list[i].reason};

        wire_put_stopped(&writer, STOP_STOPPED, &stopped);
    }
    wire_close(&writer);
    egress_send(egress, session, NULL, buffer_bytes(&egress->frame));
    buffer_reset(&session->stops);
}

static bool has_limit(const struct forest *forest, struct bytes function)
{
    struct function_view view;

    return forest_function_named(forest, function, &view) &&
           (view.limit.running > 0 || view.limit.rate > 0 || view.limit.paused);
}

void egress_recall(struct egress *egress, struct session *session)
{
    struct session_view view;

    if (!session->is_recalled) {
        return;
    }
    session->is_recalled = false;
    if (session->seat == NULL || !forest_session(egress->forest, session->seat->index - 1, &view)) {
        return;
    }
    for (size_t i = 0; i < view.function_count; i++) {
        const struct bytes function = bytes_of_text(view.functions[i]);

        if (has_limit(egress->forest, function)) {
            buffer_reset(&egress->frame);
            wire_recall_encode(&egress->frame, function);
            egress_send(egress, session, NULL, buffer_bytes(&egress->frame));
            egress->counters.recalled++;
        }
    }
}

/* SPDX-License-Identifier: MPL-2.0
 * What the messages say: a shape each, and what is told by it. */
#include "core/message.h"

#include "core/field.h"
#include "core/shape.h"
#include "schema/grove.pb.h"

#define TAG(message, name) grove_v1_##message##_##name##_tag

/* ---- elements of lists */

static const struct shape_field held_fields[] = {
    [TAG(Held, task)] = {SHAPE_FIXED, SHAPE_AT(held, task), .limit = sizeof(struct id)},
    [TAG(Held, attempt)] = {SHAPE_UINT32, SHAPE_AT(held, attempt)},
    [TAG(Held, state)] = {SHAPE_UINT32, SHAPE_AT(held, state), .limit = HELD_WAITING},
};

static const struct shape held_shape = {SHAPE_OF(held, held_fields),
                                        .required = SHAPE_BIT(TAG(Held, task))};

enum grove_status wire_held_decode(struct bytes element, struct held *held)
{
    return shape_decode(&held_shape, element, held);
}

void wire_put_held(struct wire_writer *writer, uint32_t field, const struct held *held)
{
    shape_put(&held_shape, held, field, writer->out);
}

static const struct shape_field item_refused_fields[] = {
    [TAG(ItemRefused, position)] = {SHAPE_UINT32, SHAPE_AT(item_refused, position)},
    [TAG(ItemRefused, code)] = {SHAPE_UINT32, SHAPE_AT(item_refused, code)},
    [TAG(ItemRefused, text)] = {SHAPE_TEXT, SHAPE_AT(item_refused, text),
                                .limit = LIMIT_TEXT_LENGTH},
    [TAG(ItemRefused, conflict)] = {SHAPE_BYTES, SHAPE_AT(item_refused, conflict),
                                    .unit = sizeof(struct digest), .limit = sizeof(struct digest)},
};

static const struct shape item_refused_shape = {SHAPE_OF(item_refused, item_refused_fields)};

enum grove_status wire_item_refused_decode(struct bytes element, struct item_refused *refused)
{
    return shape_decode(&item_refused_shape, element, refused);
}

void wire_put_item_refused(struct wire_writer *writer, uint32_t field,
                           const struct item_refused *refused)
{
    shape_put(&item_refused_shape, refused, field, writer->out);
}

static const struct shape_field assignment_fields[] = {
    [TAG(Assignment, task)] = {SHAPE_FIXED, SHAPE_AT(assignment, task), .limit = sizeof(struct id)},
    [TAG(Assignment, attempt)] = {SHAPE_UINT32, SHAPE_AT(assignment, attempt)},
    [TAG(Assignment, generation)] = {SHAPE_UINT32, SHAPE_AT(assignment, generation)},
    [TAG(Assignment, batch)] = {SHAPE_UINT32, SHAPE_AT(assignment, batch)},
    [TAG(Assignment, item)] = {SHAPE_UINT32, SHAPE_AT(assignment, item),
                               .limit = LIMIT_BATCH_ITEMS - 1},
    [TAG(Assignment, deadline_ms)] = {SHAPE_UINT64, SHAPE_AT(assignment, deadline_ms)},
    [TAG(Assignment, checkpoint)] = {SHAPE_BYTES, SHAPE_AT(assignment, checkpoint),
                                     .limit = LIMIT_CHECKPOINT_SIZE},
    [TAG(Assignment, depth)] = {SHAPE_UINT32, SHAPE_AT(assignment, depth), .limit = LIMIT_DEPTH},
    [TAG(Assignment, is_behind)] = {SHAPE_BOOL, SHAPE_AT(assignment, is_behind)},
    [TAG(Assignment, root_batch)] = {SHAPE_BYTES, SHAPE_AT(assignment, root_batch),
                                     .limit = LIMIT_FRAME_SIZE},
};

static const struct shape assignment_shape = {SHAPE_OF(assignment, assignment_fields),
                                              .required = SHAPE_BIT(TAG(Assignment, task))};

enum grove_status wire_assignment_decode(struct bytes element, struct assignment *assignment)
{
    return shape_decode(&assignment_shape, element, assignment);
}

void wire_put_assignment(struct wire_writer *writer, uint32_t field,
                         const struct assignment *assignment)
{
    shape_put(&assignment_shape, assignment, field, writer->out);
}

static const struct shape_field waits_fields[] = {
    [TAG(Waits, task)] = {SHAPE_FIXED, SHAPE_AT(waits, task), .limit = sizeof(struct id)},
    [TAG(Waits, attempt)] = {SHAPE_UINT32, SHAPE_AT(waits, attempt)},
    [TAG(Waits, awaited)] = {SHAPE_BYTES, SHAPE_AT(waits, awaited), .unit = sizeof(struct id),
                             .limit = LIMIT_AWAITED * sizeof(struct id)},
    [TAG(Waits, positions)] = {SHAPE_BYTES, SHAPE_AT(waits, positions), .limit = LIMIT_BATCH_ITEMS},
    [TAG(Waits, joins)] = {SHAPE_MESSAGES, SHAPE_AT(waits, joins), .most = LIMIT_OPEN_JOINS,
                           .element = &awaited_join_shape},
};

static const struct shape waits_shape = {SHAPE_OF(waits, waits_fields),
                                         .required = SHAPE_BIT(TAG(Waits, task))};

enum grove_status wire_waits_decode(struct bytes element, struct waits *waits)
{
    return shape_decode(&waits_shape, element, waits);
}

bool waits_pay(const struct waits *waits, size_t *left)
{
    const size_t cost =
        1 + waits->awaited.size / sizeof(struct id) + waits->positions.size + waits->joins.count;
    const bool is_paid = cost <= *left;

    *left -= is_paid ? cost : 1;
    return is_paid;
}

void wire_put_waits(struct wire_writer *writer, uint32_t field, const struct waits *waits)
{
    shape_put(&waits_shape, waits, field, writer->out);
}

size_t wire_open_waits(struct wire_writer *writer, const struct waits *waits)
{
    const size_t opened = field_open(writer->out, TAG(Expand, waits));

    shape_encode(&waits_shape, waits, writer->out);
    return opened;
}

void wire_close_waits(struct wire_writer *writer, size_t opened)
{
    field_close(writer->out, opened);
}

static const struct shape_field progress_item_fields[] = {
    [TAG(ProgressItem, task)] = {SHAPE_FIXED, SHAPE_AT(progress_item, task),
                                 .limit = sizeof(struct id)},
    [TAG(ProgressItem, attempt)] = {SHAPE_UINT32, SHAPE_AT(progress_item, attempt)},
    [TAG(ProgressItem, percent)] = {SHAPE_UINT32, SHAPE_AT(progress_item, percent), .limit = 100},
    [TAG(ProgressItem, text)] = {SHAPE_TEXT, SHAPE_AT(progress_item, text),
                                 .limit = LIMIT_PROGRESS_LENGTH},
};

static const struct shape progress_item_shape = {SHAPE_OF(progress_item, progress_item_fields),
                                                 .required = SHAPE_BIT(TAG(ProgressItem, task))};

enum grove_status wire_progress_item_decode(struct bytes element, struct progress_item *item)
{
    return shape_decode(&progress_item_shape, element, item);
}

void wire_put_progress(struct wire_writer *writer, uint32_t field, const struct progress_item *item)
{
    shape_put(&progress_item_shape, item, field, writer->out);
}

static const struct shape_field returned_fields[] = {
    [TAG(Returned, task)] = {SHAPE_FIXED, SHAPE_AT(returned, task), .limit = sizeof(struct id)},
    [TAG(Returned, attempt)] = {SHAPE_UINT32, SHAPE_AT(returned, attempt)},
    [TAG(Returned, reason)] = {SHAPE_UINT32, SHAPE_AT(returned, reason), .limit = RETURN_REFUSED},
    [TAG(Returned, text)] = {SHAPE_TEXT, SHAPE_AT(returned, text), .limit = LIMIT_TEXT_LENGTH},
};

static const struct shape returned_shape = {SHAPE_OF(returned, returned_fields),
                                            .required = SHAPE_BIT(TAG(Returned, task)) |
                                                        SHAPE_BIT(TAG(Returned, reason))};

enum grove_status wire_returned_decode(struct bytes element, struct returned *returned)
{
    struct returned decoded;
    enum grove_status status = shape_decode(&returned_shape, element, &decoded);

    if (status == GROVE_OK && decoded.reason == 0) {
        status = GROVE_MALFORMED;
    }
    if (status == GROVE_OK) {
        *returned = decoded;
    }
    return status;
}

void wire_put_returned(struct wire_writer *writer, uint32_t field, const struct returned *returned)
{
    shape_put(&returned_shape, returned, field, writer->out);
}

static const struct shape_field stopped_fields[] = {
    [TAG(Stopped, task)] = {SHAPE_FIXED, SHAPE_AT(stopped, task), .limit = sizeof(struct id)},
    [TAG(Stopped, attempt)] = {SHAPE_UINT32, SHAPE_AT(stopped, attempt)},
    [TAG(Stopped, reason)] = {SHAPE_UINT32, SHAPE_AT(stopped, reason)},
};

static const struct shape stopped_shape = {SHAPE_OF(stopped, stopped_fields),
                                           .required = SHAPE_BIT(TAG(Stopped, task))};

enum grove_status wire_stopped_decode(struct bytes element, struct stopped *stopped)
{
    return shape_decode(&stopped_shape, element, stopped);
}

void wire_put_stopped(struct wire_writer *writer, uint32_t field, const struct stopped *stopped)
{
    shape_put(&stopped_shape, stopped, field, writer->out);
}

/* ---- sessions */

static const struct shape_field hello_fields[] = {
    [TAG(Hello, mesh)] = {SHAPE_FIXED, SHAPE_AT(hello, mesh), .limit = sizeof(struct key)},
    [TAG(Hello, boot)] = {SHAPE_FIXED, SHAPE_AT(hello, boot), .limit = sizeof(struct id)},
    [TAG(Hello, ledger)] = {SHAPE_FIXED, SHAPE_AT(hello, ledger),
                            .present = offsetof(struct hello, has_ledger),
                            .limit = sizeof(struct id)},
};

static const struct shape hello_shape = {SHAPE_OF(hello, hello_fields),
                                         .required = SHAPE_BIT(TAG(Hello, mesh)) |
                                                     SHAPE_BIT(TAG(Hello, boot))};

enum grove_status wire_hello_decode(struct bytes body, struct hello *hello)
{
    return shape_decode(&hello_shape, body, hello);
}

static const struct shape_field welcome_fields[] = {
    [TAG(Welcome, ledger)] = {SHAPE_FIXED, SHAPE_AT(welcome, ledger), .limit = sizeof(struct id)},
    [TAG(Welcome, stamp_ms)] = {SHAPE_UINT64, SHAPE_AT(welcome, stamp_ms)},
    [TAG(Welcome, session)] = {SHAPE_UINT64, SHAPE_AT(welcome, session)},
    [TAG(Welcome, certificates)] = {SHAPE_LIST, SHAPE_AT(welcome, certificates),
                                    .limit = LIMIT_CERTIFICATE_SIZE},
    [TAG(Welcome, heartbeat_ms)] = {SHAPE_UINT32, SHAPE_AT(welcome, heartbeat_ms)},
    [TAG(Welcome, session_ms)] = {SHAPE_UINT32, SHAPE_AT(welcome, session_ms)},
    [TAG(Welcome, coordinators)] = {SHAPE_MESSAGES, SHAPE_AT(welcome, coordinators),
                                    .element = &location_shape},
};

static const struct shape welcome_shape = {SHAPE_OF(welcome, welcome_fields),
                                           .required = SHAPE_BIT(TAG(Welcome, ledger))};

enum grove_status wire_welcome_decode(struct bytes body, struct welcome *welcome)
{
    return shape_decode(&welcome_shape, body, welcome);
}

static const struct shape_field heartbeat_fields[] = {
    [TAG(Heartbeat, held)] = {SHAPE_MESSAGES, SHAPE_AT(heartbeat, held), .element = &held_shape},
    [TAG(Heartbeat, stamp_ms)] = {SHAPE_UINT64, SHAPE_AT(heartbeat, stamp_ms)},
};

static const struct shape heartbeat_shape = {SHAPE_OF(heartbeat, heartbeat_fields)};

enum grove_status wire_heartbeat_decode(struct bytes body, struct heartbeat *heartbeat)
{
    return shape_decode(&heartbeat_shape, body, heartbeat);
}

/* ---- clients */

static const struct shape_field submit_fields[] = {
    [TAG(Submit, batch)] = {SHAPE_BYTES, SHAPE_AT(submit, batch), .limit = LIMIT_FRAME_SIZE},
    [TAG(Submit, wait)] = {SHAPE_BOOL, SHAPE_AT(submit, wait)},
};

static const struct shape submit_shape = {SHAPE_OF(submit, submit_fields),
                                          .required = SHAPE_BIT(TAG(Submit, batch))};

enum grove_status wire_submit_decode(struct bytes body, struct submit *submit)
{
    return shape_decode(&submit_shape, body, submit);
}

static const struct shape_field accepted_fields[] = {
    [TAG(Accepted, ids)] = {SHAPE_BYTES, SHAPE_AT(accepted, ids), .unit = sizeof(struct id),
                            .limit = LIMIT_BATCH_ITEMS * sizeof(struct id)},
    [TAG(Accepted, refused)] = {SHAPE_MESSAGES, SHAPE_AT(accepted, refused),
                                .most = LIMIT_BATCH_ITEMS, .element = &item_refused_shape},
    [TAG(Accepted, stamp_ms)] = {SHAPE_UINT64, SHAPE_AT(accepted, stamp_ms)},
    [TAG(Accepted, settled)] = {SHAPE_BYTES, SHAPE_AT(accepted, settled),
                                .limit = LIMIT_BATCH_ITEMS},
    [TAG(Accepted, appends)] = {SHAPE_BYTES, SHAPE_AT(accepted, appends),
                                .limit = LIMIT_BATCH_ITEMS},
};

static const struct shape accepted_shape = {SHAPE_OF(accepted, accepted_fields)};

enum grove_status wire_accepted_decode(struct bytes body, struct accepted *accepted)
{
    struct accepted decoded;
    enum grove_status status = shape_decode(&accepted_shape, body, &decoded);

    if (status == GROVE_OK && decoded.settled.size * sizeof(struct id) != decoded.ids.size) {
        status = GROVE_MALFORMED;
    }
    if (status == GROVE_OK) {
        *accepted = decoded;
    }
    return status;
}

static const struct shape_field wait_fields[] = {
    [TAG(Wait, ids)] = {SHAPE_BYTES, .offset = 0, .unit = sizeof(struct id),
                        .limit = LIMIT_AWAITED * sizeof(struct id)},
};

static const struct shape wait_shape = {SHAPE_OF(bytes, wait_fields)};

enum grove_status wire_wait_decode(struct bytes body, struct bytes *ids)
{
    return shape_decode(&wait_shape, body, ids);
}

static const struct shape_field notify_fields[] = {
    [TAG(Notify, outcomes)] = {SHAPE_LIST, SHAPE_AT(notify, outcomes), .limit = LIMIT_FRAME_SIZE},
    [TAG(Notify, certificates)] = {SHAPE_LIST, SHAPE_AT(notify, certificates),
                                   .limit = LIMIT_CERTIFICATE_SIZE},
    [TAG(Notify, unknown)] = {SHAPE_MESSAGES, SHAPE_AT(notify, unknown),
                              .element = &item_refused_shape},
};

static const struct shape notify_shape = {SHAPE_OF(notify, notify_fields)};

enum grove_status wire_notify_decode(struct bytes body, struct notify *notify)
{
    return shape_decode(&notify_shape, body, notify);
}

/* ---- workers */

static const struct shape_field enlist_fields[] = {
    [TAG(Enlist, instance)] = {SHAPE_TEXT, SHAPE_AT(enlist, instance), .limit = LIMIT_NAME_LENGTH},
    [TAG(Enlist, functions)] = {SHAPE_TEXTS, SHAPE_AT(enlist, functions), .most = LIMIT_FUNCTIONS,
                                .limit = LIMIT_FUNCTION_LENGTH},
    [TAG(Enlist, slots)] = {SHAPE_UINT32, SHAPE_AT(enlist, slots)},
    [TAG(Enlist, window)] = {SHAPE_UINT32, SHAPE_AT(enlist, window)},
    [TAG(Enlist, max_waiting)] = {SHAPE_UINT32, SHAPE_AT(enlist, max_waiting)},
    [TAG(Enlist, held)] = {SHAPE_MESSAGES, SHAPE_AT(enlist, held), .element = &held_shape},
    [TAG(Enlist, previous_exited)] = {SHAPE_BOOL, SHAPE_AT(enlist, previous_exited)},
};

static const struct shape enlist_shape = {SHAPE_OF(enlist, enlist_fields),
                                          .required = SHAPE_BIT(TAG(Enlist, instance))};

enum grove_status wire_enlist_decode(struct bytes body, struct enlist *enlist)
{
    return shape_decode(&enlist_shape, body, enlist);
}

static const struct shape_field assign_fields[] = {
    [TAG(Assign, batches)] = {SHAPE_LIST, SHAPE_AT(assign, batches), .limit = LIMIT_FRAME_SIZE},
    [TAG(Assign, assignments)] = {SHAPE_MESSAGES, SHAPE_AT(assign, assignments),
                                  .element = &assignment_shape},
    [TAG(Assign, certificates)] = {SHAPE_LIST, SHAPE_AT(assign, certificates),
                                   .limit = LIMIT_CERTIFICATE_SIZE},
};

static const struct shape assign_shape = {SHAPE_OF(assign, assign_fields)};

enum grove_status wire_assign_decode(struct bytes body, struct assign *assign)
{
    return shape_decode(&assign_shape, body, assign);
}

static const struct shape_field expand_fields[] = {
    [TAG(Expand, batch)] = {SHAPE_BYTES, SHAPE_AT(expand, batch), .limit = LIMIT_FRAME_SIZE},
    [TAG(Expand, waits)] = {SHAPE_MESSAGES, SHAPE_AT(expand, waits), .element = &waits_shape},
    [TAG(Expand, progress)] = {SHAPE_MESSAGES, SHAPE_AT(expand, progress),
                               .element = &progress_item_shape},
    [TAG(Expand, appends)] = {SHAPE_MESSAGES, SHAPE_AT(expand, appends), .most = LIMIT_BATCH_ITEMS,
                              .element = &append_shape},
};

static const struct shape expand_shape = {SHAPE_OF(expand, expand_fields)};

enum grove_status wire_expand_decode(struct bytes body, struct expand *expand)
{
    return shape_decode(&expand_shape, body, expand);
}

static const struct shape_field resume_fields[] = {
    [TAG(Resume, resumed)] = {SHAPE_MESSAGES, .offset = 0, .element = &held_shape},
};

static const struct shape resume_shape = {SHAPE_OF(wire_list, resume_fields)};

enum grove_status wire_resume_decode(struct bytes body, struct wire_list *resumed)
{
    return shape_decode(&resume_shape, body, resumed);
}

static const struct shape_field report_fields[] = {
    [TAG(Report, batch)] = {SHAPE_BYTES, SHAPE_AT(report, batch), .limit = LIMIT_FRAME_SIZE},
    [TAG(Report, progress)] = {SHAPE_MESSAGES, SHAPE_AT(report, progress),
                               .element = &progress_item_shape},
};

static const struct shape report_shape = {SHAPE_OF(report, report_fields),
                                          .required = SHAPE_BIT(TAG(Report, batch))};

enum grove_status wire_report_decode(struct bytes body, struct report *report)
{
    return shape_decode(&report_shape, body, report);
}

static const struct shape_field return_fields[] = {
    [TAG(Return, returned)] = {SHAPE_MESSAGES, .offset = 0, .element = &returned_shape},
};

static const struct shape return_shape = {SHAPE_OF(wire_list, return_fields)};

enum grove_status wire_return_decode(struct bytes body, struct wire_list *returned)
{
    return shape_decode(&return_shape, body, returned);
}

static const struct shape_field checkpoint_fields[] = {
    [TAG(Checkpoint, task)] = {SHAPE_FIXED, SHAPE_AT(checkpoint, task), .limit = sizeof(struct id)},
    [TAG(Checkpoint, attempt)] = {SHAPE_UINT32, SHAPE_AT(checkpoint, attempt)},
    [TAG(Checkpoint, bytes)] = {SHAPE_BYTES, SHAPE_AT(checkpoint, bytes),
                                .limit = LIMIT_CHECKPOINT_SIZE},
    [TAG(Checkpoint, progress)] = {SHAPE_MESSAGES, SHAPE_AT(checkpoint, progress),
                                   .element = &progress_item_shape},
};

static const struct shape checkpoint_shape = {SHAPE_OF(checkpoint, checkpoint_fields),
                                              .required = SHAPE_BIT(TAG(Checkpoint, task))};

enum grove_status wire_checkpoint_decode(struct bytes body, struct checkpoint *checkpoint)
{
    return shape_decode(&checkpoint_shape, body, checkpoint);
}

static const struct shape_field stop_fields[] = {
    [TAG(Stop, stopped)] = {SHAPE_MESSAGES, .offset = 0, .element = &stopped_shape},
};

static const struct shape stop_shape = {SHAPE_OF(wire_list, stop_fields)};

enum grove_status wire_stop_decode(struct bytes body, struct wire_list *stopped)
{
    return shape_decode(&stop_shape, body, stopped);
}

static const struct shape_field progress_fields[] = {
    [TAG(Progress, progress)] = {SHAPE_MESSAGES, .offset = 0, .element = &progress_item_shape},
};

static const struct shape progress_shape = {SHAPE_OF(wire_list, progress_fields)};

enum grove_status wire_progress_decode(struct bytes body, struct wire_list *progress)
{
    return shape_decode(&progress_shape, body, progress);
}

/* ---- operators */

static const struct shape_field admit_fields[] = {
    [TAG(Admit, certificates)] = {SHAPE_LIST, .offset = 0, .limit = LIMIT_CERTIFICATE_SIZE},
};

static const struct shape admit_shape = {SHAPE_OF(wire_list, admit_fields)};

enum grove_status wire_admit_decode(struct bytes body, struct wire_list *certificates)
{
    return shape_decode(&admit_shape, body, certificates);
}

static const struct shape_field done_fields[] = {[TAG(Done, index)] = {.kind = SHAPE_UINT64}};

static const struct shape done_shape = {
    .fields = done_fields, .field_count = TAG(Done, index) + 1, .size = sizeof(uint64_t)};

enum grove_status wire_done_decode(struct bytes body, uint64_t *index)
{
    return shape_decode(&done_shape, body, index);
}

/* ---- frames of a fixed shape */

void wire_hello_encode(struct buffer *out, uint64_t correlation, const struct hello *hello)
{
    wire_frame_encode(out, correlation, MESSAGE_HELLO, &hello_shape, hello);
}

/* SPDX-License-Identifier: MPL-2.0
 * Commands to bytes and back: the entries of the ledger. */
#include "core/ledger.h"

#include <assert.h>

#include "core/field.h"
#include "core/shape.h"
#include "schema/ledger.pb.h"

#define TAG(message, name) grove_ledger_v1_##message##_##name##_tag

/* ---- shapes */

static const struct shape_field group_fields[] = {
    [TAG(Group, at_ms)] = {SHAPE_UINT64, SHAPE_AT(ledger_group, at_ms)},
    [TAG(Group, commands)] = {SHAPE_LIST, SHAPE_AT(ledger_group, commands),
                              .most = LIMIT_GROUP_COMMANDS, .limit = UINT32_MAX},
};

static const struct shape group_shape = {
    SHAPE_OF(ledger_group, group_fields),
    .required = SHAPE_BIT(TAG(Group, at_ms)),
};

struct batch_parts {
    struct bytes sealed;
    struct bytes leaves;
    struct bytes ids;
    struct bytes digests;
};

static const struct shape_field batch_fields[] = {
    [TAG(Batch, sealed)] = {SHAPE_BYTES, SHAPE_AT(batch_parts, sealed), .limit = LIMIT_FRAME_SIZE},
    [TAG(Batch, leaves)] = {SHAPE_BYTES, SHAPE_AT(batch_parts, leaves), .limit = LIMIT_FRAME_SIZE},
    [TAG(Batch, ids)] = {SHAPE_BYTES, SHAPE_AT(batch_parts, ids), .limit = LIMIT_FRAME_SIZE},
    [TAG(Batch, digests)] = {SHAPE_BYTES, SHAPE_AT(batch_parts, digests),
                             .limit = LIMIT_FRAME_SIZE},
};

static const struct shape batch_shape = {SHAPE_OF(batch_parts, batch_fields)};

/* What commands are made of; each has some of it. */
struct parts {
    uint64_t session;
    uint32_t reason;
    struct bytes batch;
    struct wire_list first;  /* waits, or what is returned */
    struct wire_list second; /* progress */
    struct wire_list third;  /* appends */
    struct bytes joins;      /* 16 bytes each */
    struct bytes encoded;    /* a message of grove.proto as it was received */
    struct key identity;
    struct id boot; /* or the task to cancel */
    struct id by;
    uint32_t attempt;
};

#define SESSION(message) [TAG(message, session)] = {SHAPE_UINT64, SHAPE_AT(parts, session)}
#define IDENTITY(message)                                                                          \
    [TAG(message, identity)] = {SHAPE_FIXED, SHAPE_AT(parts, identity), .limit = 32}
#define SLICE(message, name, member)                                                               \
    [TAG(message, name)] = {SHAPE_BYTES, SHAPE_AT(parts, member), .limit = LIMIT_FRAME_SIZE}
#define LIST(message, name, member)                                                                \
    [TAG(message, name)] = {SHAPE_LIST, SHAPE_AT(parts, member), .limit = LIMIT_FRAME_SIZE}

static const struct shape_field submit_fields[] = {SLICE(Submit, batch, batch)};
static const struct shape_field expand_fields[] = {SESSION(Expand),
                                                   SLICE(Expand, batch, batch),
                                                   LIST(Expand, waits, first),
                                                   LIST(Expand, progress, second),
                                                   LIST(Expand, appends, third),
                                                   SLICE(Expand, joins, joins),
                                                   IDENTITY(Expand)};
static const struct shape_field report_fields[] = {SESSION(Report), SLICE(Report, batch, batch),
                                                   LIST(Report, progress, second)};
static const struct shape_field return_fields[] = {SESSION(Return), LIST(Return, returned, first)};
static const struct shape_field checkpoint_fields[] = {SESSION(Checkpoint),
                                                       SLICE(Checkpoint, checkpoint, encoded)};
static const struct shape_field enlist_fields[] = {
    IDENTITY(Enlist), [TAG(Enlist, boot)] = {SHAPE_FIXED, SHAPE_AT(parts, boot), .limit = 16},
    SLICE(Enlist, enlist, encoded)};
static const struct shape_field retire_fields[] = {
    SESSION(Retire),
    [TAG(Retire, reason)] = {SHAPE_UINT32, SHAPE_AT(parts, reason), .limit = RETIRE_REPLACED}};
static const struct shape_field trust_fields[] = {SLICE(Trust, certificate, encoded)};
static const struct shape_field cancel_fields[] = {
    IDENTITY(Cancel),
    SESSION(Cancel),
    [TAG(Cancel, task)] = {SHAPE_FIXED, SHAPE_AT(parts, boot), .limit = 16},
    [TAG(Cancel, by)] = {SHAPE_FIXED, SHAPE_AT(parts, by), .limit = 16},
    [TAG(Cancel, attempt)] = {SHAPE_UINT32, SHAPE_AT(parts, attempt)},
    [TAG(Cancel, code)] = {SHAPE_UINT32, SHAPE_AT(parts, reason), .limit = CODE_ABANDONED}};
static const struct shape_field limit_fields[] = {IDENTITY(Limit), SLICE(Limit, limit, encoded)};
static const struct shape_field no_fields[] = {{.kind = SHAPE_NONE}};

static const struct shape command_shapes[] = {
    [COMMAND_SUBMIT] = {SHAPE_OF(parts, submit_fields)},
    [COMMAND_EXPAND] = {SHAPE_OF(parts, expand_fields)},
    [COMMAND_REPORT] = {SHAPE_OF(parts, report_fields)},
    [COMMAND_RETURN] = {SHAPE_OF(parts, return_fields)},
    [COMMAND_CHECKPOINT] = {SHAPE_OF(parts, checkpoint_fields)},
    [COMMAND_ENLIST] = {SHAPE_OF(parts, enlist_fields),
                        .required =
                            SHAPE_BIT(TAG(Enlist, identity)) | SHAPE_BIT(TAG(Enlist, boot))},
    [COMMAND_RETIRE] = {SHAPE_OF(parts, retire_fields)},
    [COMMAND_EXPIRE] = {SHAPE_OF(parts, no_fields)},
    [COMMAND_TRUST] = {SHAPE_OF(parts, trust_fields)},
    [COMMAND_FORGET] = {SHAPE_OF(parts, no_fields)},
    [COMMAND_CANCEL] = {SHAPE_OF(parts, cancel_fields), .required = SHAPE_BIT(TAG(Cancel, task))},
    [COMMAND_SWEEP] = {SHAPE_OF(parts, no_fields)},
    [COMMAND_LIMIT] = {SHAPE_OF(parts, limit_fields)},
};

#define COMMAND_KINDS (sizeof(command_shapes) / sizeof(command_shapes[0]))

/* ---- encoding */

void ledger_group_begin(struct buffer *out, uint64_t at_ms)
{
    field_put_uint(out, TAG(Group, at_ms), at_ms);
}

static void put_batch(struct buffer *out, uint32_t field, const struct batch *batch)
{
    size_t count = batch->sealed.item_count;
    const struct batch_parts parts = {
        .sealed = batch->bytes,
        .leaves = bytes_of(batch->leaves, count * sizeof(*batch->leaves)),
        .ids = bytes_of(batch->ids, count * sizeof(*batch->ids)),
        .digests = bytes_of(batch->digests, batch->digests ? count * sizeof(*batch->digests) : 0),
    };

    shape_put(&batch_shape, &parts, field, out);
}

static void put_list(struct buffer *out, uint32_t field, struct wire_list list)
{
    struct bytes element;

    while (wire_next(&list, &element)) {
        field_put_bytes(out, field, element);
    }
}

/* What lies flat in a command; batches and lists follow it. */
static struct parts parts_of(const struct command *command)
{
    switch (command->kind) {
    case COMMAND_EXPAND:
        return (struct parts){.session = command->expand.session,
                              .identity = command->expand.identity,
                              .joins = bytes_of(command->expand.joins,
                                                command->expand.appends.count * sizeof(struct id))};
    case COMMAND_REPORT:
        return (struct parts){.session = command->report.session};
    case COMMAND_RETURN:
        return (struct parts){.session = command->return_.session};
    case COMMAND_CHECKPOINT:
        return (struct parts){.session = command->checkpoint.session,
                              .encoded = command->checkpoint.encoded};
    case COMMAND_ENLIST:
        return (struct parts){.identity = command->enlist.identity,
                              .boot = command->enlist.boot,
                              .encoded = command->enlist.encoded};
    case COMMAND_RETIRE:
        return (struct parts){.session = command->retire.session,
                              .reason = (uint32_t)command->retire.reason};
    case COMMAND_TRUST:
        return (struct parts){.encoded = command->trust.certificate};
    case COMMAND_CANCEL:
        return (struct parts){.identity = command->cancel.identity,
                              .session = command->cancel.session,
                              .boot = command->cancel.task,
                              .by = command->cancel.by,
                              .attempt = command->cancel.attempt,
                              .reason = (uint32_t)command->cancel.code};
    case COMMAND_LIMIT:
        return (struct parts){.identity = command->limit.identity,
                              .encoded = command->limit.encoded};
    case COMMAND_SUBMIT:
    case COMMAND_EXPIRE:
    case COMMAND_FORGET:
    case COMMAND_SWEEP:
        break;
    }
    return (struct parts){0};
}

static void put_batch_and_lists(struct buffer *out, const struct command *command)
{
    if (command->kind == COMMAND_SUBMIT) {
        put_batch(out, TAG(Submit, batch), &command->submit.batch);
    } else if (command->kind == COMMAND_EXPAND) {
        if (command->expand.has_batch) {
            put_batch(out, TAG(Expand, batch), &command->expand.batch);
        }
        put_list(out, TAG(Expand, waits), command->expand.waits);
        put_list(out, TAG(Expand, progress), command->expand.progress);
        put_list(out, TAG(Expand, appends), command->expand.appends);
    } else if (command->kind == COMMAND_REPORT) {
        put_batch(out, TAG(Report, batch), &command->report.batch);
        put_list(out, TAG(Report, progress), command->report.progress);
    } else if (command->kind == COMMAND_RETURN) {
        put_list(out, TAG(Return, returned), command->return_.returned);
    }
}

void ledger_group_append(struct buffer *out, const struct command *command)
{
    struct parts parts = parts_of(command);
    size_t outer = field_open(out, TAG(Group, commands));
    size_t inner = field_open(out, (uint32_t)command->kind);

    assert(command->kind > 0 && (size_t)command->kind < COMMAND_KINDS);
    shape_encode(&command_shapes[command->kind], &parts, out);
    put_batch_and_lists(out, command);
    field_close(out, inner);
    field_close(out, outer);
}

static size_t batch_size(const struct batch *batch)
{
    return batch->bytes.size +
           batch->sealed.item_count *
               (sizeof(*batch->leaves) + sizeof(*batch->ids) + sizeof(*batch->digests));
}

size_t ledger_command_size(const struct command *command)
{
    /* Tags and lengths of the command, its parts and its batch, and its numbers and keys. */
    const size_t frame = 160;

    switch (command->kind) {
    case COMMAND_SUBMIT:
        return frame + batch_size(&command->submit.batch);
    case COMMAND_EXPAND:
        return frame + (command->expand.has_batch ? batch_size(&command->expand.batch) : 0) +
               command->expand.waits.rest.size + command->expand.progress.rest.size +
               command->expand.appends.rest.size +
               command->expand.appends.count * sizeof(struct id);
    case COMMAND_REPORT:
        return frame + batch_size(&command->report.batch) + command->report.progress.rest.size;
    case COMMAND_RETURN:
        return frame + command->return_.returned.rest.size;
    case COMMAND_CHECKPOINT:
        return frame + command->checkpoint.encoded.size;
    case COMMAND_ENLIST:
        return frame + command->enlist.encoded.size;
    case COMMAND_TRUST:
        return frame + command->trust.certificate.size;
    case COMMAND_LIMIT:
        return frame + command->limit.encoded.size;
    case COMMAND_RETIRE:
    case COMMAND_EXPIRE:
    case COMMAND_FORGET:
    case COMMAND_CANCEL:
    case COMMAND_SWEEP:
        break;
    }
    return frame;
}

/* ---- decoding */

enum grove_status ledger_group_open(struct bytes entry, struct ledger_group *group)
{
    enum grove_status status = shape_decode(&group_shape, entry, group);

    return status == GROVE_TOO_LARGE ? GROVE_MALFORMED : status;
}

/* The arrays are read in place: ids and digests are made of bytes and need no alignment. */
static enum grove_status open_batch(struct bytes bytes, enum seal_kind kind, struct batch *batch)
{
    struct batch_parts parts;
    enum grove_status status = shape_decode(&batch_shape, bytes, &parts);

    if (status == GROVE_OK) {
        status = wire_sealed_decode(parts.sealed, &batch->sealed);
    }
    if (status != GROVE_OK) {
        return status;
    }
    size_t count = batch->sealed.item_count;
    size_t digested = kind == SEAL_TASK ? count : 0;
    if (batch->sealed.seal.kind != kind || batch->sealed.seal.count != count ||
        parts.leaves.size != count * sizeof(*batch->leaves) ||
        parts.ids.size != count * sizeof(*batch->ids) ||
        parts.digests.size != digested * sizeof(*batch->digests)) {
        return GROVE_MALFORMED;
    }
    batch->bytes = parts.sealed;
    batch->leaves = (const void *)parts.leaves.data;
    batch->ids = (const void *)parts.ids.data;
    batch->digests = digested > 0 ? (const void *)parts.digests.data : NULL;
    return GROVE_OK;
}

static enum grove_status open_expand(const struct parts *parts, struct command *command)
{
    command->expand.session = parts->session;
    command->expand.waits = parts->first;
    command->expand.progress = parts->second;
    command->expand.appends = parts->third;
    command->expand.identity = parts->identity;
    command->expand.joins = (const void *)parts->joins.data;
    if (parts->joins.size != parts->third.count * sizeof(struct id)) {
        return GROVE_MALFORMED;
    }
    command->expand.has_batch = parts->batch.size > 0;
    return command->expand.has_batch ? open_batch(parts->batch, SEAL_TASK, &command->expand.batch)
                                     : GROVE_OK;
}

static enum grove_status open_cancel(const struct parts *parts, struct command *command)
{
    const enum outcome_code code = (enum outcome_code)parts->reason;

    command->cancel.identity = parts->identity;
    command->cancel.session = parts->session;
    command->cancel.task = parts->boot;
    command->cancel.by = parts->by;
    command->cancel.attempt = parts->attempt;
    command->cancel.code = code;
    return code == CODE_CANCELLED || code == CODE_ABANDONED ? GROVE_OK : GROVE_MALFORMED;
}

static enum grove_status open_parts(const struct parts *parts, struct command *command)
{
    switch (command->kind) {
    case COMMAND_SUBMIT:
        return open_batch(parts->batch, SEAL_TASK, &command->submit.batch);
    case COMMAND_EXPAND:
        return open_expand(parts, command);
    case COMMAND_REPORT:
        command->report.session = parts->session;
        command->report.progress = parts->second;
        return open_batch(parts->batch, SEAL_RESULT, &command->report.batch);
    case COMMAND_RETURN:
        command->return_.session = parts->session;
        command->return_.returned = parts->first;
        return GROVE_OK;
    case COMMAND_CHECKPOINT:
        command->checkpoint.session = parts->session;
        command->checkpoint.encoded = parts->encoded;
        return wire_checkpoint_decode(parts->encoded, &command->checkpoint.checkpoint);
    case COMMAND_ENLIST:
        command->enlist.identity = parts->identity;
        command->enlist.boot = parts->boot;
        command->enlist.encoded = parts->encoded;
        return wire_enlist_decode(parts->encoded, &command->enlist.enlist);
    case COMMAND_RETIRE:
        command->retire.session = parts->session;
        command->retire.reason = (enum retire_reason)parts->reason;
        return parts->reason > 0 ? GROVE_OK : GROVE_MALFORMED;
    case COMMAND_TRUST:
        command->trust.certificate = parts->encoded;
        return GROVE_OK;
    case COMMAND_CANCEL:
        return open_cancel(parts, command);
    case COMMAND_LIMIT:
        command->limit.identity = parts->identity;
        command->limit.encoded = parts->encoded;
        return wire_limit_decode(parts->encoded, &command->limit.limit);
    case COMMAND_EXPIRE:
    case COMMAND_FORGET:
    case COMMAND_SWEEP:
        return GROVE_OK;
    }
    return GROVE_MALFORMED;
}

enum grove_status ledger_group_next(struct ledger_group *group, struct command *command)
{
    struct bytes rest;
    struct field field;
    struct parts parts;

    if (!wire_next(&group->commands, &rest)) {
        return GROVE_NOT_FOUND;
    }
    if (!field_take(&rest, &field) || rest.size > 0 || field.type != FIELD_BYTES ||
        field.number >= COMMAND_KINDS) {
        return GROVE_MALFORMED;
    }
    if (shape_decode(&command_shapes[field.number], field.bytes, &parts) != GROVE_OK) {
        return GROVE_MALFORMED;
    }
    command->kind = (enum command_kind)field.number;
    command->at_ms = group->at_ms;
    command->token = 0;
    return open_parts(&parts, command) == GROVE_OK ? GROVE_OK : GROVE_MALFORMED;
}

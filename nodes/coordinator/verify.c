/* SPDX-License-Identifier: MPL-2.0
 * The signature is checked before an item is looked into; apply alone decides what an item may. */
#include "nodes/coordinator/verify.h"

#include "core/id.h"
#include "core/ledger.h"
#include "core/revocation.h"

/* What is computed from one batch; on the stack of the thread that verifies it. */
struct verified {
    struct digest leaves[LIMIT_BATCH_ITEMS];
    struct id ids[LIMIT_BATCH_ITEMS];
    struct digest digests[LIMIT_BATCH_ITEMS];
};

/* Certificates in one Admit: as many commands fit into a group. */
#define ADMIT_MOST 256u

/* Inputs of all appends of one Expand: as many tasks as a command may move. */
#define INPUTS_MOST LIMIT_MOVES

static enum refusal refusal_of(enum grove_status status)
{
    if (status == GROVE_OK) {
        return REFUSED_NOT;
    }
    if (status == GROVE_TOO_LARGE) {
        return REFUSED_TOO_LARGE;
    }
    return status == GROVE_BAD_SIGNATURE ? REFUSED_BAD_SIGNATURE : REFUSED_MALFORMED;
}

static enum grove_status name_results(struct verified *verified, const struct sealed *sealed)
{
    struct result_item item;

    for (unsigned i = 0; i < sealed->item_count; i++) {
        const enum grove_status status = wire_result_decode(sealed->item[i], &item);

        if (status != GROVE_OK) {
            return status;
        }
        verified->ids[i] = item.task;
    }
    return GROVE_OK;
}

/* Opens a whole batch of one kind, sealed by the job's identity. */
static enum refusal open_batch(const struct verifier *verifier, struct job *job, struct bytes bytes,
                               enum seal_kind kind, struct verified *verified, struct batch *batch)
{
    struct sealed *sealed = &batch->sealed;
    enum grove_status status = wire_sealed_decode(bytes, sealed);

    if (status != GROVE_OK) {
        return refusal_of(status);
    }
    if (sealed->seal.kind != kind || sealed->item_count != sealed->seal.count) {
        return REFUSED_MALFORMED;
    }
    if (!key_equal(&sealed->seal.signer, &job->identity)) {
        return REFUSED_WRONG_SIGNER;
    }
    status = seal_open(sealed, &verifier->mesh, verified->leaves);
    if (status == GROVE_OK) {
        status = kind == SEAL_TASK ? ids_of_batch(sealed, verified->digests, verified->ids)
                                   : name_results(verified, sealed);
    }
    if (status != GROVE_OK) {
        return refusal_of(status);
    }
    job->item_count = sealed->item_count;
    batch->bytes = bytes;
    batch->leaves = verified->leaves;
    batch->ids = verified->ids;
    batch->digests = kind == SEAL_TASK ? verified->digests : NULL;
    return REFUSED_NOT;
}

static void add_command(struct job *job, const struct command *command)
{
    ledger_group_append(&job->commands, command);
    job->command_count++;
}

static enum refusal verify_submit(const struct verifier *verifier, struct job *job)
{
    struct command command = {.kind = COMMAND_SUBMIT};
    struct verified verified;
    struct submit submit;
    enum refusal refusal = refusal_of(wire_submit_decode(job->body, &submit));

    if (refusal == REFUSED_NOT) {
        refusal =
            open_batch(verifier, job, submit.batch, SEAL_TASK, &verified, &command.submit.batch);
    }
    if (refusal == REFUSED_NOT) {
        job->wait = submit.wait;
        add_command(job, &command);
    }
    return refusal;
}

/* The join that an append goes to: whoever has no worker's session can only append to a join of its
 * own, which says its terms itself, and is named as its root. */
static enum refusal name_join(const struct job *job, const struct append *append, struct id *join)
{
    struct join_terms terms;
    enum grove_status status;
    uint32_t tag;

    if (append->terms.size == 0) {
        *join = append->parent;
        return REFUSED_NOT;
    }
    if (job->worker == 0) {
        return REFUSED_NO_WORKER_SESSION;
    }
    status = wire_terms_decode(append->terms, &terms);
    if (status == GROVE_OK) {
        *join = id_of_join(&append->parent, append->generation, &terms, &tag);
    }
    return refusal_of(status);
}

static enum refusal name_joins(const struct job *job, struct wire_list appends,
                               struct id joins[LIMIT_BATCH_ITEMS])
{
    enum refusal refusal = REFUSED_NOT;
    struct append append;
    struct bytes element;
    size_t inputs = 0;

    for (size_t i = 0; refusal == REFUSED_NOT && wire_next(&appends, &element); i++) {
        refusal = refusal_of(wire_append_decode(element, &append));
        if (refusal == REFUSED_NOT) {
            inputs += append.count + append.adopted.size / sizeof(struct id);
            refusal = inputs <= INPUTS_MOST && i < LIMIT_BATCH_ITEMS
                          ? name_join(job, &append, &joins[i])
                          : REFUSED_TOO_LARGE;
        }
    }
    return refusal;
}

/* An Expand from outside is for a join alone. */
static enum refusal judge_expand(const struct job *job, const struct expand *expand)
{
    const bool is_outside =
        expand->waits.count == 0 && expand->progress.count == 0 && expand->appends.count > 0;

    return job->worker != 0 || is_outside ? REFUSED_NOT : REFUSED_NO_WORKER_SESSION;
}

static enum refusal verify_expand(const struct verifier *verifier, struct job *job)
{
    struct command command = {
        .kind = COMMAND_EXPAND,
        .expand = {.session = job->worker},
    };
    struct id joins[LIMIT_BATCH_ITEMS];
    struct verified verified;
    struct expand expand;
    enum refusal refusal = refusal_of(wire_expand_decode(job->body, &expand));

    if (refusal == REFUSED_NOT) {
        refusal = judge_expand(job, &expand);
    }
    if (refusal == REFUSED_NOT) {
        refusal = name_joins(job, expand.appends, joins);
    }
    if (refusal == REFUSED_NOT && expand.batch.size > 0) {
        command.expand.has_batch = true;
        refusal =
            open_batch(verifier, job, expand.batch, SEAL_TASK, &verified, &command.expand.batch);
    }
    if (refusal == REFUSED_NOT) {
        job->append_count = expand.appends.count;
        if (job->worker == 0) {
            command.expand.identity = job->identity;
        }
        command.expand.appends = expand.appends;
        command.expand.joins = joins;
        command.expand.waits = expand.waits;
        command.expand.progress = expand.progress;
        add_command(job, &command);
    }
    return refusal;
}

static enum refusal verify_report(const struct verifier *verifier, struct job *job)
{
    struct command command = {.kind = COMMAND_REPORT, .report = {.session = job->worker}};
    struct verified verified;
    struct report report;
    enum refusal refusal = refusal_of(wire_report_decode(job->body, &report));

    if (refusal == REFUSED_NOT) {
        refusal =
            open_batch(verifier, job, report.batch, SEAL_RESULT, &verified, &command.report.batch);
    }
    if (refusal == REFUSED_NOT) {
        command.report.progress = report.progress;
        add_command(job, &command);
    }
    return refusal;
}

static enum refusal verify_return(struct job *job)
{
    struct command command = {.kind = COMMAND_RETURN, .return_ = {.session = job->worker}};
    const enum refusal refusal =
        refusal_of(wire_return_decode(job->body, &command.return_.returned));

    if (refusal == REFUSED_NOT) {
        add_command(job, &command);
    }
    return refusal;
}

static enum refusal verify_checkpoint(struct job *job)
{
    struct command command = {
        .kind = COMMAND_CHECKPOINT,
        .checkpoint = {.session = job->worker, .encoded = job->body},
    };
    const enum refusal refusal =
        refusal_of(wire_checkpoint_decode(job->body, &command.checkpoint.checkpoint));

    if (refusal == REFUSED_NOT) {
        add_command(job, &command);
    }
    return refusal;
}

static enum refusal verify_enlist(struct job *job)
{
    struct command command = {
        .kind = COMMAND_ENLIST,
        .enlist = {.identity = job->identity, .boot = job->boot, .encoded = job->body},
    };
    const enum refusal refusal = refusal_of(wire_enlist_decode(job->body, &command.enlist.enlist));

    if (refusal == REFUSED_NOT) {
        add_command(job, &command);
    }
    return refusal;
}

static enum refusal verify_cancel(struct job *job)
{
    struct command command = {
        .kind = COMMAND_CANCEL,
        .cancel = {.identity = job->identity, .session = job->worker, .code = CODE_CANCELLED},
    };
    struct cancel cancel;
    const enum refusal refusal = refusal_of(wire_cancel_decode(job->body, &cancel));

    if (refusal == REFUSED_NOT) {
        command.cancel.task = cancel.task;
        command.cancel.by = cancel.by;
        command.cancel.attempt = cancel.attempt;
        add_command(job, &command);
    }
    return refusal;
}

static enum refusal verify_limit(struct job *job)
{
    struct command command = {
        .kind = COMMAND_LIMIT,
        .limit = {.identity = job->identity, .encoded = job->body},
    };
    const enum refusal refusal = refusal_of(wire_limit_decode(job->body, &command.limit.limit));

    if (refusal != REFUSED_NOT) {
        return refusal;
    }
    if (!wire_function_is_valid(command.limit.limit.function)) {
        return REFUSED_FUNCTION_NAME;
    }
    add_command(job, &command);
    return REFUSED_NOT;
}

static void verify_goodbye(struct job *job)
{
    const struct command command = {
        .kind = COMMAND_RETIRE,
        .retire = {.session = job->worker, .reason = RETIRE_GOODBYE},
    };

    add_command(job, &command);
}

static bool is_signed_by(const struct key *mesh, struct bytes signed_form)
{
    struct certificate certificate;
    struct revocation revocation;

    return certificate_open(signed_form, mesh, &certificate) == GROVE_OK ||
           revocation_open(signed_form, mesh, &revocation) == GROVE_OK;
}

/* All or none: an operator who gave one wrong file is told so, and nothing has happened. */
static enum refusal verify_admit(const struct verifier *verifier, struct job *job)
{
    struct wire_list certificates;
    struct command command = {.kind = COMMAND_TRUST};
    const enum refusal refusal = refusal_of(wire_admit_decode(job->body, &certificates));

    if (refusal != REFUSED_NOT) {
        return refusal;
    }
    if (certificates.count == 0 || certificates.count > ADMIT_MOST) {
        return certificates.count == 0 ? REFUSED_MALFORMED : REFUSED_TOO_LARGE;
    }
    while (wire_next(&certificates, &command.trust.certificate)) {
        if (!is_signed_by(&verifier->mesh, command.trust.certificate)) {
            return REFUSED_CERTIFICATE;
        }
        add_command(job, &command);
    }
    return REFUSED_NOT;
}

static enum refusal verify(const struct verifier *verifier, struct job *job)
{
    switch ((unsigned)job->type) {
    case MESSAGE_SUBMIT:
        return verify_submit(verifier, job);
    case MESSAGE_EXPAND:
        return verify_expand(verifier, job);
    case MESSAGE_REPORT:
        return verify_report(verifier, job);
    case MESSAGE_RETURN:
        return verify_return(job);
    case MESSAGE_CHECKPOINT:
        return verify_checkpoint(job);
    case MESSAGE_ENLIST:
        return verify_enlist(job);
    case MESSAGE_ADMIT:
        return verify_admit(verifier, job);
    case MESSAGE_CANCEL:
        return verify_cancel(job);
    case MESSAGE_LIMIT:
        return verify_limit(job);
    case MESSAGE_GOODBYE:
        verify_goodbye(job);
        return REFUSED_NOT;
    default:
        return REFUSED_UNEXPECTED;
    }
}

void verify_job(void *context, struct job *job)
{
    job->refusal = verify(context, job);
}

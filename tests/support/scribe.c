/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/scribe.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/id.h"
#include "core/revocation.h"

static void put(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct buffer *out, const char *format, ...)
{
    char text[2048];
    va_list values;

    va_start(values, format);
    const int size = vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    assert(size >= 0 && (size_t)size < sizeof(text));
    buffer_append(out, text, (size_t)size);
}

/* " key=hex"; the first 16 bytes tell keys and digests apart. */
static void put_hex(struct buffer *out, const char *key, const void *bytes)
{
    struct id id;
    char text[ID_TEXT_SIZE];

    memcpy(&id, bytes, sizeof(id));
    id_format(&id, text);
    put(out, " %s=%s", key, text);
}

static void put_number(struct buffer *out, const char *key, uint64_t number)
{
    if (number != 0) {
        put(out, " %s=%" PRIu64, key, number);
    }
}

static void put_text(struct buffer *out, const char *key, struct bytes text)
{
    put(out, " %s=%.*s", key, (int)text.size, (const char *)text.data);
}

static const char *code_name(enum outcome_code code)
{
    static const char *const names[] = {
        [CODE_SUCCEEDED] = "succeeded", [CODE_FAILED] = "failed",
        [CODE_PERMANENT] = "permanent", [CODE_TIMEOUT] = "timeout",
        [CODE_CANCELLED] = "cancelled", [CODE_POISON] = "poison",
        [CODE_DEADLINE] = "deadline",   [CODE_REFUSED] = "refused",
        [CODE_LOST] = "lost",           [CODE_ABANDONED] = "abandoned",
        [CODE_JOINED] = "joined",       [CODE_JOIN_FAILED] = "join-failed",
    };

    return names[code];
}

/* ---- what a command holds */

static void put_terms(struct buffer *out, struct bytes encoded)
{
    static const char *const kinds[] = {"none", "gather", "race", "map"};
    struct join_terms terms;

    if (encoded.size > 0 && wire_terms_decode(encoded, &terms) == GROVE_OK) {
        put(out, " kind=%s", kinds[terms.kind % 4]);
        put_number(out, "limit", terms.limit);
        put_number(out, "stop", terms.stop);
        put(out, "%s", terms.first_settled ? " first" : "");
    }
}

static void put_item(struct buffer *out, const struct batch *batch, uint16_t at)
{
    struct task_item item = {0};

    put(out, "  item at=%u", (unsigned)at);
    put_hex(out, "id", &batch->ids[at]);
    if (wire_task_decode(batch->sealed.item[at], &item) != GROVE_OK) {
        put(out, " malformed\n");
        return;
    }
    put_text(out, "function", item.function);
    put_hex(out, "digest", &batch->digests[at]);
    put_hex(out, "by", &batch->sealed.seal.signer);
    put_number(out, "most", item.max_attempts);
    put_number(out, "deadline", item.deadline_ms);
    put_number(out, "delay", item.delay_ms);
    put_number(out, "expires", item.expires_ms);
    put(out, "%s", item.at_most_once ? " once" : "");
    if (item.lineage.present) {
        put_hex(out, "parent", &item.lineage.parent);
        put_hex(out, "root", &item.lineage.root);
        put_number(out, "attempt", item.lineage.attempt);
        put_number(out, "generation", item.lineage.generation);
    } else if (bytes_equal(item.function, bytes_of_text(JOIN_FUNCTION))) {
        put_terms(out, item.payload);
    }
    if (item.has_retry_of) {
        put_hex(out, "retry", &item.retry_of);
    }
    put(out, "\n");
}

static void put_items(struct buffer *out, const struct batch *batch)
{
    for (uint16_t i = 0; i < batch->sealed.item_count; i++) {
        put_item(out, batch, i);
    }
}

static void put_append(struct buffer *out, const struct append *append, const struct id *join,
                       unsigned at)
{
    put(out, "  append at=%u", at);
    put_hex(out, "join", join);
    put_hex(out, "parent", &append->parent);
    put_terms(out, append->terms);
    put_number(out, "offset", append->offset);
    put_number(out, "from", append->first);
    put_number(out, "count", append->count);
    for (size_t i = 0; i + sizeof(struct id) <= append->adopted.size; i += sizeof(struct id)) {
        char text[ID_TEXT_SIZE];
        struct id id;
        memcpy(&id, append->adopted.data + i, sizeof(id));
        id_format(&id, text);
        put(out, "%s%s", i == 0 ? " adopted=" : ",", text);
    }
    put(out, "%s\n", append->close ? " close" : "");
}

static void put_expand(struct buffer *out, const struct command *command)
{
    struct wire_list list = command->expand.appends;
    struct bytes element;
    struct append append;
    struct waits waits;

    if (command->expand.has_batch) {
        put_items(out, &command->expand.batch);
    }
    for (unsigned i = 0; wire_next(&list, &element); i++) {
        if (wire_append_decode(element, &append) == GROVE_OK) {
            put_append(out, &append, &command->expand.joins[i], i);
        }
    }
    list = command->expand.waits;
    while (wire_next(&list, &element)) {
        if (wire_waits_decode(element, &waits) == GROVE_OK) {
            put(out, "  wait");
            put_hex(out, "task", &waits.task);
            put(out, " attempt=%u\n", (unsigned)waits.attempt);
        }
    }
}

static void put_result(struct buffer *out, const struct batch *batch, uint16_t at)
{
    struct result_item item = {0};

    put(out, "  result at=%u", (unsigned)at);
    if (wire_result_decode(batch->sealed.item[at], &item) != GROVE_OK) {
        put(out, " malformed\n");
        return;
    }
    const struct digest digest = digest_of(item.bytes);
    put_hex(out, "task", &item.task);
    put(out, " attempt=%u session=%" PRIu64 " code=%s", (unsigned)item.attempt, item.session,
        code_name(item.code));
    put_hex(out, "digest", &digest);
    put_hex(out, "by", &batch->sealed.seal.signer);
    put_hex(out, "root", &item.root);
    if (item.has_parent) {
        put_hex(out, "parent", &item.parent);
    }
    put_text(out, "function", item.function);
    put_hex(out, "payload", &item.payload_digest);
    put(out, "\n");
}

static void put_returned(struct buffer *out, struct wire_list list)
{
    static const char *const reasons[] = {"none", "unstarted", "stopped", "cannot-run", "refused"};
    struct bytes element;
    struct returned returned;

    while (wire_next(&list, &element)) {
        if (wire_returned_decode(element, &returned) == GROVE_OK) {
            put(out, "  returned");
            put_hex(out, "task", &returned.task);
            put(out, " attempt=%u reason=%s\n", (unsigned)returned.attempt,
                reasons[returned.reason % 5]);
        }
    }
}

static void put_enlist(struct buffer *out, const struct command *command)
{
    const struct enlist *enlist = &command->enlist.enlist;
    struct wire_list list = enlist->functions;
    struct bytes element;
    struct held held;

    put_hex(out, "by", &command->enlist.identity);
    put_hex(out, "boot", &command->enlist.boot);
    put_number(out, "slots", enlist->slots);
    put_number(out, "window", enlist->window);
    for (const char *before = " offers="; wire_next(&list, &element); before = ",") {
        put(out, "%s%.*s", before, (int)element.size, (const char *)element.data);
    }
    put(out, "\n");
    list = enlist->held;
    while (wire_next(&list, &element)) {
        if (wire_held_decode(element, &held) == GROVE_OK) {
            put(out, "  held");
            put_hex(out, "task", &held.task);
            put(out, " attempt=%u\n", (unsigned)held.attempt);
        }
    }
}

/* The certificate or revocation as it reads, whether it is good or not: the forest says that. */
static void put_trust(struct buffer *out, const struct forest *forest, struct bytes form)
{
    const struct certificate *known = NULL;
    struct bytes known_form;
    struct revocation revocation;
    const struct key *mesh = NULL;

    put(out, "\n");
    for (size_t i = 0; forest_certificate_at(forest, i, &known, &known_form); i++) {
        mesh = &known->mesh;
        if (bytes_equal(known_form, form)) {
            put(out, "  certificate");
            put_hex(out, "of", &known->sign_key);
            put_hex(out, "serial", &known->serial);
            put(out, " roles=%u from=%" PRIu64 " until=%" PRIu64 " submit=", (unsigned)known->roles,
                known->not_before_ms, known->not_after_ms);
            for (unsigned k = 0; k < known->submit_count; k++) {
                put(out, "%s%s", k > 0 ? "," : "", known->submit[k].text);
            }
            put(out, "\n");
        }
    }
    if (mesh && revocation_open(form, mesh, &revocation) == GROVE_OK) {
        put(out, "  revoke");
        put_hex(out, revocation.of_identity ? "of" : "serial",
                revocation.of_identity ? (const void *)&revocation.sign_key
                                       : (const void *)&revocation.serial);
        put(out, "\n");
    }
}

static void put_cancel(struct buffer *out, const struct command *command)
{
    static const struct key nobody;
    static const struct id none;

    put_hex(out, "task", &command->cancel.task);
    put_number(out, "session", command->cancel.session);
    put(out, " code=%s", code_name(command->cancel.code));
    if (!key_equal(&command->cancel.identity, &nobody)) {
        put_hex(out, "who", &command->cancel.identity);
    }
    if (!id_equal(&command->cancel.by, &none)) {
        put_hex(out, "by", &command->cancel.by);
    }
    put(out, "\n");
}

static void put_report(struct buffer *out, const struct batch *batch)
{
    for (uint16_t i = 0; i < batch->sealed.item_count; i++) {
        put_result(out, batch, i);
    }
}

static void put_command(struct buffer *out, const struct forest *forest,
                        const struct command *command)
{
    static const char *const reasons[] = {"none", "silent", "goodbye", "replaced"};
    static const char *const names[] = {"none",       "submit", "expand", "report", "return",
                                        "checkpoint", "enlist", "retire", "expire", "trust",
                                        "forget",     "cancel", "sweep",  "limit"};

    put(out, "do %s ms=%" PRIu64, names[command->kind], command->at_ms);
    switch (command->kind) {
    case COMMAND_SUBMIT:
        put(out, "\n");
        put_items(out, &command->submit.batch);
        break;
    case COMMAND_EXPAND:
        put(out, " session=%" PRIu64 "\n", command->expand.session);
        put_expand(out, command);
        break;
    case COMMAND_REPORT:
        put(out, " session=%" PRIu64 "\n", command->report.session);
        put_report(out, &command->report.batch);
        break;
    case COMMAND_RETURN:
        put(out, " session=%" PRIu64 "\n", command->return_.session);
        put_returned(out, command->return_.returned);
        break;
    case COMMAND_CHECKPOINT:
        put(out, " session=%" PRIu64 "\n", command->checkpoint.session);
        break;
    case COMMAND_ENLIST:
        put_enlist(out, command);
        break;
    case COMMAND_RETIRE:
        put(out, " session=%" PRIu64 " reason=%s\n", command->retire.session,
            reasons[command->retire.reason % 4]);
        break;
    case COMMAND_TRUST:
        put_trust(out, forest, command->trust.certificate);
        break;
    case COMMAND_CANCEL:
        put_cancel(out, command);
        break;
    case COMMAND_EXPIRE:
    case COMMAND_FORGET:
    case COMMAND_SWEEP:
    case COMMAND_LIMIT:
        put(out, "\n");
        break;
    }
}

/* ---- what was signed */

static void put_whole(struct buffer *out, struct bytes bytes)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.size; i++) {
        buffer_append(out, &digits[bytes.data[i] >> 4], 1);
        buffer_append(out, &digits[bytes.data[i] & 15], 1);
    }
    put(out, "\n");
}

void scribe_mesh(struct buffer *out, const struct key *mesh)
{
    put(out, "mesh key=");
    put_whole(out, bytes_of(mesh->byte, sizeof(mesh->byte)));
}

void scribe_signed(struct buffer *out, const struct command *command)
{
    struct bytes form = {NULL, 0};

    if (command->kind == COMMAND_SUBMIT) {
        form = command->submit.batch.bytes;
    } else if (command->kind == COMMAND_REPORT) {
        form = command->report.batch.bytes;
    } else if (command->kind == COMMAND_EXPAND && command->expand.has_batch) {
        form = command->expand.batch.bytes;
    } else if (command->kind == COMMAND_TRUST) {
        form = command->trust.certificate;
    }
    if (form.size > 0) {
        put(out, "signed ");
        put_whole(out, form);
    }
}

/* ---- effects */

static void put_settled(struct buffer *out, const struct forest *forest, const struct id *id)
{
    struct result_item item = {0};
    struct task_view view;

    put_hex(out, "task", id);
    if (!forest_task(forest, id, &view)) {
        return;
    }
    put(out, " code=%s", code_name(view.code));
    if (view.has_result && wire_result_decode(view.result, &item) == GROVE_OK) {
        const struct digest digest = digest_of(item.bytes);
        put_hex(out, "digest", &digest);
    }
}

static void put_join(struct buffer *out, const struct forest *forest, const struct id *id)
{
    static const char *const states[] = {
        [JOIN_OPEN] = "open",     [JOIN_COMPLETE] = "complete",   [JOIN_WON] = "won",
        [JOIN_FAILED] = "failed", [JOIN_CANCELLED] = "cancelled",
    };
    struct join_view view;

    put_hex(out, "id", id);
    if (!forest_join(forest, id, &view)) {
        return;
    }
    put(out, " state=%s succeeded=%u failed=%u", states[view.state], (unsigned)view.succeeded,
        (unsigned)view.failed);
    for (size_t i = 0; i < view.winner_count; i++) {
        put(out, "%s%u", i == 0 ? " winners=" : ",", (unsigned)view.winners[i]);
    }
}

static void put_attempt(struct buffer *out, const struct effect *effect)
{
    put_hex(out, "task", &effect->task);
    put(out, " attempt=%u session=%" PRIu64, (unsigned)effect->attempt, effect->session);
}

static void put_effect(struct buffer *out, const struct forest *forest, const struct effect *effect)
{
    static const char *const names[] = {
        [EFFECT_ANSWER] = "answer",     [EFFECT_DONE] = "done",
        [EFFECT_ENLISTED] = "enlisted", [EFFECT_RETIRED] = "retired",
        [EFFECT_ASSIGN] = "assign",     [EFFECT_RESUME] = "resume",
        [EFFECT_STOP] = "stop",         [EFFECT_REFUSE] = "refuse",
        [EFFECT_SETTLED] = "settled",   [EFFECT_TRUSTED] = "trusted",
        [EFFECT_APPENDED] = "appended", [EFFECT_JOIN] = "join",
        [EFFECT_SWEPT] = "swept",       [EFFECT_RECALL] = "recall",
    };

    put(out, "  -> %s", names[effect->kind]);
    switch (effect->kind) {
    case EFFECT_ANSWER:
        put(out, " at=%u", (unsigned)effect->position);
        put_hex(out, "task", &effect->task);
        put(out, "%s", effect->settled ? " settled" : "");
        break;
    case EFFECT_APPENDED:
        put(out, " at=%u", (unsigned)effect->position);
        break;
    case EFFECT_ENLISTED:
    case EFFECT_RETIRED:
        put(out, " session=%" PRIu64, effect->session);
        break;
    case EFFECT_ASSIGN:
    case EFFECT_RESUME:
    case EFFECT_STOP:
    case EFFECT_REFUSE:
        put_attempt(out, effect);
        break;
    case EFFECT_SETTLED:
        put_settled(out, forest, &effect->task);
        break;
    case EFFECT_JOIN:
        put_join(out, forest, &effect->task);
        break;
    case EFFECT_SWEPT:
        put_hex(out, "task", &effect->task);
        break;
    case EFFECT_DONE:
    case EFFECT_TRUSTED:
    case EFFECT_RECALL:
        break;
    }
    if (effect->refusal != REFUSED_NOT) {
        put(out, " refused=%s", refusal_name(effect->refusal));
    }
    put(out, "\n");
}

void scribe_command(struct buffer *out, const struct forest *forest, const struct command *command,
                    const struct effects *effects)
{
    put_command(out, forest, command);
    for (size_t i = 0; i < effects->count; i++) {
        put_effect(out, forest, &effects->list[i]);
    }
}

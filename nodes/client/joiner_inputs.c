/* SPDX-License-Identifier: MPL-2.0
 * Inputs, one by one from their stream into portions. */
#include "nodes/client/joiner.h"

#include <stdio.h>

#include "nodes/worker/context.h"

void joiner_stop(struct joiner *joiner, enum grove_status status, const char *text)
{
    struct failing failing = failing_of_status(status, text);

    joiner->status = status;
    grove_failure_clear(&joiner->failure);
    failure_write(&joiner->failure, &failing);
}

static void refuse_input(struct joiner *joiner, const char *function, enum grove_status status,
                         const char *complaint)
{
    char text[256];
    struct failing failing = failing_of_status(status, text);

    snprintf(text, sizeof(text), "input %llu: %s", (unsigned long long)joiner->position, complaint);
    failing.text = bytes_of_text(text);
    failing.function = bytes_of_text(function);
    joiner->status = status;
    failure_write(&joiner->failure, &failing);
}

/* Has the next input in joiner->task.
 *
 *   returns   GROVE_OK; GROVE_CLOSED: there is none; GROVE_BUSY: none now; else it has stopped */
static enum grove_status fetch(struct joiner *joiner)
{
    struct grove_task given = GROVE_TASK_INIT;
    const char *complaint = NULL;
    enum grove_status status;

    if (joiner->has_task || joiner->is_exhausted) {
        return joiner->has_task ? GROVE_OK : GROVE_CLOSED;
    }
    status = joiner->stream.next(joiner->stream.context, joiner->position, &given);
    if (status == GROVE_CLOSED || status == GROVE_BUSY) {
        return status;
    }
    if (status != GROVE_OK) {
        joiner_stop(joiner, status, "the inputs were stopped");
        return status;
    }
    complaint = task_take(&given, &joiner->task, &status);
    if (!complaint && joiner->kind == JOIN_MAP && joiner->position > 0 &&
        strcmp(joiner->task.function, joiner->function) != 0) {
        complaint = "a map has one function";
        status = GROVE_INVALID;
    }
    if (complaint) {
        refuse_input(joiner, joiner->task.function, status, complaint);
        return status;
    }
    if (joiner->position == 0) {
        snprintf(joiner->function, sizeof(joiner->function), "%s", joiner->task.function);
    }
    joiner->has_task = true;
    return GROVE_OK;
}

/* What the options say of all inputs; from outside they inherit it from their root. */
static void inherit(const struct joiner *joiner, struct task_item *item)
{
    const struct grove_join_options *options = &joiner->options;

    if (!joiner->attempt) {
        return;
    }
    if (!item->has_priority && (options->has_priority || options->priority != 0)) {
        item->has_priority = true;
        item->priority = options->priority;
    }
    if (options->deadline_ms > 0 &&
        (item->deadline_ms == 0 || item->deadline_ms > options->deadline_ms)) {
        item->deadline_ms = options->deadline_ms;
    }
}

uint64_t joiner_ledger_ms(const struct joiner *joiner)
{
    return joiner->attempt ? context_ledger_ms(joiner->attempt) : client_ledger_ms(joiner->client);
}

/* Puts joiner->task into the portion; false: it is full. */
static bool place(struct joiner *joiner)
{
    struct task_item item = task_make_item(&joiner->task, joiner_ledger_ms(joiner));

    inherit(joiner, &item);
    item.lineage = joiner->lineage;
    item.lineage.join_position = (uint32_t)joiner->position;
    if (!portion_add(&joiner->maker, &item)) {
        return false;
    }
    joiner->has_task = false;
    joiner->position++;
    return true;
}

static void adopt(struct joiner *joiner)
{
    struct id id;

    memcpy(&id, &joiner->submitted[joiner->position], sizeof(id));
    portion_adopt(&joiner->maker, &id);
    joiner->position++;
    joiner->is_exhausted = joiner->position == joiner->total;
}

struct portion *joiner_seal(struct joiner *joiner)
{
    const struct credential *credential =
        joiner->attempt ? context_credential(joiner->attempt) : client_credential(joiner->client);

    return portion_end(&joiner->maker, credential->signer, &credential->mesh);
}

struct portion *joiner_make_portion(struct joiner *joiner, uint32_t most, bool must_fill)
{
    struct portion_maker *maker = &joiner->maker;
    enum grove_status status = GROVE_OK;

    portion_begin(maker, (uint32_t)joiner->position);
    while (status == GROVE_OK && maker->portion->count < most) {
        if (joiner->submitted) {
            adopt(joiner);
            status = joiner->is_exhausted ? GROVE_CLOSED : GROVE_OK;
            continue;
        }
        status = fetch(joiner);
        if (status == GROVE_OK && !place(joiner)) {
            break;
        }
        if (status == GROVE_BUSY && must_fill) {
            status = GROVE_OK;
        }
    }
    joiner->is_busy = status == GROVE_BUSY;
    joiner->is_exhausted |=
        status == GROVE_CLOSED || (joiner->total > 0 && joiner->position == joiner->total);
    if (joiner->status != GROVE_OK || (maker->portion->count == 0 && !joiner->is_exhausted)) {
        portion_maker_clear(maker);
        return NULL;
    }
    maker->portion->close = joiner->is_exhausted;
    if (!joiner->joining) {
        return maker->portion; /* to be tagged and sealed */
    }
    return joiner_seal(joiner);
}

/* SPDX-License-Identifier: MPL-2.0
 * The outcomes of a page, found by their ids among the inputs that it names. What the page leaves
 * out, or what does not agree with its input, is that input's failure; the coordinator's word alone
 * is never a success. */
#include <stdlib.h>

#include "nodes/client/joining_state.h"
#include "nodes/client/judge.h"
#include "nodes/host/log.h"

static struct endings *endings_create(uint32_t offset, uint32_t count)
{
    struct endings *endings = calloc(1, sizeof(*endings) + count * sizeof(endings->ending[0]));

    if (!endings) {
        abort();
    }
    endings->offset = offset;
    endings->count = count;
    return endings;
}

/* A page while it is taken. */
struct taking {
    struct joining *joining;
    struct outcomes *outcomes;
    struct endings *endings;
    struct table by_id;            /* the first ending of each id */
    const struct portion *portion; /* of the input looked at last: they come in order, mostly */
};

/* The portion of an input that has not ended, and its place there. */
static const struct portion *find_portion(struct taking *taking, uint32_t position, uint32_t *i)
{
    const struct portion *portion = taking->portion;

    if (!portion || position < portion->offset) {
        portion = TAILQ_FIRST(&taking->joining->portions);
    }
    while (portion && position >= portion->offset + portion->count) {
        portion = TAILQ_NEXT(portion, link);
    }
    taking->portion = portion;
    *i = portion ? position - portion->offset : 0;
    return portion && position >= portion->offset ? portion : NULL;
}

static struct asked asked_of(struct taking *taking, const struct ending *ending,
                             struct bytes *function)
{
    const struct joining *joining = taking->joining;
    const uint32_t at = (uint32_t)(ending - taking->endings->ending);
    struct asked asked = {
        .task = ending->id,
        .is_placed = true,
        .root = joining->root,
        .parent = joining->parent,
    };
    uint32_t i;
    const struct portion *portion = find_portion(taking, taking->endings->offset + at, &i);

    if (portion) {
        *function = portion_function(portion, i);
        asked.is_known = !portion->is_adopted;
        asked.function = *function;
        asked.payload_digest = portion->input[i].payload_digest;
    }
    return asked;
}

static size_t failure_size(const struct failing *failing)
{
    return failing->text.size + failing->bytes.size;
}

static void end_badly(struct taking *taking, struct ending *ending, struct failing *failing,
                      struct bytes function)
{
    failing->task = ending->id;
    if (failing->function.size == 0) {
        failing->function = function;
    }
    ending->has_come = true;
    ending->status = failing->status;
    failure_write(&ending->failure, failing);
    taking->endings->size += failure_size(failing);
}

static void end(struct taking *taking, struct ending *ending, const struct outcome *outcome,
                enum grove_status judged)
{
    struct bytes function = {0};
    const struct asked asked = asked_of(taking, ending, &function);
    struct failing failing;

    if (ending->has_come) {
        return;
    }
    if (judged == GROVE_OK && !judge_agrees(&asked, outcome)) {
        judged = GROVE_BAD_SIGNATURE;
    }
    if (judged != GROVE_OK) {
        taking->outcomes->refused++;
        failing = failing_of_status(judged, "what came as its outcome is not to be trusted");
        end_badly(taking, ending, &failing, function);
    } else if (judge_is_success(outcome)) {
        ending->has_come = true;
        result_write(&ending->result, &outcome->result);
        taking->endings->size += outcome->result.bytes.size;
    } else {
        failing = judge_failing(outcome);
        end_badly(taking, ending, &failing, function);
    }
}

static void drop(struct taking *taking, enum grove_status why)
{
    taking->outcomes->refused++;
    log_event(LOG_WARNING, "outcome refused", "reason=%s", grove_status_name(why));
}

static void take_sealed(struct taking *taking, struct bytes bytes)
{
    const struct session *session = taking->outcomes->session;
    struct sealed sealed;
    struct outcome outcome;
    enum grove_status sealed_well;
    enum grove_status status = wire_sealed_decode(bytes, &sealed);

    if (status != GROVE_OK) {
        drop(taking, status);
        return;
    }
    sealed_well =
        seal_cache_open(taking->outcomes->seals, &sealed, &session->credential->mesh, NULL);
    for (unsigned i = 0; i < sealed.item_count; i++) {
        struct ending *ending;

        status = judge_open(&sealed, i, &outcome);
        if (status != GROVE_OK) {
            drop(taking, status);
            continue;
        }
        status = sealed_well != GROVE_OK
                     ? sealed_well
                     : judge_signer(&session->trust, &sealed.seal.signer, &outcome);
        for (ending = table_find(&taking->by_id, &outcome.task); ending; ending = ending->twin) {
            end(taking, ending, &outcome, status);
        }
    }
}

/* An input has the id that it was answered with. */
static bool is_as_answered(struct taking *taking, const struct ending *ending)
{
    const uint32_t at = (uint32_t)(ending - taking->endings->ending);
    uint32_t i;
    const struct portion *portion = find_portion(taking, taking->endings->offset + at, &i);

    return portion && id_equal(&portion->input[i].id, &ending->id);
}

static void name_endings(struct taking *taking, const struct paged *paged)
{
    struct failing failing =
        failing_of_status(GROVE_MALFORMED, "the page names another task for this input");

    for (uint32_t i = 0; i < taking->endings->count; i++) {
        struct ending *ending = &taking->endings->ending[i];
        struct ending *first;

        memcpy(&ending->id, paged->ids.data + i * sizeof(struct id), sizeof(struct id));
        if (!is_as_answered(taking, ending)) {
            taking->outcomes->refused++;
            end_badly(taking, ending, &failing, bytes_of(NULL, 0));
            continue;
        }
        first = table_find(&taking->by_id, &ending->id);
        if (first) {
            ending->twin = first->twin;
            first->twin = ending;
        } else {
            table_insert(&taking->by_id, ending);
        }
    }
}

static void end_missing(struct taking *taking)
{
    struct failing failing = failing_of_status(GROVE_MALFORMED, "the page lacks its outcome");

    for (uint32_t i = 0; i < taking->endings->count; i++) {
        struct ending *ending = &taking->endings->ending[i];

        if (!ending->has_come) {
            struct failing copy = failing;

            taking->outcomes->refused++;
            end_badly(taking, ending, &copy, bytes_of(NULL, 0));
        }
    }
}

/* What is kept of inputs goes with their outcomes. */
static void forget_inputs(struct joining *joining, uint32_t count)
{
    struct portion *portion;
    struct portion *next;

    joining->paged += count;
    TAILQ_FOREACH_SAFE(portion, &joining->portions, link, next) {
        if (portion->offset >= joining->paged) {
            break;
        }
        portion->left = portion->offset + portion->count > joining->paged
                            ? portion->offset + portion->count - joining->paged
                            : 0;
        locked_forget(joining, portion);
    }
}

void locked_take_page(struct joining *joining, const struct joining_io *io,
                      const struct paged *paged)
{
    /* What is not taken yet has not been compared: it may be another input than the mesh's. */
    const uint32_t taken = joining->taken - joining->paged;
    const uint32_t paged_count = (uint32_t)(paged->ids.size / sizeof(struct id));
    const uint32_t count = paged_count < taken ? paged_count : taken;
    struct wire_list outcomes = paged->outcomes;
    struct taking taking = {.joining = joining, .outcomes = io->outcomes};
    struct bytes sealed;

    session_learn(io->session, paged->certificates);
    if (count == 0 || paged->offset != joining->paged) {
        return;
    }
    taking.endings = endings_create(paged->offset, count);
    taking.endings->size = count * sizeof(struct ending);
    table_init(&taking.by_id, io->outcomes->hash_key, offsetof(struct ending, link),
               offsetof(struct ending, id), sizeof(struct id));
    name_endings(&taking, paged);
    while (wire_next(&outcomes, &sealed)) {
        take_sealed(&taking, sealed);
    }
    end_missing(&taking);
    table_clear(&taking.by_id);
    STAILQ_INSERT_TAIL(&joining->endings, taking.endings, link);
    joining->endings_size += taking.endings->size;
    forget_inputs(joining, count);
}

/* SPDX-License-Identifier: MPL-2.0
 * Requests by the id they await; what comes is judged and ends them. */
#include "nodes/client/outcomes.h"

#include <sodium.h>

#include "nodes/client/judge.h"
#include "nodes/host/log.h"

#define SEALS_CACHED 1024

void outcomes_init(struct outcomes *outcomes, struct session *session)
{
    memset(outcomes, 0, sizeof(*outcomes));
    outcomes->session = session;
    randombytes_buf(outcomes->hash_key, sizeof(outcomes->hash_key));
    outcomes->seals = seal_cache_create(SEALS_CACHED, outcomes->hash_key);
    table_init(&outcomes->by_id, outcomes->hash_key, offsetof(struct request, link),
               offsetof(struct request, id), sizeof(struct id));
    TAILQ_INIT(&outcomes->list);
    STAILQ_INIT(&outcomes->finished);
}

void outcomes_clear(struct outcomes *outcomes)
{
    seal_cache_destroy(outcomes->seals);
    table_clear(&outcomes->by_id);
    memset(outcomes, 0, sizeof(*outcomes));
}

void outcomes_await(struct outcomes *outcomes, struct request *request)
{
    struct request *first = table_find(&outcomes->by_id, &request->id);

    if (first) {
        request->twin = first->twin;
        first->twin = request;
        return;
    }
    request->twin = NULL;
    table_insert(&outcomes->by_id, request);
    TAILQ_INSERT_TAIL(&outcomes->list, request, awaiting);
}

static void unlink_first(struct outcomes *outcomes, struct request *first)
{
    table_remove(&outcomes->by_id, first);
    TAILQ_REMOVE(&outcomes->list, first, awaiting);
}

void outcomes_forget(struct outcomes *outcomes, struct request *request)
{
    struct request *first = table_find(&outcomes->by_id, &request->id);
    struct request *rest;

    if (first == request) {
        rest = request->twin;
        unlink_first(outcomes, request);
        request->twin = NULL;
        if (rest) {
            table_insert(&outcomes->by_id, rest);
            TAILQ_INSERT_TAIL(&outcomes->list, rest, awaiting);
        }
        return;
    }
    for (; first; first = first->twin) {
        if (first->twin == request) {
            first->twin = request->twin;
            request->twin = NULL;
            return;
        }
    }
}

void outcomes_fail(struct outcomes *outcomes, const struct id *id, struct failing *failing)
{
    struct request *request = table_find(&outcomes->by_id, id);

    if (request) {
        unlink_first(outcomes, request);
    }
    while (request) {
        struct request *next = request->twin;
        struct failing copy = *failing;

        request_failed(request, &copy, &outcomes->finished);
        request = next;
    }
}

/* What the request's caller knows of its task. */
static struct asked asked_of(const struct request *request)
{
    const struct call *call = request->call;

    return (struct asked){
        .task = request->id,
        .is_placed = request->is_known || call->attempt,
        .is_root = request->is_root,
        .root = call->root,
        .parent = call->parent,
        .is_known = request->is_known,
        .function = request_function(request),
        .payload_digest = request->payload_digest,
    };
}

static void end_one(struct outcomes *outcomes, struct request *request,
                    const struct outcome *outcome, enum grove_status judged)
{
    const struct asked asked = asked_of(request);
    struct failing failing;

    if (judged == GROVE_OK && !judge_agrees(&asked, outcome)) {
        judged = GROVE_BAD_SIGNATURE;
    }
    if (judged != GROVE_OK) {
        outcomes->refused++;
        failing = failing_of_status(judged, "what came as its outcome is not to be trusted");
        request_failed(request, &failing, &outcomes->finished);
    } else if (judge_is_success(outcome)) {
        request_succeeded(request, &outcome->result, &outcomes->finished);
    } else {
        failing = judge_failing(outcome);
        request_failed(request, &failing, &outcomes->finished);
    }
}

/* Ends everybody who awaits this outcome. */
static void end_all(struct outcomes *outcomes, const struct outcome *outcome,
                    enum grove_status judged)
{
    struct request *request = table_find(&outcomes->by_id, &outcome->task);

    if (request) {
        unlink_first(outcomes, request);
    }
    while (request) {
        struct request *next = request->twin;

        end_one(outcomes, request, outcome, judged);
        request = next;
    }
}

static void drop(struct outcomes *outcomes, enum grove_status why)
{
    outcomes->refused++;
    log_event(LOG_WARNING, "outcome refused", "reason=%s", grove_status_name(why));
}

static void take_sealed(struct outcomes *outcomes, struct bytes bytes)
{
    struct sealed sealed;
    struct outcome outcome;
    enum grove_status sealed_well;
    struct bytes judged = {0};               /* the function that was judged last, and ... */
    enum grove_status may = GROVE_MALFORMED; /* ... whether its signer may speak of it */
    enum grove_status status = wire_sealed_decode(bytes, &sealed);

    if (status != GROVE_OK) {
        drop(outcomes, status);
        return;
    }
    /* What is not sealed well is looked into all the same, to tell those who await it. */
    sealed_well =
        seal_cache_open(outcomes->seals, &sealed, &outcomes->session->credential->mesh, NULL);
    for (unsigned i = 0; i < sealed.item_count; i++) {
        status = judge_open(&sealed, i, &outcome);
        if (status != GROVE_OK) {
            drop(outcomes, status);
            continue;
        }
        if (judged.data == NULL || !bytes_equal(judged, outcome.function)) {
            judged = outcome.function;
            may = judge_signer(&outcomes->session->trust, &sealed.seal.signer, &outcome);
        }
        end_all(outcomes, &outcome, sealed_well == GROVE_OK ? may : sealed_well);
    }
}

void outcomes_take(struct outcomes *outcomes, const struct notify *notify)
{
    struct wire_list list = notify->outcomes;
    struct bytes sealed;

    session_learn(outcomes->session, notify->certificates);
    while (wire_next(&list, &sealed)) {
        take_sealed(outcomes, sealed);
    }
}

/* SPDX-License-Identifier: MPL-2.0
 * A result needs its worker's seal, that worker's right to run the function, and agreement with
 * what was asked; a verdict needs a coordinator's seal and the same agreement. */
#include "nodes/client/outcomes.h"

#include <assert.h>
#include <sodium.h>

#include "core/id.h"
#include "nodes/host/log.h"

#define SEALS_CACHED 1024

void outcomes_init(struct outcomes *outcomes, struct session *session)
{
    uint8_t hash_key[16];

    memset(outcomes, 0, sizeof(*outcomes));
    outcomes->session = session;
    randombytes_buf(hash_key, sizeof(hash_key));
    outcomes->seals = seal_cache_create(SEALS_CACHED, hash_key);
    table_init(&outcomes->by_id, hash_key, offsetof(struct request, link),
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

/* An outcome taken apart, of either kind. */
struct outcome {
    bool is_result;
    struct result_item result;
    struct verdict_item verdict;
    struct id task, root, parent;
    bool has_parent;
    struct bytes function;
    struct digest payload_digest;
};

static enum grove_status decode(const struct sealed *sealed, unsigned i, struct outcome *outcome)
{
    enum grove_status status;

    if (sealed->seal.kind == SEAL_RESULT) {
        struct result_item *item = &outcome->result;

        status = wire_result_decode(sealed->item[i], item);
        if (status == GROVE_OK) {
            outcome->is_result = true;
            outcome->task = item->task;
            outcome->root = item->root;
            outcome->has_parent = item->has_parent;
            outcome->parent = item->parent;
            outcome->function = item->function;
            outcome->payload_digest = item->payload_digest;
        }
        return status;
    }
    if (sealed->seal.kind == SEAL_VERDICT) {
        struct verdict_item *item = &outcome->verdict;

        status = wire_verdict_decode(sealed->item[i], item);
        if (status == GROVE_OK) {
            outcome->is_result = false;
            outcome->task = item->task;
            outcome->root = item->root;
            outcome->has_parent = item->has_parent;
            outcome->parent = item->parent;
            outcome->function = item->function;
            outcome->payload_digest = item->payload_digest;
        }
        return status;
    }
    return GROVE_MALFORMED;
}

/* Whether the outcome speaks of what was asked. By id alone, only the id is known. */
static bool agrees(const struct request *request, const struct outcome *outcome)
{
    if (!id_equal(&request->id, &outcome->task)) {
        return false;
    }
    if (!request->is_known) {
        return true;
    }
    if (!bytes_equal(request_function(request), outcome->function) ||
        !digest_equal(&request->payload_digest, &outcome->payload_digest)) {
        return false;
    }
    if (request->is_root) {
        return !outcome->has_parent && id_equal(&outcome->root, &outcome->task);
    }
    return outcome->has_parent && id_equal(&outcome->parent, &request->call->parent) &&
           id_equal(&outcome->root, &request->call->root);
}

/* Who sealed it, and may they? An identity out of its dates still counts for what it signed in
 * them; a revoked one does not. */
static enum grove_status judge_signer(const struct outcomes *outcomes, const struct key *signer,
                                      const struct outcome *outcome)
{
    const struct trust *trust = &outcomes->session->trust;
    const struct certificate *certificate = trust_certificate(trust, signer, NULL);

    if (!certificate) {
        return GROVE_UNKNOWN_KEY;
    }
    if (trust_is_revoked(trust, signer)) {
        return GROVE_DENIED;
    }
    if (!outcome->is_result) {
        return (certificate->roles & ROLE_COORDINATOR) ? GROVE_OK : GROVE_DENIED;
    }
    if (!(certificate->roles & ROLE_WORKER) ||
        !pattern_matches(certificate->run, certificate->run_count, outcome->function)) {
        return GROVE_DENIED;
    }
    return GROVE_OK;
}

static void end_one(struct outcomes *outcomes, struct request *request,
                    const struct outcome *outcome, enum grove_status judged)
{
    struct failing failing;

    if (judged == GROVE_OK && !agrees(request, outcome)) {
        judged = GROVE_BAD_SIGNATURE;
    }
    if (judged != GROVE_OK) {
        outcomes->refused++;
        failing = failing_of_status(judged, "what came as its outcome is not to be trusted");
        request_failed(request, &failing, &outcomes->finished);
    } else if (outcome->is_result && outcome->result.code == CODE_SUCCEEDED) {
        request_succeeded(request, &outcome->result, &outcomes->finished);
    } else {
        failing = outcome->is_result ? failing_of_result(&outcome->result)
                                     : failing_of_verdict(&outcome->verdict);
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
    enum grove_status status = wire_sealed_decode(bytes, &sealed);

    if (status != GROVE_OK) {
        drop(outcomes, status);
        return;
    }
    /* What is not sealed well is looked into all the same, to tell those who await it. */
    sealed_well =
        seal_cache_open(outcomes->seals, &sealed, &outcomes->session->credential->mesh, NULL);
    for (unsigned i = 0; i < sealed.item_count; i++) {
        status = decode(&sealed, i, &outcome);
        if (status != GROVE_OK) {
            drop(outcomes, status);
            continue;
        }
        status = sealed_well;
        if (status == GROVE_OK) {
            status = judge_signer(outcomes, &sealed.seal.signer, &outcome);
        }
        end_all(outcomes, &outcome, status);
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

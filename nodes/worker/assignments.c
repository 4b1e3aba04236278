/* SPDX-License-Identifier: MPL-2.0
 * What comes to be run is checked down to the mesh key before anything of it runs: the submitter's
 * seal and right, the id, for a child also the right of its root's submitter. The coordinator has
 * checked the same, and is not believed. */
#include <stdlib.h>

#include "core/id.h"
#include "nodes/host/log.h"
#include "nodes/worker/health.h"

/* The batches of one Assign, opened once. */
struct opened {
    enum grove_status status;
    struct sealed sealed;
    struct digest payload[LIMIT_BATCH_ITEMS]; /* digests */
    struct id id[LIMIT_BATCH_ITEMS];
    bool is_judged;
    struct bytes judged;   /* the function that was judged last, and ... */
    const char *complaint; /* ... what its submitter lacks for it, or NULL */
};

/* NULL when all is well, else why it is refused, for people. */
static const char *judge_submitter(const struct grove_worker *worker, const struct key *submitter,
                                   struct bytes function)
{
    const struct trust *trust = &worker->session.trust;
    const struct certificate *certificate = trust_certificate(trust, submitter, NULL);

    if (!certificate) {
        return "no certificate of its submitter";
    }
    if (trust_is_revoked(trust, submitter)) {
        return "its submitter is revoked";
    }
    if (!(certificate->roles & (ROLE_CLIENT | ROLE_WORKER)) ||
        !pattern_matches(certificate->submit, certificate->submit_count, function)) {
        return "its submitter has no right to it";
    }
    return NULL;
}

/* Most batches are of one function, and are judged once. */
static const char *judge_batch(const struct grove_worker *worker, struct opened *batch,
                               struct bytes function)
{
    if (!batch->is_judged || !bytes_equal(batch->judged, function)) {
        batch->is_judged = true;
        batch->judged = function;
        batch->complaint = judge_submitter(worker, &batch->sealed.seal.signer, function);
    }
    return batch->complaint;
}

/* The root's item that came along: remembers who submitted it, if it is what it claims to be. */
static void learn_root(struct grove_worker *worker, const struct assignment *assignment,
                       const struct id *root)
{
    struct sealed sealed;
    struct task_item item;
    struct digest digest;
    struct id id;

    if (assignment->root_batch.size == 0 ||
        wire_sealed_decode(assignment->root_batch, &sealed) != GROVE_OK ||
        sealed.seal.kind != SEAL_TASK ||
        seal_cache_open(worker->seals, &sealed, &worker->credential.mesh, NULL) != GROVE_OK) {
        return;
    }
    for (unsigned i = 0; i < sealed.item_count; i++) {
        if (wire_task_decode(sealed.item[i], &item) != GROVE_OK || item.lineage.present) {
            continue;
        }
        digest = digest_of(item.payload);
        id = id_of_task(&item, &sealed.seal.signer, &digest);
        if (id_equal(&id, root)) {
            const struct root_facts facts = {
                .submitter = sealed.seal.signer,
                .is_join = bytes_equal(item.function, bytes_of_text(JOIN_FUNCTION)),
            };

            roots_remember(&worker->roots, root, &facts);
        }
    }
}

/* An input of a join from outside is made by whoever made the join. */
static bool is_of_own_join(const struct root_facts *root, const struct task_item *item,
                           const struct key *signer)
{
    return root->is_join && key_equal(&root->submitter, signer) &&
           id_equal(&item->lineage.parent, &item->lineage.root) &&
           item->lineage.join_kind % JOIN_REVISION != JOIN_NONE;
}

/* Any other child is made by a worker; all are in the tree of somebody with the right to it. */
static const char *judge_child(struct grove_worker *worker, const struct assignment *assignment,
                               const struct task_item *item, const struct key *signer)
{
    const struct certificate *certificate = trust_certificate(&worker->session.trust, signer, NULL);
    const struct root_facts *root;

    learn_root(worker, assignment, &item->lineage.root);
    root = roots_find(&worker->roots, &item->lineage.root);
    if (!root) {
        return "the root of its tree is not known";
    }
    if (!(certificate && (certificate->roles & ROLE_WORKER)) &&
        !is_of_own_join(root, item, signer)) {
        return "a child that no worker made";
    }
    return judge_submitter(worker, &root->submitter, item->function);
}

static const char *judge(struct grove_worker *worker, const struct assignment *assignment,
                         struct opened *batch, const struct task_item *item)
{
    const struct key *signer = &batch->sealed.seal.signer;
    const char *complaint;

    if (!id_equal(&batch->id[assignment->item], &assignment->task)) {
        return "another task than its id says";
    }
    if (item->lineage.present != (assignment->depth > 0)) {
        return "a depth that its lineage contradicts";
    }
    complaint = judge_batch(worker, batch, item->function);
    if (!complaint && item->lineage.present) {
        complaint = judge_child(worker, assignment, item, signer);
    }
    return complaint;
}

static const struct function *find_function(const struct grove_worker *worker, struct bytes name)
{
    for (unsigned i = 0; i < worker->function_count; i++) {
        if (bytes_equal(bytes_of_text(worker->function[i].name), name)) {
            return &worker->function[i];
        }
    }
    return NULL;
}

static void hold(struct grove_worker *worker, const struct assignment *assignment,
                 const struct task_item *item, const struct digest *digest,
                 const struct function *function)
{
    struct grove_attempt *attempt = attempt_create(item, digest, assignment->checkpoint);

    attempt->key = (struct attempt_key){assignment->task, assignment->attempt};
    attempt->worker = worker;
    attempt->function = function;
    attempt->generation = assignment->generation;
    attempt->depth = assignment->depth;
    attempt->deadline_ms = assignment->deadline_ms;
    attempt->is_behind = assignment->is_behind;
    attempt->session = worker->index;
    if (!attempt->has_parent) {
        attempt->root = assignment->task;
    }
    table_insert(&worker->by_key, attempt);
    TAILQ_INSERT_TAIL(&worker->held, attempt, held);
    worker->held_count++;
    TAILQ_INSERT_TAIL(&worker->assigned, attempt, queued);
}

static void refuse(struct grove_worker *worker, const struct assignment *assignment,
                   const char *complaint)
{
    log_event(LOG_WARNING, "task refused", "why=\"%s\"", complaint);
    reports_hand_back(worker, &assignment->task, assignment->attempt, RETURN_REFUSED, complaint);
}

/* The same assignment may come twice; the second is known. */
static void take_one(struct grove_worker *worker, const struct assignment *assignment,
                     struct opened *batches, unsigned batch_count)
{
    struct opened *batch = assignment->batch < batch_count ? &batches[assignment->batch] : NULL;
    const struct function *function;
    struct task_item item;
    const char *complaint;

    if (held_find(worker, &assignment->task, assignment->attempt)) {
        return;
    }
    if (!batch || batch->status != GROVE_OK || assignment->item >= batch->sealed.item_count ||
        wire_task_decode(batch->sealed.item[assignment->item], &item) != GROVE_OK) {
        refuse(worker, assignment, "its seal does not verify");
        return;
    }
    complaint = judge(worker, assignment, batch, &item);
    if (complaint) {
        refuse(worker, assignment, complaint);
        return;
    }
    function = find_function(worker, item.function);
    if (worker->stage != WORKER_SERVING) {
        reports_hand_back(worker, &assignment->task, assignment->attempt, RETURN_UNSTARTED, "");
    } else if (!function || !health_is_offered(function)) {
        reports_hand_back(worker, &assignment->task, assignment->attempt, RETURN_CANNOT_RUN,
                          "this worker does not offer the function");
    } else {
        hold(worker, assignment, &item, &batch->payload[assignment->item], function);
    }
}

static void open_batch(struct grove_worker *worker, struct bytes bytes, struct opened *opened)
{
    opened->status = wire_sealed_decode(bytes, &opened->sealed);
    if (opened->status == GROVE_OK && opened->sealed.seal.kind != SEAL_TASK) {
        opened->status = GROVE_MALFORMED;
    }
    if (opened->status == GROVE_OK) {
        opened->status =
            seal_cache_open(worker->seals, &opened->sealed, &worker->credential.mesh, NULL);
    }
    if (opened->status == GROVE_OK) {
        opened->status = ids_of_batch(&opened->sealed, opened->payload, opened->id);
    }
}

void assignments_take(struct grove_worker *worker, const struct assign *assign)
{
    struct wire_list batches = assign->batches;
    struct wire_list list = assign->assignments;
    unsigned count = batches.count;
    struct opened *opened = calloc(count > 0 ? count : 1, sizeof(*opened));
    struct assignment assignment;
    struct bytes element;

    if (!opened) {
        abort();
    }
    session_learn(&worker->session, assign->certificates);
    for (unsigned i = 0; i < count; i++) {
        opened[i].status = GROVE_MALFORMED;
        if (wire_next(&batches, &element)) {
            open_batch(worker, element, &opened[i]);
        }
    }
    while (wire_next(&list, &element)) {
        if (wire_assignment_decode(element, &assignment) == GROVE_OK) {
            take_one(worker, &assignment, opened, count);
        }
    }
    free(opened);
    handlers_add(&worker->handlers, &worker->assigned);
}

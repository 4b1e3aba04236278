/* SPDX-License-Identifier: MPL-2.0
 * A result needs its worker's seal, that worker's right to run the function, and agreement with
 * what was asked; a verdict needs a coordinator's seal and the same agreement. */
#include "nodes/client/judge.h"

static void take_result(const struct result_item *item, struct outcome *outcome)
{
    *outcome = (struct outcome){
        .is_result = true,
        .result = *item,
        .task = item->task,
        .root = item->root,
        .has_parent = item->has_parent,
        .parent = item->parent,
        .function = item->function,
        .payload_digest = item->payload_digest,
    };
}

static void take_verdict(const struct verdict_item *item, struct outcome *outcome)
{
    *outcome = (struct outcome){
        .verdict = *item,
        .task = item->task,
        .root = item->root,
        .has_parent = item->has_parent,
        .parent = item->parent,
        .function = item->function,
        .payload_digest = item->payload_digest,
    };
}

enum grove_status judge_open(const struct sealed *sealed, unsigned i, struct outcome *outcome)
{
    struct result_item result;
    struct verdict_item verdict;
    enum grove_status status = GROVE_MALFORMED;

    if (sealed->seal.kind == SEAL_RESULT) {
        status = wire_result_decode(sealed->item[i], &result);
        if (status == GROVE_OK) {
            take_result(&result, outcome);
        }
    } else if (sealed->seal.kind == SEAL_VERDICT) {
        status = wire_verdict_decode(sealed->item[i], &verdict);
        if (status == GROVE_OK) {
            take_verdict(&verdict, outcome);
        }
    }
    return status;
}

enum grove_status judge_signer(const struct trust *trust, const struct key *signer,
                               const struct outcome *outcome)
{
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

bool judge_agrees(const struct asked *asked, const struct outcome *outcome)
{
    if (!id_equal(&asked->task, &outcome->task)) {
        return false;
    }
    if (asked->is_known && (!bytes_equal(asked->function, outcome->function) ||
                            !digest_equal(&asked->payload_digest, &outcome->payload_digest))) {
        return false;
    }
    if (!asked->is_placed) {
        return true;
    }
    if (asked->is_root) {
        return !outcome->has_parent && id_equal(&outcome->root, &outcome->task);
    }
    return outcome->has_parent && id_equal(&outcome->parent, &asked->parent) &&
           id_equal(&outcome->root, &asked->root);
}

bool judge_is_success(const struct outcome *outcome)
{
    return outcome->is_result && outcome->result.code == CODE_SUCCEEDED;
}

struct failing judge_failing(const struct outcome *outcome)
{
    return outcome->is_result ? failing_of_result(&outcome->result)
                              : failing_of_verdict(&outcome->verdict);
}

/* SPDX-License-Identifier: MPL-2.0
 * How a task ended, as the commands that await one tell it. */
#include "nodes/programs/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>

void outcome_clear(struct outcome *outcome)
{
    grove_result_clear(&outcome->result);
    grove_failure_clear(&outcome->failure);
}

enum exit_code outcome_exit(const struct outcome *outcome)
{
    switch (outcome->status == GROVE_OK ? GROVE_CODE_SUCCEEDED : outcome->failure.code) {
    case GROVE_CODE_SUCCEEDED:
    case GROVE_CODE_JOINED:
        return EXIT_DONE;
    case GROVE_CODE_FAILED:
    case GROVE_CODE_PERMANENT:
    case GROVE_CODE_TIMEOUT:
    case GROVE_CODE_POISON:
    case GROVE_CODE_LOST:
    case GROVE_CODE_ABANDONED:
    case GROVE_CODE_JOIN_FAILED:
        return EXIT_TASK_FAILED;
    case GROVE_CODE_CANCELLED:
        return EXIT_CANCELLED;
    case GROVE_CODE_DEADLINE:
        return EXIT_DEADLINE;
    case GROVE_CODE_REFUSED:
        return EXIT_REFUSED;
    case GROVE_CODE_NONE:
        break;
    }
    return exit_of_status(outcome->status);
}

const char *outcome_state(const struct outcome *outcome)
{
    if (outcome->status == GROVE_OK) {
        return "succeeded";
    }
    if (outcome->failure.code == GROVE_CODE_NONE) {
        return outcome->status == GROVE_TIMEOUT ? "open" : grove_status_name(outcome->status);
    }
    return outcome->failure.code == GROVE_CODE_CANCELLED ? "cancelled" : "failed";
}

json_t *outcome_json(const struct outcome *outcome, const char *schema)
{
    const struct grove_failure *failure = &outcome->failure;
    char id[GROVE_ID_TEXT_SIZE];
    json_t *error = json_null();

    grove_id_format(&outcome->id, id);
    if (outcome->status != GROVE_OK) {
        error = json_pack("{s:s, s:s, s:b}", "reason", failure->reason, "text", failure->text,
                          "retryable", failure->retryable);
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "schema", schema, "id", id, "state",
                     outcome_state(outcome), "error", error);
}

void outcome_add_result(const struct outcome *outcome, json_t *json)
{
    const struct grove_bytes bytes = outcome->result.bytes;
    json_t *text;

    if (outcome->status != GROVE_OK) {
        json_object_set_new(json, "result", json_null());
        return;
    }
    text = json_stringn(bytes.size > 0 ? bytes.data : "", bytes.size);
    if (text != NULL) {
        json_object_set_new(json, "result", text);
        return;
    }
    const size_t size = sodium_base64_encoded_len(bytes.size, sodium_base64_VARIANT_ORIGINAL);
    char *encoded = malloc(size);

    if (encoded == NULL) {
        abort();
    }
    sodium_bin2base64(encoded, size, bytes.data, bytes.size, sodium_base64_VARIANT_ORIGINAL);
    json_object_set_new(json, "result_base64", json_string(encoded));
    free(encoded);
}

void print_json(json_t *json)
{
    /* On a terminal without what it might obey: JSON lets controls of the second set be. */
    json_dumpf(json, stdout, JSON_COMPACT | (isatty(STDOUT_FILENO) == 1 ? JSON_ENSURE_ASCII : 0));
    putchar('\n');
    json_decref(json);
}

enum exit_code outcome_print(const struct outcome *outcome, const char *schema, bool json)
{
    if (json) {
        json_t *answer = outcome_json(outcome, schema);

        outcome_add_result(outcome, answer);
        print_json(answer);
    } else if (outcome->status == GROVE_OK) {
        print_result(outcome->result.bytes.data, outcome->result.bytes.size);
    }
    if (outcome->status != GROVE_OK) {
        complain_of(outcome->failure.reason, outcome->failure.text);
    }
    return outcome_exit(outcome);
}

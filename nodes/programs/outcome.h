/* SPDX-License-Identifier: MPL-2.0
 * How a task ended, as the commands that await one tell it. */
#ifndef GROVE_NODES_PROGRAMS_OUTCOME_H
#define GROVE_NODES_PROGRAMS_OUTCOME_H

#include <jansson.h>

#include "nodes/grove.h"
#include "nodes/programs/program.h"

struct outcome {
    struct grove_id id;
    enum grove_status status;
    struct grove_result result;   /* of GROVE_OK */
    struct grove_failure failure; /* of anything else */
};

void outcome_clear(struct outcome *outcome);

enum exit_code outcome_exit(const struct outcome *outcome);

/* "succeeded", "failed", "cancelled", or why that is not known. */
const char *outcome_state(const struct outcome *outcome);

/* {"schema", "id", "state", "error"}; the error is null of a success. */
json_t *outcome_json(const struct outcome *outcome, const char *schema);

/* Adds "result": text, or "result_base64" when the bytes are no text. */
void outcome_add_result(const struct outcome *outcome, json_t *json);

/* The result's bytes exactly, or JSON, on stdout; the failure's text on stderr. */
enum exit_code outcome_print(const struct outcome *outcome, const char *schema, bool json);

/* Prints one line of JSON and releases it. */
void print_json(json_t *json);

#endif

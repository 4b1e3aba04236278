/* SPDX-License-Identifier: MPL-2.0
 * Outcomes, a line each. */
#include "nodes/programs/items.h"

#include <stdio.h>

#define NAME_MOST 60u /* bytes of an input on stderr */

static struct outcome outcome_of(const struct grove_result *result,
                                 const struct grove_failure *failure)
{
    struct outcome outcome = {.status = GROVE_OK};

    if (failure->reason != NULL) {
        outcome.id = failure->task;
        outcome.status = failure->status;
        outcome.failure = *failure;
    } else {
        outcome.id = result->task;
        outcome.result = *result;
    }
    return outcome;
}

static bool is_cancelled(const struct outcome *outcome)
{
    return outcome->status != GROVE_OK && outcome->failure.code == GROVE_CODE_CANCELLED;
}

static size_t name_size(const struct item_name *name)
{
    return name->text.size < NAME_MOST ? name->text.size : NAME_MOST;
}

static void print_json_item(const struct items *items, const struct item_name *name,
                            const struct outcome *outcome)
{
    json_t *line = outcome_json(outcome, items->schema);

    json_object_set_new(line, "index", json_integer((json_int_t)name->index));
    outcome_add_result(outcome, line);
    print_json(line);
}

static void say_failure(const struct item_name *name, const struct outcome *outcome)
{
    fprintf(stderr, "grove: input %zu (", name->index + 1);
    print_bytes(stderr, name->text.data, name_size(name));
    fprintf(stderr, "%s): %s: ", name->text.size > NAME_MOST ? "..." : "", outcome->failure.reason);
    print_text(stderr, outcome->failure.text);
    fputc('\n', stderr);
}

/* A result ends its line, if it does not end one itself. */
static void print_line(const struct outcome *outcome)
{
    const struct grove_bytes bytes = outcome->result.bytes;

    print_result(bytes.data, bytes.size);
    if (bytes.size == 0 || ((const char *)bytes.data)[bytes.size - 1] != '\n') {
        putchar('\n');
    }
}

static void print_text_item(struct items *items, const struct outcome *outcome)
{
    if (is_cancelled(outcome)) {
        items->blanks++;
        return;
    }
    for (; items->blanks > 0; items->blanks--) {
        putchar('\n');
    }
    if (outcome->status == GROVE_OK) {
        print_line(outcome);
    } else {
        putchar('\n');
    }
}

void items_print(struct items *items, const struct item_name *name,
                 const struct grove_result *result, const struct grove_failure *failure)
{
    const struct outcome outcome = outcome_of(result, failure);

    progress_hide(items->progress);
    if (items->json) {
        print_json_item(items, name, &outcome);
    } else {
        print_text_item(items, &outcome);
    }
    if (is_cancelled(&outcome)) {
        items->cancelled++;
    } else if (outcome.status != GROVE_OK) {
        items->failed++;
        say_failure(name, &outcome);
    }
}

enum exit_code items_end(const struct items *items, enum grove_status status,
                         const struct grove_joined *joined)
{
    const struct outcome whole = {.status = status, .failure = joined->failure};

    if (status == GROVE_OK) {
        return EXIT_DONE;
    }
    if (items->failed > 0) {
        fprintf(stderr, "grove: %zu of %zu failed", items->failed, joined->count);
        if (items->cancelled > 0) {
            fprintf(stderr, ", %zu cancelled", items->cancelled);
        }
        fputc('\n', stderr);
    } else if (status == GROVE_CANCELLED && joined->failure.code == GROVE_CODE_NONE) {
        complain("interrupted, and cancelled");
    } else if (status != GROVE_IO && joined->failure.reason != NULL) { /* main says that */
        complain_of(joined->failure.reason, joined->failure.text);
    }
    return outcome_exit(&whole);
}

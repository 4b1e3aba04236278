/* SPDX-License-Identifier: MPL-2.0
 * grove retry: runs failed roots again, each as a new root of one's own with the same function and
 * payload. Its key is made of the old id, so that to retry twice is to retry once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "core/refusal.h"
#include "nodes/grove.h"
#include "nodes/host/clock.h"
#include "nodes/programs/connect.h"
#include "nodes/programs/fetch.h"
#include "nodes/programs/json_text.h"
#include "nodes/programs/observer_list.h"
#include "nodes/programs/outcome.h"
#include "nodes/programs/task_options.h"

#define KEY_SIZE (ID_TEXT_SIZE + 8)
#define BATCH 256u
#define BATCH_SIZE (4u << 20) /* bytes of payloads kept before they are submitted */

/* A task on its way; it owns what it was copied from. */
struct again {
    size_t i;
    char key[KEY_SIZE];
    char function[64], content_type[128];
    void *payload;
    struct grove_task task;
};

struct retrying {
    const struct id *ids;
    struct grove_client *client;
    bool json;
    struct again list[BATCH];
    size_t count, size;
    enum exit_code worst;
};

static void blame(struct retrying *retrying, size_t i, enum exit_code code, const char *why)
{
    char old[ID_TEXT_SIZE];

    id_format(&retrying->ids[i], old);
    complain_of(old, why);
    retrying->worst = code > retrying->worst ? code : retrying->worst;
}

static void print_retry(const struct retrying *retrying, size_t i, const struct grove_id *id)
{
    char before[ID_TEXT_SIZE], after[GROVE_ID_TEXT_SIZE];

    id_format(&retrying->ids[i], before);
    grove_id_format(id, after);
    if (retrying->json) {
        print_json(json_pack("{s:s, s:s, s:s}", "schema", "grove.retry/1", "retry_of", before, "id",
                             after));
    } else {
        printf("%s %s\n", before, after);
    }
}

static void submit(struct retrying *retrying)
{
    struct grove_task tasks[BATCH];
    struct grove_id ids[BATCH];
    struct grove_failure failures[BATCH];

    for (size_t k = 0; k < retrying->count; k++) {
        tasks[k] = retrying->list[k].task;
    }
    if (retrying->count > 0) {
        (void)!grove_submit_many(retrying->client, tasks, retrying->count, ids, failures);
    }
    for (size_t k = 0; k < retrying->count; k++) {
        if (failures[k].reason == NULL) {
            print_retry(retrying, retrying->list[k].i, &ids[k]);
        } else {
            blame(retrying, retrying->list[k].i, exit_of_status(failures[k].status),
                  failures[k].text);
        }
        grove_failure_clear(&failures[k]);
        free(retrying->list[k].payload);
    }
    fflush(stdout);
    retrying->count = retrying->size = 0;
}

static void copy_text(char *text, size_t size, struct bytes bytes)
{
    snprintf(text, size, "%.*s", (int)bytes.size, (const char *)bytes.data);
}

/* All that says how to run it, but no times: those have passed. */
static void add(struct retrying *retrying, size_t i, const struct task_item *item)
{
    struct again *again = &retrying->list[retrying->count++];
    char text[ID_TEXT_SIZE];

    *again = (struct again){.i = i, .task = GROVE_TASK_INIT};
    id_format(&retrying->ids[i], text);
    snprintf(again->key, sizeof(again->key), "retry:%s", text);
    copy_text(again->function, sizeof(again->function), item->function);
    copy_text(again->content_type, sizeof(again->content_type), item->content_type);
    again->payload = malloc(item->payload.size + 1);
    if (again->payload == NULL) {
        abort();
    }
    if (item->payload.size > 0) {
        memcpy(again->payload, item->payload.data, item->payload.size);
    }
    again->task.function = again->function;
    again->task.payload = (struct grove_bytes){again->payload, item->payload.size};
    again->task.content_type = item->content_type.size > 0 ? again->content_type : NULL;
    again->task.key = again->key;
    again->task.has_priority = item->has_priority;
    again->task.priority = item->priority;
    again->task.timeout_ms = item->timeout_ms;
    again->task.max_attempts = item->max_attempts;
    again->task.at_most_once = item->at_most_once;
    memcpy(&again->task.retry_of, &retrying->ids[i], sizeof(again->task.retry_of));
    retrying->size += item->payload.size;
    if (retrying->count == BATCH || retrying->size >= BATCH_SIZE) {
        submit(retrying);
    }
}

static void take(void *context, const struct fetched_task *task)
{
    struct retrying *retrying = context;

    if (task->refusal != REFUSED_NOT) {
        blame(retrying, task->i,
              task->refusal == REFUSED_NOT_FOUND || task->refusal == REFUSED_FORGOTTEN
                  ? EXIT_NOT_FOUND
                  : EXIT_REFUSED,
              refusal_text(task->refusal));
    } else if (!task->has_ended) {
        blame(retrying, task->i, EXIT_REFUSED, "it has not ended yet");
    } else if (task->code == CODE_SUCCEEDED || task->code == CODE_JOINED) {
        blame(retrying, task->i, EXIT_REFUSED, "it has succeeded");
    } else if (task->item.lineage.present) {
        blame(retrying, task->i, EXIT_REFUSED, "it is a child: retry its root");
    } else if (bytes_equal(task->item.function, bytes_of_text(JOIN_FUNCTION))) {
        blame(retrying, task->i, EXIT_REFUSED,
              "a join from outside has its inputs from its submitter, who alone can run it again");
    } else {
        add(retrying, task->i, &task->item);
    }
}

/* ---- which */

struct wanted {
    const char *function; /* NULL: any */
    int64_t since_ms;
};

static bool is_wanted(const void *context, const json_t *task)
{
    const struct wanted *wanted = context;
    const char *function = json_text(task, "function");

    return json_number(task, "depth") == 0 && strcmp(function, JOIN_FUNCTION) != 0 &&
           json_number(task, "ended_ms") >= wanted->since_ms &&
           (wanted->function == NULL || strcmp(wanted->function, function) == 0);
}

/* Roots that have failed, the first first. */
static enum exit_code find_failed(const struct arguments *arguments, struct id **ids, size_t *count)
{
    struct wanted wanted = {.function = argument_value(arguments, "function")};
    const struct selection selection = {SIZE_MAX, is_wanted, &wanted};
    uint64_t since_ms;
    json_t *answer;

    if (!argument_duration(arguments, "since", 0, &since_ms)) {
        return EXIT_USAGE;
    }
    wanted.since_ms = since_ms > 0 ? (int64_t)(clock_unix_ms() - since_ms) : 0;
    const enum exit_code code = list_ask(arguments, "failures", "failures", &selection, &answer);

    if (code != EXIT_DONE) {
        return code;
    }
    const json_t *failures = json_object_get(answer, "failures");
    const size_t found = json_array_size(failures);

    *ids = calloc(found + 1, sizeof(**ids));
    if (*ids == NULL) {
        abort();
    }
    for (size_t i = found; i > 0; i--) {
        *count += id_parse(json_text(json_array_get(failures, i - 1), "id"), &(*ids)[*count]);
    }
    json_decref(answer);
    return EXIT_DONE;
}

static enum exit_code parse_ids(const struct arguments *arguments, struct id **ids, size_t *count)
{
    *count = arguments->word_count;
    *ids = calloc(*count + 1, sizeof(**ids));
    if (*ids == NULL) {
        abort();
    }
    for (size_t i = 0; i < *count; i++) {
        if (!id_parse(arguments->word[i], &(*ids)[i])) {
            complain("retry: '%s' is no id: those are 32 hexadecimal digits", arguments->word[i]);
            return EXIT_USAGE;
        }
    }
    return EXIT_DONE;
}

static enum exit_code retry(const struct arguments *arguments, const struct id *ids, size_t count)
{
    struct retrying *retrying = calloc(1, sizeof(*retrying));
    char path[PATH_MAX], error[CREDENTIAL_ERROR_SIZE];
    struct credential credential;
    enum exit_code code;

    if (retrying == NULL) {
        abort();
    }
    retrying->ids = ids;
    retrying->json = argument_json(arguments);
    if (connect_client(arguments, &retrying->client, path, &code)) {
        const enum grove_status status = credential_load(path, &credential, error);

        if (status == GROVE_OK) {
            code = fetch_tasks(&credential, path, ids, count, take, retrying);
            submit(retrying);
            credential_clear(&credential);
        } else {
            complain("%s", error);
            code = exit_of_status(status);
        }
        grove_client_close(retrying->client);
    }
    code = code == EXIT_DONE ? retrying->worst : code;
    free(retrying);
    return code;
}

static enum exit_code run(const struct arguments *arguments)
{
    const bool is_failed = argument_given(arguments, "failed");
    struct id *ids = NULL;
    size_t count = 0;
    enum exit_code code;

    if (is_failed == (arguments->word_count > 0)) {
        complain("retry: which? Ids, or --failed for all roots that have failed");
        return EXIT_USAGE;
    }
    code = is_failed ? find_failed(arguments, &ids, &count) : parse_ids(arguments, &ids, &count);
    if (code == EXIT_DONE && count > 0) {
        code = retry(arguments, ids, count);
    } else if (code == EXIT_DONE) {
        complain("retry: nothing has failed");
    }
    free(ids);
    return code;
}

static const struct option options[] = {
    {"failed", 0, NULL, "all roots that have failed and are kept"},
    {"function", 0, "FUNCTION", "... of this function"},
    {"since", 0, "DURATION", "... since so long ago"},
    OPTION_END,
};

const struct subcommand retry_subcommand = {
    .name = "retry",
    .summary = "Run failed roots again, and print the old and the new id of each",
    .usage = "ID... | --failed [--function FUNCTION] [--since DURATION]",
    .description =
        "Each is submitted anew, under one's own name, with the function and the payload of the "
        "old one, which was\none's own, unless one is an operator. To retry the same again gives "
        "the same new id: what has failed\nagain is retried by that.",
    .options = options,
    .operand = "ID...",
    .run = run,
};

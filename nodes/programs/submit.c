/* SPDX-License-Identifier: MPL-2.0
 * grove submit: one task, or one for each line of stdin, durable when its id is printed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/limits.h"
#include "nodes/programs/caller.h"
#include "nodes/programs/observer.h"
#include "nodes/programs/outcome.h"
#include "nodes/programs/task_options.h"

#define WARN_US 1000000            /* a worker may just be starting */
#define CHUNK ((size_t)256 * 1024) /* bytes of stdin that make one batch of --many */

/* Says so when no worker offers the function, now and a second later. */
static void warn_if_unoffered(const char *path, const char *id)
{
    char *waiting = path != NULL ? observer_unoffered(path, id) : NULL;

    if (waiting != NULL) {
        free(waiting);
        usleep(WARN_US);
        waiting = observer_unoffered(path, id);
    }
    if (waiting != NULL) {
        fprintf(stderr, "grove: accepted, but ");
        print_text(stderr, waiting);
        fprintf(stderr, "; it waits for one\n");
    }
    free(waiting);
}

static void print_id(const struct grove_id *id, bool json)
{
    char text[GROVE_ID_TEXT_SIZE];

    grove_id_format(id, text);
    if (json) {
        print_json(json_pack("{s:s, s:s}", "schema", "grove.submit/1", "id", text));
    } else {
        puts(text);
    }
}

static enum exit_code submit_one(const struct arguments *arguments, struct grove_task *task,
                                 struct caller *caller)
{
    struct buffer memory = {0};
    struct grove_failure failure;
    struct grove_id id;
    char text[GROVE_ID_TEXT_SIZE];
    enum exit_code code;

    if (task_options_payload(arguments, &memory, &task->payload, &code)) {
        const enum grove_status status = caller_submit(caller, task, 1, &id, &failure);

        if (status == GROVE_OK) {
            print_id(&id, argument_json(arguments));
            fflush(stdout);
            grove_id_format(&id, text);
            warn_if_unoffered(caller_path(caller), text);
            code = EXIT_DONE;
        } else {
            code = task_options_refused("", &failure);
        }
        grove_failure_clear(&failure);
    }
    buffer_clear(&memory);
    return code;
}

/* ---- --many */

/* The lines of one batch; grows as it must. */
struct lines {
    const struct grove_task *model;
    struct caller *caller;
    bool json;
    struct grove_task *task;
    size_t count, capacity;
    uint64_t before; /* lines of earlier batches */
    enum exit_code worst;
    struct grove_id last;
    bool has_last;
};

static void add_line(struct lines *lines, const uint8_t *data, size_t size)
{
    if (lines->count == lines->capacity) {
        lines->capacity = lines->capacity > 0 ? 2 * lines->capacity : 1024;
        lines->task = reallocarray(lines->task, lines->capacity, sizeof(*lines->task));
        if (lines->task == NULL) {
            abort();
        }
    }
    lines->task[lines->count] = *lines->model;
    lines->task[lines->count].payload = (struct grove_bytes){data, size};
    lines->count++;
}

/* With --key, line 3 has the key KEY.3: sent again, it is the same task. */
static char *make_keys(struct lines *lines)
{
    const size_t size = LIMIT_KEY_LENGTH + 32;
    char *keys;

    if (lines->model->key == NULL) {
        return NULL;
    }
    keys = calloc(lines->count, size);
    if (keys == NULL) {
        abort();
    }
    for (size_t i = 0; i < lines->count; i++) {
        snprintf(keys + i * size, size, "%.*s.%llu", (int)LIMIT_KEY_LENGTH, lines->model->key,
                 (unsigned long long)lines->before + i + 1);
        lines->task[i].key = keys + i * size;
    }
    return keys;
}

/* A refused line gets a '-' in place of its id, and its reason on stderr. */
static void print_answer(struct lines *lines, size_t i, const struct grove_id *id,
                         const struct grove_failure *failure)
{
    char where[32];

    if (failure->reason == NULL) {
        print_id(id, lines->json);
        lines->last = *id;
        lines->has_last = true;
        return;
    }
    if (lines->json) {
        print_json(json_pack("{s:s, s:n, s:s, s:s}", "schema", "grove.submit/1", "id", "reason",
                             failure->reason, "text", failure->text));
    } else {
        puts("-");
    }
    snprintf(where, sizeof(where), "line %llu: ", (unsigned long long)lines->before + i + 1);
    const enum exit_code code = task_options_refused(where, failure);

    lines->worst = code > lines->worst ? code : lines->worst;
}

static void submit_lines(struct lines *lines)
{
    struct grove_id *ids = calloc(lines->count + 1, sizeof(*ids));
    struct grove_failure *failures = calloc(lines->count + 1, sizeof(*failures));
    char *keys = make_keys(lines);

    if (ids == NULL || failures == NULL) {
        abort();
    }
    if (lines->count > 0) {
        (void)!caller_submit(lines->caller, lines->task, lines->count, ids, failures);
    }
    for (size_t i = 0; i < lines->count; i++) {
        print_answer(lines, i, &ids[i], &failures[i]);
        grove_failure_clear(&failures[i]);
    }
    fflush(stdout);
    lines->before += lines->count;
    lines->count = 0;
    free(keys);
    free(failures);
    free(ids);
}

/* Submits the whole lines of `input`; the rest of it stays for later. */
static void take_lines(struct lines *lines, struct buffer *input)
{
    const uint8_t *at = input->data, *end = at + input->size, *newline;

    while (at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        add_line(lines, at, (size_t)(newline - at));
        at = newline + 1;
    }
    submit_lines(lines);
    input->size = (size_t)(end - at);
    memmove(input->data, at, input->size);
}

/* What one read gives is one batch, so a slow writer gets its ids at once. */
static enum exit_code submit_many(struct lines *lines)
{
    struct buffer input = {0};
    ssize_t got;

    do {
        uint8_t *at = buffer_extend(&input, CHUNK);

        got = read(STDIN_FILENO, at, CHUNK);
        input.size -= CHUNK - (got > 0 ? (size_t)got : 0);
        if (got > 0) {
            take_lines(lines, &input);
        }
    } while ((got > 0 && input.size <= LIMIT_PAYLOAD_SIZE) || (got < 0 && errno == EINTR));
    if (got > 0) {
        complain("submit: line %llu is over the limit of %zu bytes",
                 (unsigned long long)lines->before + 1, (size_t)LIMIT_PAYLOAD_SIZE);
        lines->worst = EXIT_REFUSED;
    } else if (got < 0) {
        complain("submit: cannot read stdin: %s", strerror(errno));
        lines->worst = EXIT_SYSTEM;
    } else if (input.size > 0) {
        add_line(lines, input.data, input.size);
        submit_lines(lines);
    }
    buffer_clear(&input);
    free(lines->task);
    return lines->worst;
}

static enum exit_code run_many(const struct arguments *arguments, const struct grove_task *task,
                               struct caller *caller)
{
    struct lines lines = {.model = task, .caller = caller, .json = argument_json(arguments)};
    char text[GROVE_ID_TEXT_SIZE];

    if (arguments->word_count > 0) {
        complain("submit: --many takes its payloads from stdin");
        return EXIT_USAGE;
    }
    const enum exit_code code = submit_many(&lines);

    if (lines.has_last) {
        grove_id_format(&lines.last, text);
        warn_if_unoffered(caller_path(caller), text);
    }
    return code;
}

static enum exit_code run(const struct arguments *arguments)
{
    struct grove_task task;
    struct caller caller;
    enum exit_code code;

    if (!task_options_parse(arguments, &task)) {
        return EXIT_USAGE;
    }
    if (!caller_open(arguments, &caller, &code)) {
        return code;
    }
    code = argument_given(arguments, "many") ? run_many(arguments, &task, &caller)
                                             : submit_one(arguments, &task, &caller);
    caller_close(&caller);
    return code;
}

static const struct option options[] = {
    TASK_OPTIONS,
    {"many", 0, NULL,
     "one payload a line of stdin, one id a line; with --key K the keys are K.1, "
     "K.2..."},
    OPTION_END,
};

const struct subcommand submit_subcommand = {
    .name = "submit",
    .summary = "Submit a task and print its id",
    .usage = "-t FUNCTION [PAYLOAD] | -t FUNCTION --many",
    .description = "The payload is the word, else stdin. The task is durable when its id is "
                   "printed.",
    .options = options,
    .run = run,
};

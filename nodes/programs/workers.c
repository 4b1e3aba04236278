/* SPDX-License-Identifier: MPL-2.0
 * grove workers: who works, and how much. grove workers drain NAME: one is to leave. */
#include <string.h>
#include <unistd.h>

#include "nodes/host/clock.h"
#include "nodes/programs/json_text.h"
#include "nodes/programs/observer_list.h"
#include "nodes/programs/operator.h"
#include "nodes/programs/outcome.h"

#define LOOK_AGAIN_US 100000
#define TELL_AGAIN_MS 2000u /* it may not have been connected */

static enum exit_code list(const struct arguments *arguments)
{
    const struct selection all = {.most = SIZE_MAX};

    return list_show(arguments, &worker_rows, &all);
}

/* ---- drain */

static bool is_called(const void *context, const json_t *worker)
{
    const char *name = context;

    return strcmp(json_text(worker, "instance"), name) == 0 ||
           strcmp(json_text(worker, "name"), name) == 0;
}

/* How many workers there are of that name. */
static enum exit_code count(struct observer *observer, const char *name, size_t *workers)
{
    const struct selection called = {.most = SIZE_MAX, .wants = is_called, .context = name};
    json_t *answer;
    const enum exit_code code = observer_list(observer, "workers", "workers", &called, &answer);

    if (code == EXIT_DONE) {
        *workers = json_array_size(json_object_get(answer, "workers"));
        json_decref(answer);
    }
    return code;
}

/* Until none of them is left. What they had to finish takes as long as it takes. */
static enum exit_code await(const struct credential *credential, const char *path, const char *name,
                            uint64_t timeout_ms)
{
    const uint64_t until_ms = clock_monotonic_ms() + timeout_ms;
    uint64_t told_ms = clock_monotonic_ms();
    enum exit_code code;
    size_t left = 1;
    struct observer *observer = observer_open(path, &code);

    while (observer != NULL && code == EXIT_DONE && left > 0) {
        code = count(observer, name, &left);
        if (code == EXIT_DONE && left > 0 && clock_monotonic_ms() >= until_ms) {
            complain("workers: %s has not left yet", name);
            code = EXIT_DEADLINE;
        }
        if (code == EXIT_DONE && left > 0 && clock_monotonic_ms() - told_ms >= TELL_AGAIN_MS) {
            told_ms = clock_monotonic_ms();
            code = operator_drain(credential, path, name);
            left = code == EXIT_NOT_FOUND ? 0 : left;
            code = code == EXIT_NOT_FOUND ? EXIT_DONE : code;
        }
        if (left > 0) {
            usleep(LOOK_AGAIN_US);
        }
    }
    observer_close(observer);
    return code;
}

static enum exit_code drain(const struct arguments *arguments)
{
    const char *name = arguments->word_count == 2 ? arguments->word[1] : NULL;
    struct credential credential;
    char path[PATH_MAX];
    uint64_t timeout_ms;
    enum exit_code code;

    if (name == NULL) {
        complain("workers: drain which one? Its instance, or the name in its certificate");
        return EXIT_USAGE;
    }
    if (!argument_duration(arguments, "timeout", UINT32_MAX, &timeout_ms)) {
        return EXIT_USAGE;
    }
    if (!operator_credential(arguments, &credential, path, &code)) {
        return code;
    }
    code = operator_drain(&credential, path, name);
    if (code == EXIT_NOT_FOUND) {
        complain("workers: no worker is called %s", name);
    }
    if (code == EXIT_DONE && !argument_given(arguments, "no-wait")) {
        code = await(&credential, path, name, timeout_ms);
    }
    if (code == EXIT_DONE && argument_json(arguments)) {
        print_json(json_pack("{s:s, s:s, s:b}", "schema", "grove.drain/1", "name", name, "left",
                             !argument_given(arguments, "no-wait")));
    }
    credential_clear(&credential);
    return code;
}

static enum exit_code run(const struct arguments *arguments)
{
    return arguments->word_count == 0 ? list(arguments) : run_verb(&workers_subcommand, arguments);
}

static const struct option options[] = {
    {"no-wait", 0, NULL, "drain: do not wait until it has left"},
    {"timeout", 0, "DURATION", "drain: wait no longer than this"},
    OPTION_END,
};

static const struct verb verbs[] = {
    {"list", "", NULL, "show them, as without a word", list},
    {"drain", "WORKER [--no-wait] [--timeout DURATION]", "WORKER",
     "have a worker of that instance, or all with that name in their certificate, finish what has "
     "started, hand back the rest, and end",
     drain},
    VERB_END,
};

const struct subcommand workers_subcommand = {
    .name = "workers",
    .summary = "Show the workers and what they hold; have one leave",
    .usage = "[list | drain WORKER]",
    .description = "drain is for operators; it returns when the worker has left. It takes nothing "
                   "more meanwhile, as if it had\nbeen stopped where it runs.",
    .options = options,
    .verbs = verbs,
    .run = run,
};

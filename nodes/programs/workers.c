/* SPDX-License-Identifier: MPL-2.0
 * grove workers: who works, and how much. grove workers drain NAME: one is to leave. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nodes/host/clock.h"
#include "nodes/programs/figures.h"
#include "nodes/programs/json_text.h"
#include "nodes/programs/listing.h"
#include "nodes/programs/observer_list.h"
#include "nodes/programs/operator.h"
#include "nodes/programs/outcome.h"

#define LOOK_AGAIN_US 100000
#define TELL_AGAIN_MS 2000u /* it may not have been connected */
#define SILENT_MS 3000      /* more than a heartbeat */

static const struct column columns[] = {
    {"INSTANCE", false}, {"NAME", false},   {"SLOTS", true},
    {"RUNNING", true},   {"WAITING", true}, {"AHEAD", true},
    {"STOPPING", true},  {"STATE", false},  {"FUNCTIONS", false},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void add_functions(struct listing *listing, const json_t *functions)
{
    char text[256] = "";
    size_t used = 0, i;
    json_t *function;

    json_array_foreach(functions, i, function)
    {
        const char *name = json_string_value(function);

        if (name == NULL || used + strlen(name) + 6 >= sizeof(text)) {
            snprintf(text + used, sizeof(text) - used, " ...");
            break;
        }
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? " " : "", name);
    }
    listing_add(listing, TONE_PLAIN, text);
}

/* One that offers nothing finishes what it has, and leaves. */
static const char *state_of(const json_t *worker)
{
    if (!json_is_true(json_object_get(worker, "connected"))) {
        return "away";
    }
    if (json_number(worker, "silent_ms") > SILENT_MS) {
        return "silent";
    }
    return json_array_size(json_object_get(worker, "functions")) == 0 ? "leaving" : "up";
}

static void add_worker(struct listing *listing, const json_t *worker)
{
    const int64_t slots = json_number(worker, "slots"), waiting = json_number(worker, "waiting");
    const int64_t stopping = json_number(worker, "stopping");
    const int64_t active = json_number(worker, "assigned") - waiting - stopping;
    const int64_t running = active < slots ? active : slots;
    const char *state = state_of(worker);

    listing_add(listing, TONE_PLAIN, json_text(worker, "instance"));
    listing_add(listing, TONE_PLAIN, json_text(worker, "name"));
    listing_add_number(listing, slots);
    listing_add_number(listing, running > 0 ? running : 0);
    listing_add_number(listing, waiting);
    listing_add_number(listing, active > running ? active - running : 0);
    listing_add_number(listing, stopping);
    listing_add(listing, strcmp(state, "up") == 0 ? TONE_GOOD : TONE_WARN, state);
    add_functions(listing, json_object_get(worker, "functions"));
}

static enum exit_code list(const struct arguments *arguments)
{
    const struct selection all = {.most = SIZE_MAX};
    const struct look look = look_of(arguments, stdout);
    struct listing listing;
    json_t *answer, *worker;
    size_t i;
    const enum exit_code code = list_ask(arguments, "workers", "workers", &all, &answer);

    if (code != EXIT_DONE) {
        return code;
    }
    if (argument_json(arguments)) {
        print_json(answer);
        return EXIT_DONE;
    }
    listing_init(&listing, &look, columns, COLUMNS);
    json_array_foreach(json_object_get(answer, "workers"), i, worker)
    {
        add_worker(&listing, worker);
    }
    listing_print(&listing, stdout);
    listing_clear(&listing);
    json_decref(answer);
    return EXIT_DONE;
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

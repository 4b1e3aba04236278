/* SPDX-License-Identifier: MPL-2.0
 * grove functions: what the mesh can run, and what is asked of it. */
#include <stdio.h>
#include <string.h>

#include "nodes/programs/figures.h"
#include "nodes/programs/json_text.h"
#include "nodes/programs/listing.h"
#include "nodes/programs/observer_list.h"
#include "nodes/programs/outcome.h"

static const struct column columns[] = {
    {"FUNCTION", false}, {"WORKERS", true},   {"RUNNING", true}, {"WAITING", true},
    {"READY", true},     {"HELD", true},      {"DELAYED", true}, {"SUCCEEDED", true},
    {"FAILED", true},    {"CANCELLED", true}, {"P50", true},     {"P99", true},
    {"LIMIT", false},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void add_limit(struct listing *listing, const json_t *limit)
{
    const int64_t running = json_number(limit, "running"), rate = json_number(limit, "rate");
    const bool is_paused = json_is_true(json_object_get(limit, "paused"));
    char text[96] = "";
    size_t used = 0;

    if (is_paused) {
        used += (size_t)snprintf(text, sizeof(text), "paused ");
    }
    if (running > 0) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%lld at a time ",
                                 (long long)running);
    }
    if (rate > 0) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%g/s ", (double)rate / 1000);
    }
    text[used > 0 ? used - 1 : 0] = '\0';
    listing_add(listing, is_paused ? TONE_WARN : TONE_PLAIN, text);
}

static void add_duration(struct listing *listing, const json_t *runs, const char *name)
{
    char text[DURATION_TEXT_SIZE] = "";

    if (json_is_object(runs)) {
        duration_text((uint64_t)json_number(runs, name), text);
    }
    listing_add(listing, TONE_PLAIN, text);
}

static void add_function(struct listing *listing, const json_t *function)
{
    static const char *const numbers[] = {"workers",         "running",      "waiting",
                                          "ready",           "held",         "delayed",
                                          "ended_succeeded", "ended_failed", "ended_cancelled"};

    listing_add(listing, TONE_PLAIN, json_text(function, "function"));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        listing_add_number(listing, json_number(function, numbers[i]));
    }
    add_duration(listing, json_object_get(function, "runs"), "p50_ms");
    add_duration(listing, json_object_get(function, "runs"), "p99_ms");
    add_limit(listing, json_object_get(function, "limit"));
}

static enum exit_code run(const struct arguments *arguments)
{
    const struct selection all = {.most = SIZE_MAX};
    const struct look look = look_of(arguments, stdout);
    struct listing listing;
    json_t *answer, *function;
    size_t i;

    if (arguments->word_count > 0) {
        complain("functions: takes no words; 'grove limit FUNCTION' tells of one");
        return EXIT_USAGE;
    }
    const enum exit_code code = list_ask(arguments, "functions", "functions", &all, &answer);

    if (code != EXIT_DONE) {
        return code;
    }
    if (argument_json(arguments)) {
        print_json(answer);
        return EXIT_DONE;
    }
    listing_init(&listing, &look, columns, COLUMNS);
    json_array_foreach(json_object_get(answer, "functions"), i, function)
    {
        add_function(&listing, function);
    }
    listing_print(&listing, stdout);
    listing_clear(&listing);
    json_decref(answer);
    return EXIT_DONE;
}

const struct subcommand functions_subcommand = {
    .name = "functions",
    .summary = "Show the functions: who offers them, what is asked of them, their limits",
    .usage = "",
    .description = "Tasks in each state that is not final are counted now, the others ever; P50 "
                   "and P99 are of how "
                   "long attempts ran.",
    .run = run,
};

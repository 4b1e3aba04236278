/* SPDX-License-Identifier: MPL-2.0
 * grove failures: what fails, most often first: tasks of one function and one reason together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/host/clock.h"
#include "nodes/programs/figures.h"
#include "nodes/programs/json_text.h"
#include "nodes/programs/listing.h"
#include "nodes/programs/observer_list.h"
#include "nodes/programs/outcome.h"

#define EXAMPLES 3 /* ids of a group */

static const struct column columns[] = {
    {"COUNT", true}, {"LAST", true}, {"FUNCTION", false}, {"EXAMPLE", false}, {"ERROR", false},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

struct wanted {
    const char *function; /* NULL: any */
    int64_t since_ms;
};

static bool is_wanted(const void *context, const json_t *task)
{
    const struct wanted *wanted = context;

    return json_number(task, "ended_ms") >= wanted->since_ms &&
           (wanted->function == NULL || strcmp(wanted->function, json_text(task, "function")) == 0);
}

/* Adds a failure to the group of its function and error, which is made if it is the first. The
 * first is the last that failed. */
static void count_in(json_t *groups, const json_t *task)
{
    const char *function = json_text(task, "function"), *error = json_text(task, "error");
    const size_t size = strlen(function) + strlen(error) + 2;
    char *name = malloc(size);

    if (name == NULL) {
        abort();
    }
    snprintf(name, size, "%s %s", function, error);
    json_t *group = json_object_get(groups, name);

    if (group == NULL) {
        group = json_pack("{s:s, s:s, s:i, s:O?, s:O?, s:[]}", "function", function, "error", error,
                          "count", 0, "code", json_object_get(task, "code"), "last_ms",
                          json_object_get(task, "ended_ms"), "examples");
        json_object_set_new(groups, name, group);
    }
    json_t *examples = json_object_get(group, "examples");

    json_object_set_new(group, "count", json_integer(json_number(group, "count") + 1));
    if (json_array_size(examples) < EXAMPLES) {
        json_array_append(examples, json_object_get(task, "id"));
    }
    free(name);
}

static int by_count(const void *a, const void *b)
{
    const json_t *left = *(json_t *const *)a, *right = *(json_t *const *)b;
    const int64_t difference = json_number(right, "count") - json_number(left, "count");

    if (difference != 0) {
        return difference > 0 ? 1 : -1;
    }
    return json_number(left, "last_ms") > json_number(right, "last_ms") ? -1 : 1;
}

/* The groups of a list of failed tasks, the largest first. */
static json_t *group(const json_t *tasks)
{
    json_t *groups = json_object(), *sorted = json_array(), *task, *each;
    const char *name;
    size_t i, count = 0;

    json_array_foreach(tasks, i, task)
    {
        count_in(groups, task);
    }
    json_t **list = calloc(json_object_size(groups) + 1, sizeof(json_t *));

    if (list == NULL) {
        abort();
    }
    json_object_foreach(groups, name, each)
    {
        list[count++] = each;
    }
    qsort(list, count, sizeof(*list), by_count);
    for (i = 0; i < count; i++) {
        json_array_append(sorted, list[i]);
    }
    free(list);
    json_decref(groups);
    return sorted;
}

static void print_groups(const struct look *look, const json_t *groups)
{
    const int64_t now_ms = (int64_t)clock_unix_ms();
    struct listing listing;
    json_t *each;
    size_t i;

    listing_init(&listing, look, columns, COLUMNS);
    json_array_foreach(groups, i, each)
    {
        const int64_t ago_ms = now_ms - json_number(each, "last_ms");
        const json_t *example = json_array_get(json_object_get(each, "examples"), 0);
        char text[DURATION_TEXT_SIZE];

        listing_add_number(&listing, json_number(each, "count"));
        listing_add(&listing, TONE_PLAIN, duration_text(ago_ms > 0 ? (uint64_t)ago_ms : 0, text));
        listing_add(&listing, TONE_PLAIN, json_text(each, "function"));
        listing_add(&listing, TONE_DIM, json_is_string(example) ? json_string_value(example) : "");
        listing_add(&listing, TONE_BAD, json_text(each, "error"));
    }
    listing_print(&listing, stdout);
    listing_clear(&listing);
}

static enum exit_code run(const struct arguments *arguments)
{
    const struct look look = look_of(arguments, stdout);
    struct wanted wanted = {.function = argument_value(arguments, "function")};
    uint64_t since_ms;
    json_t *answer;

    if (arguments->word_count > 0) {
        complain("failures: takes no words");
        return EXIT_USAGE;
    }
    if (!argument_duration(arguments, "since", 0, &since_ms)) {
        return EXIT_USAGE;
    }
    if (since_ms > 0) {
        wanted.since_ms = (int64_t)(clock_unix_ms() - since_ms);
    }
    const struct selection selection = {SIZE_MAX, is_wanted, &wanted};
    const enum exit_code code = list_ask(arguments, "failures", "failures", &selection, &answer);

    if (code != EXIT_DONE) {
        return code;
    }
    json_t *groups = group(json_object_get(answer, "failures"));

    if (argument_json(arguments)) {
        json_object_set_new(answer, "schema", json_string("grove.failed/1"));
        json_object_del(answer, "failures");
        json_object_set_new(answer, "groups", groups);
        print_json(answer);
        return EXIT_DONE;
    }
    print_groups(&look, groups);
    json_decref(groups);
    json_decref(answer);
    return EXIT_DONE;
}

static const struct option options[] = {
    {"since", 0, "DURATION", "only what has ended since so long ago"},
    {"function", 0, "FUNCTION", "only of this function"},
    OPTION_END,
};

const struct subcommand failures_subcommand = {
    .name = "failures",
    .summary = "Show what fails, and why, most often first",
    .usage = "[--since DURATION] [--function FUNCTION]",
    .description =
        "Tasks of one function that failed of the same text are counted together, with the last "
        "of them as an\nexample; -o json has three. 'grove retry' runs them again.",
    .options = options,
    .run = run,
};

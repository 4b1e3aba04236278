/* SPDX-License-Identifier: MPL-2.0
 * grove roots: what was submitted from outside, the newest first. */
#include <stdio.h>
#include <string.h>

#include "nodes/host/clock.h"
#include "nodes/programs/figures.h"
#include "nodes/programs/json_text.h"
#include "nodes/programs/listing.h"
#include "nodes/programs/observer_list.h"
#include "nodes/programs/outcome.h"

#define SHOWN 50 /* without --limit */

static const struct column columns[] = {
    {"ID", false},    {"FUNCTION", false}, {"STATE", false}, {"TASKS", true}, {"OPEN", true},
    {"FAILED", true}, {"AGE", true},       {"TOOK", true},   {"BY", false},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

struct wanted {
    const char *state, *function; /* NULL: any */
};

/* "open" is every state that is not final. */
static bool is_wanted(const void *context, const json_t *root)
{
    const struct wanted *wanted = context;
    const char *state = json_text(root, "state");
    const bool is_open = json_number(root, "ended_ms") == 0;

    if (wanted->function != NULL && strcmp(wanted->function, json_text(root, "function")) != 0) {
        return false;
    }
    return wanted->state == NULL || strcmp(wanted->state, state) == 0 ||
           (is_open && strcmp(wanted->state, "open") == 0);
}

static void add_duration(struct listing *listing, int64_t from_ms, int64_t to_ms)
{
    char text[DURATION_TEXT_SIZE] = "";

    if (from_ms > 0 && to_ms >= from_ms) {
        duration_text((uint64_t)(to_ms - from_ms), text);
    }
    listing_add(listing, TONE_PLAIN, text);
}

static void add_root(struct listing *listing, const json_t *root, int64_t now_ms)
{
    const json_t *tree = json_object_get(root, "tree");
    const char *state = json_text(root, "state");
    const int64_t submitted_ms = json_number(root, "submitted_ms");

    listing_add(listing, TONE_PLAIN, json_text(root, "id"));
    listing_add(listing, TONE_PLAIN, json_text(root, "function"));
    listing_add(listing, tone_of_state(state), state);
    listing_add_number(listing, json_number(tree, "tasks"));
    listing_add_number(listing, json_number(tree, "open"));
    listing_add_number(listing, json_number(tree, "failed"));
    add_duration(listing, submitted_ms, now_ms > submitted_ms ? now_ms : submitted_ms);
    add_duration(listing, submitted_ms, json_number(root, "ended_ms"));
    listing_add(listing, TONE_DIM, json_text(root, "submitter"));
}

static enum exit_code run(const struct arguments *arguments)
{
    const struct wanted wanted = {argument_value(arguments, "state"),
                                  argument_value(arguments, "function")};
    const struct look look = look_of(arguments, stdout);
    struct listing listing;
    json_t *answer, *root;
    int64_t limit;
    size_t i;

    if (arguments->word_count > 0) {
        complain("roots: takes no words");
        return EXIT_USAGE;
    }
    if (!argument_number(arguments, "limit", 0, UINT32_MAX, SHOWN, &limit)) {
        return EXIT_USAGE;
    }
    const struct selection selection = {limit > 0 ? (size_t)limit : SIZE_MAX, is_wanted, &wanted};
    const enum exit_code code = list_ask(arguments, "roots", "roots", &selection, &answer);

    if (code != EXIT_DONE) {
        return code;
    }
    if (argument_json(arguments)) {
        print_json(answer);
        return EXIT_DONE;
    }
    listing_init(&listing, &look, columns, COLUMNS);
    json_array_foreach(json_object_get(answer, "roots"), i, root)
    {
        add_root(&listing, root, (int64_t)clock_unix_ms());
    }
    listing_print(&listing, stdout);
    listing_clear(&listing);
    json_decref(answer);
    return EXIT_DONE;
}

static const struct option options[] = {
    {"state", 's', "STATE", "only those in this state; open: those that have not ended"},
    {"function", 0, "FUNCTION", "only those of this function"},
    {"limit", 'n', "N", "at most so many (50); 0: all that are kept"},
    OPTION_END,
};

const struct subcommand roots_subcommand = {
    .name = "roots",
    .summary = "Show what was submitted, the newest first, with the numbers of its trees",
    .usage = "[--state STATE] [--function FUNCTION] [--limit N]",
    .description = "TOOK is from submission until the root ended; its tree may still go on.",
    .options = options,
    .run = run,
};

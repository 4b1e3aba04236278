/* SPDX-License-Identifier: MPL-2.0
 * grove roots: what was submitted from outside, the newest first. */
#include <string.h>

#include "nodes/programs/json_text.h"
#include "nodes/programs/observer_list.h"

#define SHOWN 50 /* without --limit */

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

static enum exit_code run(const struct arguments *arguments)
{
    const struct wanted wanted = {argument_value(arguments, "state"),
                                  argument_value(arguments, "function")};
    int64_t limit;

    if (arguments->word_count > 0) {
        complain("roots: takes no words");
        return EXIT_USAGE;
    }
    if (!argument_number(arguments, "limit", 0, UINT32_MAX, SHOWN, &limit)) {
        return EXIT_USAGE;
    }
    const struct selection selection = {limit > 0 ? (size_t)limit : SIZE_MAX, is_wanted, &wanted};
    return list_show(arguments, &root_rows, &selection);
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

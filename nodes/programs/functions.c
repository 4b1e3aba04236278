/* SPDX-License-Identifier: MPL-2.0
 * grove functions: what the mesh can run, and what is asked of it. */
#include "nodes/programs/observer_list.h"

static enum exit_code run(const struct arguments *arguments)
{
    const struct selection all = {.most = SIZE_MAX};

    if (arguments->word_count > 0) {
        complain("functions: takes no words; 'grove limit FUNCTION' tells of one");
        return EXIT_USAGE;
    }
    return list_show(arguments, &function_rows, &all);
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

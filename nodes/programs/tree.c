/* SPDX-License-Identifier: MPL-2.0
 * grove tree ID [--follow]: a task's whole tree. */
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "nodes/host/clock.h"
#include "nodes/programs/observer.h"
#include "nodes/programs/outcome.h"
#include "nodes/programs/tree_view.h"

#define FOLLOW_MS 100u /* between two looks, or as long as one took ten times over */

/* Lines of the terminal; 0: none is known. */
static size_t terminal_lines(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1 ? size.ws_row - 1u : 0;
}

/* In the place of the one before. A line wider than the terminal is cut, so that the lines can be
 * counted. */
static size_t redraw(const json_t *tree, struct tree_style *style, size_t before)
{
    if (before > 0) {
        printf("\033[%zuA\033[J", before);
    }
    fputs("\033[?7l", stdout);
    style->now_ms = clock_unix_ms();

    const size_t lines = tree_print(stdout, tree, style);

    fputs("\033[?7h", stdout);
    fflush(stdout);
    return lines;
}

/* A terminal shows the tree in place; anything else gets a line for each change. */
static enum exit_code follow(struct observer *observer, const char *id, struct tree_style *style)
{
    const bool is_terminal = isatty(STDOUT_FILENO) != 0;
    json_t *seen = json_object(), *tree;
    uint64_t asked_ms = clock_monotonic_ms();
    enum exit_code code;
    size_t lines = 0;

    while ((code = observer_tree(observer, id, &tree)) == EXIT_DONE) {
        const bool is_last = tree_has_settled(tree);

        if (is_terminal) {
            style->most = is_last ? 0 : terminal_lines();
            lines = redraw(tree, style, lines);
        } else {
            tree_print_changes(stdout, tree, seen);
        }
        json_decref(tree);
        if (is_last) {
            break;
        }
        const uint64_t rest_ms = 10 * (clock_monotonic_ms() - asked_ms);

        usleep((useconds_t)(rest_ms > FOLLOW_MS ? rest_ms : FOLLOW_MS) * 1000);
        asked_ms = clock_monotonic_ms();
    }
    json_decref(seen);
    return code;
}

static enum exit_code show(struct observer *observer, const char *id, bool json,
                           struct tree_style *style)
{
    json_t *tree;
    const enum exit_code code = observer_tree(observer, id, &tree);

    if (code != EXIT_DONE) {
        return code;
    }
    if (json) {
        print_json(tree);
    } else {
        style->now_ms = clock_unix_ms();
        tree_print(stdout, tree, style);
        json_decref(tree);
    }
    return EXIT_DONE;
}

static enum exit_code run(const struct arguments *arguments)
{
    struct grove_id id;
    enum exit_code code;

    if (arguments->word_count != 1 || !grove_id_parse(arguments->word[0], &id)) {
        complain("tree: of which task? An id is 32 hexadecimal digits");
        return EXIT_USAGE;
    }
    struct observer *observer = observer_choose(arguments, &code);

    if (observer == NULL) {
        return code;
    }
    struct tree_style style = {
        .look = look_of(arguments, stdout),
        .is_whole = argument_given(arguments, "all"),
        .sought = arguments->word[0],
    };

    if (argument_given(arguments, "follow") && !argument_json(arguments)) {
        code = follow(observer, arguments->word[0], &style);
    } else {
        code = show(observer, arguments->word[0], argument_json(arguments), &style);
    }
    observer_close(observer);
    return code;
}

static const struct option options[] = {
    {"follow", 'f', NULL, "go on until every task of it has ended"},
    {"all", 'a', NULL, "every task has a line of its own"},
    OPTION_END,
};

const struct subcommand tree_subcommand = {
    .name = "tree",
    .summary = "Show the whole tree that a task is in",
    .usage = "ID [--follow] [--all]",
    .description =
        "More than eight siblings of one function share a line, with how many are in which state "
        "and how\nlong they ran, above those of them that failed, that run, and that took longest. "
        "The critical path is\nmarked: the tasks without which the tree would have ended earlier.",
    .options = options,
    .operand = "ID",
    .run = run,
};

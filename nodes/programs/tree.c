/* SPDX-License-Identifier: MPL-2.0
 * grove tree ID [--follow]: a task's whole tree. */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "nodes/programs/observer.h"
#include "nodes/programs/outcome.h"
#include "nodes/programs/tree_view.h"

#define FOLLOW_US 100000

/* Lines of the terminal; 0: none is known. */
static size_t terminal_lines(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1 ? size.ws_row - 1u : 0;
}

/* A terminal shows the tree in place; anything else gets a line for each change. */
static enum exit_code follow(struct observer *observer, const char *id)
{
    const bool is_terminal = isatty(STDOUT_FILENO) != 0;
    json_t *seen = json_object(), *tree;
    enum exit_code code;
    size_t lines = 0;

    while ((code = observer_tree(observer, id, &tree)) == EXIT_DONE) {
        const bool is_last = tree_has_settled(tree);

        if (is_terminal) {
            if (lines > 0) {
                printf("\033[%zuA\033[J", lines);
            }
            lines = tree_print(stdout, tree, is_last ? 0 : terminal_lines());
            fflush(stdout);
        } else {
            tree_print_changes(stdout, tree, seen);
        }
        json_decref(tree);
        if (is_last) {
            break;
        }
        usleep(FOLLOW_US);
    }
    json_decref(seen);
    return code;
}

static enum exit_code show(struct observer *observer, const char *id, bool json)
{
    json_t *tree;
    const enum exit_code code = observer_tree(observer, id, &tree);

    if (code != EXIT_DONE) {
        return code;
    }
    if (json) {
        print_json(tree);
    } else {
        tree_print(stdout, tree, 0);
        json_decref(tree);
    }
    return EXIT_DONE;
}

static enum exit_code run(const struct arguments *arguments)
{
    struct grove_id id;
    char path[PATH_MAX];
    enum exit_code code;

    if (arguments->word_count != 1 || !grove_id_parse(arguments->word[0], &id)) {
        complain("tree: of which task? An id is 32 hexadecimal digits");
        return EXIT_USAGE;
    }
    if (!connect_choose(arguments, path, &code)) {
        return code;
    }
    struct observer *observer = observer_open(path, &code);

    if (observer == NULL) {
        return code;
    }
    if (argument_given(arguments, "follow") && !argument_json(arguments)) {
        code = follow(observer, arguments->word[0]);
    } else {
        code = show(observer, arguments->word[0], argument_json(arguments));
    }
    observer_close(observer);
    return code;
}

static const struct option options[] = {
    {"follow", 'f', NULL, "go on until every task of it has ended"},
    OPTION_END,
};

const struct subcommand tree_subcommand = {
    .name = "tree",
    .summary = "Show the whole tree that a task is in",
    .usage = "ID [--follow]",
    .options = options,
    .run = run,
};

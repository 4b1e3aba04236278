/* SPDX-License-Identifier: MPL-2.0
 * grove top: roots, functions and workers as they go. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nodes/host/clock.h"
#include "nodes/programs/outcome.h"
#include "nodes/programs/signals.h"
#include "nodes/programs/top_screen.h"

#define DELAY_MS 1000u
#define LEAST_MS 100u

static void print_lines(struct top_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        puts(lines->list[i].text);
    }
    top_lines_clear(lines);
}

static void print_once(const struct top_data *data)
{
    const struct top_pane_view view = {.sort = TOP_UNSORTED};
    struct top_lines lines = {0};

    top_summary(&lines, data);
    print_lines(&lines);
    for (enum top_pane pane = TOP_ROOTS; pane < TOP_PANES; pane++) {
        top_table(&lines, data, pane, &view, clock_unix_ms());
        if (lines.count > 0) {
            putchar('\n');
            print_lines(&lines);
        }
    }
}

static json_t *once_json(const struct top_data *data)
{
    json_t *answer = json_pack("{s:s, s:O}", "schema", "grove.top/1", "stats", data->stats);

    for (size_t i = 0; i < TOP_PANES; i++) {
        json_object_set(answer, top_rows[i]->name,
                        json_object_get(data->list[i], top_rows[i]->name));
    }
    return answer;
}

/* For scripts: what there is now. */
static enum exit_code once(struct observer *observer, bool json)
{
    struct top_data data = {0};
    const enum exit_code code = top_data_ask(observer, &data);

    if (code == EXIT_DONE && json) {
        print_json(once_json(&data));
    } else if (code == EXIT_DONE) {
        print_once(&data);
    }
    top_data_clear(&data);
    observer_close(observer);
    return code;
}

/* Ended by a signal, as if nothing had been kept from it. */
static void die_of(int number)
{
    sigset_t all;

    fflush(NULL);
    signal(number, SIG_DFL);
    raise(number);
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
}

static enum exit_code show(struct observer *observer, const char *path, const struct look *look,
                           uint32_t delay_ms)
{
    struct top_state state;
    sigset_t stops;

    signals_block(&stops);
    sigaddset(&stops, SIGQUIT);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
    struct feed *feed = feed_open(observer, path, delay_ms);

    top_state_init(&state, feed, look->glyphs);
    const int number = top_screen_run(&state, look);

    feed_close(feed);
    top_state_clear(&state);
    if (number != 0) {
        die_of(number);
    }
    return EXIT_DONE;
}

static enum exit_code run(const struct arguments *arguments)
{
    const struct look look = look_of(arguments, stdout);
    const bool is_once = argument_given(arguments, "once") || argument_json(arguments);
    char path[PATH_MAX];
    uint64_t delay_ms;
    enum exit_code code;

    if (arguments->word_count > 0) {
        complain("top: takes no words");
        return EXIT_USAGE;
    }
    if (!argument_duration(arguments, "delay", DELAY_MS, &delay_ms)) {
        return EXIT_USAGE;
    }
    if (!is_once && (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0)) {
        complain("top: this is no terminal; --once prints what there is now");
        return EXIT_USAGE;
    }
    if (!connect_choose(arguments, path, &code)) {
        return code;
    }
    struct observer *observer = observer_open(path, &code);

    if (observer == NULL) {
        return code;
    }
    if (is_once) {
        return once(observer, argument_json(arguments));
    }
    return show(observer, path, &look, delay_ms < LEAST_MS ? LEAST_MS : (uint32_t)delay_ms);
}

static const struct option options[] = {
    {"once", '1', NULL, "print what there is now, and end"},
    {"delay", 'd', "DURATION", "between two looks (1s)"},
    OPTION_END,
};

const struct subcommand top_subcommand = {
    .name = "top",
    .summary = "Watch roots, functions and workers as they go",
    .usage = "[--once] [--delay DURATION]",
    .description =
        "Keys are those of htop: arrows; F1 help; F2 or Tab, the next of roots, functions and "
        "workers; F3 search; F4\nfilter; F5 the tree of a root; F6 sort; Space tag; F9 cancel, "
        "when that is confirmed; s, why a root is where\nit is; F10 or q quit. -o json prints "
        "once.",
    .options = options,
    .run = run,
};

/* SPDX-License-Identifier: MPL-2.0
 * grove events: what happens in the mesh, a line each. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "nodes/programs/json_text.h"
#include "nodes/programs/look.h"
#include "nodes/programs/observer.h"
#include "nodes/programs/outcome.h"

#define LOOK_US 200000 /* between two looks for more */
#define REQUEST_SIZE 64

struct following {
    struct observer *observer;
    struct look look;
    bool json, follows;
    uint64_t since; /* number of the last that was told */
    uint64_t left;  /* to be told yet */
    bool is_alone;  /* nobody answers, and that was said */
};

/* 2026-01-31T12:00:00.000Z */
static void print_time(int64_t at_ms)
{
    const time_t seconds = (time_t)(at_ms / 1000);
    struct tm parts;
    char text[32];

    gmtime_r(&seconds, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    printf("%s.%03dZ ", text, (int)(at_ms % 1000));
}

static void print_id(const char *name, const json_t *event)
{
    const char *id = json_text(event, name);

    if (id[0] != '\0') {
        printf(" %s ", name);
        print_text(stdout, id);
    }
}

static enum tone tone_of_event(const json_t *event)
{
    const char *name = json_text(event, "event"), *code = json_text(event, "code");

    if (strcmp(name, "task-ended") == 0) {
        return strcmp(code, "succeeded") == 0 || strcmp(code, "joined") == 0 ? TONE_GOOD : TONE_BAD;
    }
    return strcmp(name, "task-lost") == 0 || strcmp(name, "worker-retired") == 0 ? TONE_WARN
                                                                                 : TONE_PLAIN;
}

/* Name and text, of what the event has of these. */
static void print_words(const json_t *event)
{
    static const char *const names[] = {"function", "code",   "kind", "state",
                                        "worker",   "leader", "error"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *text = json_text(event, names[i]);

        if (text[0] != '\0') {
            printf(" %s ", names[i]);
            print_text(stdout, text);
        }
    }
}

static void print_event(const struct following *following, json_t *event)
{
    if (following->json) {
        json_object_set_new(event, "schema", json_string("grove.event/1"));
        json_dumpf(event, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }
    print_time(json_number(event, "at_ms"));
    look_print(&following->look, stdout, tone_of_event(event), json_text(event, "event"));
    print_id("task", event);
    print_id("root", event);
    print_id("join", event);
    if (json_number(event, "attempt") > 0) {
        printf(" attempt %" PRId64, json_number(event, "attempt"));
    }
    print_words(event);
    putchar('\n');
}

/* False when it is enough. */
static bool print_page(struct following *following, const json_t *page)
{
    json_t *event;
    size_t i;

    if (json_is_false(json_object_get(page, "complete"))) {
        complain("events: some of those after %" PRIu64 " are not held any more", following->since);
    }
    json_array_foreach(json_object_get(page, "events"), i, event)
    {
        print_event(following, event);
        following->since = (uint64_t)json_number(event, "number");
        if (--following->left == 0) {
            return false;
        }
    }
    return fflush(stdout) == 0 && !ferror(stdout);
}

/* Only what follows waits for another coordinator. */
static enum exit_code ask(struct following *following, const char *request, json_t **page)
{
    const enum exit_code code = observer_ask(following->observer, request, page);

    if (code == EXIT_DONE) {
        following->is_alone = false;
    } else if (code == EXIT_NO_LEADER && following->follows) {
        if (!following->is_alone) {
            complain("events: no coordinator answers; it goes on when one does");
        }
        following->is_alone = true;
    }
    return code;
}

/* From now on, when nothing else is said. */
static enum exit_code begin(struct following *following, const struct arguments *arguments)
{
    int64_t since;
    json_t *page;

    if (argument_given(arguments, "since") || !following->follows) {
        if (!argument_number(arguments, "since", 0, INT64_MAX, 0, &since)) {
            return EXIT_USAGE;
        }
        following->since = (uint64_t)since;
        return EXIT_DONE;
    }
    const enum exit_code code = observer_ask(following->observer, "events", &page);

    if (code == EXIT_DONE) {
        following->since = (uint64_t)json_number(page, "newest");
        json_decref(page);
    }
    return code;
}

static enum exit_code go_on(struct following *following)
{
    char request[REQUEST_SIZE];
    bool is_more = true;

    observer_set_quiet(following->observer, following->follows);
    while (is_more) {
        json_t *page = NULL;

        snprintf(request, sizeof(request), "events %" PRIu64, following->since);
        const enum exit_code code = ask(following, request, &page);

        if (code != EXIT_DONE && !following->is_alone) {
            return code;
        }
        if (code == EXIT_DONE) {
            const uint64_t newest = (uint64_t)json_number(page, "newest");

            is_more =
                print_page(following, page) && (following->follows || following->since < newest);
            json_decref(page);
            if (following->since < newest) {
                continue;
            }
        }
        if (is_more) {
            usleep(LOOK_US);
        }
    }
    return EXIT_DONE;
}

static enum exit_code run(const struct arguments *arguments)
{
    struct following following = {.look = look_of(arguments, stdout),
                                  .json = argument_json(arguments),
                                  .follows = argument_given(arguments, "follow")};
    int64_t count;
    enum exit_code code;

    if (arguments->word_count > 0) {
        complain("events: takes no words");
        return EXIT_USAGE;
    }
    if (!argument_number(arguments, "count", 1, INT64_MAX, INT64_MAX, &count)) {
        return EXIT_USAGE;
    }
    following.left = (uint64_t)count;
    following.observer = observer_choose(arguments, &code);
    if (following.observer == NULL) {
        return code;
    }
    code = begin(&following, arguments);
    if (code == EXIT_DONE) {
        code = go_on(&following);
    }
    observer_close(following.observer);
    return code;
}

static const struct option options[] = {
    {"follow", 'f', NULL, "go on with what happens, through any coordinator that answers"},
    {"since", 0, "N", "those after the event of that number (0; with --follow: from now on)"},
    {"count", 'n', "N", "end after so many"},
    OPTION_END,
};

const struct subcommand events_subcommand = {
    .name = "events",
    .summary = "Show what happens in the mesh, as it happens",
    .usage = "[--follow] [--since N] [--count N]",
    .description =
        "A line an event, with -o json one line of JSON; each has a number, by which it is gone on "
        "with. The last\n65,536 are held.",
    .options = options,
    .run = run,
};

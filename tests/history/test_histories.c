/* SPDX-License-Identifier: MPL-2.0
 * Histories made by hand (made/), good and bad: each is taken, or rejected by the pass that it
 * names.
 *
 *   == a sentence              a history that is good
 *   == a sentence | PASS       ... that this pass rejects
 *   with NAME                  begins as the one of this name in made/beginnings */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/history/history.h"

#define DIRECTORY "tests/history/made/"
#define LINE_SIZE 1024 /* of what was signed, too */

static void read_beginning(struct history *history, const char *name);

static void read_line(struct history *history, char *line)
{
    if (strncmp(line, "with ", 5) == 0) {
        line[strcspn(line, "\n")] = '\0';
        read_beginning(history, line + 5);
    } else {
        history_read(history, line);
    }
}

static FILE *open_made(const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), DIRECTORY "%s", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    return file;
}

static void read_beginning(struct history *history, const char *name)
{
    FILE *file = open_made("beginnings");
    char line[LINE_SIZE];
    bool is_in = false;
    bool is_found = false;

    while (fgets(line, sizeof(line), file)) {
        if (strncmp(line, "== ", 3) == 0) {
            line[strcspn(line, "\n")] = '\0';
            is_in = strcmp(line + 3, name) == 0;
            is_found |= is_in;
        } else if (is_in) {
            read_line(history, line);
        }
    }
    assert_true(is_found);
    assert_int_equal(fclose(file), 0);
}

struct made {
    char title[256];
    struct history *history; /* NULL: before the first */
    unsigned good, bad;
};

static void judge(struct made *made)
{
    if (!made->history) {
        return;
    }
    char *pass = strstr(made->title, " | ");
    const char *fault = history_end(made->history);

    if (pass) {
        *pass = '\0';
        pass += 3;
    }
    if (!pass && fault) {
        fail_msg("\"%s\" is good, and rejected: %s", made->title, fault);
    }
    if (pass && (!fault || strncmp(fault, pass, strlen(pass)) != 0 || fault[strlen(pass)] != ':')) {
        fail_msg("\"%s\" is not rejected by %s: %s", made->title, pass, fault ? fault : "good");
    }
    made->good += !pass;
    made->bad += pass != NULL;
    history_destroy(made->history);
    made->history = NULL;
}

static void read_file(struct made *made, const char *name)
{
    FILE *file = open_made(name);
    char line[LINE_SIZE];

    while (fgets(line, sizeof(line), file)) {
        if (strncmp(line, "== ", 3) == 0) {
            judge(made);
            line[strcspn(line, "\n")] = '\0';
            (void)snprintf(made->title, sizeof(made->title), "%.255s", line + 3);
            made->history = history_create();
        } else if (made->history) {
            read_line(made->history, line);
        }
    }
    judge(made);
    assert_int_equal(fclose(file), 0);
}

static void each_is_taken_or_rejected_by_the_pass_it_names(void **state)
{
    static const char *const names[] = {"replicas.histories", "clients.histories",
                                        "tasks.histories",    "joins.histories",
                                        "workers.histories",  "seals.histories"};
    struct made made = {.history = NULL};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        read_file(&made, names[i]);
    }
    print_message("%u good, %u bad\n", made.good, made.bad);
    assert_true(made.good >= 20 && made.bad >= 40);
}

/* ---- what comes again */

static void say(struct history *history, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct history *history, const char *format, ...)
{
    char line[512];
    va_list values;

    va_start(values, format);
    (void)vsnprintf(line, sizeof(line), format, values);
    va_end(values);
    read_line(history, line);
}

/* A join from outside, and a task that begins. */
static void submit(struct history *history, const char *join, const char *task, unsigned ms)
{
    say(history, "do submit ms=%u", ms);
    say(history, "  item at=0 id=%s function=grove.join digest=d by=c expires=%u kind=gather", join,
        ms + 100);
    say(history, "  item at=1 id=%s function=f digest=d by=c once expires=%u", task, ms + 100);
    say(history, "  -> answer at=0 task=%s", join);
    say(history, "  -> answer at=1 task=%s", task);
    say(history, "  -> assign task=%s attempt=1 session=5", task);
    say(history, "  -> done");
}

static void run(struct history *history, const char *task)
{
    say(history, "exec w start task=%s attempt=1", task);
    say(history, "exec w end task=%s attempt=1", task);
}

static void report(struct history *history, const char *task, unsigned ms)
{
    say(history, "do report ms=%u session=5", ms);
    say(history,
        "  result at=0 task=%s attempt=1 session=5 code=succeeded digest=r by=w root=%s "
        "function=f payload=d",
        task, task);
    say(history, "  -> settled task=%s code=succeeded digest=r", task);
    say(history, "  -> done");
}

static void follow(struct history *history, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char join[16];
        char task[16];
        (void)snprintf(join, sizeof(join), "j%u", i);
        (void)snprintf(task, sizeof(task), "a%u", i);
        submit(history, join, task, 1001);
        report(history, task, 1001);
    }
}

static const char *come_again(struct history *history, unsigned followers)
{
    read_beginning(history, "worker");
    submit(history, "j", "a", 10);
    run(history, "a");
    report(history, "a", 11);
    say(history, "do cancel ms=12 task=j code=cancelled who=c");
    say(history, "  -> settled task=j code=cancelled");
    say(history, "  -> join id=j state=cancelled succeeded=0 failed=0");
    say(history, "  -> done");
    submit(history, "j", "a", 1000);
    follow(history, followers);
    run(history, "a");
    say(history, "do expand ms=1002 session=0");
    say(history, "  append at=0 join=j parent=j close");
    say(history, "  -> join id=j state=complete succeeded=0 failed=0");
    say(history, "  -> settled task=j code=joined");
    say(history, "  -> appended at=0");
    say(history, "  -> done");
    return history_end(history);
}

/* Of equal keys a table finds another each time that it has grown. */
static void of_what_comes_again_the_latest_is_meant_however_many_follow(void **state)
{
    (void)state;
    for (unsigned followers = 125; followers <= 1000; followers *= 2) {
        struct history *history = history_create();
        const char *fault = come_again(history, followers);
        if (fault) {
            fail_msg("rejected with %u that follow: %s", followers, fault);
        }
        history_destroy(history);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_taken_or_rejected_by_the_pass_it_names),
        cmocka_unit_test(of_what_comes_again_the_latest_is_meant_however_many_follow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

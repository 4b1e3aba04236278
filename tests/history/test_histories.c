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
    char line[512];
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
    char line[512];

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
                                        "tasks.histories", "joins.histories", "workers.histories"};
    struct made made = {.history = NULL};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        read_file(&made, names[i]);
    }
    print_message("%u good, %u bad\n", made.good, made.bad);
    assert_true(made.good >= 20 && made.bad >= 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_taken_or_rejected_by_the_pass_it_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MPL-2.0
 * How trees look: each test is what a person sees. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nodes/host/clock.h"
#include "nodes/programs/figures.h"
#include "nodes/programs/tree_view.h"

#define BEGAN_MS 1000000

struct fixture {
    json_t *tree;
    struct tree_style style;
    char *seen; /* what was printed last */
    size_t seen_size;
};

/* As the command line says it. */
static void choose_look(struct fixture *f, const char *option, const char *value)
{
    const struct option given = {.name = option};
    struct arguments arguments = {.given = {{.option = &given, .value = value}}, .given_count = 1};

    f->style.look = look_of(&arguments, stdout);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->tree = json_pack("{s:[]}", "tasks");
    f->style.now_ms = BEGAN_MS + 5000;
    choose_look(f, "color", "never");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    json_decref(f->tree);
    free(f->seen);
    free(f);
    return 0;
}

/* The next task, depth first; its id is its number. Times count from when the root was submitted;
 * -1: not yet. */
static json_t *grow(struct fixture *f, int depth, const char *what, int submitted_ms, int ended_ms)
{
    json_t *tasks = json_object_get(f->tree, "tasks");
    char function[64], state[64], id[33];

    snprintf(id, sizeof(id), "%08zu%024d", json_array_size(tasks), 0);
    assert_int_equal(sscanf(what, "%63s %63s", function, state), 2);
    json_t *task = json_pack(
        "{s:s, s:i, s:s, s:s, s:i, s:I, s:I, s:o}", "id", id, "depth", depth, "function", function,
        "state", state, "attempts", 1, "submitted_ms", (json_int_t)BEGAN_MS + submitted_ms,
        "started_ms", (json_int_t)BEGAN_MS + submitted_ms, "ended_ms",
        ended_ms < 0 ? json_null() : json_integer((json_int_t)BEGAN_MS + ended_ms));

    json_array_append_new(tasks, task);
    return task;
}

static void draw(struct fixture *f, size_t lines)
{
    free(f->seen);
    FILE *out = open_memstream(&f->seen, &f->seen_size);

    assert_non_null(out);
    assert_int_equal(tree_print(out, f->tree, &f->style), lines);
    fclose(out);
}

static void expect(struct fixture *f, size_t lines, const char *wanted)
{
    draw(f, lines);
    assert_string_equal(f->seen, wanted);
}

static void expect_within(const struct fixture *f, const char *wanted)
{
    if (strstr(f->seen, wanted) == NULL) {
        fail_msg("no '%s' in:\n%s", wanted, f->seen);
    }
}

static void a_small_tree_is_drawn_whole(void **state)
{
    struct fixture *f = *state;

    grow(f, 0, "flow succeeded", 0, 1240);
    grow(f, 1, "segment succeeded", 10, 600);
    json_object_set_new(grow(f, 2, "step succeeded", 20, 580), "progress",
                        json_pack("{s:i, s:s}", "percent", 100, "text", "done"));
    grow(f, 1, "segment succeeded", 610, 1230);
    grow(f, 2, "step succeeded", 620, 1220);
    expect(f, 6,
           "flow 00000000 succeeded (1.24 s) ◆\n"
           "├─ segment 00000001 succeeded (590 ms) ◆\n"
           "│  └─ step 00000002 succeeded 100 % done (560 ms) ◆\n"
           "└─ segment 00000003 succeeded (620 ms) ◆\n"
           "   └─ step 00000004 succeeded (600 ms) ◆\n"
           "◆ critical path 1.24 s; 600 ms of it, 48 %, in step 00000004\n");
}

static void without_unicode_too(void **state)
{
    struct fixture *f = *state;

    grow(f, 0, "flow waiting", 0, -1);
    grow(f, 1, "a succeeded", 0, 100);
    grow(f, 2, "b succeeded", 0, 100);
    grow(f, 1, "a running", 100, -1);
    choose_look(f, "ascii", NULL);
    f->style.sought = "00000001000000000000000000000000";
    expect(f, 5,
           "flow 00000000 waiting (5.00 s) *\n"
           "|- a 00000001 succeeded (100 ms) * <--\n"
           "|  `- b 00000002 succeeded (100 ms) *\n"
           "`- a 00000003 running (4.90 s) *\n"
           "* critical path 5.00 s; 4.90 s of it, 98 %, in a 00000003\n");
}

/* 97 take 1 to 97 ms, two fail, and one is not done. */
static void siblings_share_a_line_and_failures_come_first(void **state)
{
    struct fixture *f = *state;

    grow(f, 0, "map waiting", 0, -1);
    for (int i = 1; i <= 100; i++) {
        if (i == 50 || i == 98) {
            json_object_set_new(grow(f, 1, "resize failed", 0, i), "error", json_string("no luck"));
        } else if (i == 100) {
            grow(f, 1, "resize running", 0, -1);
        } else {
            grow(f, 1, "resize succeeded", 0, i);
        }
    }
    grow(f, 1, "other succeeded", 0, 1);
    expect(f, 8,
           "map 00000000 waiting (5.00 s) ◆\n"
           "├─ resize ×100: 2 failed, 1 running, 97 succeeded; p50 50 ms, p99 99 ms\n"
           "│  ├─ resize 00000050 failed (50 ms): no luck\n"
           "│  ├─ resize 00000098 failed (98 ms): no luck\n"
           "│  ├─ resize 00000100 running (5.00 s) ◆\n"
           "│  └─ … 97 more\n"
           "└─ other 00000101 succeeded (1 ms)\n"
           "◆ critical path 5.00 s; 5.00 s of it, 100 %, in resize 00000100\n");
}

static void a_failure_below_a_fold_is_found(void **state)
{
    struct fixture *f = *state;

    grow(f, 0, "flow succeeded", 0, 900);
    for (int i = 1; i <= 9; i++) {
        grow(f, 1, "segment succeeded", 0, 100 * i);
        grow(f, 2, i == 3 ? "step failed" : "step succeeded", 0, 90 * i);
    }
    expect(f, 8,
           "flow 00000000 succeeded (900 ms) ◆\n"
           "└─ segment ×9: 9 succeeded; p50 500 ms, p99 900 ms; 9 below, 1 of them failed\n"
           "   ├─ segment 00000005 succeeded (300 ms)\n"
           "   │  └─ step 00000006 failed (270 ms)\n"
           "   ├─ segment 00000017 succeeded (900 ms) ◆\n"
           "   │  └─ step 00000018 succeeded (810 ms) ◆\n"
           "   └─ … 7 more\n"
           "◆ critical path 900 ms; 810 ms of it, 90 %, in step 00000018\n");
    f->style.is_whole = true;
    draw(f, 20);
    expect_within(f, "├─ segment 00000001 succeeded (100 ms)\n");
}

static void of_many_failures_a_few_are_shown_and_the_sought_one(void **state)
{
    struct fixture *f = *state;

    grow(f, 0, "flow failed", 0, 900);
    for (int i = 1; i <= 2000; i++) {
        grow(f, 1, "step failed", 0, 5);
    }
    f->style.sought = "00001999000000000000000000000000";
    draw(f, 10);
    expect_within(f, "├─ step 00000005 failed");
    expect_within(f, "step 00001999 failed (5 ms) ◀──\n");
    expect_within(f, "└─ … 1994 more\n");
    assert_null(strstr(f->seen, "00000006"));
}

static void retries_losses_and_lost_races_are_marked(void **state)
{
    struct fixture *f = *state;

    grow(f, 0, "flow succeeded", 0, 300);
    json_object_set_new(grow(f, 1, "a succeeded", 0, 100), "join",
                        json_pack("{s:s, s:s}", "kind", "race", "state", "won"));
    json_t *loser = grow(f, 1, "b cancelled", 0, 101);
    json_object_set_new(loser, "join", json_pack("{s:s, s:s}", "kind", "race", "state", "won"));
    json_object_set_new(loser, "error", json_string("cancelled"));
    json_t *stopped = grow(f, 1, "b cancelled", 0, 102);
    json_object_set_new(stopped, "join",
                        json_pack("{s:s, s:s}", "kind", "gather", "state", "failed"));
    json_object_set_new(stopped, "error", json_string("cancelled"));
    json_t *retried = grow(f, 1, "c succeeded", 150, 290);
    json_object_set_new(retried, "attempts", json_integer(3));
    json_object_set_new(retried, "losses", json_integer(2));
    json_object_set_new(retried, "error", json_null());
    expect(f, 6,
           "flow 00000000 succeeded (300 ms) ◆\n"
           "├─ a 00000001 succeeded (100 ms)\n"
           "├─ b 00000002 lost race (101 ms)\n"
           "├─ b 00000003 cancelled (102 ms) ◆: cancelled\n"
           "└─ c 00000004 succeeded after 3 attempts lost 2 workers (140 ms) ◆\n"
           "◆ critical path 300 ms; 140 ms of it, 46 %, in c 00000004\n");
}

/* a and b side by side, then c; d lives on when its parent has ended. */
static void the_critical_path_goes_back_from_the_end(void **state)
{
    struct fixture *f = *state;

    grow(f, 0, "flow succeeded", 0, 1000);
    grow(f, 1, "a succeeded", 0, 300);
    grow(f, 1, "b succeeded", 0, 400);
    grow(f, 1, "c succeeded", 410, 990);
    grow(f, 1, "d running", 500, -1);
    expect(f, 6,
           "flow 00000000 succeeded (1.00 s) ◆\n"
           "├─ a 00000001 succeeded (300 ms)\n"
           "├─ b 00000002 succeeded (400 ms) ◆\n"
           "├─ c 00000003 succeeded (580 ms) ◆\n"
           "└─ d 00000004 running (4.50 s)\n"
           "◆ critical path 1.00 s; 580 ms of it, 58 %, in c 00000003\n");
}

/* Of a map most inputs wait for their turn: that is not the fault of the last one. */
static void what_waits_to_start_is_told_apart(void **state)
{
    struct fixture *f = *state;

    json_object_set_new(grow(f, 0, "grove.join succeeded", 0, 1000), "started_ms", json_null());
    grow(f, 1, "a succeeded", 0, 600);
    json_object_set_new(grow(f, 1, "a succeeded", 0, 1000), "started_ms",
                        json_integer(BEGAN_MS + 700));
    expect(f, 4,
           "grove.join 00000000 succeeded ◆\n"
           "├─ a 00000001 succeeded (600 ms)\n"
           "└─ a 00000002 succeeded (300 ms) ◆\n"
           "◆ critical path 1.00 s; 300 ms of it, 30 %, in a 00000002; 700 ms waiting to start\n");
}

static void what_comes_from_outside_is_escaped(void **state)
{
    struct fixture *f = *state;
    json_t *task = grow(f, 0, "a\033[2J failed", 0, 1);

    json_object_set_new(task, "error", json_string("\033]0;owned\007 \u202e\n"));
    json_object_set_new(task, "id", json_string("\033[1m\n"));
    json_object_set_new(task, "progress", json_pack("{s:i, s:s}", "percent", 7, "text", "\r"));
    expect(f, 1,
           "a\\u{1b}[2J \\u{1b}[1m\\u{a} failed 7 % \\u{d} (1 ms): "
           "\\u{1b}]0;owned\\u{7} \\u{202e}\\u{a}\n");
}

static void colours_are_of_states(void **state)
{
    struct fixture *f = *state;

    choose_look(f, "color", "always");
    grow(f, 0, "a failed", 0, 1);
    expect(f, 1, "a 00000000 \033[31mfailed\033[0m (1 ms)\n");
}

static void a_terminal_gets_no_more_lines_than_it_has(void **state)
{
    struct fixture *f = *state;

    grow(f, 0, "flow waiting", 0, -1);
    for (int i = 1; i <= 8; i++) {
        grow(f, 1, "a running", 0, -1);
    }
    f->style.most = 4;
    expect(f, 4,
           "flow 00000000 waiting (5.00 s) ◆\n"
           "├─ a 00000001 running (5.00 s) ◆\n"
           "├─ a 00000002 running (5.00 s)\n"
           "... and 6 more lines\n");
}

/* Depths that no tree has; states and times that nobody knows. */
static void nonsense_does_no_harm(void **state)
{
    struct fixture *f = *state;

    draw(f, 0);
    grow(f, 7, "flow strange", 0, -1);
    grow(f, 900, "a running", -2000000, -1);
    grow(f, -3, "b succeeded", 500, 100);
    json_array_append_new(json_object_get(f->tree, "tasks"), json_string("no task"));
    json_array_append_new(json_object_get(f->tree, "tasks"), json_object());
    draw(f, 6);
    expect_within(f, "├─ b 00000002 succeeded\n");
}

static void a_deep_tree_and_a_wide_one_take_no_time(void **state)
{
    struct fixture *f = *state;

    grow(f, 0, "flow succeeded", 0, 100);
    for (int i = 1; i <= 1024; i++) {
        grow(f, i, "deep succeeded", 0, 100);
    }
    for (int i = 1; i <= 9000; i++) {
        char what[32];

        snprintf(what, sizeof(what), "f%d succeeded", i);
        grow(f, 1, what, 0, 50);
    }
    f->style.is_whole = true;
    const uint64_t before_ms = clock_monotonic_ms();

    draw(f, 10026);
    assert_true(clock_monotonic_ms() - before_ms < 20000);
}

static void durations_read_well(void **state)
{
    char text[DURATION_TEXT_SIZE];

    (void)state;
    assert_string_equal(duration_text(0, text), "0 ms");
    assert_string_equal(duration_text(999, text), "999 ms");
    assert_string_equal(duration_text(1000, text), "1.00 s");
    assert_string_equal(duration_text(59999, text), "59.9 s");
    assert_string_equal(duration_text(60000, text), "1 min 00 s");
    assert_string_equal(duration_text(3600000, text), "1 h 00 min");
    assert_string_equal(duration_text(UINT64_C(90000000), text), "1 d 1 h");
}

static void percentiles_are_values_of_the_list(void **state)
{
    uint64_t values[] = {30, 10, 20};

    (void)state;
    percentiles_prepare(values, 3);
    assert_int_equal(percentile(values, 3, 50), 20);
    assert_int_equal(percentile(values, 3, 99), 30);
    assert_int_equal(percentile(values, 3, 0), 10);
    assert_int_equal(percentile(values, 0, 99), 0);
}

int main(void)
{
#define TREE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TREE_TEST(a_small_tree_is_drawn_whole),
        TREE_TEST(without_unicode_too),
        TREE_TEST(siblings_share_a_line_and_failures_come_first),
        TREE_TEST(a_failure_below_a_fold_is_found),
        TREE_TEST(of_many_failures_a_few_are_shown_and_the_sought_one),
        TREE_TEST(retries_losses_and_lost_races_are_marked),
        TREE_TEST(the_critical_path_goes_back_from_the_end),
        TREE_TEST(what_waits_to_start_is_told_apart),
        TREE_TEST(what_comes_from_outside_is_escaped),
        TREE_TEST(colours_are_of_states),
        TREE_TEST(a_terminal_gets_no_more_lines_than_it_has),
        TREE_TEST(nonsense_does_no_harm),
        TREE_TEST(a_deep_tree_and_a_wide_one_take_no_time),
        cmocka_unit_test(durations_read_well),
        cmocka_unit_test(percentiles_are_values_of_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

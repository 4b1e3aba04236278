/* SPDX-License-Identifier: MPL-2.0
 * The stats socket's answers: from counters, in pages, without payloads. */
#include "tests/nodes/coordinator/joining.h"

#include <stdio.h>

#include "tests/nodes/coordinator/asking.h"

static void each_wrong_request_has_an_error(void **state)
{
    static const char *const wrong[] = {"",
                                        " ",
                                        "dance",
                                        "tree",
                                        "tree 12",
                                        "task xyz",
                                        "explain",
                                        "explain 00000000000000000000000000000001",
                                        "a b c d",
                                        "stats\n",
                                        "workers none",
                                        "root",
                                        "root 00000000000000000000000000000001",
                                        "roots 12",
                                        "roots 00000000000000000000000000000001",
                                        "failures 12",
                                        "failures 12-",
                                        "failures -1-1",
                                        "tree 00000000000000000000000000000001",
                                        "tree 00000000000000000000000000000001 zz"};
    struct harness *h = *state;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        json_t *answer = ask(h, wrong[i]);

        assert_true(json_is_string(json_object_get(answer, "error")));
        json_decref(answer);
    }
}

static void help_lists_every_verb(void **state)
{
    json_t *answer = ask(*state, "help");

    assert_int_equal(json_array_size(json_object_get(answer, "verbs")), 14);
    json_decref(answer);
}

static void counts_are_by_state_function_and_reason(void **state)
{
    struct harness *h = *state;
    json_t *answer, *functions;
    uint64_t session;
    struct id ids[3];

    greet(h, 1, &h->party.client);
    session = enlist(h, 2, 1);
    submit(h, 1, 0, 3, ids);
    report(h, 2, session, ids, 1);
    wire_empty_encode(&h->frame, 1, MESSAGE_SNAPSHOT);
    receive(h, 1, &h->party.client);

    answer = ask(h, "stats");
    assert_int_equal(number(json_object_get(answer, "states"), "succeeded"), 1);
    assert_int_equal(number(json_object_get(answer, "states"), "running"), 2);
    functions = json_object_get(answer, "functions");
    assert_int_equal(number(json_object_get(functions, "echo"), "running"), 2);
    assert_int_equal(number(answer, "workers"), 1);
    assert_int_equal(number(json_object_get(answer, "refusals"), "role"), 1);
    assert_int_equal(number(json_object_get(answer, "ledger"), "syncs"), 3);
    assert_int_equal(number(json_object_get(answer, "seals"), "verified"), 2);
    json_decref(answer);
}

static void health_says_that_the_disk_is_nearly_full(void **state)
{
    struct harness *h = *state;
    json_t *answer = ask(h, "health");

    assert_string_equal(word(answer, "status"), "ok");
    assert_string_equal(word(answer, "room"), "enough");
    json_decref(answer);

    asked_room = REPLICA_ROOM_LOW;
    answer = ask(h, "health");
    asked_room = REPLICA_ROOM_ENOUGH;
    assert_string_equal(word(answer, "status"), "disk nearly full");
    assert_string_equal(word(answer, "room"), "low");
    assert_int_equal(number(answer, "room_size"), 77);
    json_decref(answer);
}

static void workers_are_listed_with_what_they_offer(void **state)
{
    struct harness *h = *state;
    json_t *answer, *worker;

    enlist(h, 2, 3);
    answer = ask(h, "workers");
    worker = json_array_get(json_object_get(answer, "workers"), 0);
    assert_string_equal(json_string_value(json_object_get(worker, "instance")), "host-1");
    assert_string_equal(json_string_value(json_object_get(worker, "name")), "worker");
    assert_int_equal(number(worker, "slots"), 3);
    assert_true(json_is_true(json_object_get(worker, "connected")));
    assert_null(json_object_get(answer, "cursor"));
    json_decref(answer);
}

static void a_task_says_what_it_waits_for_and_no_payload(void **state)
{
    struct harness *h = *state;
    struct stats stats = stats_of(h);
    struct buffer out = {.size = 0};
    char request[64] = "task ";
    struct id id;

    greet(h, 1, &h->party.client);
    submit(h, 1, 0, 1, &id);
    id_format(&id, request + 5);
    stats_answer(&stats, bytes_of_text(request), &out);
    assert_non_null(memmem(out.data, out.size, "no worker offers echo", 21));
    assert_null(memmem(out.data, out.size, "payload", 7));
    buffer_clear(&out);
}

static void expect_worker(struct harness *h, const struct id *id, const char *worker)
{
    char request[64] = "task ";
    json_t *answer;

    id_format(id, request + 5);
    answer = ask(h, request);
    assert_string_equal(json_string_value(json_object_get(answer, "worker")), worker);
    json_decref(answer);
}

static void a_task_says_who_runs_it_and_who_ran_it(void **state)
{
    struct harness *h = *state;
    struct command command = {.kind = COMMAND_RETIRE, .retire = {.reason = RETIRE_GOODBYE}};
    uint64_t session;
    struct id id;

    greet(h, 1, &h->party.client);
    session = enlist(h, 2, 1);
    submit(h, 1, 0, 1, &id);
    expect_worker(h, &id, "host-1");
    report(h, 2, session, &id, 1);
    expect_worker(h, &id, "host-1");
    command.retire.session = session;
    proposals_add_own(&h->proposals, &command);
    assert_true(commit(h));
    expect_worker(h, &id, h->party.worker.certificate.name);
}

static void a_task_says_which_input_of_which_join_it_is(void **state)
{
    static const struct join_terms terms = {
        .kind = JOIN_MAP, .function = {(const uint8_t *)"echo", 4}, .limit = 2};
    struct harness *h = *state;
    char request[64] = "task ", text[ID_TEXT_SIZE];
    struct joining joining;
    json_t *answer, *join;
    struct id ids[3];

    greet(h, 1, &h->party.client);
    joining = open_outside(h, 1, terms);
    append(h, &joining, 0, 3, ids);
    id_format(&ids[2], request + 5);
    answer = ask(h, request);
    assert_string_equal(json_string_value(json_object_get(answer, "state")), "held");
    join = json_object_get(answer, "join");
    id_format(&joining.id, text);
    assert_string_equal(json_string_value(json_object_get(join, "id")), text);
    assert_string_equal(json_string_value(json_object_get(join, "kind")), "map");
    assert_string_equal(json_string_value(json_object_get(join, "state")), "open");
    assert_int_equal(number(join, "position"), 2);
    assert_int_equal(number(join, "accepted"), 3);
    json_decref(answer);

    answer = ask(h, "stats");
    assert_int_equal(number(json_object_get(answer, "joins"), "map"), 1);
    assert_int_equal(number(json_object_get(answer, "joins"), "gather"), 0);
    json_decref(answer);
    id_format(&joining.id, request + 5);
    answer = ask(h, request);
    assert_true(json_is_null(json_object_get(answer, "join")));
    json_decref(answer);
}

/* From a parent that waits down to the child that nobody can run, and what would help. */
static void explain_goes_from_a_task_down_to_what_would_help(void **state)
{
    struct harness *h = *state;
    char request[64] = "explain ", text[ID_TEXT_SIZE];
    const json_t *reasons, *first, *last;
    json_t *answer;
    struct id root, child;

    greet(h, 1, &h->party.client);
    enlist(h, 2, 1);
    submit(h, 1, 0, 1, &root);
    put_expand(h, &root, 1, true, &child);
    receive(h, 2, &h->party.worker);
    work(h, 1);
    assert_true(commit(h));
    expect_sent(2, MESSAGE_ACCEPTED);

    id_format(&root, request + 8);
    answer = ask(h, request);
    assert_string_equal(word(answer, "schema"), "grove.explain/1");
    assert_string_equal(word(answer, "state"), "waiting");
    reasons = json_object_get(answer, "reasons");
    assert_int_equal(json_array_size(reasons), 2);
    first = json_array_get(reasons, 0);
    last = json_array_get(reasons, 1);
    id_format(&child, text);
    assert_string_equal(word(first, "kind"), "child");
    assert_string_equal(word(first, "next"), text);
    assert_int_equal(number(first, "number"), 1);
    assert_true(json_is_null(json_object_get(first, "help")));
    assert_string_equal(word(last, "kind"), "runs");
    assert_string_equal(word(last, "task"), text);
    assert_string_equal(word(last, "worker"), "host-1");
    json_decref(answer);
}

static void explain_says_who_would_have_to_do_what(void **state)
{
    struct harness *h = *state;
    char request[64] = "explain ";
    const json_t *reason;
    json_t *answer;
    struct id id;

    greet(h, 1, &h->party.client);
    submit(h, 1, 0, 1, &id);
    id_format(&id, request + 8);
    answer = ask(h, request);
    reason = json_array_get(json_object_get(answer, "reasons"), 0);
    assert_string_equal(word(reason, "kind"), "no-worker");
    assert_string_equal(word(reason, "text"), "no worker offers echo");
    assert_string_equal(word(reason, "help"), "grove worker --exec echo=COMMAND");
    assert_true(json_is_null(json_object_get(reason, "worker")));
    json_decref(answer);
}

static void put_limit(struct harness *h, const struct limit *limit)
{
    greet(h, 3, &h->party.operator);
    wire_limit_encode(&h->frame, 6, limit);
    receive(h, 3, &h->party.operator);
    work(h, 1);
    assert_true(commit(h));
    expect_sent(3, MESSAGE_DONE);
}

static void functions_are_listed_in_byte_order_with_their_limits(void **state)
{
    struct harness *h = *state;
    struct task_item items[3];
    const json_t *list, *limit;
    json_t *answer;

    for (uint8_t i = 0; i < 3; i++) {
        items[i] = party_root(i, i == 0 ? "step" : "echo", "x", h->egress.stamp_ms);
    }
    greet(h, 1, &h->party.client);
    put_submit(h, &h->party.client, items, 3, NULL);
    receive(h, 1, &h->party.client);
    work(h, 1);
    assert_true(commit(h));

    put_limit(h, &(struct limit){.function = bytes_of_text("step"),
                                 .change = LIMIT_CHANGE_RUNNING | LIMIT_CHANGE_PAUSED,
                                 .running = 7,
                                 .paused = true});
    answer = ask(h, "functions");
    list = json_object_get(answer, "functions");
    assert_int_equal(json_array_size(list), 2);
    limit = json_object_get(json_array_get(list, 1), "limit");
    assert_int_equal(number(limit, "running"), 7);
    assert_int_equal(number(limit, "rate"), 0);
    assert_true(json_is_true(json_object_get(limit, "paused")));
    assert_int_equal(number(json_array_get(list, 1), "active"), 0);
    assert_string_equal(word(json_array_get(list, 0), "function"), "echo");
    assert_int_equal(number(json_array_get(list, 0), "ready"), 2);
    assert_string_equal(word(json_array_get(list, 1), "function"), "step");
    json_decref(answer);
    answer = ask(h, "functions echo");
    list = json_object_get(answer, "functions");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(word(json_array_get(list, 0), "function"), "step");
    assert_null(json_object_get(answer, "cursor"));
    json_decref(answer);
}

/* Submits roots until there are so many, in batches. */
static void fill(struct harness *h, unsigned count)
{
    struct task_item items[LIMIT_BATCH_ITEMS];
    unsigned have = (unsigned)forest_counters(h->machine.forest)->submitted;
    unsigned size;

    for (; have < count; have += size) {
        size = count - have < LIMIT_BATCH_ITEMS ? count - have : LIMIT_BATCH_ITEMS;
        for (unsigned i = 0; i < size; i++) {
            const unsigned number = have + i;

            items[i] = party_root((uint8_t)i, "echo", "payload", h->egress.stamp_ms);
            memcpy(&items[i].nonce[2], &number, sizeof(number));
        }
        put_submit(h, &h->party.client, items, size, NULL);
        receive(h, 1, &h->party.client);
        work(h, 1);
        assert_true(commit_unchecked(h));
        forget_sent();
    }
}

/* The best of 20, so that nothing but the work is measured; of 2,000, while the machine is so slow
 * that none takes less than `enough_ns`. */
static uint64_t time_of(struct harness *h, const char *request, uint64_t enough_ns)
{
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < 20 || (i < 2000 && best >= enough_ns); i++) {
        struct stats stats = stats_of(h);
        struct buffer out = {.size = 0};
        const uint64_t before_ns = clock_monotonic_ns();

        stats_answer(&stats, bytes_of_text(request), &out);
        best = clock_monotonic_ns() - before_ns < best ? clock_monotonic_ns() - before_ns : best;
        buffer_clear(&out);
    }
    return best;
}

/* With few there are as many as a page holds, so that the lists are as long with many. */
static void no_answer_walks_the_forest(void **state)
{
    static const char *const requests[] = {"stats",    "functions", "roots",
                                           "failures", "metrics",   "events 0"};
    uint64_t few_ns[sizeof(requests) / sizeof(requests[0])];
    struct harness *h = *state;

    greet(h, 1, &h->party.client);
    fill(h, 300);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        few_ns[i] = time_of(h, requests[i], UINT64_MAX);
    }
    fill(h, 100000);
    assert_int_equal(forest_counters(h->machine.forest)->submitted, 100000);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const uint64_t many_ns = time_of(h, requests[i], 3 * few_ns[i]);

        print_message("%-10s %8llu ns with 300 tasks, %8llu with 100,000\n", requests[i],
                      (unsigned long long)few_ns[i], (unsigned long long)many_ns);
        assert_true(many_ns < 3 * few_ns[i]);
    }
}

static void tree_pages(struct harness *h, const char *root, unsigned expected)
{
    char request[128];
    const char *cursor = "";
    json_t *answer = NULL;
    unsigned count = 0;

    do {
        json_t *next;

        snprintf(request, sizeof(request), "tree %s %s", root, cursor);
        next = ask(h, request);
        json_decref(answer);
        answer = next;
        assert_null(json_object_get(answer, "error"));
        count += (unsigned)json_array_size(json_object_get(answer, "tasks"));
        cursor = json_string_value(json_object_get(answer, "cursor"));
    } while (cursor != NULL);
    json_decref(answer);
    assert_int_equal(count, expected);
}

static void a_large_tree_comes_in_pages(void **state)
{
    struct harness *h = *state;
    struct task_item items[LIMIT_BATCH_ITEMS];
    struct buffer batch = {.size = 0};
    struct wire_writer writer;
    char text[ID_TEXT_SIZE];
    struct id root;

    greet(h, 1, &h->party.client);
    enlist(h, 2, 1);
    submit(h, 1, 0, 1, &root);
    for (unsigned at = 0; at < 4; at++) {
        for (unsigned i = 0; i < LIMIT_BATCH_ITEMS; i++) {
            items[i] = party_root((uint8_t)i, "echo", "child", 0);
            items[i].nonce[2] = (uint8_t)at;
            items[i].lineage = (struct lineage){.present = true,
                                                .parent = root,
                                                .root = root,
                                                .attempt = 1,
                                                .occurrence = at * LIMIT_BATCH_ITEMS + i};
        }
        buffer_reset(&batch);
        party_seal_tasks(&h->party.worker, items, LIMIT_BATCH_ITEMS, NULL, &batch);
        wire_open(&writer, &h->frame, MESSAGE_EXPAND, 8);
        wire_put_bytes(&writer, EXPAND_BATCH, buffer_bytes(&batch));
        wire_close(&writer);
        receive(h, 2, &h->party.worker);
        work(h, 1);
        assert_true(commit(h));
        expect_sent(2, MESSAGE_ACCEPTED);
    }
    id_format(&root, text);
    tree_pages(h, text, 4 * LIMIT_BATCH_ITEMS + 1);
    buffer_clear(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_wrong_request_has_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(help_lists_every_verb, setup, teardown),
        cmocka_unit_test_setup_teardown(health_says_that_the_disk_is_nearly_full, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_are_by_state_function_and_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(workers_are_listed_with_what_they_offer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_task_says_what_it_waits_for_and_no_payload, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_task_says_who_runs_it_and_who_ran_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_task_says_which_input_of_which_join_it_is, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(explain_goes_from_a_task_down_to_what_would_help, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(explain_says_who_would_have_to_do_what, setup, teardown),
        cmocka_unit_test_setup_teardown(functions_are_listed_in_byte_order_with_their_limits, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_answer_walks_the_forest, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_tree_comes_in_pages, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MPL-2.0
 * Events, as `events SINCE` gives them. */
#include "tests/nodes/coordinator/joining.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/nodes/coordinator/asking.h"

static json_t *events_after(struct harness *h, json_int_t number)
{
    char request[64];

    snprintf(request, sizeof(request), "events %" JSON_INTEGER_FORMAT, number);
    json_t *answer = ask(h, request);

    assert_string_equal(word(answer, "schema"), "grove.events/1");
    assert_int_equal(json_integer_value(json_object_get(answer, "after")), number);
    return answer;
}

static json_int_t newest(struct harness *h)
{
    json_t *answer = ask(h, "events");
    const json_int_t number_of_newest = number(answer, "newest");

    assert_int_equal(json_array_size(json_object_get(answer, "events")), 0);
    assert_int_equal(number(answer, "last"), number_of_newest);
    json_decref(answer);
    return number_of_newest;
}

/* The kinds of all events, a line each. */
static void expect_events(const json_t *answer, const char *expected)
{
    char text[4096] = "";
    size_t size = 0;
    json_t *event;
    json_int_t before = number(answer, "after");
    size_t i;

    json_array_foreach(json_object_get(answer, "events"), i, event)
    {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s\n", word(event, "event"));
        assert_true(number(event, "number") > before);
        before = number(event, "number");
    }
    assert_int_equal(number(answer, "last"), before);
    assert_string_equal(text, expected);
}

static void a_task_is_told_from_its_submit_to_its_end(void **state)
{
    struct harness *h = *state;
    char text[ID_TEXT_SIZE];
    struct id id;

    greet(h, 1, &h->party.client);
    const uint64_t session = enlist(h, 2, 1);
    const json_int_t since = newest(h);

    submit(h, 1, 0, 1, &id);
    report(h, 2, session, &id, 1);
    json_t *answer = events_after(h, since);
    const json_t *events = json_object_get(answer, "events");

    expect_events(answer, "task-submitted\ntask-assigned\ntask-ended\n");
    assert_true(json_is_true(json_object_get(answer, "complete")));
    id_format(&id, text);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(word(json_array_get(events, i), "task"), text);
        assert_string_equal(word(json_array_get(events, i), "root"), text);
        assert_string_equal(word(json_array_get(events, i), "function"), "echo");
    }
    assert_string_equal(word(json_array_get(events, 1), "worker"), "host-1");
    assert_int_equal(number(json_array_get(events, 1), "attempt"), 1);
    assert_string_equal(word(json_array_get(events, 2), "code"), "succeeded");
    assert_true(json_is_null(json_object_get(json_array_get(events, 2), "error")));
    json_decref(answer);
}

static void workers_joins_and_limits_are_told_by_name(void **state)
{
    static const struct join_terms terms = {
        .kind = JOIN_MAP, .function = {(const uint8_t *)"echo", 4}, .limit = 2};
    const struct limit limit = {
        .function = bytes_of_text("echo"), .change = LIMIT_CHANGE_RUNNING, .running = 7};
    struct command cancel = {.kind = COMMAND_CANCEL};
    struct harness *h = *state;
    struct joining joining;
    struct id ids[2];

    greet(h, 1, &h->party.client);
    greet(h, 3, &h->party.operator);
    const json_int_t since = newest(h);

    enlist(h, 2, 1);
    wire_limit_encode(&h->frame, 6, &limit);
    receive(h, 3, &h->party.operator);
    work(h, 1);
    assert_true(commit(h));
    joining = open_outside(h, 1, terms);
    append(h, &joining, 0, 2, ids);
    cancel.cancel.task = joining.root;
    cancel.cancel.code = CODE_CANCELLED;
    proposals_add_own(&h->proposals, &cancel);
    assert_true(commit(h));
    json_t *answer = events_after(h, since);
    const json_t *event;
    unsigned found = 0;
    size_t i;

    json_array_foreach(json_object_get(answer, "events"), i, event)
    {
        if (strcmp(word(event, "event"), "worker-enlisted") == 0) {
            assert_string_equal(word(event, "worker"), "host-1");
            found |= 1;
        } else if (strcmp(word(event, "event"), "limit-set") == 0) {
            assert_string_equal(word(event, "function"), "echo");
            found |= 2;
        } else if (strcmp(word(event, "event"), "join-ended") == 0) {
            assert_string_equal(word(event, "kind"), "map");
            assert_string_equal(word(event, "state"), "cancelled");
            found |= 4;
        }
    }
    assert_int_equal(found, 7);
    json_decref(answer);
}

/* The harness keeps 256. */
static void what_is_gone_is_said_to_be_missing(void **state)
{
    struct harness *h = *state;
    struct id ids[100];
    json_t *answer;

    greet(h, 1, &h->party.client);
    const json_int_t since = newest(h);

    submit(h, 1, 0, 100, ids);
    answer = events_after(h, since);
    assert_true(json_is_true(json_object_get(answer, "complete")));
    assert_int_equal(json_array_size(json_object_get(answer, "events")), 100);
    json_decref(answer);
    for (uint8_t i = 1; i < 4; i++) {
        pass(h, 1);
        struct task_item items[100];

        for (uint8_t j = 0; j < 100; j++) {
            items[j] = party_root(j, "echo", "payload", h->egress.stamp_ms);
            items[j].nonce[2] = i;
        }
        put_submit(h, &h->party.client, items, 100, ids);
        receive(h, 1, &h->party.client);
        work(h, 1);
        assert_true(commit(h));
    }
    answer = events_after(h, since);
    assert_true(json_is_false(json_object_get(answer, "complete")));
    assert_int_equal(json_array_size(json_object_get(answer, "events")), 256);
    json_decref(answer);
}

/* A page that holds no more than a part says where to go on. */
static void what_does_not_fit_follows_the_last(void **state)
{
    struct harness *h = *state;
    struct stats stats = stats_of(h);
    struct buffer out = {.size = 0};
    struct id ids[10];
    uint64_t since, last;
    json_t *answer;

    greet(h, 1, &h->party.client);
    since = (uint64_t)newest(h);
    submit(h, 1, 0, 10, ids);
    last = stats_put_events(&stats, since, 4, &out);
    answer = json_loadb((const char *)out.data, out.size, 0, NULL);
    expect_events(answer, "task-submitted\ntask-submitted\ntask-submitted\ntask-submitted\n");
    assert_int_equal(number(answer, "last"), last);
    assert_true(number(answer, "newest") > (json_int_t)last);
    json_decref(answer);
    answer = events_after(h, (json_int_t)last);
    assert_int_equal(json_array_size(json_object_get(answer, "events")), 6);
    json_decref(answer);
    buffer_clear(&out);
}

static void a_wrong_number_is_an_error(void **state)
{
    static const char *const wrong[] = {"events x", "events -1", "events 1x",
                                        "events 18446744073709551615"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        json_t *answer = ask(*state, wrong[i]);

        assert_non_null(word(answer, "error"));
        json_decref(answer);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_task_is_told_from_its_submit_to_its_end),
        TEST(workers_joins_and_limits_are_told_by_name),
        TEST(what_is_gone_is_said_to_be_missing),
        TEST(what_does_not_fit_follows_the_last),
        TEST(a_wrong_number_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

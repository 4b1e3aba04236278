/* SPDX-License-Identifier: MPL-2.0
 * Roots and failures, as the stats socket lists them. */
#include "tests/nodes/coordinator/harness.h"

#include <stdio.h>

#include "tests/nodes/coordinator/asking.h"

/* All pages of a list; the elements are counted, and none comes twice. */
static json_t *collect(struct harness *h, const char *verb, unsigned *pages)
{
    json_t *all = json_array();
    json_t *seen = json_object();
    char request[128];

    snprintf(request, sizeof(request), "%s", verb);
    for (*pages = 0; request[0] != '\0';) {
        json_t *answer = ask(h, request);
        const json_t *list = json_object_get(answer, verb);
        const char *cursor = word(answer, "cursor");
        json_t *element;
        size_t i;

        assert_non_null(list);
        json_array_foreach(list, i, element)
        {
            assert_null(json_object_get(seen, word(element, "id")));
            json_object_set_new(seen, word(element, "id"), json_true());
            json_array_append(all, element);
        }
        snprintf(request, sizeof(request), "%s%s%s", cursor != NULL ? verb : "",
                 cursor != NULL ? " " : "", cursor != NULL ? cursor : "");
        json_decref(answer);
        ++*pages;
    }
    json_decref(seen);
    return all;
}

static void submit_many(struct harness *h, unsigned batches)
{
    struct task_item items[LIMIT_BATCH_ITEMS];

    for (unsigned batch = 0; batch < batches; batch++) {
        for (unsigned i = 0; i < LIMIT_BATCH_ITEMS; i++) {
            items[i] = party_root((uint8_t)i, "echo", "payload", h->egress.stamp_ms);
            items[i].nonce[2] = (uint8_t)batch;
        }
        put_submit(h, &h->party.client, items, LIMIT_BATCH_ITEMS, NULL);
        receive(h, 1, &h->party.client);
        work(h, 1);
        assert_true(commit_unchecked(h));
        forget_sent();
    }
}

static void roots_come_newest_first_with_the_numbers_of_their_trees(void **state)
{
    struct harness *h = *state;
    struct id ids[2], child;
    char text[ID_TEXT_SIZE];
    unsigned pages;

    greet(h, 1, &h->party.client);
    const uint64_t session = enlist(h, 2, 1);

    submit(h, 1, 0, 2, ids);
    put_expand(h, &ids[0], 1, true, &child);
    receive(h, 2, &h->party.worker);
    work(h, 1);
    assert_true(commit(h));
    expect_sent(2, MESSAGE_ACCEPTED);
    report(h, 2, session, &child, 1);
    json_t *roots = collect(h, "roots", &pages);

    assert_int_equal(pages, 1);
    assert_int_equal(json_array_size(roots), 2);
    id_format(&ids[1], text);
    assert_string_equal(word(json_array_get(roots, 0), "id"), text);
    const json_t *root = json_array_get(roots, 1);
    const json_t *tree = json_object_get(root, "tree");

    assert_string_equal(word(root, "submitter"), h->party.client.certificate.name);
    assert_true(json_is_null(json_object_get(root, "settled_ms")));
    assert_int_equal(number(tree, "tasks"), 2);
    assert_int_equal(number(tree, "open"), 1);
    assert_int_equal(number(tree, "succeeded"), 1);
    assert_int_equal(number(tree, "failed"), 0);
    json_decref(roots);
}

/* Of any task below it. */
static void root_is_the_one_that_a_task_is_below(void **state)
{
    struct harness *h = *state;
    char request[64] = "root ", text[ID_TEXT_SIZE];
    struct id root, child;

    greet(h, 1, &h->party.client);
    enlist(h, 2, 1);
    submit(h, 1, 0, 1, &root);
    put_expand(h, &root, 1, true, &child);
    receive(h, 2, &h->party.worker);
    work(h, 1);
    assert_true(commit(h));
    id_format(&child, request + 5);
    id_format(&root, text);
    json_t *answer = ask(h, request);

    assert_string_equal(word(answer, "schema"), "grove.root/1");
    assert_string_equal(word(answer, "id"), text);
    assert_int_equal(number(json_object_get(answer, "tree"), "tasks"), 2);
    json_decref(answer);
}

static void many_roots_come_in_pages(void **state)
{
    struct harness *h = *state;
    unsigned pages;

    greet(h, 1, &h->party.client);
    submit_many(h, 3);
    json_t *roots = collect(h, "roots", &pages);

    assert_int_equal(json_array_size(roots), 3 * LIMIT_BATCH_ITEMS);
    assert_true(pages >= 3);
    json_decref(roots);
}

/* What passes its deadline has failed. */
static void failures_say_why_and_come_in_pages(void **state)
{
    struct task_item items[LIMIT_BATCH_ITEMS];
    struct harness *h = *state;
    unsigned pages;

    greet(h, 1, &h->party.client);
    for (unsigned batch = 0; batch < 2; batch++) {
        for (unsigned i = 0; i < LIMIT_BATCH_ITEMS; i++) {
            items[i] = party_root((uint8_t)i, "echo", "payload", h->egress.stamp_ms);
            items[i].nonce[2] = (uint8_t)batch;
            items[i].deadline_ms = h->egress.stamp_ms + 1000;
        }
        put_submit(h, &h->party.client, items, LIMIT_BATCH_ITEMS, NULL);
        receive(h, 1, &h->party.client);
        work(h, 1);
        assert_true(commit(h));
    }
    json_t *failures = collect(h, "failures", &pages);

    assert_int_equal(json_array_size(failures), 0);
    json_decref(failures);
    pass(h, 2000);
    proposals_add_own(&h->proposals, &(struct command){.kind = COMMAND_EXPIRE});
    assert_true(commit(h));
    failures = collect(h, "failures", &pages);
    assert_int_equal(json_array_size(failures), 2 * LIMIT_BATCH_ITEMS);
    assert_true(pages >= 2);
    const json_t *last = json_array_get(failures, 0);

    assert_string_equal(word(last, "state"), "failed");
    assert_string_equal(word(last, "code"), "deadline");
    assert_string_equal(word(last, "function"), "echo");
    assert_string_equal(word(last, "error"), "its deadline has passed");
    json_decref(failures);
}

static void a_cursor_to_a_root_that_is_gone_is_an_error(void **state)
{
    json_t *answer = ask(*state, "roots 00000000000000000000000000000001");

    assert_non_null(strstr(word(answer, "error"), "forgotten"));
    json_decref(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(roots_come_newest_first_with_the_numbers_of_their_trees,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(root_is_the_one_that_a_task_is_below, setup, teardown),
        cmocka_unit_test_setup_teardown(many_roots_come_in_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_say_why_and_come_in_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cursor_to_a_root_that_is_gone_is_an_error, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

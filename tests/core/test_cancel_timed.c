/* SPDX-License-Identifier: MPL-2.0
 * A subtree of 100,000 tasks is cancelled in steps, of which none takes 5 ms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "tests/support/forest_fixture.h"

#define BATCH 250u
#define BATCHES 400u
#define MOST_NS 5e6

/* A batch of children of one parent. */
struct prepared {
    struct command command;
    struct buffer items;
    struct id ids[BATCH];
    struct digest digests[BATCH], leaves[BATCH];
};

static double now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double apply_timed(struct fixture *f, struct command *command)
{
    command->at_ms = f->now_ms;
    effects_reset(&f->effects);
    const double start = now_ns();
    forest_apply(f->forest, command, &f->effects);
    return now_ns() - start;
}

static void add_child(struct prepared *made, uint16_t i, uint32_t number,
                      const struct lineage *lineage)
{
    struct task_item item = {.function = bytes_of_text("step"),
                             .payload = bytes_of(&number, sizeof(number)),
                             .lineage = *lineage};
    const size_t start = made->items.size;

    item.lineage.occurrence = number + 1; /* never 0, so that all items have one size */
    memcpy(made->ids[i].byte, &number, sizeof(number));
    made->ids[i].byte[15] = 1;
    memcpy(made->digests[i].byte, &number, sizeof(number));
    wire_task_encode(&made->items, &item);
    made->command.expand.batch.sealed.item[i].size = made->items.size - start;
}

static void expand_many(struct fixture *f, const struct session_view *worker, uint32_t from,
                        const struct lineage *lineage)
{
    struct prepared *made = calloc(1, sizeof(*made));
    struct batch *batch = &made->command.expand.batch;
    size_t at = 0;

    assert_non_null(made);
    made->command.kind = COMMAND_EXPAND;
    made->command.expand.session = worker->session;
    made->command.expand.has_batch = true;
    batch->sealed.seal =
        (struct seal){.signer = worker->identity, .count = BATCH, .kind = SEAL_TASK};
    batch->sealed.item_count = BATCH;
    batch->ids = made->ids;
    batch->digests = made->digests;
    batch->leaves = made->leaves;
    for (uint16_t i = 0; i < BATCH; i++) {
        batch->sealed.index[i] = (uint8_t)i;
        add_child(made, i, from + i, lineage);
    }
    for (uint16_t i = 0; i < BATCH; i++) {
        batch->sealed.item[i].data = made->items.data + at;
        at += batch->sealed.item[i].size;
    }
    (void)apply_timed(f, &made->command);
    buffer_clear(&made->items);
    free(made);
}

static void a_hundred_thousand_are_cancelled_without_a_pause(void **state)
{
    struct fixture *f = *state;
    struct command cancel = {.kind = COMMAND_CANCEL};
    struct command sweep = {.kind = COMMAND_SWEEP};
    struct cancelled counts;

    enlist(f, "w1", .slots = 2, .functions = "flow");
    submit_with(f, "r", .function = "flow");
    const struct session_view worker = session_of(f, "w1");
    const struct lineage lineage = {
        .present = true, .parent = id_of(f, "r"), .root = id_of(f, "r"), .attempt = 1};
    for (uint32_t i = 0; i < BATCHES; i++) {
        expand_many(f, &worker, i * BATCH, &lineage);
    }
    assert_int_equal(view_of(f, "r").child_count, BATCH * BATCHES);
    cancel.cancel.identity = f->client.public_key;
    cancel.cancel.task = lineage.root;
    cancel.cancel.code = CODE_CANCELLED;
    double longest = apply_timed(f, &cancel);
    while (forest_has_more(f->forest)) {
        const double each = apply_timed(f, &sweep);
        longest = each > longest ? each : longest;
    }
    print_message("longest command %.0f us\n", longest / 1000);
    assert_true(forest_cancelled(f->forest, &cancel.cancel.task, &counts));
    assert_int_equal(counts.never_started, BATCH * BATCHES);
    assert_int_equal(counts.stopped, 1);
    assert_true(longest <= MOST_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_hundred_thousand_are_cancelled_without_a_pause,
                                        fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

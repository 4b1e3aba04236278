/* SPDX-License-Identifier: MPL-2.0
 * What Submit, Assign and Report of a task cost together while a million others live, and what each
 * of those costs in memory. Best of three, so that a busy machine does not decide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "core/id.h"
#include "tests/support/forest_fixture.h"

#define LIVE 1000000u
#define BATCH 128u
#define ROUNDS 2000u
#define MOST_NS 2000.0

/* Commands that are made beforehand, so that only forest_apply is measured. */
struct prepared {
    struct command submit, report;
    struct buffer items, results;
    struct id ids[BATCH];
    struct digest digests[BATCH], leaves[BATCH];
};

static struct id nth_id(uint32_t n)
{
    struct id id = {{0}};
    const uint64_t mixed = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);

    memcpy(id.byte, &mixed, sizeof(mixed));
    memcpy(id.byte + 8, &n, sizeof(n));
    return id;
}

static void point(struct batch *batch, const struct prepared *made, const struct buffer *items,
                  const struct key *signer, enum seal_kind kind)
{
    const size_t size = items->size / BATCH;

    batch->sealed.seal = (struct seal){.signer = *signer, .count = BATCH, .kind = (uint8_t)kind};
    batch->sealed.item_count = BATCH;
    batch->ids = made->ids;
    batch->digests = made->digests;
    batch->leaves = made->leaves;
    for (uint16_t i = 0; i < BATCH; i++) {
        batch->sealed.index[i] = (uint8_t)i;
        batch->sealed.item[i] = bytes_of(items->data + i * size, size);
    }
}

/* Tasks from number `from` on, with a 64 byte payload, and what worker w1 reports of them. */
static struct prepared *prepare(struct fixture *f, uint32_t from, const char *function,
                                uint64_t session, const struct key *worker)
{
    struct prepared *made = calloc(1, sizeof(*made));
    uint8_t payload[64] = {0};

    assert_non_null(made);
    for (uint32_t i = 0; i < BATCH; i++) {
        const struct task_item item = {.function = bytes_of_text(function),
                                       .payload = bytes_of(payload, sizeof(payload)),
                                       .expires_ms = f->now_ms + LIMIT_EXPIRES_MS};
        made->ids[i] = nth_id(from + i);
        wire_task_encode(&made->items, &item);
        const struct result_item result = {.task = made->ids[i],
                                           .root = made->ids[i],
                                           .function = item.function,
                                           .payload_digest = made->digests[i],
                                           .attempt = 1,
                                           .session = session,
                                           .bytes = item.payload};
        wire_result_encode(&made->results, &result);
    }
    made->submit = (struct command){.kind = COMMAND_SUBMIT, .at_ms = f->now_ms};
    point(&made->submit.submit.batch, made, &made->items, &f->client.public_key, SEAL_TASK);
    made->report = (struct command){.kind = COMMAND_REPORT, .at_ms = f->now_ms};
    made->report.report.session = session;
    point(&made->report.report.batch, made, &made->results, worker, SEAL_RESULT);
    return made;
}

static void release(struct prepared *made)
{
    buffer_clear(&made->items);
    buffer_clear(&made->results);
    free(made);
}

static double now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double apply_timed(struct fixture *f, const struct command *command)
{
    effects_reset(&f->effects);
    const double start = now_ns();
    forest_apply(f->forest, command, &f->effects);
    return now_ns() - start;
}

/* A million roots that nobody offers to run. */
static void fill(struct fixture *f, const struct key *worker)
{
    for (uint32_t n = 0; n < LIVE; n += BATCH) {
        struct prepared *made = prepare(f, n, "rare", 1, worker);
        (void)apply_timed(f, &made->submit);
        release(made);
    }
}

/* Frees what has ended and lets its ids go, so that a million stay. */
static void tidy_up(struct fixture *f)
{
    struct command command = {.kind = COMMAND_FORGET, .at_ms = f->now_ms};

    (void)apply_timed(f, &command);
    f->now_ms += LIMIT_EXPIRES_MS;
    command = (struct command){.kind = COMMAND_EXPIRE, .at_ms = f->now_ms};
    (void)apply_timed(f, &command);
}

/* Nanoseconds for each task of so many batches. */
static double run_batches(struct fixture *f, const struct session_view *worker, uint32_t from)
{
    double total = 0;
    double longest = 0;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct prepared *made =
            prepare(f, from + round * BATCH, "step", worker->session, &worker->identity);
        const double submit = apply_timed(f, &made->submit);
        const double report = apply_timed(f, &made->report);
        total += submit + report;
        longest = submit > longest ? submit : longest;
        longest = report > longest ? report : longest;
        tidy_up(f);
        release(made);
    }
    print_message("%.0f ns a task, longest command %.0f us\n", total / (ROUNDS * BATCH),
                  longest / 1000);
    return total / (ROUNDS * BATCH);
}

static void a_task_costs_two_microseconds_beside_a_million(void **state)
{
    struct fixture *f = *state;
    double best = 1e9;

    enlist(f, "w1", .slots = BATCH, .functions = "step");
    const struct session_view worker = session_of(f, "w1");
    fill(f, &worker.identity);
    for (uint32_t run = 1; run <= 3; run++) {
        const double each = run_batches(f, &worker, LIVE + run * ROUNDS * BATCH);
        best = each < best ? each : best;
    }
    assert_int_equal(forest_counters(f->forest)->succeeded, 3 * ROUNDS * BATCH);
    assert_true(forest_counters(f->forest)->state[TASK_READY] >= LIVE);
    assert_true(best <= MOST_NS);
}

static int setup_forgetful(void **state)
{
    return fixture_setup_bounded(state, &(struct forest_options){.retention_size = 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_task_costs_two_microseconds_beside_a_million,
                                        setup_forgetful, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MPL-2.0
 * A thousand seeds of two forests with different hash keys, fed the same random commands: after
 * each, equal effects, every invariant, and now and then equal snapshots, from which a third one
 * joins.
 *
 *   GROVE_SEEDS=n   runs the first n seeds instead of 1,000
 *   GROVE_SEED=n    runs that one alone, and prints each command with its effects
 *   GROVE_SNAPSHOTS=directory   writes the small ones there: the corpus of fuzz.snapshot, which is
 *                               made anew when the format changes */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/forest.h"
#include "tests/support/limit_shadow.h"
#include "tests/support/swarm.h"
#include "tests/support/witness.h"

#define REPLICAS 3

struct replica {
    struct forest *forest; /* NULL: has not joined yet */
    struct effects effects;
    struct effects owed;
    struct buffer snapshot;
};

/* What the last effect said about an attempt that some session got: Assign, Resume or Stop. */
struct said {
    struct id task;
    uint32_t attempt;
    uint64_t session;
    enum effect_kind kind;
};

#define SAID_MOST 16384

/* What an attempt said last that it waits for. */
struct listed {
    struct id task;
    uint32_t attempt;
    bool is_due; /* will be resumed whatever it lists: one was refused, or has settled before */
    struct id ids[32];
    size_t count;
};

#define LISTED_MOST 2048

struct run {
    struct said *said;
    size_t said_count;
    struct listed *listed; /* of the tasks that waited last, in a ring */
    size_t listed_next;
    struct swarm *swarm;
    struct forest_options options[REPLICAS];
    struct replica replicas[REPLICAS];
    struct limit_shadow limits;
    struct witness *witness; /* of the first one */
    bool verbose;
};

/* What all seeds together have reached, so that the swarm cannot rust. */
struct reached {
    uint64_t effects[EFFECT_RECALL + 1];
    uint64_t refusals[REFUSED_COUNT];
    uint64_t codes[CODE_JOIN_FAILED + 1];
    uint64_t succeeded, failed, cancelled, losses, retries;
    uint64_t restored, commands;
    uint64_t ahead, barred, full, short_of_time; /* functions, after a command */
    size_t most_tasks, largest_snapshot;
};

static void print_effects(const char *title, const struct effects *effects)
{
    struct buffer line = {0};

    for (size_t i = 0; i < effects->count; i++) {
        buffer_reset(&line);
        effect_print(&effects->list[i], &line);
        print_message("%s %.*s\n", title, (int)line.size, (const char *)line.data);
    }
    buffer_clear(&line);
}

/* Only whoever proposed a command hears its answers. */
static bool is_for_all(const struct effect *effect)
{
    return effect->kind != EFFECT_ANSWER && effect->kind != EFFECT_DONE &&
           effect->kind != EFFECT_APPENDED;
}

static bool effect_equal(const struct effect *a, const struct effect *b)
{
    return a->kind == b->kind && a->refusal == b->refusal && a->position == b->position &&
           a->attempt == b->attempt && a->session == b->session && id_equal(&a->task, &b->task) &&
           digest_equal(&a->digest, &b->digest) && a->settled == b->settled;
}

static void expect_equal_effects(struct run *run, const struct effects *a, const struct effects *b)
{
    bool equal = true;
    size_t k = 0;

    for (size_t i = 0; equal && i < a->count; i++) {
        if (is_for_all(&a->list[i])) {
            equal = k < b->count && effect_equal(&a->list[i], &b->list[k]);
            k++;
        }
    }
    if (!equal || k != b->count) {
        print_effects("one", a);
        print_effects("other", b);
        fail_msg("%s: effects differ", swarm_describe(run->swarm));
    }
}

static bool append(void *context, const void *data, size_t size)
{
    buffer_append(context, data, size);
    return true;
}

static void take_snapshot(struct replica *replica)
{
    buffer_reset(&replica->snapshot);
    assert_true(forest_snapshot(replica->forest, append, &replica->snapshot));
}

static void expect_equal_snapshots(struct run *run)
{
    take_snapshot(&run->replicas[0]);
    for (size_t i = 1; i < REPLICAS && run->replicas[i].forest; i++) {
        take_snapshot(&run->replicas[i]);
        if (!bytes_equal(buffer_bytes(&run->replicas[0].snapshot),
                         buffer_bytes(&run->replicas[i].snapshot))) {
            fail_msg("%s: snapshots 0 and %zu differ", swarm_describe(run->swarm), i);
        }
    }
}

/* The third replica joins (again) from a snapshot of the second. */
static void join(struct run *run, struct reached *reached)
{
    struct replica *replica = &run->replicas[2];

    forest_destroy(replica->forest);
    replica->forest = NULL;
    take_snapshot(&run->replicas[1]);
    const enum grove_status status = forest_restore(
        &run->options[2], buffer_bytes(&run->replicas[1].snapshot), &replica->forest);
    if (status != GROVE_OK) {
        fail_msg("%s: restoring: %s", swarm_describe(run->swarm), grove_status_text(status));
    }
    reached->restored++;
    if (run->replicas[1].snapshot.size > reached->largest_snapshot) {
        reached->largest_snapshot = run->replicas[1].snapshot.size;
    }
}

static void check(struct run *run, size_t i)
{
    const char *broken = forest_check(run->replicas[i].forest);

    if (broken) {
        fail_msg("%s: forest %zu: %s", swarm_describe(run->swarm), i, broken);
    }
}

/* ---- a shadow of what is owed */

static void hear(struct run *run, const struct effect *effect)
{
    size_t i = 0;

    while (i < run->said_count &&
           !(run->said[i].attempt == effect->attempt && run->said[i].session == effect->session &&
             id_equal(&run->said[i].task, &effect->task))) {
        i++;
    }
    if (i == run->said_count) {
        assert_true(run->said_count < SAID_MOST);
        run->said_count++;
    }
    run->said[i] = (struct said){effect->task, effect->attempt, effect->session, effect->kind};
}

/* Forgets what is over: the attempt is held no more, or its session is gone. */
static void forget_said(struct run *run)
{
    const struct forest *forest = run->replicas[0].forest;
    struct session_view session;
    struct task_view task;

    for (size_t i = run->said_count; i-- > 0;) {
        const struct said *said = &run->said[i];
        if (!forest_task(forest, &said->task, &task) || task.session != said->session ||
            task.attempt != said->attempt || !forest_session(forest, said->session - 1, &session) ||
            session.session != said->session) {
            run->said[i] = run->said[--run->said_count];
        }
    }
}

static bool is_owed(const struct effects *owed, const struct said *said)
{
    for (size_t i = 0; i < owed->count; i++) {
        const struct effect *effect = &owed->list[i];
        if (effect->kind == said->kind && effect->attempt == said->attempt &&
            effect->session == said->session && id_equal(&effect->task, &said->task)) {
            return true;
        }
    }
    return false;
}

static bool has_limits(const struct forest *forest)
{
    struct function_view view = {.function = NULL};
    bool found = false;

    while (!found && forest_function(forest, view.function, &view)) {
        found = view.limit.running > 0 || view.limit.rate > 0 || view.limit.paused;
    }
    return found;
}

/* The state alone tells a new leader exactly what the effects have said so far. */
static void expect_what_is_owed(struct run *run)
{
    struct effects *owed = &run->replicas[0].owed;
    struct task_view task;
    size_t count = 0;

    effects_reset(owed);
    forest_outstanding(run->replicas[0].forest, 0, owed);
    forget_said(run);
    for (size_t i = 0; i < run->said_count; i++) {
        const struct said *said = &run->said[i];
        if (forest_task(run->replicas[0].forest, &said->task, &task) &&
            task.state == TASK_WAITING && !task.is_resumable) {
            continue; /* the worker has it, and waits */
        }
        count++;
        if (!is_owed(owed, said)) {
            print_effects("owed", owed);
            fail_msg("%s: not owed: attempt %u of session %llu, kind %d",
                     swarm_describe(run->swarm), said->attempt, (unsigned long long)said->session,
                     (int)said->kind);
        }
    }
    count += has_limits(run->replicas[0].forest); /* a Recall */
    if (count != owed->count) {
        print_effects("owed", owed);
        fail_msg("%s: %zu are owed, not %zu", swarm_describe(run->swarm), count, owed->count);
    }
    for (size_t i = 1; i < REPLICAS && run->replicas[i].forest; i++) {
        effects_reset(&run->replicas[i].owed);
        forest_outstanding(run->replicas[i].forest, 0, &run->replicas[i].owed);
        expect_equal_effects(run, owed, &run->replicas[i].owed);
    }
}

static void listen(struct run *run, const struct effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->list[i];
        if (effect->kind == EFFECT_ASSIGN || effect->kind == EFFECT_RESUME ||
            (effect->kind == EFFECT_STOP && effect->refusal == REFUSED_NOT)) {
            hear(run, effect);
        }
    }
    if (run->said_count > SAID_MOST / 2 || swarm_draw(run->swarm, 8) == 0) {
        expect_what_is_owed(run);
    }
}

/* ---- a shadow of who waits for what */

static struct listed *find_listed(struct run *run, const struct id *task)
{
    for (size_t i = 0; i < LISTED_MOST; i++) {
        if (run->listed[i].attempt != 0 && id_equal(&run->listed[i].task, task)) {
            return &run->listed[i];
        }
    }
    return NULL;
}

static const struct effect *find_effect(const struct effects *effects, enum effect_kind kind,
                                        const struct id *task, uint32_t position)
{
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->list[i];
        if (effect->kind == kind && effect->position == position &&
            (!task || id_equal(&effect->task, task))) {
            return effect;
        }
    }
    return NULL;
}

static void list_positions(struct listed *listed, const struct effects *effects,
                           struct bytes positions)
{
    for (size_t i = 0; i < positions.size; i++) {
        const struct effect *answer = find_effect(effects, EFFECT_ANSWER, NULL, positions.data[i]);
        if (answer && answer->refusal == REFUSED_NOT) {
            assert_true(listed->count < 32);
            listed->ids[listed->count++] = answer->task;
        } else {
            listed->is_due = true;
        }
    }
}

static bool has_settled(const struct forest *forest, const struct listed *listed)
{
    struct task_view task;

    for (size_t i = 0; i < listed->count; i++) {
        if (!forest_task(forest, &listed->ids[i], &task) || !task_state_is_open(task.state)) {
            return true;
        }
    }
    return listed->is_due;
}

static void hear_wait(struct run *run, const struct waits *waits, const struct effects *effects)
{
    struct listed *listed = find_listed(run, &waits->task);

    if (find_effect(effects, EFFECT_REFUSE, &waits->task, 0)) {
        if (!listed) {
            listed = &run->listed[run->listed_next++ % LISTED_MOST];
            *listed = (struct listed){.task = waits->task, .attempt = waits->attempt};
        }
        listed->is_due = true; /* in doubt: of two waits, the other may have been good */
        return;
    }
    const bool due = listed && (listed->attempt == waits->attempt || listed->is_due) &&
                     has_settled(run->replicas[0].forest, listed);
    if (!listed) {
        listed = &run->listed[run->listed_next++ % LISTED_MOST];
    }
    *listed = (struct listed){
        .task = waits->task, .attempt = waits->attempt, .is_due = due || waits->joins.count > 0};
    listed->count = waits->awaited.size / sizeof(struct id);
    assert_true(listed->count < 16);
    if (listed->count > 0) {
        memcpy(listed->ids, waits->awaited.data, waits->awaited.size);
    }
    list_positions(listed, effects, waits->positions);
}

/* Nobody is resumed unless something it listed has settled.  A command that says twice what one
 * task waits for leaves the shadow in doubt. */
static void expect_resumes_in_time(struct run *run, const struct command *command)
{
    const struct effects *effects = &run->replicas[0].effects;
    struct wire_list list = {0};
    struct bytes element;
    struct waits waits;

    if (command->kind == COMMAND_EXPAND) {
        list = command->expand.waits;
    }
    const bool in_doubt = list.count > 1;
    while (wire_next(&list, &element)) {
        assert_true(wire_waits_decode(element, &waits) == GROVE_OK);
        if (!find_effect(effects, EFFECT_RETIRED, NULL, 0)) {
            hear_wait(run, &waits, effects);
        }
    }
    for (size_t i = 0; i < effects->count && !in_doubt; i++) {
        const struct effect *effect = &effects->list[i];
        const struct listed *listed =
            effect->kind == EFFECT_RESUME ? find_listed(run, &effect->task) : NULL;
        if (listed && !listed->is_due &&
            (listed->attempt != effect->attempt || !has_settled(run->replicas[0].forest, listed))) {
            fail_msg("%s: %02x%02x is resumed, and nothing it waits for has settled",
                     swarm_describe(run->swarm), effect->task.byte[0], effect->task.byte[1]);
        }
    }
}

/* ---- running */

static void note_effects(struct reached *reached, const struct run *run)
{
    const struct effects *effects = &run->replicas[0].effects;
    struct task_view task;

    for (size_t i = 0; i < effects->count; i++) {
        if (effects->list[i].kind == EFFECT_SETTLED &&
            forest_task(run->replicas[0].forest, &effects->list[i].task, &task)) {
            reached->codes[task.code]++;
        }
        reached->effects[effects->list[i].kind]++;
        reached->refusals[effects->list[i].refusal]++;
    }
}

/* Only the leader knows the token. */
static void apply(struct run *run, const struct command *command)
{
    for (size_t i = 0; i < REPLICAS && run->replicas[i].forest; i++) {
        struct command copy = *command;
        copy.token = i == 0 ? 1 : 0;
        effects_reset(&run->replicas[i].effects);
        forest_apply(run->replicas[i].forest, &copy, &run->replicas[i].effects);
    }
}

static void expect_limits(struct run *run)
{
    const char *broken =
        limit_shadow_watch(&run->limits, run->replicas[0].forest, &run->replicas[0].effects);

    if (broken) {
        fail_msg("%s: %s", swarm_describe(run->swarm), broken);
    }
}

static void step(struct run *run, const struct command *command, struct reached *reached)
{
    if (run->verbose) {
        print_message("%s\n", swarm_describe(run->swarm));
    }
    apply(run, command);
    if (run->verbose) {
        print_effects("   ", &run->replicas[0].effects);
    }
    note_effects(reached, run);
    witness_see(run->witness, run->replicas[0].forest, command, &run->replicas[0].effects);
    for (size_t i = 1; i < REPLICAS && run->replicas[i].forest; i++) {
        expect_equal_effects(run, &run->replicas[0].effects, &run->replicas[i].effects);
    }
    swarm_learn(run->swarm, &run->replicas[0].effects);
    listen(run, &run->replicas[0].effects);
    expect_resumes_in_time(run, command);
    expect_limits(run);
    check(run, swarm_draw(run->swarm, run->replicas[2].forest ? 3 : 2));
    reached->commands++;
}

/* Something has not ended, or has and is not given back. */
static bool is_busy(const struct forest *forest)
{
    struct session_view session = {0};
    bool is_held = false;

    while (!is_held && forest_session(forest, session.session, &session)) {
        is_held = session.assigned > 0;
    }
    return is_held || forest_counters(forest)->open_roots > 0;
}

/* Once all faults have stopped and one good worker is there, every tree ends. */
static void expect_all_to_end(struct run *run, struct reached *reached)
{
    uint32_t left = 20000;

    while (is_busy(run->replicas[0].forest)) {
        if (left-- == 0) {
            fail_msg("%s: tasks that never end", swarm_describe(run->swarm));
        }
        step(run, swarm_calm(run->swarm, run->replicas[0].forest), reached);
    }
}

static void note_counters(struct run *run, struct reached *reached)
{
    const struct forest_counters *counters = forest_counters(run->replicas[0].forest);
    uint64_t tasks = 0;

    reached->succeeded += counters->succeeded;
    reached->failed += counters->failed;
    reached->cancelled += counters->cancelled;
    reached->losses += counters->losses;
    reached->retries += counters->retries;
    reached->ahead += run->limits.ahead;
    reached->barred += run->limits.barred;
    reached->full += run->limits.full;
    reached->short_of_time += run->limits.short_of_time;
    for (size_t i = 0; i < TASK_STATE_COUNT; i++) {
        tasks += counters->state[i];
    }
    if (tasks > reached->most_tasks) {
        reached->most_tasks = tasks;
    }
}

#define CORPUS_MOST (32 * LIMIT_KIB)

static void keep_snapshot(const struct run *run, uint64_t seed)
{
    const struct buffer *snapshot = &run->replicas[0].snapshot;
    const char *directory = getenv("GROVE_SNAPSHOTS");
    char path[256];

    if (!directory || snapshot->size > CORPUS_MOST) {
        return;
    }
    (void)snprintf(path, sizeof(path), "%s/seed-%03u", directory, (unsigned)seed);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(snapshot->data, 1, snapshot->size, file), snapshot->size);
    assert_int_equal(fclose(file), 0);
}

static void run_seed(uint64_t seed, bool verbose, struct reached *reached)
{
    struct run run = {.swarm = swarm_create(seed), .verbose = verbose};

    run.witness = witness_create();
    run.said = calloc(SAID_MOST, sizeof(*run.said));
    run.listed = calloc(LISTED_MOST, sizeof(*run.listed));
    assert_true(run.said && run.listed);
    for (uint8_t i = 0; i < REPLICAS; i++) {
        run.options[i] = swarm_options(run.swarm, i);
    }
    run.replicas[0].forest = forest_create(&run.options[0]);
    run.replicas[1].forest = forest_create(&run.options[1]);
    const uint32_t steps = 50 + swarm_draw(run.swarm, 300);
    for (uint32_t i = 0; i < steps; i++) {
        step(&run, swarm_next(run.swarm, run.replicas[0].forest), reached);
        if (swarm_draw(run.swarm, 25) == 0) {
            expect_equal_snapshots(&run);
        }
        if (swarm_draw(run.swarm, 60) == 0) {
            join(&run, reached);
        }
    }
    expect_equal_snapshots(&run);
    keep_snapshot(&run, seed);
    expect_all_to_end(&run, reached);
    expect_equal_snapshots(&run);
    note_counters(&run, reached);
    const char *fault = witness_end_quiet(run.witness);
    if (fault) {
        fail_msg("%s: %s", swarm_describe(run.swarm), fault);
    }
    witness_destroy(run.witness);
    for (size_t i = 0; i < REPLICAS; i++) {
        forest_destroy(run.replicas[i].forest);
        effects_clear(&run.replicas[i].effects);
        effects_clear(&run.replicas[i].owed);
        buffer_clear(&run.replicas[i].snapshot);
    }
    free(run.said);
    free(run.listed);
    swarm_destroy(run.swarm);
}

static void print_reached(const struct reached *reached)
{
    print_message("%llu commands, %llu succeeded, %llu failed, %llu cancelled, %llu losses, "
                  "%llu retries, %llu restored, up to %zu tasks, snapshots up to %zu bytes\n",
                  (unsigned long long)reached->commands, (unsigned long long)reached->succeeded,
                  (unsigned long long)reached->failed, (unsigned long long)reached->cancelled,
                  (unsigned long long)reached->losses, (unsigned long long)reached->retries,
                  (unsigned long long)reached->restored, reached->most_tasks,
                  reached->largest_snapshot);
    print_message("limits: %llu ahead, %llu barred, %llu full, %llu short of time\n",
                  (unsigned long long)reached->ahead, (unsigned long long)reached->barred,
                  (unsigned long long)reached->full, (unsigned long long)reached->short_of_time);
    for (size_t i = 0; i <= EFFECT_RECALL; i++) {
        print_message("effect %zu: %llu  ", i, (unsigned long long)reached->effects[i]);
    }
    print_message("\n");
    for (size_t i = 0; i <= CODE_JOIN_FAILED; i++) {
        print_message("code %zu: %llu  ", i, (unsigned long long)reached->codes[i]);
    }
    print_message("\n");
    for (int i = 0; i < REFUSED_COUNT; i++) {
        if (reached->refusals[i] > 0) {
            print_message("%s: %llu  ", refusal_name((enum refusal)i),
                          (unsigned long long)reached->refusals[i]);
        }
    }
    print_message("\n");
}

/* A swarm that meets only refusals would prove nothing. */
static void expect_every_corner(const struct reached *reached)
{
    for (size_t i = 0; i <= EFFECT_RECALL; i++) {
        assert_true(reached->effects[i] > 0);
    }
    assert_true(reached->ahead > 0 && reached->barred > 0 && reached->full > 0 &&
                reached->short_of_time > 0);
    static const enum outcome_code codes[] = {
        CODE_SUCCEEDED, CODE_FAILED, CODE_PERMANENT, CODE_TIMEOUT,   CODE_POISON, CODE_DEADLINE,
        CODE_REFUSED,   CODE_LOST,   CODE_CANCELLED, CODE_ABANDONED, CODE_JOINED, CODE_JOIN_FAILED};

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        assert_true(reached->codes[codes[i]] > 0);
    }
    assert_true(reached->refusals[REFUSED_JOIN] > 0 && reached->refusals[REFUSED_DIFFERS] > 0 &&
                reached->refusals[REFUSED_OVER] > 0 && reached->refusals[REFUSED_BUDGET] > 0);
    assert_true(reached->refusals[REFUSED_FORGOTTEN] > 0);
    assert_true(reached->losses > 0 && reached->retries > 0 && reached->restored > 0);
}

static void forests_fed_the_same_commands_stay_equal(void **state)
{
    const char *one = getenv("GROVE_SEED");
    const char *many = getenv("GROVE_SEEDS");
    const uint64_t seeds = many ? strtoull(many, NULL, 10) : 1000;
    struct reached reached = {0};

    (void)state;
    if (one) {
        run_seed(strtoull(one, NULL, 10), true, &reached);
        print_reached(&reached);
        return;
    }
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        run_seed(seed, false, &reached);
    }
    print_reached(&reached);
    if (seeds >= 100) {
        expect_every_corner(&reached);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forests_fed_the_same_commands_stay_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MPL-2.0
 * What a worker says for handlers that join and wait, message by message; the coordinator is this
 * script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sched.h>
#include <stdlib.h>

#include "core/id.h"
#include "nodes/host/clock.h"
#include "nodes/worker/worker_loop.h"
#include "tests/support/party.h"
#include "tests/support/scratch.h"

struct fixture {
    struct party party;
    struct scratch keys;
    struct grove_worker *worker;
    struct id task; /* the parent's */
    struct grove_attempt *attempt;
    struct buffer frame;
};

/* What a message from the worker says. */
struct heard {
    unsigned items, appends, waits;
    struct append append; /* the last; its slices are gone */
    struct awaited_join join;
    bool has_join;
};

/* How the handler's call went. */
static struct {
    enum grove_status status;
    size_t count;
} seen;

/* ---- handlers */

static enum grove_status gather(struct grove_attempt *attempt, void *context)
{
    const size_t count = strtoul(grove_attempt_payload(attempt).data, NULL, 10);
    struct grove_task *tasks = calloc(count, sizeof(*tasks));
    struct grove_joined joined = GROVE_JOINED_INIT;

    (void)context;
    for (size_t i = 0; i < count; i++) {
        tasks[i] = (struct grove_task)GROVE_TASK_INIT;
        tasks[i].function = "echo";
        tasks[i].payload = (struct grove_bytes){"x", 1};
    }
    seen.status = grove_gather(NULL, tasks, count, NULL, &joined);
    seen.count = joined.succeeded;
    grove_joined_clear(&joined);
    free(tasks);
    return seen.status;
}

static enum grove_status next(void *context, uint64_t position, struct grove_task *task)
{
    (void)context;
    if (position == 300) {
        return GROVE_CLOSED;
    }
    task->function = "echo";
    task->payload = (struct grove_bytes){"x", 1};
    return GROVE_OK;
}

static enum grove_status stream(struct grove_attempt *attempt, void *context)
{
    struct grove_stream inputs = GROVE_STREAM_INIT;

    (void)attempt;
    (void)context;
    inputs.next = next;
    seen.status = grove_map_stream(NULL, &inputs, NULL, NULL);
    return seen.status;
}

static enum grove_status nothing(struct grove_attempt *attempt, void *context)
{
    (void)attempt;
    (void)context;
    return GROVE_OK;
}

/* ---- fixture */

static void admit(struct fixture *f, const struct credential *credential)
{
    bool changed;

    assert_int_equal(trust_admit(&f->worker->session.trust,
                                 buffer_bytes(&credential->certificate_bytes),
                                 credential->certificate.not_before_ms, &changed),
                     REFUSED_NOT);
}

static int setup(void **state)
{
    static const uint8_t hash_key[16] = {1};
    struct fixture *f = calloc(1, sizeof(*f));
    struct grove_worker_options options = GROVE_WORKER_OPTIONS_INIT;
    char path[SCRATCH_PATH_SIZE + 32];
    char error[GROVE_ERROR_SIZE];

    memset(&seen, 0, sizeof(seen));
    party_make(&f->party);
    scratch_make(&f->keys);
    snprintf(path, sizeof(path), "%s/worker", f->keys.path);
    assert_int_equal(credential_save(path, &f->party.worker, error), GROVE_OK);
    options.credential_path = path;
    options.instance = "w";
    options.slots = 1;
    assert_int_equal(grove_worker_open(&options, &f->worker, error), GROVE_OK);
    assert_int_equal(grove_worker_handle(f->worker, "gather", gather, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(f->worker, "stream", stream, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(f->worker, "nothing", nothing, NULL), GROVE_OK);
    trust_init(&f->worker->session.trust, &f->party.mesh.public_key, hash_key);
    f->worker->is_enlisted = true; /* or it would take no assignment */
    f->worker->session.credential = &f->worker->credential;
    outcomes_init(&f->worker->outcomes, &f->worker->session);
    admit(f, &f->party.client);
    admit(f, &f->party.worker);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    trust_clear(&f->worker->session.trust);
    grove_worker_close(f->worker);
    scratch_remove(&f->keys);
    buffer_clear(&f->frame);
    party_clear(&f->party);
    free(f);
    return 0;
}

/* ---- the coordinator */

static void say(struct fixture *f, struct wire_writer *writer)
{
    struct message message;

    wire_close(writer);
    assert_int_equal(wire_message_open(buffer_bytes(&f->frame), &message), GROVE_OK);
    worker_receive(f->worker, &message);
    buffer_reset(&f->frame);
}

static void assign(struct fixture *f, uint8_t i, const char *function, const char *payload)
{
    struct task_item item = party_root(i, function, payload, 1000);
    struct assignment assignment = {.attempt = 1};
    struct buffer batch = {0};
    struct wire_writer writer;

    party_seal_tasks(&f->party.client, &item, 1, &assignment.task, &batch);
    wire_open(&writer, &f->frame, MESSAGE_ASSIGN, 0);
    wire_put_bytes(&writer, ASSIGN_BATCHES, buffer_bytes(&batch));
    wire_put_assignment(&writer, ASSIGN_ASSIGNMENTS, &assignment);
    say(f, &writer);
    buffer_clear(&batch);
    f->task = assignment.task;
    f->attempt = held_find(f->worker, &f->task, 1);
}

/* What the worker does at the end of a turn, but for sending. */
static void end_turn(struct fixture *f)
{
    worker_collect(f->worker);
    children_send(f->worker);
    children_finish(f->worker);
}

static void await_blocked(struct fixture *f)
{
    struct handlers *handlers = &f->worker->handlers;
    unsigned blocked;

    do {
        sched_yield();
        pthread_mutex_lock(&handlers->lock);
        blocked = f->attempt->blocked;
        pthread_mutex_unlock(&handlers->lock);
    } while (blocked == 0);
    end_turn(f);
}

static void await_end(struct fixture *f)
{
    while (!handlers_are_idle(&f->worker->handlers)) {
        end_turn(f);
        sched_yield();
    }
}

/* The worker's oldest message of this kind. */
static struct parcel *hear(struct fixture *f, enum message_type type)
{
    struct parcel *parcel;

    TAILQ_FOREACH(parcel, &f->worker->parcels.list, link) {
        if (parcel->type == type) {
            return parcel;
        }
    }
    fail_msg("no message of type %d", (int)type);
    return NULL;
}

static void expect_silence(struct fixture *f)
{
    end_turn(f);
    assert_int_equal(f->worker->parcels.count, 0);
}

static void read_waits(struct wire_list list, struct heard *heard)
{
    struct waits waits;
    struct bytes element;

    while (wire_next(&list, &element)) {
        heard->waits++;
        assert_int_equal(wire_waits_decode(element, &waits), GROVE_OK);
        if (wire_next(&waits.joins, &element)) {
            heard->has_join = true;
            assert_int_equal(wire_awaited_join_decode(element, &heard->join), GROVE_OK);
        }
    }
}

static struct heard read_expand(const struct parcel *parcel)
{
    struct heard heard = {0};
    struct message message;
    struct expand expand;
    struct sealed sealed;
    struct bytes element;

    assert_int_equal(wire_message_open(buffer_bytes(&parcel->frame), &message), GROVE_OK);
    assert_int_equal(wire_expand_decode(message.body, &expand), GROVE_OK);
    if (expand.batch.size > 0) {
        assert_int_equal(wire_sealed_decode(expand.batch, &sealed), GROVE_OK);
        heard.items = sealed.item_count;
    }
    while (wire_next(&expand.appends, &element)) {
        heard.appends++;
        assert_int_equal(wire_append_decode(element, &heard.append), GROVE_OK);
    }
    read_waits(expand.waits, &heard);
    return heard;
}

/* Answers the oldest Expand: every input gets an id of its own, or all are refused. */
static void accept(struct fixture *f, enum refusal refusal)
{
    const struct parcel *parcel = hear(f, MESSAGE_EXPAND);
    const struct heard heard = read_expand(parcel);
    const uint8_t append = (uint8_t)refusal;
    const uint8_t settled[LIMIT_BATCH_ITEMS] = {0};
    struct id ids[LIMIT_BATCH_ITEMS] = {{{0}}};
    struct wire_writer writer;

    for (uint32_t i = 0; i < heard.items && refusal == REFUSED_NOT; i++) {
        const uint32_t position = heard.append.offset + i;

        ids[i].byte[0] = 0xAA;
        memcpy(&ids[i].byte[4], &position, sizeof(position));
    }
    wire_open(&writer, &f->frame, MESSAGE_ACCEPTED, parcel->correlation);
    wire_put_bytes(&writer, ACCEPTED_IDS, bytes_of(ids, heard.items * sizeof(ids[0])));
    wire_put_bytes(&writer, ACCEPTED_SETTLED, bytes_of(settled, heard.items));
    wire_put_bytes(&writer, ACCEPTED_APPENDS, bytes_of(&append, heard.appends));
    say(f, &writer);
}

static void resume(struct fixture *f)
{
    const struct held held = {.task = f->task, .attempt = 1};
    struct wire_writer writer;

    wire_open(&writer, &f->frame, MESSAGE_RESUME, 0);
    wire_put_held(&writer, RESUME_RESUMED, &held);
    say(f, &writer);
}

static void stop(struct fixture *f, enum refusal reason)
{
    const struct stopped stopped = {.task = f->task, .attempt = 1, .reason = reason};
    struct wire_writer writer;

    wire_open(&writer, &f->frame, MESSAGE_STOP, 0);
    wire_put_stopped(&writer, STOP_STOPPED, &stopped);
    say(f, &writer);
}

static struct result_item result_of(const struct fixture *f, const struct id *id)
{
    return (struct result_item){
        .nonce = {1},
        .task = *id,
        .root = f->task,
        .has_parent = true,
        .parent = f->task,
        .function = bytes_of_text("echo"),
        .payload_digest = digest_of(bytes_of_text("x")),
        .attempt = 1,
        .session = 7,
        .bytes = bytes_of_text("x"),
    };
}

/* Answers the oldest Page with the results of so many inputs. */
static void page(struct fixture *f, enum join_state state, uint32_t accepted, uint32_t count)
{
    const struct parcel *parcel = hear(f, MESSAGE_PAGE);
    struct paged paged = {.join = parcel->joining->id, .state = state, .accepted = accepted};
    struct id ids[8] = {{{0}}};
    struct result_item items[8];
    struct buffer sealed = {0};
    struct wire_writer writer;

    for (uint32_t i = 0; i < count; i++) {
        ids[i].byte[0] = 0xAA;
        memcpy(&ids[i].byte[4], &i, sizeof(i));
        items[i] = result_of(f, &ids[i]);
    }
    wire_open(&writer, &f->frame, MESSAGE_PAGED, parcel->correlation);
    if (count > 0) {
        party_seal_results(&f->party.worker, items, count, &sealed);
        wire_put_bytes(&writer, PAGED_OUTCOMES, buffer_bytes(&sealed));
    }
    paged.ids = bytes_of(ids, count * sizeof(ids[0]));
    wire_put_paged(&writer, &paged);
    say(f, &writer);
    buffer_clear(&sealed);
}

/* ---- tests */

static void a_small_join_and_its_wait_are_one_message(void **state)
{
    struct fixture *f = *state;
    struct heard heard;

    assign(f, 1, "gather", "2");
    await_blocked(f);
    heard = read_expand(hear(f, MESSAGE_EXPAND));
    assert_int_equal(heard.items, 2);
    assert_true(heard.append.close);
    assert_int_equal(heard.waits, 1);
    assert_true(heard.has_join);
    assert_int_equal(heard.join.until, 0);
    accept(f, REFUSED_NOT);
    expect_silence(f); /* it sleeps until all is over */
    resume(f);
    page(f, JOIN_COMPLETE, 2, 2);
    await_end(f);
    assert_int_equal(seen.status, GROVE_OK);
    assert_int_equal(seen.count, 2);
}

static void the_wait_of_a_large_join_is_told_when_that_is_there(void **state)
{
    struct fixture *f = *state;
    struct heard heard;

    assign(f, 1, "gather", "300");
    await_blocked(f);
    heard = read_expand(hear(f, MESSAGE_EXPAND));
    assert_int_equal(heard.items, 256);
    assert_int_equal(heard.waits, 0);
    accept(f, REFUSED_NOT);
    heard = read_expand(hear(f, MESSAGE_EXPAND));
    assert_int_equal(heard.append.offset, 256);
    assert_int_equal(heard.waits, 0);
    accept(f, REFUSED_NOT);
    end_turn(f);
    heard = read_expand(hear(f, MESSAGE_EXPAND));
    assert_int_equal(heard.appends, 0);
    assert_true(heard.has_join);
    accept(f, REFUSED_NOT);
    expect_silence(f);
    stop(f, REFUSED_NOT);
    await_end(f);
    assert_int_equal(seen.status, GROVE_CANCELLED);
}

/* It was told with inputs that were refused for now, and so for something that is not there. */
static void a_wait_for_what_is_not_there_yet_is_told_again(void **state)
{
    struct fixture *f = *state;
    struct heard heard;

    assign(f, 1, "gather", "2");
    await_blocked(f);
    accept(f, REFUSED_QUOTA);
    stop(f, REFUSED_AWAITED);
    expect_silence(f);
    f->attempt->calls.tqh_first->joining->retry_ms = 1; /* a little later */
    joins_tick(f->worker, clock_monotonic_ms());
    end_turn(f);
    heard = read_expand(hear(f, MESSAGE_EXPAND));
    assert_int_equal(heard.appends, 1);
    accept(f, REFUSED_NOT);
    end_turn(f);
    heard = read_expand(hear(f, MESSAGE_EXPAND));
    assert_int_equal(heard.appends, 0);
    assert_true(heard.has_join);
    accept(f, REFUSED_NOT);
    resume(f);
    page(f, JOIN_COMPLETE, 2, 2);
    await_end(f);
    assert_int_equal(seen.status, GROVE_OK);
}

static void a_stream_waits_for_its_next_outcome_or_room(void **state)
{
    struct fixture *f = *state;
    struct heard heard;

    assign(f, 1, "stream", "");
    await_blocked(f);
    heard = read_expand(hear(f, MESSAGE_EXPAND));
    assert_int_equal(heard.items, 256);
    assert_false(heard.append.close);
    accept(f, REFUSED_NOT);
    end_turn(f);
    heard = read_expand(hear(f, MESSAGE_EXPAND));
    assert_true(heard.has_join);
    assert_int_equal(heard.join.until, 1);
    assert_int_equal(heard.join.room, 128);
    stop(f, REFUSED_NOT);
    await_end(f);
    assert_int_equal(seen.status, GROVE_CANCELLED);
}

/* What it was resumed for may be gone by then: it gives its slot back. */
static void a_resumed_attempt_without_news_waits_again(void **state)
{
    struct fixture *f = *state;

    assign(f, 1, "gather", "2");
    await_blocked(f);
    accept(f, REFUSED_NOT);
    resume(f);
    page(f, JOIN_OPEN, 2, 0);
    joins_tick(f->worker, clock_monotonic_ms());
    expect_silence(f);
    joins_tick(f->worker, clock_monotonic_ms() + 1000);
    end_turn(f);
    assert_true(read_expand(hear(f, MESSAGE_EXPAND)).has_join);
    stop(f, REFUSED_NOT);
    await_end(f);
}

/* What has started stays, and so do other functions. */
static void what_has_not_started_is_recalled(void **state)
{
    struct fixture *f = *state;
    struct message message;

    handlers_pause(&f->worker->handlers);
    assign(f, 1, "nothing", "");
    assign(f, 2, "nothing", "");
    assign(f, 3, "gather", "2");
    wire_recall_encode(&f->frame, bytes_of_text("nothing"));
    assert_int_equal(wire_message_open(buffer_bytes(&f->frame), &message), GROVE_OK);
    worker_receive(f->worker, &message);
    assert_int_equal(f->worker->held_count, 1);
    assert_non_null(held_find(f->worker, &f->task, 1));
    reports_send(f->worker);
    hear(f, MESSAGE_RETURN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_small_join_and_its_wait_are_one_message),
        TEST(the_wait_of_a_large_join_is_told_when_that_is_there),
        TEST(a_wait_for_what_is_not_there_yet_is_told_again),
        TEST(a_stream_waits_for_its_next_outcome_or_room),
        TEST(a_resumed_attempt_without_news_waits_again),
        TEST(what_has_not_started_is_recalled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

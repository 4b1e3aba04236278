/* SPDX-License-Identifier: MPL-2.0
 * A coordinator's parts without sockets or disk: the bus is faked at its seam,
 * frames that go out are kept, and a group is committed when the test says so.
 * To be included by one file a program.
 */
#ifndef GROVE_TESTS_COORDINATOR_HARNESS_H
#define GROVE_TESTS_COORDINATOR_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/id.h"
#include "core/notice.h"
#include "nodes/coordinator/chores.h"
#include "nodes/coordinator/coordinator.h"
#include "nodes/coordinator/ingress.h"
#include "nodes/coordinator/machine.h"
#include "nodes/coordinator/verify.h"
#include "nodes/host/clock.h"
#include "tests/support/party.h"

#define SENT_MOST 8192

struct sent {
    struct route route;
    struct envelope envelope;
    struct buffer frame;
    bool is_taken;
};

struct harness {
    struct party party;
    struct machine machine;
    struct notices notices;
    struct jobs jobs;
    struct sessions sessions;
    struct seats seats;
    struct waiters waiters;
    struct watchers watchers;
    struct progress progress;
    struct proposals proposals;
    struct egress egress;
    struct reads reads;
    struct ingress ingress;
    struct chores chores;
    struct verifier verifier;
    struct pool *pool;
    struct buffer frame; /* being written by the test */
    struct bytes result; /* of every task that is reported */
    unsigned snapshots;
};

/* ---- the fake bus; what it keeps outlives no test */

static struct {
    struct sent sent[SENT_MOST];
    size_t count;
    bool is_full; /* pipes take nothing */
    sem_t raised;
} outside;

struct bus_frame {
    atomic_uint holders;
    struct bytes bytes;
};

struct bytes bus_frame_bytes(const struct bus_frame *frame)
{
    return frame->bytes;
}

struct bus_frame *bus_frame_retain(struct bus_frame *frame)
{
    frame->holders++;
    return frame;
}

void bus_frame_release(struct bus_frame *frame)
{
    if (frame != NULL && --frame->holders == 0) {
        free(frame);
    }
}

enum grove_status bus_send(struct bus_socket *socket, const struct route *route,
                           const struct envelope *envelope, struct bytes frame)
{
    struct sent *sent = &outside.sent[outside.count];

    (void)socket;
    if (outside.is_full) {
        return GROVE_BUSY;
    }
    assert_true(outside.count < SENT_MOST);
    *sent = (struct sent){.route = *route, .envelope = *envelope};
    buffer_append(&sent->frame, frame.data, frame.size);
    outside.count++;
    return GROVE_OK;
}

void bus_signal_raise(struct bus_signal *signal)
{
    (void)signal;
    sem_post(&outside.raised);
}

static void forget_sent(void)
{
    for (size_t i = 0; i < outside.count; i++) {
        buffer_clear(&outside.sent[i].frame);
    }
    outside.count = 0;
}

static struct route route_of(uint8_t number)
{
    return (struct route){.size = 5, .byte = {0, 0, 0, 0, number}};
}

/* The next message that went to this route, which must be of this type. */
static struct message expect_sent(uint8_t route, enum message_type type)
{
    const struct route wanted = route_of(route);
    struct message message = {.type = 0};

    for (size_t i = 0; i < outside.count; i++) {
        struct sent *sent = &outside.sent[i];

        if (!sent->is_taken && memcmp(&sent->route, &wanted, sizeof(wanted)) == 0) {
            sent->is_taken = true;
            assert_int_equal(wire_message_open(buffer_bytes(&sent->frame), &message), GROVE_OK);
            assert_int_equal(message.type, type);
            return message;
        }
    }
    fail_msg("nothing was sent");
    return message;
}

static void expect_nothing_sent(uint8_t route)
{
    const struct route wanted = route_of(route);

    for (size_t i = 0; i < outside.count; i++) {
        assert_true(outside.sent[i].is_taken ||
                    memcmp(&outside.sent[i].route, &wanted, sizeof(wanted)) != 0);
    }
}

static struct refused expect_refused(uint8_t route, enum refusal refusal)
{
    struct refused refused;

    assert_int_equal(wire_refused_decode(expect_sent(route, MESSAGE_REFUSED).body, &refused),
                     GROVE_OK);
    assert_int_equal(refused.code, refusal);
    return refused;
}

/* ---- what comes in */

static void receive_bytes(struct harness *h, uint8_t route, const struct key *user,
                          struct bytes bytes)
{
    struct bus_frame *frame = malloc(sizeof(*frame) + bytes.size);
    struct bus_message message = {
        .route = route_of(route), .has_user = user != NULL, .status = GROVE_OK, .frame = frame};

    assert_non_null(frame);
    *frame = (struct bus_frame){.holders = 1, .bytes = bytes_of(frame + 1, bytes.size)};
    memcpy(frame + 1, bytes.data, bytes.size);
    if (user != NULL) {
        message.user = *user;
    }
    ingress_receive(&h->ingress, &message);
    bus_frame_release(frame);
}

/* Sends what the test wrote into h->frame. */
static void receive(struct harness *h, uint8_t route, const struct credential *from)
{
    receive_bytes(h, route, &from->signer->public_key, buffer_bytes(&h->frame));
    buffer_reset(&h->frame);
}

/* Waits until the pool has done `count` jobs, and takes them. */
static void work(struct harness *h, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        sem_wait(&outside.raised);
    }
    ingress_collect(&h->ingress);
}

/* Commits the next group, to be answered when the turn ends; false when there was none. */
static bool land(struct harness *h)
{
    const struct replica_machine face = machine_face(&h->machine);
    struct proposal proposal;
    struct job *job;

    if (!proposals_next(&h->proposals, h->egress.stamp_ms, &proposal)) {
        return false;
    }
    reads_begin(&h->reads);
    h->machine.tokens = proposal.tokens;
    h->machine.token_count = proposal.count;
    face.apply(face.context, h->machine.index + 1, proposal.entry.data, proposal.entry.size);
    egress_apply(&h->egress, &h->machine.effects, h->machine.index);
    effects_reset(&h->machine.effects);
    chores_land(&h->chores);
    while ((job = proposals_land(&h->proposals)) != NULL) {
        egress_take(&h->egress, job);
    }
    reads_prove(&h->reads);
    return true;
}

/* ... and answers it, so that what the end of the turn adds stands alone. The forest is not looked
 * over: it may be large. */
static bool commit_unchecked(struct harness *h)
{
    const bool was_one = land(h);

    egress_answer(&h->egress);
    return was_one;
}

static bool commit(struct harness *h)
{
    const bool was_one = commit_unchecked(h);

    assert_null(forest_check(h->machine.forest));
    return was_one;
}

/* Proves, as a barrier would, that this coordinator leads. */
static void prove(struct harness *h)
{
    reads_begin(&h->reads);
    reads_prove(&h->reads);
    egress_flush(&h->egress);
}

static void pass(struct harness *h, uint64_t ms)
{
    h->egress.now_ms += ms;
    h->egress.stamp_ms += ms;
}

/* ... while the coordinator is awake. */
static inline void stay(struct harness *h, uint64_t ms)
{
    while (ms > 0) {
        const uint64_t step_ms = ms < LIMIT_HEARTBEAT_MS ? ms : LIMIT_HEARTBEAT_MS - 1;

        pass(h, step_ms);
        ingress_tick(&h->ingress);
        ms -= step_ms;
    }
}

/* ---- messages */

static void put_hello(struct harness *h, uint8_t boot)
{
    const struct hello hello = {.mesh = h->party.mesh.public_key, .boot = {{boot, 1}}};

    wire_hello_encode(&h->frame, 1, &hello);
}

static void greet(struct harness *h, uint8_t route, const struct credential *from)
{
    put_hello(h, route);
    receive(h, route, from);
    expect_sent(route, MESSAGE_WELCOME);
}

static void put_submit(struct harness *h, const struct credential *from,
                       const struct task_item *items, unsigned count, struct id *ids)
{
    struct buffer batch = {.size = 0};
    struct wire_writer writer;

    party_seal_tasks(from, items, count, ids, &batch);
    wire_open(&writer, &h->frame, MESSAGE_SUBMIT, 42);
    wire_put_bytes(&writer, SUBMIT_BATCH, buffer_bytes(&batch));
    wire_put_uint(&writer, SUBMIT_WAIT, 1);
    wire_close(&writer);
    buffer_clear(&batch);
}

/* Submits `count` roots told apart from `first` on, and commits them. */
static void submit(struct harness *h, uint8_t route, uint8_t first, unsigned count, struct id *ids)
{
    struct task_item items[LIMIT_BATCH_ITEMS];

    for (unsigned i = 0; i < count; i++) {
        items[i] = party_root((uint8_t)(first + i), "echo", "payload", h->egress.stamp_ms);
    }
    put_submit(h, &h->party.client, items, count, ids);
    receive(h, route, &h->party.client);
    work(h, 1);
    assert_true(commit(h));
    expect_sent(route, MESSAGE_ACCEPTED);
}

/* Of a session that is welcome: for the first time, or once more. */
static uint64_t enlist_in(struct harness *h, uint8_t route, uint32_t slots)
{
    struct wire_writer writer;
    struct welcome welcome;

    wire_open(&writer, &h->frame, MESSAGE_ENLIST, 2);
    wire_put_bytes(&writer, ENLIST_INSTANCE, bytes_of_text("host-1"));
    wire_put_bytes(&writer, ENLIST_FUNCTIONS, bytes_of_text("echo"));
    wire_put_uint(&writer, ENLIST_SLOTS, slots);
    wire_put_uint(&writer, ENLIST_WINDOW, slots);
    wire_put_uint(&writer, ENLIST_MAX_WAITING, 16);
    wire_close(&writer);
    receive(h, route, &h->party.worker);
    work(h, 1);
    assert_true(commit(h));
    assert_int_equal(wire_welcome_decode(expect_sent(route, MESSAGE_WELCOME).body, &welcome),
                     GROVE_OK);
    return welcome.session;
}

static uint64_t enlist(struct harness *h, uint8_t route, uint32_t slots)
{
    greet(h, route, &h->party.worker);
    return enlist_in(h, route, slots);
}

static void put_expand(struct harness *h, const struct id *parent, unsigned children, bool waits,
                       struct id *ids)
{
    struct task_item items[16];
    struct buffer batch = {.size = 0};
    struct wire_writer writer;
    uint8_t positions[16];

    for (unsigned i = 0; i < children; i++) {
        items[i] = party_root((uint8_t)i, "echo", "child", 0);
        items[i].expires_ms = 0;
        items[i].lineage = (struct lineage){
            .present = true, .parent = *parent, .root = *parent, .attempt = 1, .occurrence = i};
        positions[i] = (uint8_t)i;
    }
    party_seal_tasks(&h->party.worker, items, children, ids, &batch);
    wire_open(&writer, &h->frame, MESSAGE_EXPAND, 8);
    wire_put_bytes(&writer, EXPAND_BATCH, buffer_bytes(&batch));
    if (waits) {
        const struct waits wait = {
            .task = *parent, .attempt = 1, .positions = bytes_of(positions, children)};

        wire_put_waits(&writer, EXPAND_WAITS, &wait);
    }
    wire_close(&writer);
    buffer_clear(&batch);
}

static void put_heartbeat(struct harness *h, const struct held *held, size_t count)
{
    struct wire_writer writer;

    wire_open(&writer, &h->frame, MESSAGE_HEARTBEAT, 9);
    for (size_t i = 0; i < count; i++) {
        wire_put_held(&writer, HEARTBEAT_HELD, &held[i]);
    }
    wire_close(&writer);
}

static void put_wait(struct harness *h, const struct id *ids, size_t count)
{
    struct wire_writer writer;

    wire_open(&writer, &h->frame, MESSAGE_WAIT, 5);
    wire_put_bytes(&writer, WAIT_IDS, bytes_of(ids, count * sizeof(*ids)));
    wire_close(&writer);
}

/* Success of `count` tasks that a session holds. */
static void put_report(struct harness *h, uint64_t session, const struct id *ids, unsigned count)
{
    struct result_item results[LIMIT_BATCH_ITEMS];
    struct buffer batch = {.size = 0};
    struct wire_writer writer;
    struct task_view view;

    for (unsigned i = 0; i < count; i++) {
        assert_true(forest_task(h->machine.forest, &ids[i], &view));
        results[i] = (struct result_item){
            .nonce = {(uint8_t)i, 3},
            .task = ids[i],
            .root = view.root,
            .has_parent = !view.is_root,
            .parent = view.parent,
            .function = view.function,
            .payload_digest = view.payload_digest,
            .attempt = view.attempt,
            .session = session,
            .code = CODE_SUCCEEDED,
            .bytes = h->result,
        };
    }
    party_seal_results(&h->party.worker, results, count, &batch);
    wire_open(&writer, &h->frame, MESSAGE_REPORT, 3);
    wire_put_bytes(&writer, REPORT_BATCH, buffer_bytes(&batch));
    wire_close(&writer);
    buffer_clear(&batch);
}

/* Reports it, and commits that. */
static void report(struct harness *h, uint8_t route, uint64_t session, const struct id *ids,
                   unsigned count)
{
    put_report(h, session, ids, count);
    receive(h, route, &h->party.worker);
    work(h, 1);
    assert_true(commit(h));
    expect_sent(route, MESSAGE_DONE);
}

/* A task of the client at route 1, which the worker at route 2 ends. */
static uint64_t run_one(struct harness *h, struct id *id)
{
    const uint64_t session = enlist(h, 2, 4);

    submit(h, 1, 0, 1, id);
    egress_flush(&h->egress);
    expect_sent(2, MESSAGE_ASSIGN);
    report(h, 2, session, id, 1);
    return session;
}

/* ---- the parts */

static bool snapshot_asked(void *context)
{
    struct harness *h = context;

    h->snapshots++;
    return true;
}

static void trust(struct harness *h, const struct buffer *signed_form)
{
    const struct command command = {.kind = COMMAND_TRUST,
                                    .trust = {.certificate = buffer_bytes(signed_form)}};

    proposals_add_own(&h->proposals, &command);
    assert_true(commit(h));
}

static void join(struct harness *h)
{
    const struct pool_options pool = {
        .threads = 2, .spin_us = 10, .work = verify_job, .context = &h->verifier};

    h->verifier.mesh = h->party.mesh.public_key;
    h->pool = pool_create(&pool);
    h->egress.forest = h->machine.forest;
    h->egress.credential = &h->party.coordinator;
    h->egress.jobs = &h->jobs;
    h->egress.sessions = &h->sessions;
    h->egress.seats = &h->seats;
    h->egress.waiters = &h->waiters;
    h->egress.watchers = &h->watchers;
    h->egress.progress = &h->progress;
    h->egress.now_ms = 1000000;
    h->egress.stamp_ms = clock_unix_ms();
    h->ingress.egress = &h->egress;
    h->ingress.pool = h->pool;
    h->ingress.proposals = &h->proposals;
    h->ingress.reads = &h->reads;
    h->reads.egress = &h->egress;
    h->ingress.snapshot = snapshot_asked;
    h->ingress.snapshot_context = h;
    h->result = bytes_of_text("result");
    h->ingress.is_leader = true;
    h->chores = (struct chores){
        .egress = &h->egress, .proposals = &h->proposals, .abandon_ms = COORDINATOR_ABANDON_MS};
    presence_begin(&h->sessions.presence, h->egress.now_ms);
}

static int setup(void **state)
{
    static const uint8_t hash_key[16] = {1, 2, 3};
    struct harness *h = calloc(1, sizeof(*h));
    struct forest_options options = {.hash_key = {4, 5}};

    assert_non_null(h);
    sem_init(&outside.raised, 0, 0);
    outside.is_full = false;
    party_make(&h->party);
    options.mesh = h->party.mesh.public_key;
    machine_init(&h->machine, &options);
    notices_init(&h->notices, 256);
    h->machine.effects.notices = &h->notices;
    jobs_init(&h->jobs);
    sessions_init(&h->sessions, hash_key);
    seats_init(&h->seats, hash_key);
    waiters_init(&h->waiters, hash_key);
    watchers_init(&h->watchers, hash_key);
    progress_init(&h->progress, hash_key);
    proposals_init(&h->proposals);
    egress_init(&h->egress, hash_key);
    reads_init(&h->reads);
    ingress_init(&h->ingress, hash_key);
    join(h);
    trust(h, &h->party.coordinator.certificate_bytes);
    trust(h, &h->party.client.certificate_bytes);
    trust(h, &h->party.worker.certificate_bytes);
    trust(h, &h->party.operator.certificate_bytes);
    ingress_tick(&h->ingress);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    struct harness *h = *state;
    struct session *session;

    pool_destroy(h->pool);
    reads_clear(&h->reads);
    egress_flush(&h->egress);
    jobs_clear(&h->jobs);
    while ((session = sessions_oldest(&h->sessions)) != NULL) {
        egress_end(&h->egress, session);
    }
    proposals_clear(&h->proposals);
    ingress_clear(&h->ingress);
    egress_clear(&h->egress);
    progress_clear(&h->progress);
    waiters_clear(&h->waiters);
    watchers_clear(&h->watchers);
    seats_clear(&h->seats);
    sessions_clear(&h->sessions);
    machine_clear(&h->machine);
    notices_clear(&h->notices);
    buffer_clear(&h->frame);
    party_clear(&h->party);
    forget_sent();
    free(h);
    return 0;
}

/* A test or two has no use for each of these. */
static inline void harness_keep(void)
{
    (void)expect_nothing_sent;
    (void)expect_refused;
    (void)submit;
    (void)enlist;
    (void)put_expand;
    (void)put_heartbeat;
    (void)put_wait;
    (void)report;
    (void)run_one;
    (void)prove;
    (void)pass;
    (void)setup;
    (void)teardown;
}

#endif

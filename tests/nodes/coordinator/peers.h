/* SPDX-License-Identifier: MPL-2.0
 * A whole coordinator on a thread, and raw peers on sockets. To be included by one file a program.
 */
#ifndef GROVE_TESTS_COORDINATOR_PEERS_H
#define GROVE_TESTS_COORDINATOR_PEERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/id.h"
#include "core/refusal.h"
#include "nodes/coordinator/coordinator.h"
#include "nodes/host/clock.h"
#include "tests/support/party.h"
#include "tests/support/scratch.h"

#define WAIT_MS 120000u

struct received {
    struct bus_frame *frame;
    struct message message;
};

#define INBOX 256

struct peer {
    struct fixture *fixture;
    const struct credential *credential;
    struct bus_socket *socket;
    struct received inbox[INBOX];
    size_t first, last;
    struct id boot;
    uint64_t session;
};

struct fixture {
    struct party party;
    struct scratch scratch;
    struct coordinator *coordinator;
    struct coordinator_options options;
    struct bytes admitted[3];
    pthread_t thread;
    struct bus *bus;
    uint64_t give_up_ms;
    struct peer client, worker, operator, stats;
    struct buffer frame;
};

/* ---- peers */

static void receive(void *context, const struct bus_message *message)
{
    struct peer *peer = context;
    struct received *received = &peer->inbox[peer->last % INBOX];

    assert_int_equal(message->status, GROVE_OK);
    assert_true(peer->last - peer->first < INBOX);
    received->frame = bus_frame_retain(message->frame);
    peer->last++;
    bus_stop(peer->fixture->bus);
}

/* Lets a peer try again what could not be done at once. */
static void on_tick(void *context)
{
    struct fixture *f = context;

    bus_stop(f->bus);
}

static void turn(struct fixture *f)
{
    if (clock_monotonic_ms() > f->give_up_ms) {
        fail_msg("nothing came");
    }
    bus_run(f->bus);
}

static void connect_to(struct fixture *f, struct peer *peer, const struct credential *credential,
                       uint16_t port)
{
    char endpoint[64];

    *peer = (struct peer){.fixture = f, .credential = credential, .boot = {{(uint8_t)port, 7}}};
    memcpy(peer->boot.byte + 4, credential->signer->public_key.byte, 8);
    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", port);
    assert_int_equal(bus_connect(f->bus, endpoint, &f->party.coordinator.link->public_key,
                                 credential->link, receive, peer, &peer->socket),
                     GROVE_OK);
}

static void send_bytes(struct fixture *f, struct peer *peer, struct bytes bytes)
{
    f->give_up_ms = clock_monotonic_ms() + WAIT_MS;
    while (bus_send(peer->socket, NULL, NULL, bytes) == GROVE_BUSY) {
        turn(f);
    }
}

static void send_frame(struct fixture *f, struct peer *peer)
{
    send_bytes(f, peer, buffer_bytes(&f->frame));
    buffer_reset(&f->frame);
}

static struct bus_frame *next_frame(struct fixture *f, struct peer *peer)
{
    f->give_up_ms = clock_monotonic_ms() + WAIT_MS;
    while (peer->first == peer->last) {
        turn(f);
    }
    return peer->inbox[peer->first++ % INBOX].frame;
}

/* The next message of a peer, which must be of this type; its body is kept
 * until the next. */
static struct message expect(struct fixture *f, struct peer *peer, enum message_type type)
{
    static struct bus_frame *kept;
    struct message message;

    bus_frame_release(kept);
    kept = next_frame(f, peer);
    assert_int_equal(wire_message_open(bus_frame_bytes(kept), &message), GROVE_OK);
    assert_int_equal(message.type, type);
    return message;
}

static void expect_refused(struct fixture *f, struct peer *peer, enum refusal refusal)
{
    const struct message message = expect(f, peer, MESSAGE_REFUSED);
    struct refused refused;

    assert_int_equal(wire_refused_decode(message.body, &refused), GROVE_OK);
    assert_int_equal(refused.code, refusal);
}

static void send_hello(struct fixture *f, struct peer *peer)
{
    const struct hello hello = {.mesh = f->party.mesh.public_key, .boot = peer->boot};

    wire_hello_encode(&f->frame, 1, &hello);
    send_frame(f, peer);
}

static void send_submit(struct fixture *f, struct peer *peer, const struct task_item *items,
                        unsigned count, struct id *ids)
{
    struct buffer batch = {.size = 0};
    struct wire_writer writer;

    party_seal_tasks(peer->credential, items, count, ids, &batch);
    wire_open(&writer, &f->frame, MESSAGE_SUBMIT, 42);
    wire_put_bytes(&writer, SUBMIT_BATCH, buffer_bytes(&batch));
    wire_put_uint(&writer, SUBMIT_WAIT, 1);
    wire_close(&writer);
    buffer_clear(&batch);
    send_frame(f, peer);
}

static void send_enlist(struct fixture *f, struct peer *peer)
{
    struct wire_writer writer;

    wire_open(&writer, &f->frame, MESSAGE_ENLIST, 2);
    wire_put_bytes(&writer, ENLIST_INSTANCE, bytes_of_text("host-1"));
    wire_put_bytes(&writer, ENLIST_FUNCTIONS, bytes_of_text("echo"));
    wire_put_uint(&writer, ENLIST_SLOTS, 4);
    wire_put_uint(&writer, ENLIST_WINDOW, 4);
    wire_put_uint(&writer, ENLIST_MAX_WAITING, 16);
    wire_close(&writer);
    send_frame(f, peer);
}

static void greet(struct fixture *f, struct peer *peer)
{
    send_hello(f, peer);
    expect(f, peer, MESSAGE_WELCOME);
}

static void enlist(struct fixture *f)
{
    struct welcome welcome;

    greet(f, &f->worker);
    send_enlist(f, &f->worker);
    assert_int_equal(wire_welcome_decode(expect(f, &f->worker, MESSAGE_WELCOME).body, &welcome),
                     GROVE_OK);
    f->worker.session = welcome.session;
    assert_true(welcome.session > 0);
}

/* Takes an Assign apart: each item must verify, and is answered with its own
 * payload. */
static unsigned run_assigned(struct fixture *f, struct bytes body)
{
    struct result_item results[LIMIT_BATCH_ITEMS];
    struct buffer batch = {.size = 0};
    struct wire_writer writer;
    struct assign assign;
    struct bytes element;
    struct sealed sealed[16];
    unsigned batches = 0;
    unsigned count = 0;

    assert_int_equal(wire_assign_decode(body, &assign), GROVE_OK);
    while (wire_next(&assign.batches, &element)) {
        assert_true(batches < 16);
        assert_int_equal(wire_sealed_decode(element, &sealed[batches]), GROVE_OK);
        assert_int_equal(seal_open(&sealed[batches], &f->party.mesh.public_key, NULL), GROVE_OK);
        batches++;
    }
    while (wire_next(&assign.assignments, &element)) {
        struct assignment assignment;
        struct task_item item;

        assert_int_equal(wire_assignment_decode(element, &assignment), GROVE_OK);
        assert_int_equal(wire_task_decode(sealed[assignment.batch].item[assignment.item], &item),
                         GROVE_OK);
        results[count] = (struct result_item){
            .nonce = {9, (uint8_t)count},
            .task = assignment.task,
            .root = assignment.task,
            .function = item.function,
            .payload_digest = digest_of(item.payload),
            .attempt = assignment.attempt,
            .session = f->worker.session,
            .code = CODE_SUCCEEDED,
            .bytes = item.payload,
        };
        count++;
    }
    party_seal_results(&f->party.worker, results, count, &batch);
    wire_open(&writer, &f->frame, MESSAGE_REPORT, 3);
    wire_put_bytes(&writer, REPORT_BATCH, buffer_bytes(&batch));
    wire_close(&writer);
    buffer_clear(&batch);
    send_frame(f, &f->worker);
    return count;
}

/* ---- the coordinator */

static void *serve(void *context)
{
    struct fixture *f = context;
    char error[COORDINATOR_ERROR_SIZE];

    assert_int_equal(coordinator_run(f->coordinator, error), GROVE_OK);
    return NULL;
}

static void start(struct fixture *f)
{
    char error[COORDINATOR_ERROR_SIZE] = "";

    if (coordinator_open(&f->options, &f->coordinator, error) != GROVE_OK) {
        fail_msg("%s", error);
    }
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
    connect_to(f, &f->client, &f->party.client, coordinator_task_port(f->coordinator));
    connect_to(f, &f->worker, &f->party.worker, coordinator_task_port(f->coordinator));
    connect_to(f, &f->operator, & f->party.operator, coordinator_task_port(f->coordinator));
    connect_to(f, &f->stats, &f->party.operator, coordinator_stats_port(f->coordinator));
}

static void drop(struct fixture *f, struct peer *peer)
{
    while (peer->first < peer->last) {
        bus_frame_release(peer->inbox[peer->first++ % INBOX].frame);
    }
    bus_close(f->bus, peer->socket);
    peer->socket = NULL;
}

static void stop(struct fixture *f)
{
    drop(f, &f->client);
    drop(f, &f->worker);
    drop(f, &f->operator);
    drop(f, &f->stats);
    coordinator_stop(f->coordinator);
    pthread_join(f->thread, NULL);
    coordinator_close(f->coordinator);
    f->coordinator = NULL;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    party_make(&f->party);
    scratch_make(&f->scratch);
    f->bus = bus_create(0);
    assert_int_equal(bus_every(f->bus, 10, on_tick, f), GROVE_OK);
    f->admitted[0] = buffer_bytes(&f->party.client.certificate_bytes);
    f->admitted[1] = buffer_bytes(&f->party.worker.certificate_bytes);
    f->admitted[2] = buffer_bytes(&f->party.operator.certificate_bytes);
    f->options = (struct coordinator_options){
        .directory = f->scratch.path,
        .listen = "127.0.0.1:0",
        .credential = &f->party.coordinator,
        .bootstrap = true,
        .admitted = f->admitted,
        .admitted_count = 3,
        .segment_size = 1 << 20,
    };
    start(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    stop(f);
    bus_destroy(f->bus);
    buffer_clear(&f->frame);
    scratch_remove(&f->scratch);
    party_clear(&f->party);
    free(f);
    return 0;
}

static json_t *ask(struct fixture *f, const char *request)
{
    struct bus_frame *frame;
    struct bytes bytes;
    json_t *answer;

    send_bytes(f, &f->stats, bytes_of_text(request));
    frame = next_frame(f, &f->stats);
    bytes = bus_frame_bytes(frame);
    answer = json_loadb((const char *)bytes.data, bytes.size, 0, NULL);
    bus_frame_release(frame);
    assert_non_null(answer);
    return answer;
}

static json_int_t number_at(json_t *object, const char *outer, const char *inner)
{
    return json_integer_value(json_object_get(json_object_get(object, outer), inner));
}

/* A test or two has no use for each of these. */
static inline void peers_keep(void)
{
    (void)expect_refused;
    (void)enlist;
    (void)run_assigned;
    (void)setup;
    (void)teardown;
    (void)ask;
    (void)number_at;
}

#endif

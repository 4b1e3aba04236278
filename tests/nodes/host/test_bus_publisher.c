/* SPDX-License-Identifier: MPL-2.0
 * A publisher and those who subscribe: nobody gets anything by asking alone, and who does not read
 * misses what it has no room for. And a router that serves only so many at a time. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/certificate.h"
#include "nodes/host/bus.h"
#include "nodes/host/bus_context.h"
#include "nodes/host/clock.h"
#include "nodes/host/zap.h"

#define PATIENCE_MS 120000
#define CALLERS 3u
#define REST 3u
#define WORK_NS UINT64_C(2000000)

enum answer { ADMIT, IGNORE };

struct fixture {
    struct bus *bus;
    struct zap *zap;
    struct link_pair server, client;
    struct key identity; /* of the client */
    struct bus_socket *publisher, *router;
    void *context; /* of plain sockets */
    enum answer answer;
    unsigned subscriptions, users; /* heard; of those, who came with the client's identity */
    unsigned served, busy;         /* messages to the router */
    uint64_t began_ns, ended_ns;   /* the last of them; each takes WORK_NS */
    uint64_t rested_ns;            /* between it and the one before */
};

static void on_subscription(void *context, const struct bus_message *message)
{
    struct fixture *f = context;
    const struct bytes body = bus_frame_bytes(message->frame);

    if (body.size != 1 || body.data[0] != 1) {
        return; /* one has left */
    }
    f->subscriptions++;
    f->users += message->has_user && key_equal(&message->user, &f->identity);
    if (f->answer == ADMIT) {
        bus_admit(f->publisher);
    }
    bus_stop(f->bus);
}

static void on_call(void *context, const struct bus_message *message)
{
    struct fixture *f = context;

    f->began_ns = clock_monotonic_ns();
    f->rested_ns = f->began_ns - f->ended_ns;
    while ((f->ended_ns = clock_monotonic_ns()) < f->began_ns + WORK_NS) {
    }
    *(message->status == GROVE_BUSY ? &f->busy : &f->served) += 1;
    assert_true((message->status == GROVE_BUSY) == (message->frame == NULL));
    bus_stop(f->bus);
}

static void give_up(void *context)
{
    (void)context;
    print_error("nothing came\n");
    abort();
}

static struct bus_bind_options options_of(const struct fixture *f)
{
    return (struct bus_bind_options){.address = "127.0.0.1:0",
                                     .zap_domain = ZAP_DOMAIN_STATS,
                                     .zap = f->zap,
                                     .link = &f->server};
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    crypto_box_keypair(f->server.public_key.byte, f->server.secret);
    crypto_box_keypair(f->client.public_key.byte, f->client.secret);
    randombytes_buf(f->identity.byte, sizeof(f->identity.byte));
    f->bus = bus_create(50);
    f->context = bus_context_retain();
    assert_int_equal(zap_start(&f->zap), GROVE_OK);
    const struct zap_entry entry = {.link = f->client.public_key,
                                    .identity = f->identity,
                                    .roles = ROLE_OBSERVER,
                                    .not_after_ms = UINT64_MAX};
    zap_publish(f->zap, &entry, 1);
    struct bus_bind_options options = options_of(f);

    assert_int_equal(bus_bind_publisher(f->bus, &options, on_subscription, f, &f->publisher),
                     GROVE_OK);
    options.callers = CALLERS;
    options.rest = REST;
    assert_int_equal(bus_bind(f->bus, &options, on_call, f, &f->router), GROVE_OK);
    assert_int_equal(bus_every(f->bus, PATIENCE_MS, give_up, f), GROVE_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    bus_destroy(f->bus);
    zap_stop(f->zap);
    bus_context_release();
    free(f);
    return 0;
}

/* A plain socket with the client's key, connected to one of ours. */
static void *connect_to(struct fixture *f, const struct bus_socket *to, int type)
{
    const int none = 0, patience_ms = PATIENCE_MS, small = 4096, one = 1;
    void *socket = zmq_socket(f->context, type);
    char endpoint[64];

    assert_non_null(socket);
    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", (unsigned)bus_port(to));
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof(none));
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience_ms, sizeof(patience_ms));
    zmq_setsockopt(socket, ZMQ_RCVBUF, &small, sizeof(small));
    zmq_setsockopt(socket, ZMQ_RCVHWM, &one, sizeof(one));
    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, f->server.public_key.byte, 32);
    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, f->client.public_key.byte, 32);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, f->client.secret, 32);
    if (type == ZMQ_SUB) {
        zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
    }
    assert_int_equal(zmq_connect(socket, endpoint), 0);
    return socket;
}

static void *subscribe(struct fixture *f, enum answer answer)
{
    const unsigned before = f->subscriptions;
    void *subscriber = connect_to(f, f->publisher, ZMQ_SUB);

    f->answer = answer;
    while (f->subscriptions == before) {
        bus_run(f->bus);
    }
    return subscriber;
}

static void publish(struct fixture *f, struct bytes frame)
{
    assert_int_equal(bus_send(f->publisher, NULL, NULL, frame), GROVE_OK);
}

static void who_subscribes_is_known_and_gets_what_is_sent_once_it_is_admitted(void **state)
{
    struct fixture *f = *state;
    void *admitted = subscribe(f, ADMIT);
    void *ignored = subscribe(f, IGNORE);
    char text[16];

    assert_int_equal(f->users, 2);
    publish(f, bytes_of_text("first"));
    assert_int_equal(zmq_recv(admitted, text, sizeof(text), 0), 5);
    /* It had its chance: the message to the other one came after. */
    publish(f, bytes_of_text("second"));
    assert_int_equal(zmq_recv(admitted, text, sizeof(text), 0), 6);
    assert_int_equal(zmq_recv(ignored, text, sizeof(text), ZMQ_DONTWAIT), -1);
    zmq_close(admitted);
    zmq_close(ignored);
}

/* Of 32 MiB what its pipes have room for arrives, in order; the sender never waits. */
static void who_does_not_read_misses_messages_and_holds_up_nobody(void **state)
{
    struct fixture *f = *state;
    static uint8_t frame[65536];
    void *lazy = subscribe(f, ADMIT);
    void *keen = subscribe(f, ADMIT);
    unsigned arrived = 0, last = 0;

    for (unsigned i = 1; i <= 512; i++) {
        memcpy(frame, &i, sizeof(i));
        publish(f, bytes_of(frame, sizeof(frame)));
        assert_int_equal(zmq_recv(keen, frame, sizeof(frame), 0), sizeof(frame));
        memcpy(&last, frame, sizeof(last));
        assert_int_equal(last, i);
    }
    const int patience_ms = 200;

    last = 0;
    while (zmq_recv(lazy, frame, sizeof(frame), 0) > 0) {
        unsigned number;

        memcpy(&number, frame, sizeof(number));
        assert_true(number > last);
        last = number;
        arrived++;
        zmq_setsockopt(lazy, ZMQ_RCVTIMEO, &patience_ms, sizeof(patience_ms)); /* the first waits */
    }
    print_message("%u of 512 messages waited for who did not read\n", arrived);
    assert_true(arrived > 0 && arrived < 256);
    zmq_close(lazy);
    zmq_close(keen);
}

static void *call(struct fixture *f)
{
    void *caller = connect_to(f, f->router, ZMQ_DEALER);

    assert_int_equal(zmq_send(caller, "x", 1, 0), 1);
    bus_run(f->bus);
    return caller;
}

static void call_again(struct fixture *f, void *caller)
{
    assert_int_equal(zmq_send(caller, "x", 1, 0), 1);
    bus_run(f->bus);
}

static void so_many_are_served_until_one_is_gone(void **state)
{
    struct fixture *f = *state;
    void *callers[CALLERS + 1];
    unsigned busy;

    for (unsigned i = 0; i <= CALLERS; i++) {
        callers[i] = call(f);
    }
    assert_int_equal(f->served, CALLERS);
    assert_int_equal(f->busy, 1);
    call_again(f, callers[0]);
    assert_int_equal(f->served, CALLERS + 1);
    zmq_close(callers[1]);
    do { /* until its end has been heard of */
        busy = f->busy;
        call_again(f, callers[CALLERS]);
    } while (f->busy > busy);
    assert_int_equal(f->served, CALLERS + 2);
    zmq_close(callers[0]);
    zmq_close(callers[2]);
    zmq_close(callers[CALLERS]);
}

/* Both are there at once, and the second is not taken before three times as long as the first took.
 */
static void whoever_rests_leaves_time_to_others(void **state)
{
    struct fixture *f = *state;
    void *caller = connect_to(f, f->router, ZMQ_DEALER);

    for (int i = 0; i < 5; i++) {
        assert_int_equal(zmq_send(caller, "x", 1, 0), 1);
    }
    while (f->served < 5) {
        bus_run(f->bus);
        assert_true(f->served < 2 || f->rested_ns >= REST * WORK_NS);
    }
    zmq_close(caller);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_subscribes_is_known_and_gets_what_is_sent_once_it_is_admitted),
        TEST(who_does_not_read_misses_messages_and_holds_up_nobody),
        TEST(so_many_are_served_until_one_is_gone),
        TEST(whoever_rests_leaves_time_to_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

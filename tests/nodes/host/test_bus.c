/* SPDX-License-Identifier: MPL-2.0
 * A server and its clients on one bus, and plain ZeroMQ sockets that speak as strangers would. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/certificate.h"
#include "core/limits.h"
#include "nodes/host/bus_context.h"
#include "nodes/host/bus_loop.h"
#include "nodes/host/zap.h"

#define KEPT 16
#define PATIENCE_MS 120000

struct fixture {
    struct bus *bus;
    struct zap *zap;
    struct link_pair server, client;
    struct key identity; /* of the client */
    struct bus_socket *router;
    char endpoint[64];
    void *context; /* of plain sockets */
    /* what the router received; the bus stops when `wanted` messages are there */
    unsigned count, wanted;
    bool echo;
    struct bus_message message[KEPT]; /* frames are retained */
    unsigned turns, handled;
};

static void receive(void *context, const struct bus_message *message)
{
    struct fixture *f = context;

    if (f->echo && message->frame != NULL) {
        assert_int_equal(bus_send(f->router, &message->route, &message->envelope,
                                  bus_frame_bytes(message->frame)),
                         GROVE_OK);
    }
    struct bus_message *kept = &f->message[f->count % KEPT];
    bus_frame_release(kept->frame);
    *kept = *message;
    kept->frame = message->frame ? bus_frame_retain(message->frame) : NULL;
    if (++f->count == f->wanted) {
        bus_stop(f->bus);
    }
}

static void give_up(void *context)
{
    (void)context;
    print_error("nothing came\n");
    abort();
}

static void run_until_received(struct fixture *f, unsigned wanted)
{
    f->wanted = wanted;
    if (f->count < wanted) {
        bus_run(f->bus);
    }
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
                                    .roles = ROLE_CLIENT,
                                    .not_after_ms = UINT64_MAX};
    zap_publish(f->zap, &entry, 1);
    const struct bus_bind_options options = {
        .address = "127.0.0.1:0", .zap_domain = ZAP_DOMAIN_TASK, .zap = f->zap, .link = &f->server};
    assert_int_equal(bus_bind(f->bus, &options, receive, f, &f->router), GROVE_OK);
    assert_int_equal(bus_every(f->bus, PATIENCE_MS, give_up, f), GROVE_OK);
    snprintf(f->endpoint, sizeof(f->endpoint), "tcp://127.0.0.1:%u", (unsigned)bus_port(f->router));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < KEPT; i++) {
        bus_frame_release(f->message[i].frame);
    }
    bus_destroy(f->bus);
    zap_stop(f->zap);
    bus_context_release();
    free(f);
    return 0;
}

/* A plain socket with the client's key. */
static void *plain_socket(struct fixture *f, int type)
{
    const int none = 0, patience_ms = PATIENCE_MS;
    void *socket = zmq_socket(f->context, type);

    assert_non_null(socket);
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof(none));
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience_ms, sizeof(patience_ms));
    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, f->server.public_key.byte, 32);
    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, f->client.public_key.byte, 32);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, f->client.secret, 32);
    return socket;
}

static void send_parts(void *socket, const char *const *parts, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const int flags = i + 1 < count ? ZMQ_SNDMORE : 0;
        assert_true(zmq_send(socket, parts[i], strlen(parts[i]), flags) >= 0);
    }
}

static void expect_text(const struct bus_message *message, const char *text)
{
    assert_int_equal(message->status, GROVE_OK);
    assert_non_null(message->frame);
    assert_true(bytes_equal(bus_frame_bytes(message->frame), bytes_of_text(text)));
}

static void expect_reply(void *socket, const char *const *parts, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char part[64];
        int more = 0;
        size_t size = sizeof(more);
        const int got = zmq_recv(socket, part, sizeof(part), 0);
        assert_int_equal(got, (int)strlen(parts[i]));
        assert_memory_equal(part, parts[i], strlen(parts[i]));
        zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size);
        assert_int_equal(more, i + 1 < count);
    }
}

/* ---- messages */

static void a_message_carries_the_identity_that_zap_gave(void **state)
{
    struct fixture *f = *state;
    void *dealer = plain_socket(f, ZMQ_DEALER);

    zmq_connect(dealer, f->endpoint);
    send_parts(dealer, (const char *[]){"hello"}, 1);
    run_until_received(f, 1);

    expect_text(&f->message[0], "hello");
    assert_true(f->message[0].has_user);
    assert_memory_equal(&f->message[0].user, &f->identity, sizeof(f->identity));
    assert_false(f->message[0].envelope.has_delimiter);
    zmq_close(dealer);
}

static void every_envelope_is_repeated_in_the_reply(void **state)
{
    struct fixture *f = *state;
    void *dealer = plain_socket(f, ZMQ_DEALER);
    static const char *const shapes[][3] = {{"body"}, {"", "body"}, {"1234", "", "body"}};

    f->echo = true;
    zmq_connect(dealer, f->endpoint);
    for (unsigned i = 0; i < 3; i++) {
        send_parts(dealer, shapes[i], i + 1);
        run_until_received(f, i + 1);
        expect_reply(dealer, shapes[i], i + 1);
    }
    zmq_close(dealer);
}

static void a_req_gets_its_reply(void **state)
{
    struct fixture *f = *state;
    const int on = 1;

    f->echo = true;
    for (unsigned i = 0; i < 2; i++) {
        void *req = plain_socket(f, ZMQ_REQ);
        if (i == 1) {
            zmq_setsockopt(req, ZMQ_REQ_CORRELATE, &on, sizeof(on));
        }
        zmq_connect(req, f->endpoint);
        send_parts(req, (const char *[]){"ask"}, 1);
        run_until_received(f, i + 1);
        assert_int_equal(f->message[i].envelope.has_request_id, i == 1);
        expect_reply(req, (const char *[]){"ask"}, 1);
        zmq_close(req);
    }
}

static void several_bodies_are_malformed_and_delivered_once(void **state)
{
    struct fixture *f = *state;
    void *dealer = plain_socket(f, ZMQ_DEALER);
    static const char *const shapes[][4] = {
        {"one", "two"}, {"", "one", "two"}, {"1234", "one"}, {"1234", ""}, {"1234", "", "a", "b"}};
    static const unsigned counts[] = {2, 3, 2, 2, 4};

    zmq_connect(dealer, f->endpoint);
    for (unsigned i = 0; i < 5; i++) {
        send_parts(dealer, shapes[i], counts[i]);
    }
    send_parts(dealer, (const char *[]){"after"}, 1);
    run_until_received(f, 6);

    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(f->message[i].status, GROVE_MALFORMED);
        assert_null(f->message[i].frame);
        assert_true(f->message[i].has_user);
    }
    expect_text(&f->message[5], "after");
    zmq_close(dealer);
}

static void a_message_of_thousands_of_parts_leaves_the_next_one_whole(void **state)
{
    struct fixture *f = *state;
    void *dealer = plain_socket(f, ZMQ_DEALER);

    zmq_connect(dealer, f->endpoint);
    for (int i = 0; i < 8000; i++) {
        assert_true(zmq_send(dealer, "x", 1, ZMQ_SNDMORE) >= 0);
    }
    send_parts(dealer, (const char *[]){"end"}, 1);
    send_parts(dealer, (const char *[]){"after"}, 1);
    run_until_received(f, 2);

    assert_int_equal(f->message[0].status, GROVE_MALFORMED);
    expect_text(&f->message[1], "after");
    zmq_close(dealer);
}

/* The connection ends: the peer comes again and the second message is the first to arrive. */
static void a_frame_over_the_limit_never_arrives(void **state)
{
    struct fixture *f = *state;
    void *dealer = plain_socket(f, ZMQ_DEALER);
    char *large = calloc(1, (size_t)LIMIT_FRAME_SIZE + 1);

    zmq_connect(dealer, f->endpoint);
    assert_true(zmq_send(dealer, large, LIMIT_FRAME_SIZE, 0) >= 0);
    run_until_received(f, 1);
    assert_int_equal(bus_frame_bytes(f->message[0].frame).size, LIMIT_FRAME_SIZE);

    assert_true(zmq_send(dealer, large, LIMIT_FRAME_SIZE + 1, 0) >= 0);
    void *other = plain_socket(f, ZMQ_DEALER);
    zmq_connect(other, f->endpoint);
    send_parts(other, (const char *[]){"small"}, 1);
    run_until_received(f, 2);
    expect_text(&f->message[1], "small");
    free(large);
    zmq_close(dealer);
    zmq_close(other);
}

static void *release_frame(void *frame)
{
    bus_frame_release(frame);
    return NULL;
}

static void a_frame_may_be_released_by_another_thread(void **state)
{
    struct fixture *f = *state;
    void *dealer = plain_socket(f, ZMQ_DEALER);
    pthread_t threads[4];

    zmq_connect(dealer, f->endpoint);
    send_parts(dealer, (const char *[]){"shared by many"}, 1);
    run_until_received(f, 1);
    for (int i = 0; i < 4; i++) {
        struct bus_frame *frame = bus_frame_retain(f->message[0].frame);
        assert_int_equal(pthread_create(&threads[i], NULL, release_frame, frame), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    expect_text(&f->message[0], "shared by many");
    zmq_close(dealer);
}

/* ---- both ends of ours */

struct client {
    struct fixture *f;
    struct bus_socket *dealer;
    unsigned count;
};

static void client_receive(void *context, const struct bus_message *message)
{
    struct client *client = context;

    assert_false(message->has_user);
    expect_text(message, "ping");
    client->count++;
    bus_stop(client->f->bus);
}

/* Sends as soon as the connection is up: until then the pipe is "full". */
static void client_try(void *context)
{
    struct client *client = context;
    const enum grove_status status = bus_send(client->dealer, NULL, NULL, bytes_of_text("ping"));

    assert_true(status == GROVE_OK || (status == GROVE_BUSY && client->count == 0));
}

static void a_dealer_of_ours_gets_its_answer(void **state)
{
    struct fixture *f = *state;
    struct client client = {.f = f};

    f->echo = true;
    assert_int_equal(bus_connect(f->bus, f->endpoint, &f->server.public_key, &f->client,
                                 client_receive, &client, &client.dealer),
                     GROVE_OK);
    assert_int_equal(bus_send(client.dealer, NULL, NULL, bytes_of_text("early")), GROVE_BUSY);
    assert_int_equal(bus_every(f->bus, 2, client_try, &client), GROVE_OK);
    bus_run(f->bus);
    assert_true(client.count >= 1); /* an answer to each that went before the first came */
}

/* Stops the bus once the connection stands as it should. */
struct standing {
    struct fixture *f;
    struct bus_socket *dealer;
    enum bus_handshake wanted;
};

static void look_how_it_stands(void *context)
{
    struct standing *standing = context;

    if (bus_handshake(standing->dealer) == standing->wanted) {
        bus_stop(standing->f->bus);
    }
}

static void expect_standing(struct standing *standing, const char *endpoint,
                            const struct key *server, enum bus_handshake wanted)
{
    struct fixture *f = standing->f;

    standing->wanted = wanted;
    assert_int_equal(
        bus_connect(f->bus, endpoint, server, &f->client, client_receive, NULL, &standing->dealer),
        GROVE_OK);
    bus_run(f->bus);
    bus_close(f->bus, standing->dealer);
}

static void a_dealer_knows_how_its_connection_stands(void **state)
{
    struct fixture *f = *state;
    static struct standing standing; /* the timer outlives this function */
    struct zap_entry entry = {.link = f->client.public_key,
                              .identity = f->identity,
                              .roles = ROLE_CLIENT,
                              .not_after_ms = UINT64_MAX};

    standing = (struct standing){.f = f};
    assert_int_equal(bus_every(f->bus, 2, look_how_it_stands, &standing), GROVE_OK);
    expect_standing(&standing, f->endpoint, &f->server.public_key, BUS_CONNECTED);
    expect_standing(&standing, f->endpoint, &f->client.public_key, BUS_SHUT_OUT);
    entry.revoked = true;
    zap_publish(f->zap, &entry, 1);
    expect_standing(&standing, f->endpoint, &f->server.public_key, BUS_REFUSED);
    expect_standing(&standing, "tcp://127.0.0.1:1", &f->server.public_key, BUS_UNANSWERED);
}

static void a_dealer_is_not_left_undecided(void **state)
{
    struct fixture *f = *state;
    static struct standing standing;

    standing = (struct standing){.f = f};
    assert_int_equal(bus_every(f->bus, 2, look_how_it_stands, &standing), GROVE_OK);
    zap_publish(f->zap, NULL, 0);
    expect_standing(&standing, f->endpoint, &f->server.public_key, BUS_SHUT_OUT);
}

static void a_route_that_is_gone_is_not_found(void **state)
{
    struct fixture *f = *state;
    const struct route nobody = {.size = 5, .byte = {0, 1, 2, 3, 4}};

    assert_int_equal(bus_send(f->router, &nobody, NULL, bytes_of_text("lost")), GROVE_NOT_FOUND);
}

static void a_peer_that_does_not_read_makes_its_pipe_busy(void **state)
{
    struct fixture *f = *state;
    void *dealer = plain_socket(f, ZMQ_DEALER);
    uint8_t *body = calloc(1, LIMIT_MIB);
    const int one = 1;
    enum grove_status status = GROVE_OK;

    zmq_setsockopt(dealer, ZMQ_RCVHWM, &one, sizeof(one));
    zmq_connect(dealer, f->endpoint);
    send_parts(dealer, (const char *[]){"hello"}, 1);
    run_until_received(f, 1);
    for (int i = 0; i < 1000 && status == GROVE_OK; i++) {
        status = bus_send(f->router, &f->message[0].route, NULL, bytes_of(body, LIMIT_MIB));
    }
    assert_int_equal(status, GROVE_BUSY);
    free(body);
    zmq_close(dealer);
}

/* ---- addresses */

static enum grove_status bind_at(struct fixture *f, const char *address)
{
    const struct bus_bind_options options = {
        .address = address, .zap_domain = ZAP_DOMAIN_TASK, .zap = f->zap, .link = &f->server};
    struct bus_socket *socket = NULL;
    const enum grove_status status = bus_bind(f->bus, &options, receive, f, &socket);

    assert_int_equal(status == GROVE_OK, socket != NULL);
    bus_close(f->bus, socket);
    return status;
}

static void a_busy_port_is_in_use(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(bind_at(f, f->endpoint + strlen("tcp://")), GROVE_IN_USE);
}

static void addresses_of_other_kinds_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const addresses[] = {"",
                                            "127.0.0.1",
                                            ":7310",
                                            "127.0.0.1:",
                                            "127.0.0.1:65536",
                                            "127.0.0.1:*",
                                            "eth0;x:80",
                                            "[::1:7310",
                                            "[]:7310",
                                            "tcp://1.2:80",
                                            "ipc:///tmp/x",
                                            "127.0.0.1:-1",
                                            "no.such.name.invalid:1",
                                            "203.0.113.7:7310",
                                            "127.0.0.1:1 "};

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        assert_int_equal(bind_at(f, addresses[i]), GROVE_INVALID);
    }
    struct bus_socket *socket = NULL;
    assert_int_equal(bus_connect(f->bus, "ipc:///tmp/grove", &f->server.public_key, &f->client,
                                 receive, f, &socket),
                     GROVE_INVALID);
    assert_null(socket);
}

/* A machine that was set up in part may have no /etc/hosts. */
static bool knows_localhost(void)
{
    struct addrinfo *found = NULL;
    const bool knows = getaddrinfo("localhost", NULL, NULL, &found) == 0;

    if (knows) {
        freeaddrinfo(found);
    }
    return knows;
}

static void names_and_numbers_are_taken(void **state)
{
    struct fixture *f = *state;

    if (knows_localhost()) {
        assert_int_equal(bind_at(f, "localhost:0"), GROVE_OK);
    }
    assert_int_equal(bind_at(f, "*:0"), GROVE_OK);
}

static void ipv6_is_taken(void **state)
{
    struct fixture *f = *state;
    const struct bus_bind_options options = {
        .address = "[::1]:0", .zap_domain = ZAP_DOMAIN_TASK, .zap = f->zap, .link = &f->server};
    struct bus_socket *socket = NULL;
    struct client client = {.f = f};
    char endpoint[64];

    if (access("/proc/net/if_inet6", R_OK) != 0) {
        skip();
    }
    assert_int_equal(bus_bind(f->bus, &options, receive, f, &socket), GROVE_OK);
    snprintf(endpoint, sizeof(endpoint), "tcp://[::1]:%u", (unsigned)bus_port(socket));
    assert_int_equal(bus_connect(f->bus, endpoint, &f->server.public_key, &f->client,
                                 client_receive, &client, &client.dealer),
                     GROVE_OK);
    assert_int_equal(bus_every(f->bus, 2, client_try, &client), GROVE_OK);
    run_until_received(f, 1);
    expect_text(&f->message[0], "ping");
}

/* ---- the loop */

static void end_of_turn(void *context)
{
    ((struct fixture *)context)->turns++;
}

/* How many turns the loop takes for 200 more messages. */
static unsigned turns_of_many(struct fixture *f, void *dealer)
{
    f->turns = 0;
    for (int i = 0; i < 200; i++) {
        send_parts(dealer, (const char *[]){"more"}, 1);
    }
    run_until_received(f, f->count + 200);
    assert_true(f->turns > 0);
    return f->turns;
}

/* What waits is drained in few turns, each with one end, not one for each message. The loop may be
 * so fast, or libzmq so slow, that nothing waits; then that is tried again. */
static void a_turn_drains_many_messages(void **state)
{
    struct fixture *f = *state;
    void *dealer = plain_socket(f, ZMQ_DEALER);
    unsigned tries = 0;

    bus_at_turn_end(f->bus, end_of_turn, f);
    zmq_connect(dealer, f->endpoint);
    send_parts(dealer, (const char *[]){"first"}, 1);
    run_until_received(f, 1);
    while (turns_of_many(f, dealer) > 100) {
        assert_true(++tries < 1000);
    }
    zmq_close(dealer);
}

static void handle(void *context)
{
    struct fixture *f = context;

    f->handled++;
    bus_stop(f->bus);
}

static void a_signal_raised_often_is_handled_once(void **state)
{
    struct fixture *f = *state;
    struct bus_signal *signal = bus_signal_create(f->bus, handle, f);

    for (int i = 0; i < 10; i++) {
        bus_signal_raise(signal);
    }
    bus_run(f->bus);
    assert_int_equal(f->handled, 1);
    bus_signal_raise(signal);
    bus_run(f->bus);
    assert_int_equal(f->handled, 2);
    bus_signal_destroy(signal);
}

struct raiser {
    struct bus_signal *signal;
    struct bus *bus;
    unsigned done; /* read on the loop after the last raise */
};

static void *raise_often(void *context)
{
    struct raiser *raiser = context;

    for (unsigned i = 1; i <= 20000; i++) {
        __atomic_store_n(&raiser->done, i, __ATOMIC_RELEASE);
        bus_signal_raise(raiser->signal);
    }
    return NULL;
}

static void look_for_the_last(void *context)
{
    struct raiser *raiser = context;

    if (__atomic_load_n(&raiser->done, __ATOMIC_ACQUIRE) == 20000) {
        bus_stop(raiser->bus);
    }
}

/* Were a wake-up ever lost, the last one would be missed some day and the loop would not end. */
static void no_raise_is_lost(void **state)
{
    struct fixture *f = *state;
    struct raiser raiser = {.bus = f->bus};
    pthread_t thread;

    raiser.signal = bus_signal_create(f->bus, look_for_the_last, &raiser);
    assert_int_equal(pthread_create(&thread, NULL, raise_often, &raiser), 0);
    bus_run(f->bus);
    pthread_join(thread, NULL);
    assert_int_equal(raiser.done, 20000);
}

static void a_descriptor_is_watched_until_unwatched(void **state)
{
    struct fixture *f = *state;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(bus_watch(f->bus, ends[0], handle, f), GROVE_OK);
    assert_int_equal(write(ends[1], "x", 1), 1);
    bus_run(f->bus);
    assert_in_range(f->handled, 1, 2);

    const unsigned before = f->handled;
    bus_unwatch(f->bus, ends[0]);
    bus_stop(f->bus);
    bus_run(f->bus);
    assert_int_equal(f->handled, before);
    close(ends[0]);
    close(ends[1]);
}

struct rivals {
    struct fixture *f;
    int fds[2];
};

static void unwatch_both(void *context)
{
    struct rivals *rivals = context;

    rivals->f->handled++;
    bus_unwatch(rivals->f->bus, rivals->fds[0]);
    bus_unwatch(rivals->f->bus, rivals->fds[1]);
    bus_stop(rivals->f->bus);
}

/* Both are ready in one turn; whoever comes first, the other is watched no more. */
static void a_handler_may_unwatch_what_is_ready(void **state)
{
    struct fixture *f = *state;
    struct rivals rivals = {.f = f};

    for (int i = 0; i < 2; i++) {
        int ends[2];

        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], "x", 1), 1);
        close(ends[1]);
        rivals.fds[i] = ends[0];
        assert_int_equal(bus_watch(f->bus, ends[0], unwatch_both, &rivals), GROVE_OK);
    }
    bus_run(f->bus);
    assert_int_equal(f->handled, 1);
    close(rivals.fds[0]);
    close(rivals.fds[1]);
}

static void a_timer_comes_again(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(bus_every(f->bus, 1, handle, f), GROVE_OK);
    for (unsigned i = 0; i < 3; i++) {
        const unsigned before = f->handled;
        bus_run(f->bus);
        assert_true(f->handled > before);
    }
}

/* Whether libzmq says that it has news for the socket. */
static bool has_news(const struct bus_socket *socket, int timeout_ms)
{
    struct pollfd news = {.fd = socket->fd, .events = POLLIN};

    return poll(&news, 1, timeout_ms) == 1;
}

/* Sending takes in the news that a message has come, and nothing tells of it again. */
static void what_comes_while_something_is_sent_is_not_left(void **state)
{
    struct fixture *f = *state;
    void *dealer = plain_socket(f, ZMQ_DEALER);

    zmq_connect(dealer, f->endpoint);
    send_parts(dealer, (const char *[]){"first"}, 1);
    run_until_received(f, 1);
    while (has_news(f->router, 0) || f->router->is_pending) {
        bus_stop(f->bus);
        bus_run(f->bus);
    }
    send_parts(dealer, (const char *[]){"second"}, 1);
    assert_true(has_news(f->router, PATIENCE_MS));
    while (has_news(f->router, 0)) {
        (void)!bus_send(f->router, &f->message[0].route, NULL, bytes_of_text("an answer"));
    }
    run_until_received(f, 2);
    expect_text(&f->message[1], "second");
    zmq_close(dealer);
}

static void close_own_socket(void *context, const struct bus_message *message)
{
    struct fixture *f = context;

    (void)message;
    bus_close(f->bus, f->router);
    bus_stop(f->bus);
}

static void a_socket_may_be_closed_while_it_is_read(void **state)
{
    struct fixture *f = *state;
    const struct bus_bind_options options = {
        .address = "127.0.0.1:0", .zap_domain = ZAP_DOMAIN_TASK, .zap = f->zap, .link = &f->server};
    void *dealer = plain_socket(f, ZMQ_DEALER);

    bus_close(f->bus, f->router);
    assert_int_equal(bus_bind(f->bus, &options, close_own_socket, f, &f->router), GROVE_OK);
    snprintf(f->endpoint, sizeof(f->endpoint), "tcp://127.0.0.1:%u", (unsigned)bus_port(f->router));
    zmq_connect(dealer, f->endpoint);
    for (int i = 0; i < 10; i++) {
        send_parts(dealer, (const char *[]){"bye"}, 1);
    }
    bus_run(f->bus);
    zmq_close(dealer);
}

int main(void)
{
#define BUS_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        BUS_TEST(a_message_carries_the_identity_that_zap_gave),
        BUS_TEST(every_envelope_is_repeated_in_the_reply),
        BUS_TEST(a_req_gets_its_reply),
        BUS_TEST(several_bodies_are_malformed_and_delivered_once),
        BUS_TEST(a_message_of_thousands_of_parts_leaves_the_next_one_whole),
        BUS_TEST(a_frame_over_the_limit_never_arrives),
        BUS_TEST(a_frame_may_be_released_by_another_thread),
        BUS_TEST(a_dealer_of_ours_gets_its_answer),
        BUS_TEST(a_dealer_knows_how_its_connection_stands),
        BUS_TEST(a_dealer_is_not_left_undecided),
        BUS_TEST(a_route_that_is_gone_is_not_found),
        BUS_TEST(a_peer_that_does_not_read_makes_its_pipe_busy),
        BUS_TEST(a_busy_port_is_in_use),
        BUS_TEST(addresses_of_other_kinds_are_refused),
        BUS_TEST(names_and_numbers_are_taken),
        BUS_TEST(ipv6_is_taken),
        BUS_TEST(a_turn_drains_many_messages),
        BUS_TEST(what_comes_while_something_is_sent_is_not_left),
        BUS_TEST(a_handler_may_unwatch_what_is_ready),
        BUS_TEST(a_signal_raised_often_is_handled_once),
        BUS_TEST(no_raise_is_lost),
        BUS_TEST(a_descriptor_is_watched_until_unwatched),
        BUS_TEST(a_timer_comes_again),
        BUS_TEST(a_socket_may_be_closed_while_it_is_read),
    };
    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MPL-2.0
 * What libzmq tells of a connection: however much that is, and whether anybody takes it or not,
 * libzmq's own thread never waits, for it serves all other sockets, too. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nodes/host/bus_context.h"
#include "nodes/host/bus_handshake.h"

#define CONNECTIONS 1500 /* two events each, or more; libzmq keeps 2,000 if it is told nothing */
#define PATIENCE_MS 120000

struct fixture {
    struct bus *bus;
    void *context, *dealer;
    struct handshake handshake;
    int listener;
};

static int set_up(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    struct fixture *f = calloc(1, sizeof(*f));
    socklen_t size = sizeof(address);
    const int soon_ms = 1, none = 0;
    char endpoint[64];

    assert_non_null(f);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(f->listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(f->listener, 16), 0);
    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", ntohs(address.sin_port));

    f->bus = bus_create(0);
    f->context = bus_context_retain();
    f->dealer = zmq_socket(f->context, ZMQ_DEALER);
    assert_int_equal(zmq_setsockopt(f->dealer, ZMQ_RECONNECT_IVL, &soon_ms, sizeof(soon_ms)), 0);
    assert_int_equal(zmq_setsockopt(f->dealer, ZMQ_LINGER, &none, sizeof(none)), 0);
    assert_int_equal(handshake_watch(&f->handshake, f->bus, f->context, f->dealer), GROVE_OK);
    assert_int_equal(zmq_connect(f->dealer, endpoint), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    close(f->listener);
    handshake_end(&f->handshake, f->bus, f->dealer);
    zmq_close(f->dealer);
    bus_destroy(f->bus);
    bus_context_release();
    free(f);
    return 0;
}

/* Takes a connection, and ends it. */
static void turn_away(const struct fixture *f)
{
    struct pollfd ready = {.fd = f->listener, .events = POLLIN};

    if (poll(&ready, 1, PATIENCE_MS) != 1) {
        fprintf(stderr, "nobody connects any more\n");
        abort(); /* to close the socket would wait, too */
    }
    const int fd = accept(f->listener, NULL, NULL);

    assert_true(fd >= 0);
    close(fd);
}

static void what_nobody_takes_stops_nobody(void **state)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        turn_away(*state);
    }
}

static void give_up(void *context)
{
    (void)context;
    fprintf(stderr, "nobody takes it\n");
    abort();
}

static void stop(void *bus)
{
    bus_stop(bus);
}

/* ... and the loop does take it, though nobody asks how the connection stands. */
static void the_loop_takes_it(void **state)
{
    struct fixture *f = *state;

    turn_away(f);
    assert_int_equal(f->handshake.state, BUS_UNANSWERED);
    bus_at_turn_end(f->bus, stop, f->bus);
    assert_int_equal(bus_every(f->bus, PATIENCE_MS, give_up, NULL), GROVE_OK);
    while (f->handshake.state == BUS_UNANSWERED) {
        bus_run(f->bus);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_nobody_takes_stops_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_loop_takes_it, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

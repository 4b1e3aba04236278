/* SPDX-License-Identifier: MPL-2.0
 * The yardstick of W4: plain sockets again, zmq_proxy between one client that keeps so many tasks
 * in flight and as many threads that take so long for each. Nothing is signed, encrypted or kept.
 */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zmq.h>

#include "nodes/host/clock.h"
#include "tests/bench/floor.h"

enum { WORKERS_MOST = 64 };

struct window {
    void *context;
    void *clients, *workers, *control;
    unsigned item_us;
    char endpoint[64];
};

static void *run_proxy(void *argument)
{
    struct window *window = argument;

    zmq_proxy_steerable(window->clients, window->workers, NULL, window->control);
    return NULL;
}

static void nap_us(unsigned us)
{
    const struct timespec time = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L};

    nanosleep(&time, NULL);
}

/* A frame of one byte ends it. */
static void *run_worker(void *argument)
{
    struct window *window = argument;
    void *socket = zmq_socket(window->context, ZMQ_REP);
    char payload[64];

    assert(zmq_connect(socket, "inproc://workers") == 0);
    for (int size = 0; (size = zmq_recv(socket, payload, sizeof(payload), 0)) > 1;) {
        nap_us(window->item_us);
        zmq_send(socket, payload, (size_t)size, 0);
    }
    zmq_send(socket, "", 0, 0);
    zmq_close(socket);
    return NULL;
}

static void send_one(void *socket, const char *payload, size_t size)
{
    zmq_send(socket, "", 0, ZMQ_SNDMORE);
    zmq_send(socket, payload, size, 0);
}

static void receive_one(void *socket)
{
    char payload[64];

    zmq_recv(socket, payload, 0, 0); /* the delimiter */
    zmq_recv(socket, payload, sizeof(payload), 0);
}

static double run(void *socket, unsigned tasks, unsigned limit)
{
    static const char payload[64] = "sixty-four bytes of payload";
    const uint64_t start = clock_monotonic_ns();

    for (unsigned i = 0; i < tasks + limit; i++) {
        if (i >= limit) {
            receive_one(socket);
        }
        if (i < tasks) {
            send_one(socket, payload, sizeof(payload));
        }
    }
    return (double)(clock_monotonic_ns() - start) / 1e9;
}

static void open_window(struct window *window)
{
    size_t size = sizeof(window->endpoint);

    window->context = zmq_ctx_new();
    window->clients = zmq_socket(window->context, ZMQ_ROUTER);
    window->workers = zmq_socket(window->context, ZMQ_DEALER);
    window->control = zmq_socket(window->context, ZMQ_PAIR);
    assert(zmq_bind(window->clients, "tcp://127.0.0.1:*") == 0);
    assert(zmq_getsockopt(window->clients, ZMQ_LAST_ENDPOINT, window->endpoint, &size) == 0);
    assert(zmq_bind(window->workers, "inproc://workers") == 0);
    assert(zmq_bind(window->control, "inproc://control") == 0);
}

double raw_window_seconds(unsigned tasks, unsigned limit, unsigned item_us)
{
    struct window window = {.item_us = item_us};
    pthread_t proxy, workers[WORKERS_MOST];

    assert(limit <= WORKERS_MOST);
    open_window(&window);
    assert(pthread_create(&proxy, NULL, run_proxy, &window) == 0);
    for (unsigned i = 0; i < limit; i++) {
        assert(pthread_create(&workers[i], NULL, run_worker, &window) == 0);
    }
    void *socket = zmq_socket(window.context, ZMQ_DEALER);
    void *control = zmq_socket(window.context, ZMQ_PAIR);
    assert(zmq_connect(socket, window.endpoint) == 0);
    assert(zmq_connect(control, "inproc://control") == 0);
    (void)run(socket, limit, limit); /* every worker is there */
    const double seconds = run(socket, tasks, limit);

    for (unsigned i = 0; i < limit; i++) {
        send_one(socket, "!", 1);
    }
    for (unsigned i = 0; i < limit; i++) {
        receive_one(socket);
        pthread_join(workers[i], NULL);
    }
    zmq_send(control, "TERMINATE", strlen("TERMINATE"), 0);
    pthread_join(proxy, NULL);
    zmq_close(socket);
    zmq_close(control);
    zmq_close(window.clients);
    zmq_close(window.workers);
    zmq_close(window.control);
    zmq_ctx_term(window.context);
    return seconds;
}

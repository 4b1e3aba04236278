/* SPDX-License-Identifier: MPL-2.0
 * The yardstick of W2 and W4: a broker that forwards single plaintext frames between two ROUTERs
 * and keeps nothing; submitter, broker and worker on a thread each. */
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "nodes/host/clock.h"
#include "tests/bench/floor.h"

struct broker {
    void *context;
    void *clients, *workers; /* ROUTER */
    char client_endpoint[64], worker_endpoint[64];
    unsigned tasks;
};

static void bind_router(struct broker *broker, void **socket, char *endpoint)
{
    size_t size = 64;
    const int unlimited = 0;

    *socket = zmq_socket(broker->context, ZMQ_ROUTER);
    zmq_setsockopt(*socket, ZMQ_SNDHWM, &unlimited, sizeof(unlimited));
    zmq_setsockopt(*socket, ZMQ_RCVHWM, &unlimited, sizeof(unlimited));
    assert(zmq_bind(*socket, "tcp://127.0.0.1:*") == 0);
    zmq_getsockopt(*socket, ZMQ_LAST_ENDPOINT, endpoint, &size);
}

static void *dealer(struct broker *broker, const char *endpoint)
{
    void *socket = zmq_socket(broker->context, ZMQ_DEALER);
    const int unlimited = 0;

    zmq_setsockopt(socket, ZMQ_SNDHWM, &unlimited, sizeof(unlimited));
    zmq_setsockopt(socket, ZMQ_RCVHWM, &unlimited, sizeof(unlimited));
    assert(zmq_connect(socket, endpoint) == 0);
    return socket;
}

/* Forwards one message of `from` to the peer that `to` knows as `route`; keeps from's route in
 * `seen`. */
static bool forward(void *from, void *to, zmq_msg_t *route, zmq_msg_t *seen)
{
    zmq_msg_t peer, body;

    zmq_msg_init(&peer);
    zmq_msg_init(&body);
    if (zmq_msg_recv(&peer, from, ZMQ_DONTWAIT) < 0) {
        return false;
    }
    zmq_msg_recv(&body, from, 0);
    zmq_msg_move(seen, &peer);
    if (zmq_msg_size(route) > 0 && zmq_msg_size(&body) > 1) {
        zmq_msg_t copy;

        zmq_msg_init(&copy);
        zmq_msg_copy(&copy, route);
        zmq_msg_send(&copy, to, ZMQ_SNDMORE);
        zmq_msg_send(&body, to, 0);
        return true;
    }
    zmq_msg_close(&body);
    return true;
}

static void *run_broker(void *argument)
{
    struct broker *broker = argument;
    zmq_msg_t client, worker;
    unsigned answered = 0;

    zmq_msg_init(&client);
    zmq_msg_init(&worker);
    while (zmq_msg_size(&worker) == 0) { /* the worker says hello first */
        forward(broker->workers, broker->clients, &client, &worker);
    }
    while (answered < broker->tasks) {
        zmq_pollitem_t items[] = {{broker->clients, 0, ZMQ_POLLIN, 0},
                                  {broker->workers, 0, ZMQ_POLLIN, 0}};

        zmq_poll(items, 2, -1);
        for (unsigned i = 0; i < 256 && forward(broker->clients, broker->workers, &worker, &client);
             i++) {
        }
        for (unsigned i = 0; i < 256 && forward(broker->workers, broker->clients, &client, &worker);
             i++) {
            answered++;
        }
    }
    zmq_msg_close(&client);
    zmq_msg_close(&worker);
    return NULL;
}

static void *run_worker(void *argument)
{
    struct broker *broker = argument;
    void *socket = dealer(broker, broker->worker_endpoint);

    zmq_send(socket, "!", 1, 0);
    for (unsigned i = 0; i < broker->tasks; i++) {
        zmq_msg_t body;

        zmq_msg_init(&body);
        zmq_msg_recv(&body, socket, 0);
        zmq_msg_send(&body, socket, 0);
    }
    zmq_close(socket);
    return NULL;
}

double raw_broker_rate(unsigned in_flight, unsigned payload_size, unsigned tasks)
{
    struct broker broker = {.context = zmq_ctx_new(), .tasks = tasks};
    pthread_t threads[2];
    char *payload = calloc(1, payload_size);

    assert(payload != NULL);
    bind_router(&broker, &broker.clients, broker.client_endpoint);
    bind_router(&broker, &broker.workers, broker.worker_endpoint);
    assert(pthread_create(&threads[0], NULL, run_broker, &broker) == 0);
    assert(pthread_create(&threads[1], NULL, run_worker, &broker) == 0);
    void *socket = dealer(&broker, broker.client_endpoint);
    const uint64_t start = clock_monotonic_ns();

    for (unsigned i = 0; i < tasks + in_flight; i++) {
        if (i < tasks) {
            zmq_send(socket, payload, payload_size, 0);
        }
        if (i >= in_flight) {
            zmq_recv(socket, payload, payload_size, 0);
        }
    }
    const double seconds = (double)(clock_monotonic_ns() - start) / 1e9;

    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    zmq_close(socket);
    zmq_close(broker.clients);
    zmq_close(broker.workers);
    zmq_ctx_term(broker.context);
    free(payload);
    return tasks / seconds;
}

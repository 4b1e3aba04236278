/* SPDX-License-Identifier: MPL-2.0
 * The one ZeroMQ context of the process. */
#include "nodes/host/bus_context.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *shared;
static unsigned users;

void *bus_context_retain(void)
{
    pthread_mutex_lock(&lock);
    if (users++ == 0) {
        shared = zmq_ctx_new();
        if (shared == NULL || zmq_ctx_set(shared, ZMQ_IO_THREADS, BUS_THREAD_COUNT) != 0) {
            abort();
        }
    }
    void *const context = shared;
    pthread_mutex_unlock(&lock);
    return context;
}

void bus_context_release(void)
{
    pthread_mutex_lock(&lock);
    assert(users > 0);
    if (--users == 0) {
        while (zmq_ctx_term(shared) != 0 && zmq_errno() == EINTR) {
        }
        shared = NULL;
    }
    pthread_mutex_unlock(&lock);
}

bool bus_context_has_curve(void)
{
    int major, minor, patch;

    zmq_version(&major, &minor, &patch);
    return ZMQ_MAKE_VERSION(major, minor, patch) >= ZMQ_MAKE_VERSION(4, 3, 4) &&
           zmq_has("curve") == 1;
}

void bus_context_version(char text[BUS_VERSION_SIZE])
{
    int major, minor, patch;

    zmq_version(&major, &minor, &patch);
    snprintf(text, BUS_VERSION_SIZE, "%d.%d.%d", major, minor, patch);
}

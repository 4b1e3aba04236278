/* SPDX-License-Identifier: MPL-2.0
 * The thread that answers ZeroMQ's authentication requests. A new roster is left in a mailbox; the
 * thread takes it before its next decision and frees the one before, so that nobody ever waits. */
#include "nodes/host/zap.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "nodes/host/bus_context.h"
#include "nodes/host/clock.h"
#include "nodes/host/log.h"
#include "nodes/host/zap_probe.h"
#include "nodes/host/zap_rate.h"
#include "nodes/host/zap_roster.h"

#define PLACE "inproc://zeromq.zap.01" /* RFC 27: there is one in a context */
#define PART_COUNT 7                   /* of a CURVE request */
#define PART_SIZE 256

struct zap {
    void *replies; /* REP at inproc://zeromq.zap.01; the thread's */
    int stop_fd;
    pthread_t thread;
    struct zap_roster *roster; /* the thread's */
    struct zap_rate rate;      /* the thread's */
    struct zap_roster *_Atomic mailbox;
    atomic_uint_fast64_t counters[ZAP_DECISION_COUNT];
    atomic_bool probing;
    pthread_mutex_t publishing; /* guards what follows */
    struct zap_entry *entries;
    size_t count;
};

static const struct {
    const char *code; /* 300: libzmq says nothing to the client; 400: it tells it so */
    const char *name;
} answers[ZAP_DECISION_COUNT] = {
    [ZAP_ACCEPTED] = {"200", "accepted"},
    [ZAP_UNKNOWN_KEY] = {"300", "unknown-key"},
    [ZAP_WRONG_MECHANISM] = {"400", "wrong-mechanism"},
    [ZAP_WRONG_DOMAIN] = {"400", "wrong-domain"},
    [ZAP_WRONG_ROLE] = {"400", "wrong-role"},
    [ZAP_REVOKED] = {"400", "revoked"},
    [ZAP_OVER_RATE] = {"300", "over-rate"},
};

/* The parts of RFC 27: version, request id, domain, address, routing id, mechanism, credential. */
struct request {
    size_t count; /* may exceed PART_COUNT; those parts are not kept */
    size_t size[PART_COUNT];
    uint8_t part[PART_COUNT][PART_SIZE];
};

enum { VERSION, REQUEST_ID, DOMAIN, ADDRESS, ROUTING_ID, MECHANISM, CREDENTIAL };

static struct bytes part(const struct request *request, size_t i)
{
    return bytes_of(request->part[i], i < request->count ? request->size[i] : 0);
}

/* libzmq makes the requests; one that is not as the RFC has it stops the process, like any bug. */
static bool receive_request(void *replies, struct request *request)
{
    int more = 1;

    for (request->count = 0; more; request->count++) {
        const size_t i = request->count < PART_COUNT ? request->count : PART_COUNT - 1;
        size_t size = sizeof(more);
        const int got = zmq_recv(replies, request->part[i], PART_SIZE, ZMQ_DONTWAIT);
        if (got < 0 || zmq_getsockopt(replies, ZMQ_RCVMORE, &more, &size) != 0) {
            return false;
        }
        request->size[i] = got < PART_SIZE ? (size_t)got : PART_SIZE;
    }
    return request->count > MECHANISM && bytes_equal(part(request, VERSION), bytes_of_text("1.0"));
}

static void note(struct zap *zap, const struct request *request, const char *address,
                 enum zap_decision decision)
{
    char key[2 * PART_SIZE + 1];

    if (atomic_load(&zap->probing)) {
        return;
    }
    atomic_fetch_add(&zap->counters[decision], 1);
    if (decision != ZAP_ACCEPTED && decision != ZAP_OVER_RATE) {
        const struct bytes credential = part(request, CREDENTIAL);
        sodium_bin2hex(key, sizeof(key), credential.data, credential.size);
        log_event(LOG_INFO, "connection refused", "reason=%s address=%s link_key=%s",
                  answers[decision].name, address, key);
    }
}

static enum zap_decision decide(struct zap *zap, const struct request *request,
                                struct key *identity)
{
    const struct zap_claim claim = {
        .domain = part(request, DOMAIN),
        .mechanism = part(request, MECHANISM),
        .credential = request->count == PART_COUNT ? part(request, CREDENTIAL) : (struct bytes){0},
    };
    char address[64];
    struct zap_roster *const next = atomic_exchange(&zap->mailbox, NULL);

    if (next != NULL) {
        zap_roster_destroy(zap->roster);
        zap->roster = next;
    }
    snprintf(address, sizeof(address), "%.*s", (int)request->size[ADDRESS],
             (const char *)request->part[ADDRESS]);
    enum zap_decision decision = zap_decide(zap->roster, &claim, clock_unix_ms(), identity);
    if (decision == ZAP_UNKNOWN_KEY && !zap_rate_take(&zap->rate, address, clock_monotonic_ms())) {
        decision = ZAP_OVER_RATE;
    }
    note(zap, request, address, decision);
    return decision;
}

/* Version, request id, status code and text, User-Id (as text: it is read as a C string), metadata.
 */
static bool send_answer(void *replies, const struct request *request, enum zap_decision decision,
                        const struct key *identity)
{
    char user[2 * sizeof(identity->byte) + 1] = "";

    if (decision == ZAP_ACCEPTED) {
        sodium_bin2hex(user, sizeof(user), identity->byte, sizeof(identity->byte));
    }
    const struct bytes parts[] = {
        bytes_of_text("1.0"),
        part(request, REQUEST_ID),
        bytes_of_text(answers[decision].code),
        bytes_of_text(answers[decision].name),
        bytes_of_text(user),
        bytes_of_text(""),
    };
    const size_t count = sizeof(parts) / sizeof(parts[0]);
    for (size_t i = 0; i < count; i++) {
        if (zmq_send(replies, parts[i].data, parts[i].size, i + 1 < count ? ZMQ_SNDMORE : 0) < 0) {
            return false;
        }
    }
    return true;
}

static bool serve_one(struct zap *zap)
{
    struct request request;
    struct key identity = {{0}};

    if (!receive_request(zap->replies, &request)) {
        return false;
    }
    const enum zap_decision decision = decide(zap, &request, &identity);
    return send_answer(zap->replies, &request, decision, &identity);
}

/* Ends only by zap_stop: without this thread no handshake is decided. */
static void *run(void *context)
{
    struct zap *zap = context;

    for (;;) {
        zmq_pollitem_t items[] = {{.socket = zap->replies, .events = ZMQ_POLLIN},
                                  {.fd = zap->stop_fd, .events = ZMQ_POLLIN}};
        if (zmq_poll(items, 2, -1) < 0 && zmq_errno() == EINTR) {
            continue;
        }
        if (items[1].revents != 0) {
            return NULL;
        }
        if (!serve_one(zap)) {
            log_event(LOG_ERROR, "zap ended", "error=\"%s\"", zmq_strerror(zmq_errno()));
            abort();
        }
    }
}

/* Signals are for the threads that have handlers to run. */
static void start_thread(struct zap *zap)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&zap->thread, NULL, run, zap) != 0) {
        abort();
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

enum grove_status zap_start(struct zap **zap)
{
    struct zap *made = calloc(1, sizeof(*made));
    void *const context = bus_context_retain();

    if (made == NULL || pthread_mutex_init(&made->publishing, NULL) != 0) {
        abort();
    }
    made->stop_fd = eventfd(0, EFD_CLOEXEC);
    made->replies = zmq_socket(context, ZMQ_REP);
    if (made->stop_fd < 0 || made->replies == NULL) {
        abort();
    }
    if (zmq_bind(made->replies, PLACE) != 0) {
        zmq_close(made->replies);
        close(made->stop_fd);
        pthread_mutex_destroy(&made->publishing);
        free(made);
        bus_context_release();
        return GROVE_IN_USE;
    }
    start_thread(made);
    *zap = made;
    return GROVE_OK;
}

void zap_stop(struct zap *zap)
{
    const uint64_t one = 1;

    if (zap == NULL) {
        return;
    }
    const ssize_t written = write(zap->stop_fd, &one, sizeof(one));
    assert(written == sizeof(one));
    pthread_join(zap->thread, NULL);
    zmq_unbind(zap->replies, PLACE); /* closing alone frees it some time later */
    zmq_close(zap->replies);
    close(zap->stop_fd);
    pthread_mutex_destroy(&zap->publishing);
    zap_roster_destroy(zap->roster);
    zap_roster_destroy(atomic_load(&zap->mailbox));
    free(zap->entries);
    free(zap);
    bus_context_release();
}

/* With `publishing` held. A roster that the thread has not taken yet is ours to free. */
static void post(struct zap *zap, const struct zap_entry *extra)
{
    struct zap_roster *roster = zap_roster_create(zap->entries, zap->count, extra);

    zap_roster_destroy(atomic_exchange(&zap->mailbox, roster));
}

void zap_publish(struct zap *zap, const struct zap_entry *entries, size_t count)
{
    struct zap_entry *copy = calloc(count + 1, sizeof(*copy));

    if (copy == NULL) {
        abort();
    }
    if (count > 0) {
        memcpy(copy, entries, count * sizeof(*copy));
    }
    pthread_mutex_lock(&zap->publishing);
    free(zap->entries);
    zap->entries = copy;
    zap->count = count;
    post(zap, NULL);
    pthread_mutex_unlock(&zap->publishing);
}

void zap_read_counters(const struct zap *zap, struct zap_counters *counters)
{
    *counters = (struct zap_counters){
        .accepted = atomic_load(&zap->counters[ZAP_ACCEPTED]),
        .unknown_key = atomic_load(&zap->counters[ZAP_UNKNOWN_KEY]),
        .wrong_mechanism = atomic_load(&zap->counters[ZAP_WRONG_MECHANISM]),
        .wrong_domain = atomic_load(&zap->counters[ZAP_WRONG_DOMAIN]),
        .wrong_role = atomic_load(&zap->counters[ZAP_WRONG_ROLE]),
        .revoked = atomic_load(&zap->counters[ZAP_REVOKED]),
        .over_rate = atomic_load(&zap->counters[ZAP_OVER_RATE]),
    };
}

/* While it lasts nothing else is published, and the known key is in the roster like any other. */
enum grove_status zap_self_test(struct zap *zap, void *router, const struct key *server,
                                const char *domain)
{
    struct zap_probe probe;

    zap_probe_init(&probe, domain);
    pthread_mutex_lock(&zap->publishing);
    atomic_store(&zap->probing, true);
    post(zap, &probe.known);
    const enum grove_status status = zap_probe_run(&probe, router, server, domain);
    post(zap, NULL);
    atomic_store(&zap->probing, false);
    pthread_mutex_unlock(&zap->publishing);
    zap_probe_clear(&probe);
    return status;
}

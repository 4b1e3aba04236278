/* SPDX-License-Identifier: MPL-2.0
 * The parts of the floor, each timed alone. */
#include "tests/bench/floor.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>
#include <zmq.h>

#include "core/id.h"
#include "nodes/host/clock.h"

enum { SYNCS = 400, SIGNATURES = 400, ROUND_TRIPS = 3000, BULK_FRAMES = 1500, BULK_SIZE = 32768 };

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *samples, size_t count)
{
    qsort(samples, count, sizeof(*samples), compare);
    return samples[count / 2];
}

static double elapsed_us(uint64_t since_ns)
{
    return (double)(clock_monotonic_ns() - since_ns) / 1e3;
}

/* Median microseconds of writing and syncing `size` bytes in a preallocated file. */
static double time_sync(const char *directory, size_t size, unsigned count)
{
    char path[4096];
    double samples[SYNCS];
    uint8_t *block = calloc(1, size);

    assert(block != NULL && count <= SYNCS);
    snprintf(path, sizeof(path), "%s/floor.XXXXXX", directory);
    const int fd = mkstemp(path);

    assert(fd >= 0 && posix_fallocate(fd, 0, (off_t)(size * count)) == 0 && fsync(fd) == 0);
    for (unsigned i = 0; i < count; i++) {
        const uint64_t start = clock_monotonic_ns();

        memset(block, (int)i, size);
        assert(pwrite(fd, block, size, (off_t)(i * size)) == (ssize_t)size && fdatasync(fd) == 0);
        samples[i] = elapsed_us(start);
    }
    close(fd);
    unlink(path);
    free(block);
    return median(samples, count);
}

static void time_signatures(struct floor_parts *parts)
{
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
    uint8_t signature[crypto_sign_BYTES], message[112], item[200];

    crypto_sign_keypair(public_key, secret);
    randombytes_buf(message, sizeof(message));
    randombytes_buf(item, sizeof(item));
    uint64_t start = clock_monotonic_ns();

    for (unsigned i = 0; i < SIGNATURES; i++) {
        message[0] = (uint8_t)i;
        crypto_sign_detached(signature, NULL, message, sizeof(message), secret);
    }
    parts->sign_us = elapsed_us(start) / SIGNATURES;
    start = clock_monotonic_ns();
    for (unsigned i = 0; i < SIGNATURES; i++) {
        assert(crypto_sign_verify_detached(signature, message, sizeof(message), public_key) == 0);
    }
    parts->verify_us = elapsed_us(start) / SIGNATURES;
    start = clock_monotonic_ns();
    for (unsigned i = 0; i < SIGNATURES * 100; i++) {
        item[0] = digest_of(bytes_of(item, sizeof(item))).byte[0];
    }
    parts->hash_us = elapsed_us(start) / (SIGNATURES * 100);
}

struct curve_pair {
    void *context, *server, *client;
    pthread_t thread;
    size_t reply_size;
};

/* Answers each frame with one of reply_size bytes, until an empty frame comes. */
static void *echo(void *argument)
{
    struct curve_pair *pair = argument;

    for (;;) {
        zmq_msg_t route, body, reply;

        zmq_msg_init(&route);
        zmq_msg_init(&body);
        if (zmq_msg_recv(&route, pair->server, 0) < 0 || zmq_msg_recv(&body, pair->server, 0) < 0) {
            return NULL;
        }
        const bool is_last = zmq_msg_size(&body) == 0;

        zmq_msg_init_size(&reply, pair->reply_size);
        memset(zmq_msg_data(&reply), 0, pair->reply_size);
        zmq_msg_send(&route, pair->server, ZMQ_SNDMORE);
        zmq_msg_send(&reply, pair->server, 0);
        zmq_msg_close(&body);
        if (is_last) {
            return NULL;
        }
    }
}

static void curve_open(struct curve_pair *pair, size_t reply_size)
{
    const int one = 1;
    char public_key[41], secret[41], endpoint[64];
    size_t size = sizeof(endpoint);

    pair->context = zmq_ctx_new();
    pair->server = zmq_socket(pair->context, ZMQ_ROUTER);
    pair->client = zmq_socket(pair->context, ZMQ_DEALER);
    pair->reply_size = reply_size;
    zmq_curve_keypair(public_key, secret);
    zmq_setsockopt(pair->server, ZMQ_CURVE_SERVER, &one, sizeof(one));
    zmq_setsockopt(pair->server, ZMQ_CURVE_SECRETKEY, secret, sizeof(secret));
    assert(zmq_bind(pair->server, "tcp://127.0.0.1:*") == 0);
    zmq_getsockopt(pair->server, ZMQ_LAST_ENDPOINT, endpoint, &size);
    zmq_setsockopt(pair->client, ZMQ_CURVE_SERVERKEY, public_key, sizeof(public_key));
    zmq_curve_keypair(public_key, secret);
    zmq_setsockopt(pair->client, ZMQ_CURVE_PUBLICKEY, public_key, sizeof(public_key));
    zmq_setsockopt(pair->client, ZMQ_CURVE_SECRETKEY, secret, sizeof(secret));
    assert(zmq_connect(pair->client, endpoint) == 0);
    assert(pthread_create(&pair->thread, NULL, echo, pair) == 0);
}

static void curve_close(struct curve_pair *pair)
{
    char answer[BULK_SIZE];

    zmq_send(pair->client, "", 0, 0);
    zmq_recv(pair->client, answer, sizeof(answer), 0);
    pthread_join(pair->thread, NULL);
    zmq_close(pair->client);
    zmq_close(pair->server);
    zmq_ctx_term(pair->context);
}

static double time_round_trips(void)
{
    struct curve_pair pair;
    double *samples = calloc(ROUND_TRIPS, sizeof(*samples));
    char frame[256] = {0};

    assert(samples != NULL);
    curve_open(&pair, sizeof(frame));
    for (unsigned i = 0; i < ROUND_TRIPS; i++) {
        const uint64_t start = clock_monotonic_ns();

        zmq_send(pair.client, frame, sizeof(frame), 0);
        zmq_recv(pair.client, frame, sizeof(frame), 0);
        samples[i] = elapsed_us(start);
    }
    curve_close(&pair);
    const double middle = median(samples, ROUND_TRIPS);

    free(samples);
    return middle;
}

/* Both sides of a stream work at the same time on two cores: the slower one's time a byte. */
static double time_curve_byte(void)
{
    struct curve_pair pair;
    static char frame[BULK_SIZE];
    const unsigned ahead = 32;

    curve_open(&pair, 8);
    zmq_send(pair.client, frame, 8, 0);
    zmq_recv(pair.client, frame, sizeof(frame), 0);
    const uint64_t start = clock_monotonic_ns();

    for (unsigned i = 0; i < BULK_FRAMES + ahead; i++) {
        if (i < BULK_FRAMES) {
            zmq_send(pair.client, frame, sizeof(frame), 0);
        }
        if (i >= ahead) {
            zmq_recv(pair.client, frame, 8, 0);
        }
    }
    const double ns = elapsed_us(start) * 1e3 / ((double)BULK_FRAMES * BULK_SIZE);

    curve_close(&pair);
    return ns;
}

void floor_measure(const char *directory, struct floor_parts *parts)
{
    memset(parts, 0, sizeof(*parts));
    parts->sync_us = time_sync(directory, 4096, SYNCS);
    parts->journal_byte_ns = time_sync(directory, 262144, 100) * 1e3 / 262144;
    time_signatures(parts);
    parts->curve_round_trip_us = time_round_trips();
    parts->curve_byte_ns = time_curve_byte();
    parts->raw_broker_rate = raw_broker_rate(1000, 64, 300000);
}

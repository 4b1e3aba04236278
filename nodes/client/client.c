/* SPDX-License-Identifier: MPL-2.0
 * A client: other threads put calls in its inbox, and its I/O thread does everything else. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "nodes/client/client_state.h"
#include "nodes/host/clock.h"

#define CONNECT_TIMEOUT_MS 5000u

const struct key *client_signer(const struct grove_client *client)
{
    return &client->credential.signer->public_key;
}

const struct credential *client_credential(const struct grove_client *client)
{
    return &client->credential;
}

uint64_t client_ledger_ms(const struct grove_client *client)
{
    return session_ledger_ms(&client->session);
}

uint32_t client_spin_us(const struct grove_client *client)
{
    return client->spin_us;
}

void client_enter(struct grove_client *client)
{
    pthread_mutex_lock(&client->lock);
    client->callers++;
    pthread_mutex_unlock(&client->lock);
}

void client_leave(struct grove_client *client)
{
    pthread_mutex_lock(&client->lock);
    client->callers--;
    if (client->callers == 0 && client->is_closing) {
        pthread_cond_signal(&client->gone);
    }
    pthread_mutex_unlock(&client->lock);
}

void client_post(struct grove_client *client, struct call *call)
{
    bool is_closing;

    pthread_mutex_lock(&client->lock);
    is_closing = client->is_closing;
    if (!is_closing) {
        STAILQ_INSERT_TAIL(&client->inbox, call, queued);
    }
    pthread_mutex_unlock(&client->lock);
    if (!is_closing) {
        bus_signal_raise(client->signal);
        return;
    }

    struct failing failing = failing_of_status(GROVE_CLOSED, "the client is closing");
    struct call_queue finished = STAILQ_HEAD_INITIALIZER(finished);

    call->status = call->count == 0 ? GROVE_CLOSED : GROVE_OK;
    for (size_t i = 0; i < call->count; i++) {
        request_refused(&call->requests[i], &failing, &finished);
    }
    sem_post(&call->done);
}

void client_kick(struct grove_client *client, struct joining *joining)
{
    pthread_mutex_lock(&client->lock);
    if (!client->is_closing && !joining->is_queued) {
        joining->is_queued = true;
        joining_hold(joining);
        STAILQ_INSERT_TAIL(&client->joinings, joining, queued);
        bus_signal_raise(client->signal);
    }
    pthread_mutex_unlock(&client->lock);
}

/* Raising the signal makes a turn, and the end of the turn does the work. */
static void awake(void *context)
{
    (void)context;
}

static void *serve(void *context)
{
    struct grove_client *client = context;
    struct buffer goodbye = {0};

    bus_run(client->bus);
    wire_empty_encode(&goodbye, 0, MESSAGE_GOODBYE);
    (void)!session_send(&client->session, buffer_bytes(&goodbye));
    buffer_clear(&goodbye);
    return NULL;
}

/* ---- opening and closing */

static enum grove_status open_session(struct grove_client *client)
{
    struct session_events events = {
        .context = client, .welcomed = client_welcomed, .received = client_receive};
    enum grove_status status;

    client->bus = bus_create(client->spin_us);
    client->signal = bus_signal_create(client->bus, awake, client);
    status = session_open(&client->session, client->bus, &client->credential, &events);
    if (status != GROVE_OK) {
        return status;
    }
    outcomes_init(&client->outcomes, &client->session);
    client->open_until_ms = clock_monotonic_ms() + client->connect_timeout_ms;
    bus_at_turn_end(client->bus, client_end_turn, client);
    return bus_every(client->bus, SESSION_TICK_MS, client_tick, client);
}

/* Signals are for the program's own threads. */
static enum grove_status start_thread(struct grove_client *client)
{
    sigset_t all;
    sigset_t before;
    int failed;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    failed = pthread_create(&client->thread, NULL, serve, client);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed) {
        pthread_setname_np(client->thread, "grove-client");
    }
    return failed ? GROVE_IO : GROVE_OK;
}

static struct grove_client *client_create(const struct grove_client_options *given)
{
    struct grove_client_options options = GROVE_CLIENT_OPTIONS_INIT;
    struct grove_client *client = calloc(1, sizeof(*client));

    if (!client) {
        abort();
    }
    if (given) {
        memcpy(&options, given, given->size < sizeof(options) ? given->size : sizeof(options));
    }
    client->spin_us = options.spin_us;
    client->connect_timeout_ms =
        options.connect_timeout_ms ? options.connect_timeout_ms : CONNECT_TIMEOUT_MS;
    client->is_opening = true;
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->gone, NULL);
    sem_init(&client->opened, 0, 0);
    STAILQ_INIT(&client->inbox);
    STAILQ_INIT(&client->joinings);
    STAILQ_INIT(&client->submit);
    STAILQ_INIT(&client->run);
    TAILQ_INIT(&client->working);
    parcels_init(&client->parcels);
    return client;
}

static void client_destroy(struct grove_client *client)
{
    parcels_clear(&client->parcels);
    if (client->outcomes.session) {
        outcomes_clear(&client->outcomes);
    }
    session_close(&client->session);
    if (client->signal) {
        bus_signal_destroy(client->signal);
    }
    if (client->bus) {
        bus_destroy(client->bus);
    }
    buffer_clear(&client->ask);
    credential_clear(&client->credential);
    sem_destroy(&client->opened);
    pthread_cond_destroy(&client->gone);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

static void say(char *error, const char *text)
{
    if (error) {
        snprintf(error, GROVE_ERROR_SIZE, "%s", text);
    }
}

/* Finds and loads the credential, then has the I/O thread say Hello. */
static enum grove_status client_start(struct grove_client *client, const char *path)
{
    enum grove_status status = credential_find(path, client->path);

    if (status != GROVE_OK) {
        snprintf(client->open_error, sizeof(client->open_error),
                 "no credential: give its path, set GROVE_CREDENTIAL, or start grove dev");
        return status;
    }
    status = credential_load(client->path, &client->credential, client->open_error);
    if (status == GROVE_OK) {
        status = open_session(client);
        if (status != GROVE_OK) {
            snprintf(client->open_error, sizeof(client->open_error),
                     "cannot connect to the coordinators that %.600s names: %s", client->path,
                     grove_status_text(status));
        }
    }
    if (status == GROVE_OK) {
        status = start_thread(client);
    }
    return status;
}

enum grove_status grove_client_open(const struct grove_client_options *options,
                                    struct grove_client **client, char *error)
{
    struct grove_client *created = client_create(options);
    const char *path =
        options && options->size > offsetof(struct grove_client_options, credential_path)
            ? options->credential_path
            : NULL;
    enum grove_status status = client_start(created, path);
    int failed;

    if (status != GROVE_OK) {
        say(error, created->open_error);
        client_destroy(created);
        return status;
    }
    do {
        failed = sem_wait(&created->opened);
    } while (failed && errno == EINTR);
    if (created->open_status != GROVE_OK) {
        status = created->open_status;
        say(error, created->open_error);
        grove_client_close(created);
        return status;
    }
    *client = created;
    return GROVE_OK;
}

void grove_client_close(struct grove_client *client)
{
    if (!client) {
        return;
    }
    pthread_mutex_lock(&client->lock);
    client->is_closing = true;
    pthread_mutex_unlock(&client->lock);
    bus_signal_raise(client->signal);
    pthread_join(client->thread, NULL);
    pthread_mutex_lock(&client->lock);
    while (client->callers > 0) {
        pthread_cond_wait(&client->gone, &client->lock);
    }
    pthread_mutex_unlock(&client->lock);
    client_destroy(client);
}

/* SPDX-License-Identifier: MPL-2.0
 * A worker: opened, given functions, run until it is stopped. */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "nodes/host/clock.h"
#include "nodes/host/log.h"
#include "nodes/worker/context.h"
#include "nodes/worker/coproc.h"
#include "nodes/worker/exec_place.h"
#include "nodes/worker/grants.h"
#include "nodes/worker/guardian.h"
#include "nodes/worker/worker_loop.h"

#define WINDOW 256u
#define MAX_WAITING 1024u
#define STACK_SIZE (256u * 1024u)
#define STACK_SIZE_LEAST (64u * 1024u)
#define SEALS_CACHED 4096u

static void say(char *error, const char *text)
{
    if (error) {
        snprintf(error, GROVE_ERROR_SIZE, "%s", text);
    }
}

/* Raising the signal makes a turn, and the end of the turn does the work. */
static void awake(void *context)
{
    (void)context;
}

static uint32_t at_most(uint32_t given, uint32_t absent, uint32_t most)
{
    uint32_t value = given ? given : absent;

    return value < most ? value : most;
}

static void take_options(struct grove_worker *worker, const struct grove_worker_options *options)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    worker->slots = at_most(options->slots, processors > 0 ? (uint32_t)processors : 1, LIMIT_SLOTS);
    worker->window = at_most(options->window, WINDOW, LIMIT_WINDOW);
    worker->max_waiting = at_most(options->max_waiting, MAX_WAITING, LIMIT_MAX_WAITING);
    worker->stack_size = at_most(options->stack_size, STACK_SIZE, UINT32_MAX);
    if (worker->stack_size < STACK_SIZE_LEAST) {
        worker->stack_size = STACK_SIZE_LEAST;
    }
    worker->connect_timeout_ms = options->connect_timeout_ms;
    worker->spin_us = options->spin_us;
    worker->enlisted = options->enlisted;
    worker->enlisted_context = options->context;
}

static enum grove_status load(struct grove_worker *worker,
                              const struct grove_worker_options *options)
{
    enum grove_status status = credential_find(options->credential_path, worker->path);

    if (status != GROVE_OK) {
        snprintf(worker->error, sizeof(worker->error),
                 "no credential: give its path, set GROVE_CREDENTIAL, or start grove dev");
        return status;
    }
    status = credential_load(worker->path, &worker->credential, worker->error);
    if (status == GROVE_OK && options->instance && strlen(options->instance) > LIMIT_NAME_LENGTH) {
        snprintf(worker->error, sizeof(worker->error),
                 "the instance's name is longer than 63 bytes");
        status = GROVE_INVALID;
    }
    return status;
}

static void prepare(struct grove_worker *worker)
{
    uint8_t hash_key[16];

    randombytes_buf(hash_key, sizeof(hash_key));
    table_init(&worker->by_key, hash_key, offsetof(struct grove_attempt, link),
               offsetof(struct grove_attempt, key), sizeof(struct attempt_key));
    roots_init(&worker->roots, hash_key);
    worker->seals = seal_cache_create(SEALS_CACHED, hash_key);
    worker->bus = bus_create(worker->spin_us);
    worker->signal = bus_signal_create(worker->bus, awake, worker);
    worker->handlers.slots = worker->slots;
    worker->handlers.stack_size = worker->stack_size;
    worker->handlers.spin_us = worker->spin_us;
    worker->handlers.signal = worker->signal;
    worker->handlers.run = context_run;
    handlers_init(&worker->handlers);
}

enum grove_status grove_worker_open(const struct grove_worker_options *options,
                                    struct grove_worker **worker, char *error)
{
    struct grove_worker_options copy = GROVE_WORKER_OPTIONS_INIT;
    struct grove_worker *created = calloc(1, sizeof(*created));
    enum grove_status status;

    if (!created) {
        abort();
    }
    if (options) {
        memcpy(&copy, options, options->size < sizeof(copy) ? options->size : sizeof(copy));
    }
    atomic_init(&created->is_stopping, false);
    created->instance.lock = -1;
    parcels_init(&created->parcels);
    TAILQ_INIT(&created->held);
    TAILQ_INIT(&created->assigned);
    STAILQ_INIT(&created->children);
    STAILQ_INIT(&created->telling);
    STAILQ_INIT(&created->joinings);
    STAILQ_INIT(&created->ended);
    take_options(created, &copy);
    status = load(created, &copy);
    if (status != GROVE_OK) {
        say(error, created->error);
        credential_clear(&created->credential);
        free(created);
        return status;
    }
    if (copy.instance) {
        instance_name(&created->instance, copy.instance);
    } else {
        instance_take(&created->instance, &created->credential.signer->public_key);
    }
    prepare(created);
    *worker = created;
    return GROVE_OK;
}

/* The place of a new function; NULL: the status says why there is none. */
static enum grove_status add_function(struct grove_worker *worker, const char *name,
                                      struct function **added)
{
    if (!name || !wire_function_is_valid(bytes_of_text(name))) {
        return GROVE_INVALID;
    }
    for (unsigned i = 0; i < worker->function_count; i++) {
        if (strcmp(worker->function[i].name, name) == 0) {
            return GROVE_CONFLICT;
        }
    }
    if (worker->function_count == LIMIT_FUNCTIONS) {
        return GROVE_TOO_LARGE;
    }
    *added = &worker->function[worker->function_count++];
    snprintf((*added)->name, sizeof((*added)->name), "%s", name);
    return GROVE_OK;
}

enum grove_status grove_worker_handle(struct grove_worker *worker, const char *function,
                                      grove_handler *handler, void *context)
{
    struct function *added = NULL;
    enum grove_status status = handler ? add_function(worker, function, &added) : GROVE_INVALID;

    if (status == GROVE_OK) {
        added->handler = handler;
        added->context = context;
    }
    return status;
}

/* A guardian, and a directory for commands to work in. */
static enum grove_status begin_commands(struct grove_worker *worker)
{
    char directory[PATH_MAX];
    const int error = exec_place_begin(directory);

    if (error != 0) {
        log_event(LOG_ERROR, "no directory for commands", "why=\"%s\"", strerrordesc_np(error));
        return GROVE_IO;
    }
    worker->guardian = guardian_start(directory);
    worker->grants = grants_create();
    return GROVE_OK;
}

enum grove_status grove_worker_command(struct grove_worker *worker, const char *function,
                                       const char *command,
                                       const struct grove_command_options *options)
{
    struct grove_command_options copy = GROVE_COMMAND_OPTIONS_INIT;
    struct function *added = NULL;
    enum grove_status status = command ? GROVE_OK : GROVE_INVALID;

    if (options) {
        memcpy(&copy, options, options->size < sizeof(copy) ? options->size : sizeof(copy));
    }
    if (status == GROVE_OK && !worker->guardian) {
        status = begin_commands(worker);
    }
    if (status == GROVE_OK) {
        status = add_function(worker, function, &added);
    }
    if (status == GROVE_OK) {
        added->command = strdup(command);
        if (!added->command) {
            abort();
        }
        added->grace_ms = copy.grace_ms ? copy.grace_ms : EXEC_GRACE_MS;
        if (copy.mode == GROVE_COMMAND_STAYS) {
            added->coprocs = coprocs_create(worker->guardian, added, worker->slots);
        }
    }
    return status;
}

enum grove_status grove_worker_exec(struct grove_worker *worker, const char *function,
                                    const char *command)
{
    return grove_worker_command(worker, function, command, NULL);
}

enum grove_status grove_worker_run(struct grove_worker *worker, char *error)
{
    struct session_events events = {
        .context = worker, .welcomed = worker_welcomed, .received = worker_receive};
    enum grove_status status =
        session_open(&worker->session, worker->bus, &worker->credential, &events);

    if (status != GROVE_OK) {
        say(error, "the credential names no coordinator that can be connected to");
        return status;
    }
    outcomes_init(&worker->outcomes, &worker->session);
    worker->started_ms = clock_monotonic_ms();
    bus_at_turn_end(worker->bus, worker_end_turn, worker);
    status = bus_every(worker->bus, SESSION_TICK_MS, worker_tick, worker);
    if (status == GROVE_OK) {
        bus_run(worker->bus);
        status = worker->status;
    }
    if (status != GROVE_OK) {
        say(error, worker->error);
    }
    return status;
}

void grove_worker_stop(struct grove_worker *worker)
{
    atomic_store(&worker->is_stopping, true);
    bus_signal_raise(worker->signal);
}

/* There is no I/O thread any more: handlers that are still blocked in a call, or make one, are told
 * so, and end. */
static void abandon(struct grove_worker *worker)
{
    handlers_close(&worker->handlers);
    if (worker->outcomes.session) {
        held_stop_all(worker);
        worker_collect(worker);
        children_finish(worker);
    }
    handlers_stop(&worker->handlers);
    if (worker->outcomes.session) {
        worker_collect(worker);
    }
    while (!TAILQ_EMPTY(&worker->held)) {
        held_release(worker, TAILQ_FIRST(&worker->held));
    }
}

void grove_worker_close(struct grove_worker *worker)
{
    if (!worker) {
        return;
    }
    abandon(worker);
    for (unsigned i = 0; i < worker->function_count; i++) {
        coprocs_destroy(worker->function[i].coprocs);
    }
    guardian_stop(worker->guardian);
    grants_destroy(worker->grants);
    joins_clear(worker);
    handlers_clear(&worker->handlers);
    parcels_clear(&worker->parcels);
    buffer_clear(&worker->returned);
    buffer_clear(&worker->asking);
    if (worker->outcomes.session) {
        outcomes_clear(&worker->outcomes);
    }
    session_close(&worker->session);
    bus_signal_destroy(worker->signal);
    bus_destroy(worker->bus);
    roots_clear(&worker->roots);
    seal_cache_destroy(worker->seals);
    table_clear(&worker->by_key);
    for (unsigned i = 0; i < worker->function_count; i++) {
        free(worker->function[i].command);
    }
    instance_release(&worker->instance);
    credential_clear(&worker->credential);
    free(worker);
}

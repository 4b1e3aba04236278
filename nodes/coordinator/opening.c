/* SPDX-License-Identifier: MPL-2.0
 * A coordinator's beginning and end. The ledger is open and leads, and the guard knows everybody,
 * before a socket is bound. */
#include "nodes/coordinator/parts.h"

#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "nodes/coordinator/roster.h"
#include "nodes/host/clock.h"
#include "nodes/host/log.h"

#define BIND_TRIES 16        /* for two neighbouring ports, when any will do */
#define LEADER_WAIT_MS 10000 /* one voter elects itself in a turn or two */
#define ADDRESS_SIZE 256

/* ---- the ledger */

/* A ledger begins with its coordinator's certificate, so one that taught the forest none was made
 * under another mesh key: all that it holds would be refused, and nobody would be told. */
static bool is_of_this_mesh(const struct forest *forest)
{
    const struct certificate *certificate;
    struct bytes signed_form;

    return forest_applied(forest) == 0 ||
           forest_certificate_at(forest, 0, &certificate, &signed_form);
}

static enum grove_status open_ledger(struct coordinator *coordinator, char *error)
{
    const struct coordinator_options *options = &coordinator->options;
    const struct replica_options replica = {
        .directory = options->directory,
        .start = options->bootstrap ? REPLICA_BOOTSTRAP : REPLICA_EXISTING,
        .segment_size = options->segment_size,
        .snapshot_threshold = options->snapshot_size,
        .now_ns = clock_monotonic_ns,
    };
    const struct replica_machine face = machine_face(&coordinator->machine);
    struct fault fault = {.text = ""};
    enum grove_status status = replica_open(&replica, &face, &coordinator->replica, &fault);

    if (status == GROVE_OK && !is_of_this_mesh(coordinator->machine.forest)) {
        snprintf(fault.text, sizeof(fault.text), "%s: the ledger of another mesh",
                 options->directory);
        status = GROVE_WRONG_MESH;
    }
    if (status != GROVE_OK) {
        snprintf(error, COORDINATOR_ERROR_SIZE, "%s",
                 fault.text[0] != '\0' ? fault.text : grove_status_text(status));
    }
    /* The effects of what was replayed are of the past. */
    effects_reset(&coordinator->machine.effects);
    return status;
}

/* Serves the ledger alone until what was proposed is applied, or until this replica leads. */
static enum grove_status settle(struct coordinator *coordinator, char *error)
{
    struct pollfd ready = {.fd = replica_fd(coordinator->replica), .events = POLLIN};
    const uint64_t until_ms = clock_monotonic_ms() + LEADER_WAIT_MS;

    while (coordinator->proposals.is_in_flight || replica_is_busy(coordinator->replica)) {
        if (clock_monotonic_ms() >= until_ms) {
            snprintf(error, COORDINATOR_ERROR_SIZE, "%s: the ledger does not come to lead",
                     coordinator->options.directory);
            return GROVE_NO_LEADER;
        }
        (void)poll(&ready, 1, 10);
        replica_turn(coordinator->replica);
        replica_tick(coordinator->replica);
        coordinator_land(coordinator);
    }
    return GROVE_OK;
}

/* Workers of the ledger have a whole session time from now on to come back. */
static void seat_workers(struct coordinator *coordinator)
{
    struct session_view view = {.session = 0};

    while (forest_session(coordinator->machine.forest, view.session, &view)) {
        seats_take(&coordinator->seats, view.session, coordinator->egress.now_ms);
    }
}

/* ---- who is known */

static void admit(struct coordinator *coordinator, struct bytes certificate)
{
    const struct command command = {.kind = COMMAND_TRUST, .trust = {.certificate = certificate}};

    proposals_add_own(&coordinator->proposals, &command);
}

/* Our own certificate, the other coordinators', and those that the operator gave; what the ledger
 * knows already changes nothing. */
static enum grove_status admit_all(struct coordinator *coordinator, char *error)
{
    const struct coordinator_options *options = &coordinator->options;
    const struct credential *credential = options->credential;
    struct bytes known = {.size = 0};

    if (forest_certificate(coordinator->machine.forest, &credential->signer->public_key, &known) ==
            NULL ||
        !bytes_equal(known, buffer_bytes(&credential->certificate_bytes))) {
        admit(coordinator, buffer_bytes(&credential->certificate_bytes));
    }
    for (size_t i = 0; i < options->admitted_count; i++) {
        admit(coordinator, options->admitted[i]);
    }
    coordinator_propose(coordinator);
    return settle(coordinator, error);
}

/* ---- sockets */

/* HOST:PORT taken apart; false when it is neither that nor [IPV6]:PORT. */
static bool split(const char *listen, char host[ADDRESS_SIZE], unsigned *port)
{
    const char *colon = strrchr(listen, ':');
    char *end = NULL;
    unsigned long number;

    if (colon == NULL || (size_t)(colon - listen) >= ADDRESS_SIZE || colon[1] < '0' ||
        colon[1] > '9') {
        return false;
    }
    number = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || number > UINT16_MAX - 1) {
        return false;
    }
    memcpy(host, listen, (size_t)(colon - listen));
    host[colon - listen] = '\0';
    *port = (unsigned)number;
    return true;
}

static enum grove_status bind_one(struct coordinator *coordinator, const char *address,
                                  const char *domain, bus_receive *receive,
                                  struct bus_socket **socket)
{
    const struct bus_bind_options options = {
        .address = address,
        .zap_domain = domain,
        .zap = coordinator->zap,
        .link = coordinator->options.credential->link,
    };

    return bus_bind(coordinator->bus, &options, receive, coordinator, socket);
}

/* Tasks at the port, stats at the next one; of `port` 0, at whatever pair is free. */
static enum grove_status bind_pair(struct coordinator *coordinator, const char *host, unsigned port,
                                   char *error)
{
    char address[ADDRESS_SIZE + 8];
    enum grove_status status;

    snprintf(address, sizeof(address), "%s:%u", host, port);
    status = bind_one(coordinator, address, ZAP_DOMAIN_TASK, coordinator_on_task,
                      &coordinator->task_socket);
    if (status == GROVE_OK) {
        snprintf(address, sizeof(address), "%s:%u", host, bus_port(coordinator->task_socket) + 1u);
        status = bind_one(coordinator, address, ZAP_DOMAIN_STATS, coordinator_on_stats,
                          &coordinator->stats_socket);
        if (status != GROVE_OK) {
            bus_close(coordinator->bus, coordinator->task_socket);
            coordinator->task_socket = NULL;
        }
    }
    if (status != GROVE_OK) {
        snprintf(error, COORDINATOR_ERROR_SIZE, "%s: %s", address, grove_status_text(status));
    }
    return status;
}

static enum grove_status bind_sockets(struct coordinator *coordinator, char *error)
{
    char host[ADDRESS_SIZE];
    enum grove_status status = GROVE_IN_USE;
    unsigned port;

    if (!split(coordinator->options.listen, host, &port)) {
        snprintf(error, COORDINATOR_ERROR_SIZE, "%s: not HOST:PORT", coordinator->options.listen);
        return GROVE_INVALID;
    }
    for (int i = 0; i < BIND_TRIES && status == GROVE_IN_USE; i++) {
        status = bind_pair(coordinator, host, port, error);
        if (port != 0) {
            break;
        }
    }
    return status;
}

/* ---- open and close */

static void make_parts(struct coordinator *coordinator)
{
    struct forest_options options = {.mesh = coordinator->options.credential->mesh};
    uint8_t hash_key[16];

    randombytes_buf(hash_key, sizeof(hash_key));
    memcpy(options.hash_key, hash_key, sizeof(hash_key));
    machine_init(&coordinator->machine, &options);
    jobs_init(&coordinator->jobs);
    sessions_init(&coordinator->sessions, hash_key);
    seats_init(&coordinator->seats, hash_key);
    waiters_init(&coordinator->waiters, hash_key);
    watchers_init(&coordinator->watchers, hash_key);
    progress_init(&coordinator->progress, hash_key);
    proposals_init(&coordinator->proposals);
    egress_init(&coordinator->egress, hash_key);
    ingress_init(&coordinator->ingress, hash_key);
    coordinator->verifier.mesh = options.mesh;
}

static bool snapshot(void *context)
{
    struct coordinator *coordinator = context;

    return replica_snapshot(coordinator->replica) == GROVE_OK;
}

static void join_parts(struct coordinator *coordinator)
{
    struct egress *egress = &coordinator->egress;
    struct ingress *ingress = &coordinator->ingress;
    const uint32_t session_ms = coordinator->options.session_ms;

    egress->forest = coordinator->machine.forest;
    egress->credential = coordinator->options.credential;
    egress->jobs = &coordinator->jobs;
    egress->sessions = &coordinator->sessions;
    egress->seats = &coordinator->seats;
    egress->waiters = &coordinator->waiters;
    egress->watchers = &coordinator->watchers;
    egress->progress = &coordinator->progress;
    egress->ledger = replica_status(coordinator->replica).ledger;
    egress->session_ms = session_ms;
    ingress->egress = egress;
    ingress->proposals = &coordinator->proposals;
    ingress->snapshot = snapshot;
    ingress->snapshot_context = coordinator;
    ingress->session_ms = session_ms;
    coordinator->chores = (struct chores){
        .egress = egress,
        .proposals = &coordinator->proposals,
        .abandon_ms = coordinator->options.abandon_ms,
    };
    coordinator->stats = (struct stats){
        .ingress = ingress,
        .egress = egress,
        .proposals = &coordinator->proposals,
        .machine = &coordinator->machine,
        .replica = coordinator->replica,
        .zap = coordinator->zap,
    };
}

/* The ledger leads, and everybody it knows is published. */
static enum grove_status lead(struct coordinator *coordinator, char *error)
{
    enum grove_status status;

    join_parts(coordinator);
    stamp_begin(&coordinator->stamp, forest_now_ms(coordinator->machine.forest), clock_unix_ms(),
                clock_monotonic_ms());
    coordinator_refresh(coordinator);
    presence_begin(&coordinator->sessions.presence, coordinator->egress.now_ms);
    status = settle(coordinator, error);
    if (status == GROVE_OK) {
        status = admit_all(coordinator, error);
    }
    if (status == GROVE_OK) {
        seat_workers(coordinator);
        roster_publish(coordinator->machine.forest, coordinator->zap);
        coordinator->ingress.is_leader = replica_is_leader(coordinator->replica);
    }
    return status;
}

static enum grove_status serve(struct coordinator *coordinator, char *error)
{
    enum grove_status status;

    coordinator->bus = bus_create(coordinator->options.spin_us);
    status = zap_start(&coordinator->zap);
    if (status != GROVE_OK) {
        snprintf(error, COORDINATOR_ERROR_SIZE, "this process has a coordinator already");
        return status;
    }
    status = lead(coordinator, error);
    if (status == GROVE_OK) {
        status = bind_sockets(coordinator, error);
    }
    if (status == GROVE_OK) {
        coordinator->egress.socket = coordinator->task_socket;
        status = coordinator_wire(coordinator);
    }
    return status;
}

static void set_defaults(struct coordinator_options *options)
{
    if (options->spin_us == 0) {
        options->spin_us = COORDINATOR_SPIN_US;
    }
    if (options->session_ms == 0) {
        options->session_ms = LIMIT_SESSION_MS;
    }
    if (options->abandon_ms == 0) {
        options->abandon_ms = COORDINATOR_ABANDON_MS;
    }
}

enum grove_status coordinator_open(const struct coordinator_options *options,
                                   struct coordinator **coordinator, char *error)
{
    struct coordinator *made;
    enum grove_status status;

    if ((options->credential->certificate.roles & ROLE_COORDINATOR) == 0) {
        snprintf(error, COORDINATOR_ERROR_SIZE, "the credential is not a coordinator's");
        return GROVE_INVALID;
    }
    made = calloc(1, sizeof(*made));
    if (made == NULL || sodium_init() < 0) {
        abort();
    }
    made->options = *options;
    set_defaults(&made->options);
    make_parts(made);
    status = open_ledger(made, error);
    if (status == GROVE_OK) {
        status = serve(made, error);
    }
    if (status != GROVE_OK) {
        coordinator_close(made);
        return status;
    }
    *coordinator = made;
    return GROVE_OK;
}

/* Sessions go as if they had fallen silent. */
static void end_sessions(struct coordinator *coordinator)
{
    struct session *session;

    while ((session = sessions_oldest(&coordinator->sessions)) != NULL) {
        egress_end(&coordinator->egress, session);
    }
}

/* The pool first, for it raises the signal and holds frames; the guard after the sockets. */
void coordinator_close(struct coordinator *coordinator)
{
    if (coordinator == NULL) {
        return;
    }
    pool_destroy(coordinator->pool);
    if (coordinator->verified != NULL) {
        bus_signal_destroy(coordinator->verified);
    }
    coordinator->machine.tokens = NULL;
    coordinator->machine.token_count = 0;
    replica_close(coordinator->replica);
    jobs_clear(&coordinator->jobs);
    end_sessions(coordinator);
    proposals_clear(&coordinator->proposals);
    ingress_clear(&coordinator->ingress);
    egress_clear(&coordinator->egress);
    progress_clear(&coordinator->progress);
    waiters_clear(&coordinator->waiters);
    watchers_clear(&coordinator->watchers);
    seats_clear(&coordinator->seats);
    sessions_clear(&coordinator->sessions);
    buffer_clear(&coordinator->stats_frame);
    if (coordinator->bus != NULL) {
        bus_close(coordinator->bus, coordinator->task_socket);
        bus_close(coordinator->bus, coordinator->stats_socket);
    }
    zap_stop(coordinator->zap);
    bus_destroy(coordinator->bus);
    machine_clear(&coordinator->machine);
    free(coordinator);
}

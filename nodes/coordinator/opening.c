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

#define LEADER_WAIT_MS 10000 /* one voter elects itself in a turn or two */

/* ---- the ledger */

bool coordinator_is_alone(const struct coordinator *coordinator)
{
    struct replica_member member;

    return replica_members(coordinator->replica, &member, 1) == 1 &&
           member.id == replica_status(coordinator->replica).id && member.role == REPLICA_VOTER;
}

/* A ledger begins with its coordinator's certificate, so one that taught the forest none was made
 * under another mesh key: all that it holds would be refused, and nobody would be told. */
static bool is_of_this_mesh(const struct forest *forest)
{
    const struct certificate *certificate;
    struct bytes signed_form;

    return forest_applied(forest) == 0 ||
           forest_certificate_at(forest, 0, &certificate, &signed_form);
}

/* Whether the votes that lie here are of our key. One that is alone may have taken another. */
static bool is_of_our_key(const struct coordinator *coordinator)
{
    const struct key *identity = &coordinator->options.credential->signer->public_key;

    return coordinator->id == 0 || coordinator_is_alone(coordinator) ||
           peer_id_is_of(coordinator->id, identity);
}

static enum grove_status open_ledger(struct coordinator *coordinator, char *error)
{
    const struct coordinator_options *options = &coordinator->options;
    const struct replica_options replica = {
        .directory = options->directory,
        .start = options->bootstrap ? REPLICA_BOOTSTRAP
                 : options->join    ? REPLICA_JOIN
                                    : REPLICA_EXISTING,
        .id = coordinator->id,
        .address = coordinator->address[0] != '\0' ? coordinator->address : NULL,
        .transport = coordinator->peers != NULL ? peers_transport(coordinator->peers) : NULL,
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
    if (status == GROVE_OK && options->has_peers && coordinator->id == 0 &&
        !coordinator_is_alone(coordinator)) {
        snprintf(fault.text, sizeof(fault.text), "%s/member-id: missing: whose votes are these?",
                 options->directory);
        status = GROVE_CORRUPT;
    }
    if (status == GROVE_OK && !is_of_our_key(coordinator)) {
        snprintf(fault.text, sizeof(fault.text),
                 "%s/member-id: offset 0: of the key of another coordinator, or of another mesh",
                 options->directory);
        status = GROVE_CORRUPT;
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
    events_init(&coordinator->events);
    coordinator->machine.effects.notices = &coordinator->events.notices;
    egress_init(&coordinator->egress, hash_key);
    reads_init(&coordinator->reads);
    ingress_init(&coordinator->ingress, hash_key);
    coordinator->verifier.mesh = options.mesh;
}

static bool snapshot(void *context)
{
    struct coordinator *coordinator = context;

    return replica_snapshot(coordinator->replica) == GROVE_OK;
}

static void change(void *context, struct session *session, const struct envelope *envelope,
                   uint64_t correlation, const struct change *wanted)
{
    changes_begin(context, session, envelope, correlation, wanted);
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
    ingress->reads = &coordinator->reads;
    coordinator->reads.egress = egress;
    ingress->snapshot = snapshot;
    ingress->snapshot_context = coordinator;
    ingress->session_ms = session_ms;
    if (coordinator->peers != NULL) {
        coordinator_look_at_members(coordinator);
        egress->members = &coordinator->members;
        ingress->change = change;
        ingress->change_context = &coordinator->changes;
        peers_set_ledger(coordinator->peers, &egress->ledger);
    }
    coordinator->changes = (struct changes){
        .replica = coordinator->replica,
        .egress = egress,
        .members = &coordinator->members,
    };
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
    coordinator->events.bus = coordinator->bus;
    coordinator->events.stats = &coordinator->stats;
    if (coordinator->peers != NULL) {
        coordinator->stats.members = &coordinator->members;
        coordinator->stats.leader_heard_ms = &coordinator->leader_heard_ms;
    }
}

/* One voter elects itself; and then the ledger learns whom it does not know yet. */
static enum grove_status lead(struct coordinator *coordinator, char *error)
{
    enum grove_status status = settle(coordinator, error);

    if (status == GROVE_OK) {
        coordinator_begin_term(coordinator);
        coordinator_propose(coordinator);
        status = settle(coordinator, error);
    }
    return status;
}

/* Everybody the ledger knows is published before a socket is bound for them. */
static enum grove_status take_up(struct coordinator *coordinator, char *error)
{
    enum grove_status status = GROVE_OK;

    join_parts(coordinator);
    stamp_begin(&coordinator->stamp, forest_now_ms(coordinator->machine.forest), clock_unix_ms(),
                clock_monotonic_ms());
    coordinator_refresh(coordinator);
    if (coordinator_is_alone(coordinator)) {
        status = lead(coordinator, error);
    }
    if (status == GROVE_OK) {
        roster_publish(coordinator->machine.forest, coordinator->options.credential,
                       coordinator->zap);
    }
    return status;
}

static enum grove_status start_guard(struct coordinator *coordinator, char *error)
{
    const enum grove_status status = zap_start(&coordinator->zap);

    if (status != GROVE_OK) {
        snprintf(error, COORDINATOR_ERROR_SIZE, "this process has a coordinator already");
    }
    return status;
}

static enum grove_status open_all(struct coordinator *coordinator, char *error)
{
    enum grove_status status;

    coordinator->bus = bus_create(coordinator->options.spin_us);
    status = coordinator_make_peers(coordinator, error);
    if (status == GROVE_OK) {
        status = open_ledger(coordinator, error);
    }
    if (status == GROVE_OK) {
        status = start_guard(coordinator, error);
    }
    if (status == GROVE_OK) {
        status = take_up(coordinator, error);
    }
    if (status == GROVE_OK) {
        status = coordinator_bind(coordinator, error);
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
    status = open_all(made, error);
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
    peers_destroy(coordinator->peers);
    session_release(coordinator->changes.session);
    coordinator->changes.session = NULL;
    jobs_clear(&coordinator->jobs);
    reads_clear(&coordinator->reads);
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
    events_clear(&coordinator->events);
    if (coordinator->bus != NULL) {
        bus_close(coordinator->bus, coordinator->task_socket);
        bus_close(coordinator->bus, coordinator->stats_socket);
    }
    zap_stop(coordinator->zap);
    bus_destroy(coordinator->bus);
    machine_clear(&coordinator->machine);
    free(coordinator);
}

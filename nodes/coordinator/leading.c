/* SPDX-License-Identifier: MPL-2.0
 * Terms: a coordinator follows until it leads, and follows again when another does.
 *
 * A follower applies what the leader commits and performs none of it. A leader that begins derives
 * what is owed from the forest: each worker that comes back says what it holds (owed.h). */
#include "nodes/coordinator/parts.h"

#include <inttypes.h>

#include "nodes/coordinator/roster.h"
#include "nodes/host/clock.h"
#include "nodes/host/log.h"

#define KNOCK_MS UINT64_C(500)
#define LEFT_OUT_MS UINT64_C(1000) /* without a word from a leader; several elections */

/* ---- terms */

static void admit(struct coordinator *coordinator, struct bytes certificate)
{
    const struct command command = {.kind = COMMAND_TRUST, .trust = {.certificate = certificate}};

    proposals_add_own(&coordinator->proposals, &command);
}

static bool is_known(const struct coordinator *coordinator, const struct key *identity,
                     struct bytes signed_form)
{
    struct bytes known = {.size = 0};

    return forest_certificate(coordinator->machine.forest, identity, &known) != NULL &&
           bytes_equal(known, signed_form);
}

/* Our own certificate, the other coordinators', and those that the operator gave; what the ledger
 * knows already changes nothing. */
static void admit_all(struct coordinator *coordinator)
{
    const struct coordinator_options *options = &coordinator->options;
    const struct credential *credential = options->credential;

    if (!is_known(coordinator, &credential->signer->public_key,
                  buffer_bytes(&credential->certificate_bytes))) {
        admit(coordinator, buffer_bytes(&credential->certificate_bytes));
    }
    for (unsigned i = 0; i < credential->coordinator_count; i++) {
        const struct coordinator_address *known = &credential->coordinator[i];

        /* A newer one than ours may have been admitted since. */
        if (forest_certificate(coordinator->machine.forest, &known->certificate.sign_key, NULL) ==
            NULL) {
            admit(coordinator, buffer_bytes(&known->certificate_bytes));
        }
    }
    for (size_t i = 0; i < options->admitted_count; i++) {
        admit(coordinator, options->admitted[i]);
    }
}

/* Workers of the ledger have a whole session time from now on to come back. */
static void seat_workers(struct coordinator *coordinator)
{
    struct session_view view = {.session = 0};

    while (forest_session(coordinator->machine.forest, view.session, &view)) {
        seats_take(&coordinator->seats, view.session, coordinator->egress.now_ms);
    }
}

void coordinator_look_at_members(struct coordinator *coordinator)
{
    const struct replica_status status = replica_status(coordinator->replica);
    struct replica_member read[MEMBERS_MOST];
    const size_t count = replica_members(coordinator->replica, read, MEMBERS_MOST);

    members_set(&coordinator->members, &status, read, count < MEMBERS_MOST ? count : MEMBERS_MOST,
                coordinator->egress.now_ms);
}

void coordinator_begin_term(struct coordinator *coordinator)
{
    const struct replica_status status = replica_status(coordinator->replica);

    effects_reset(&coordinator->machine.effects);
    stamp_begin(&coordinator->stamp, forest_now_ms(coordinator->machine.forest), clock_unix_ms(),
                clock_monotonic_ms());
    coordinator_refresh(coordinator);
    coordinator->egress.index = coordinator->machine.index;
    coordinator->egress.ledger = status.ledger;
    presence_begin(&coordinator->sessions.presence, coordinator->egress.now_ms);
    seat_workers(coordinator);
    chores_land(&coordinator->chores);
    admit_all(coordinator);
    coordinator->leads = true;
    coordinator->ingress.is_leader = true;
    coordinator->noted_leader = status.id;
    events_note_leader(&coordinator->events, coordinator->options.credential->certificate.name);
    if (coordinator->peers != NULL) {
        coordinator_look_at_members(coordinator);
        log_event(LOG_INFO, "leads", "term=%" PRIu64 " index=%" PRIu64, status.term, status.index);
    }
}

static void refuse_queued(struct coordinator *coordinator)
{
    struct job *job;

    while ((job = proposals_withdraw(&coordinator->proposals)) != NULL) {
        egress_refuse_job(&coordinator->egress, job, REFUSED_NO_LEADER);
        jobs_give_back(&coordinator->jobs, job);
    }
}

/* Each is told, so that it looks for the leader now. */
static void end_sessions(struct coordinator *coordinator)
{
    struct egress *egress = &coordinator->egress;
    struct session *session;

    while ((session = sessions_oldest(&coordinator->sessions)) != NULL) {
        const struct bus_message unasked = {.envelope = session->envelope};

        egress_refuse(egress, session, &unasked, 0, REFUSED_NO_LEADER, 0);
        egress_end(egress, session);
    }
}

static void empty_seats(struct coordinator *coordinator)
{
    struct seat *seat;

    while ((seat = TAILQ_FIRST(&coordinator->seats.oldest_first)) != NULL) {
        seats_remove(&coordinator->seats, seat);
    }
}

void coordinator_end_term(struct coordinator *coordinator)
{
    coordinator->leads = false;
    coordinator->ingress.is_leader = false;
    coordinator_look_at_members(coordinator);
    refuse_queued(coordinator);
    changes_lost(&coordinator->changes);
    reads_clear(&coordinator->reads);
    egress_flush(&coordinator->egress); /* what was applied is still answered */
    end_sessions(coordinator);
    empty_seats(coordinator);
    log_event(LOG_INFO, "leads no more", "term=%" PRIu64,
              replica_status(coordinator->replica).term);
}

void coordinator_attend(struct coordinator *coordinator)
{
    coordinator_land(coordinator);
    const bool leads = replica_is_leader(coordinator->replica);

    if (leads && !coordinator->leads) {
        coordinator_begin_term(coordinator);
    } else if (!leads && coordinator->leads) {
        coordinator_end_term(coordinator);
    }
}

/* ---- members */

/* Not added yet, or removed, which a replica does not always hear itself: then no leader speaks to
 * it any more. Those that know it as a member take no notice. */
static bool is_left_out(const struct coordinator *coordinator)
{
    return !members_has_us(&coordinator->members) ||
           (!coordinator->leads &&
            coordinator->egress.now_ms - coordinator->leader_heard_ms > LEFT_OUT_MS);
}

static void knock(struct coordinator *coordinator)
{
    const struct credential *credential = coordinator->options.credential;
    const uint64_t now_ms = coordinator->egress.now_ms;

    if (!is_left_out(coordinator) || now_ms - coordinator->knocked_ms < KNOCK_MS) {
        return;
    }
    coordinator->knocked_ms = now_ms;
    for (unsigned i = 0; i < credential->coordinator_count; i++) {
        const struct coordinator_address *known = &credential->coordinator[i];
        struct peer_address at = {.identity = known->certificate.sign_key};

        if (!key_equal(&at.identity, &credential->signer->public_key)) {
            memcpy(at.endpoint, known->endpoint, sizeof(at.endpoint));
            peers_knock(coordinator->peers, &at);
        }
    }
}

/* Once its name is known, which the ledger may tell after it has spoken. */
static void note_leader(struct coordinator *coordinator)
{
    const struct members *members = &coordinator->members;
    const struct member *leader = members_find(members, members->leader);
    const char *name = leader != NULL && leader->has_address
                           ? members_name(coordinator->machine.forest, &leader->address.identity)
                           : "";

    if (members->leader != coordinator->noted_leader && (members->leader == 0 || *name != '\0')) {
        coordinator->noted_leader = members->leader;
        events_note_leader(&coordinator->events, name);
    }
}

static void tell(struct coordinator *coordinator)
{
    struct concord *concord = &coordinator->machine.concord;
    const struct members *members = &coordinator->members;

    for (size_t i = 0; i < members->count; i++) {
        const struct member *member = &members->list[i];

        if (member->id != members->id && member->has_address) {
            peers_tell(coordinator->peers, member->id, &member->address, &concord->newest);
        }
    }
    concord->is_news = false;
}

/* Whoever has another state than most must not answer from it. */
static void compare(struct coordinator *coordinator)
{
    const struct concord *concord = &coordinator->machine.concord;
    uint64_t stretch;

    if (!coordinator->dissents && concord_dissents(concord, &coordinator->members, &stretch)) {
        log_event(LOG_ERROR, "dissents", "from=%" PRIu64 " before=%" PRIu64,
                  stretch * concord->entries, (stretch + 1) * concord->entries);
        coordinator->dissents = true;
        coordinator_stop(coordinator);
    }
}

void coordinator_on_told(void *context, uint64_t id, const struct peer_sum *sum)
{
    struct coordinator *coordinator = context;

    concord_hear(&coordinator->machine.concord, id, sum);
    compare(coordinator);
}

void coordinator_tick_members(struct coordinator *coordinator)
{
    const struct id none = {{0}};
    const uint64_t leader = coordinator->members.leader;

    coordinator_look_at_members(coordinator);
    if (id_equal(&coordinator->egress.ledger, &none)) {
        coordinator->egress.ledger = replica_status(coordinator->replica).ledger;
        peers_set_ledger(coordinator->peers, &coordinator->egress.ledger);
    }
    if (leader != coordinator->members.leader && !coordinator->leads) {
        log_event(LOG_INFO, "follows", "leader=%016" PRIx64, coordinator->members.leader);
    }
    if (!coordinator->leads) {
        note_leader(coordinator);
    }
    if (coordinator->machine.concord.is_news) {
        tell(coordinator);
        compare(coordinator);
    }
    peers_tick(coordinator->peers);
    knock(coordinator);
    changes_tick(&coordinator->changes);
}

void coordinator_on_peer(void *context, struct raft_message *message)
{
    struct coordinator *coordinator = context;

    coordinator_refresh(coordinator);
    if (message->type == RAFT_IO_APPEND_ENTRIES) {
        coordinator->leader_heard_ms = coordinator->egress.now_ms;
    }
    replica_receive(coordinator->replica, message);
    coordinator_attend(coordinator);
}

void coordinator_on_transferred(void *context, uint64_t peer, bool arrived)
{
    struct coordinator *coordinator = context;

    replica_transferred(coordinator->replica, peer, arrived);
}

enum grove_status coordinator_snapshot_file(void *context, uint64_t index, int *fd)
{
    struct coordinator *coordinator = context;

    return replica_snapshot_file(coordinator->replica, index, fd);
}

enum grove_status coordinator_incoming_file(void *context, uint64_t index, int *fd)
{
    struct coordinator *coordinator = context;

    return replica_incoming_file(coordinator->replica, index, fd);
}

void coordinator_on_knock(void *context, uint64_t id, const char *address)
{
    struct coordinator *coordinator = context;

    members_hear(&coordinator->members, id, address, clock_monotonic_ms());
}

/* One alone that is claimed by another ledger was begun beside it, by --bootstrap on a disk that
 * had lost what it was a member of. What it acknowledged the mesh does not know; it must not
 * acknowledge more. */
void coordinator_on_claim(void *context)
{
    struct coordinator *coordinator = context;

    if (coordinator_is_alone(coordinator)) {
        coordinator->is_claimed = true;
        coordinator_stop(coordinator);
    }
}

/* By the ledger; by our credential what that does not know yet. */
bool coordinator_link_of(void *context, const struct key *identity, struct key *link)
{
    const struct coordinator *coordinator = context;
    const struct forest *forest = coordinator->machine.forest;
    const struct credential *credential = coordinator->options.credential;
    const struct certificate *certificate = forest_certificate(forest, identity, NULL);

    if (certificate != NULL) {
        *link = certificate->link_key;
        return (certificate->roles & ROLE_COORDINATOR) != 0 && forest_trusts(forest, identity);
    }
    for (unsigned i = 0; i < credential->coordinator_count; i++) {
        if (key_equal(&credential->coordinator[i].certificate.sign_key, identity)) {
            *link = credential->coordinator[i].certificate.link_key;
            return true;
        }
    }
    return false;
}

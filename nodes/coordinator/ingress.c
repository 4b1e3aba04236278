/* SPDX-License-Identifier: MPL-2.0
 * The loop does what is cheap; what is dear goes to the pool. */
#include "nodes/coordinator/ingress.h"

#include "core/message.h"
#include "nodes/coordinator/drain.h"
#include "nodes/coordinator/owed.h"

/* Routes that said Hello. */
#define SESSIONS_MOST 65536u

/* A message that passed so far. */
struct incoming {
    const struct bus_message *from;
    struct message message;
    struct session *session; /* NULL: of a route that has none */
};

void ingress_init(struct ingress *ingress, const uint8_t hash_key[16])
{
    *ingress = (struct ingress){.session_ms = LIMIT_SESSION_MS};
    penalties_init(&ingress->penalties, hash_key);
}

void ingress_clear(struct ingress *ingress)
{
    penalties_clear(&ingress->penalties);
}

static void refuse(struct ingress *ingress, const struct incoming *incoming, enum refusal refusal)
{
    egress_refuse(ingress->egress, incoming->session, incoming->from, incoming->message.correlation,
                  refusal, 0);
}

static enum refusal refusal_of(enum grove_status status)
{
    switch ((unsigned)status) {
    case GROVE_OK:
        return REFUSED_NOT;
    case GROVE_TOO_LARGE:
        return REFUSED_TOO_LARGE;
    case GROVE_VERSION:
        return REFUSED_VERSION;
    default:
        return REFUSED_MALFORMED;
    }
}

/* ---- who sends what */

#define ROLE_ANY (ROLE_COORDINATOR | ROLE_WORKER | ROLE_CLIENT | ROLE_OBSERVER | ROLE_OPERATOR)

/* The roles that send a type; 0: nobody sends it to a coordinator. */
static uint32_t roles_of(enum message_type type)
{
    switch ((unsigned)type) {
    case MESSAGE_HELLO:
    case MESSAGE_HEARTBEAT:
    case MESSAGE_GOODBYE:
    case MESSAGE_WAIT:
        return ROLE_ANY;
    case MESSAGE_SUBMIT:
    case MESSAGE_EXPAND:
        return ROLE_CLIENT | ROLE_WORKER;
    case MESSAGE_PAGE:
    case MESSAGE_CANCEL:
    case MESSAGE_FETCH:
        return ROLE_CLIENT | ROLE_WORKER | ROLE_OPERATOR;
    case MESSAGE_ENLIST:
    case MESSAGE_REPORT:
    case MESSAGE_RETURN:
    case MESSAGE_CHECKPOINT:
    case MESSAGE_PROGRESS:
        return ROLE_WORKER;
    case MESSAGE_ADMIT:
    case MESSAGE_SNAPSHOT:
    case MESSAGE_LIMIT:
    case MESSAGE_CHANGE:
    case MESSAGE_DRAIN:
        return ROLE_OPERATOR;
    default:
        return 0;
    }
}

/* Whether only the session of a worker that has enlisted may send it. A client expands a join of
 * its own. */
static bool needs_seat(enum message_type type, uint32_t roles)
{
    return type == MESSAGE_REPORT || type == MESSAGE_RETURN || type == MESSAGE_CHECKPOINT ||
           type == MESSAGE_PROGRESS || (type == MESSAGE_EXPAND && (roles & ROLE_CLIENT) == 0);
}

static enum refusal judge_identity(const struct ingress *ingress, const struct key *identity,
                                   uint32_t *roles)
{
    const struct certificate *certificate =
        forest_certificate(ingress->egress->forest, identity, NULL);

    if (certificate == NULL) {
        return REFUSED_UNKNOWN_KEY;
    }
    *roles = certificate->roles;
    return forest_trusts(ingress->egress->forest, identity) ? REFUSED_NOT : REFUSED_REVOKED;
}

static enum refusal judge_sender(const struct ingress *ingress, const struct incoming *incoming)
{
    const struct session *session = incoming->session;
    const uint32_t wanted = roles_of(incoming->message.type);
    uint32_t roles;
    const enum refusal refusal = judge_identity(ingress, &session->identity, &roles);

    if (refusal != REFUSED_NOT) {
        return refusal;
    }
    if ((roles & wanted) == 0) {
        return wanted == 0 ? REFUSED_UNEXPECTED : REFUSED_ROLE;
    }
    if (needs_seat(incoming->message.type, roles) && session->seat == NULL) {
        return REFUSED_NO_WORKER_SESSION;
    }
    return REFUSED_NOT;
}

/* ---- what is done at once */

static enum refusal judge_hello(const struct ingress *ingress, const struct incoming *incoming,
                                struct hello *hello)
{
    const struct egress *egress = ingress->egress;

    if (incoming->message.type != MESSAGE_HELLO) {
        return REFUSED_NO_SESSION;
    }
    if (bus_frame_bytes(incoming->from->frame).size > LIMIT_HELLO_SIZE) {
        return REFUSED_TOO_LARGE;
    }
    if (wire_hello_decode(incoming->message.body, hello) != GROVE_OK) {
        return REFUSED_MALFORMED;
    }
    if (!key_equal(&hello->mesh, &egress->credential->mesh) ||
        (hello->has_ledger && egress_keeps_another(egress, &hello->ledger))) {
        return REFUSED_WRONG_MESH;
    }
    return ingress->is_leader ? REFUSED_NOT : REFUSED_NO_LEADER;
}

/* For one more session; ZAP cannot count connections, for it never hears that one has ended. */
static enum refusal judge_room(const struct sessions *sessions, const struct key *identity)
{
    if (sessions->count >= SESSIONS_MOST) {
        return REFUSED_BUSY;
    }
    return sessions_of(sessions, identity) >= LIMIT_CONNECTIONS ? REFUSED_CONNECTIONS : REFUSED_NOT;
}

/* A first Hello, or one of a process that took up the route of an earlier one. */
static void on_hello(struct ingress *ingress, struct incoming *incoming)
{
    struct egress *egress = ingress->egress;
    struct session *session = incoming->session;
    uint32_t roles = 0;
    struct hello hello;
    enum refusal refusal = judge_hello(ingress, incoming, &hello);

    if (refusal == REFUSED_NOT) {
        refusal = judge_identity(ingress, &incoming->from->user, &roles);
    }
    if (refusal == REFUSED_NOT && session == NULL) {
        refusal = judge_room(egress->sessions, &incoming->from->user);
    }
    if (refusal != REFUSED_NOT) {
        refuse(ingress, incoming, refusal);
        return;
    }
    if (session != NULL && !id_equal(&session->boot, &hello.boot)) {
        egress_end(egress, session);
        session = NULL;
    }
    if (session == NULL) {
        session = sessions_open(egress->sessions, &incoming->from->route, &incoming->from->user,
                                egress->now_ms);
    } else {
        shown_forget(&session->shown); /* what was on its way, it passes over until it is welcome */
    }
    session->boot = hello.boot;
    session->roles = roles;
    session->envelope.has_delimiter = incoming->from->envelope.has_delimiter;
    egress_welcome(egress, session, &incoming->from->envelope, incoming->message.correlation);
}

static void on_heartbeat(struct ingress *ingress, const struct incoming *incoming)
{
    struct session *session = incoming->session;
    struct heartbeat heartbeat;

    if (wire_heartbeat_decode(incoming->message.body, &heartbeat) != GROVE_OK) {
        refuse(ingress, incoming, REFUSED_MALFORMED);
        return;
    }
    if (session->seat != NULL) {
        owed_check(ingress->egress, session, heartbeat.held);
    }
    egress_heartbeat(ingress->egress, session, &incoming->from->envelope,
                     incoming->message.correlation);
}

static void on_progress(struct ingress *ingress, const struct incoming *incoming)
{
    struct egress *egress = ingress->egress;
    struct wire_list progress;
    struct progress_item item;
    struct task_view view;
    struct bytes element;

    if (wire_progress_decode(incoming->message.body, &progress) != GROVE_OK) {
        refuse(ingress, incoming, REFUSED_MALFORMED);
        return;
    }
    while (wire_next(&progress, &element)) {
        if (wire_progress_item_decode(element, &item) == GROVE_OK &&
            forest_task(egress->forest, &item.task, &view) && view.attempt == item.attempt &&
            view.session == incoming->session->seat->index && task_state_is_open(view.state)) {
            progress_note(egress->progress, &item);
        }
    }
}

static void on_snapshot(struct ingress *ingress, const struct incoming *incoming)
{
    if (!ingress->snapshot(ingress->snapshot_context)) {
        refuse(ingress, incoming, REFUSED_BUSY);
        return;
    }
    egress_done(ingress->egress, incoming->session, &incoming->from->envelope,
                incoming->message.correlation);
}

static void on_change(struct ingress *ingress, const struct incoming *incoming)
{
    struct change change;

    if (wire_change_decode(incoming->message.body, &change) != GROVE_OK) {
        refuse(ingress, incoming, REFUSED_MALFORMED);
    } else if (ingress->change == NULL) {
        refuse(ingress, incoming, REFUSED_UNEXPECTED);
    } else {
        ingress->change(ingress->change_context, incoming->session, &incoming->from->envelope,
                        incoming->message.correlation, &change);
    }
}

/* A worker's goodbye goes through the ledger, and its session ends when that is done. */
static bool is_client_goodbye(const struct incoming *incoming)
{
    return incoming->message.type == MESSAGE_GOODBYE && incoming->session->seat == NULL;
}

static void on_client_goodbye(struct ingress *ingress, const struct incoming *incoming)
{
    egress_done(ingress->egress, incoming->session, &incoming->from->envelope,
                incoming->message.correlation);
    egress_end(ingress->egress, incoming->session);
}

/* ---- what goes to the pool */

#define ROOM_RETRY_MS 1000u /* a disk is looked at as often */

/* An Expand without tasks waits, or closes a join: without it what has begun might never end. */
static bool begins_something(const struct message *message)
{
    struct expand expand;

    switch ((unsigned)message->type) {
    case MESSAGE_SUBMIT:
    case MESSAGE_CHECKPOINT:
        return true;
    case MESSAGE_EXPAND:
        return wire_expand_decode(message->body, &expand) == GROVE_OK && expand.batch.size > 0;
    default:
        return false;
    }
}

/* While the disk is nearly full, what has begun may end; on the last of it, what has been taken. */
static bool has_room(const struct ingress *ingress, const struct message *message)
{
    return ingress->room == REPLICA_ROOM_ENOUGH ||
           (ingress->room == REPLICA_ROOM_LOW && !begins_something(message));
}

static void give_job(struct ingress *ingress, const struct incoming *incoming)
{
    struct session *session = incoming->session;
    struct job *job = NULL;

    if (ingress->is_leader && !has_room(ingress, &incoming->message)) {
        egress_refuse(ingress->egress, session, incoming->from, incoming->message.correlation,
                      REFUSED_DISK, ROOM_RETRY_MS);
        return;
    }
    if (ingress->is_leader) {
        job = jobs_take(ingress->egress->jobs, session, incoming->from->frame);
    }
    if (job == NULL) {
        refuse(ingress, incoming, ingress->is_leader ? REFUSED_BUSY : REFUSED_NO_LEADER);
        return;
    }
    job->envelope = incoming->from->envelope;
    job->type = incoming->message.type;
    job->correlation = incoming->message.correlation;
    job->body = incoming->message.body;
    job->identity = session->identity;
    job->boot = session->boot;
    job->worker = session->seat != NULL ? session->seat->index : 0;
    pool_give(ingress->pool, job);
}

static void handle(struct ingress *ingress, const struct incoming *incoming)
{
    switch ((unsigned)incoming->message.type) {
    case MESSAGE_HEARTBEAT:
        on_heartbeat(ingress, incoming);
        break;
    case MESSAGE_WAIT:
    case MESSAGE_PAGE:
    case MESSAGE_FETCH:
        reads_receive(ingress->reads, incoming->session, incoming->from, &incoming->message);
        break;
    case MESSAGE_PROGRESS:
        on_progress(ingress, incoming);
        break;
    case MESSAGE_SNAPSHOT:
        on_snapshot(ingress, incoming);
        break;
    case MESSAGE_CHANGE:
        on_change(ingress, incoming);
        break;
    case MESSAGE_DRAIN:
        drain_workers(ingress->egress, incoming->session, incoming->from, &incoming->message);
        break;
    default:
        if (is_client_goodbye(incoming)) {
            on_client_goodbye(ingress, incoming);
        } else {
            give_job(ingress, incoming);
        }
        break;
    }
}

static void heard(struct ingress *ingress, struct session *session)
{
    sessions_heard(ingress->egress->sessions, session, ingress->egress->now_ms);
    if (session->seat != NULL) {
        seats_heard(ingress->egress->seats, session->seat, ingress->egress->now_ms);
    }
}

/* Frame, sender, penalty: what is checked before a session matters. False when it went no further.
 */
static bool admit(struct ingress *ingress, struct incoming *incoming)
{
    const struct bus_message *from = incoming->from;
    struct session *session = incoming->session;
    enum refusal refusal = REFUSED_MALFORMED;
    uint64_t hold_ms;

    if (!from->has_user || (session != NULL && !key_equal(&session->identity, &from->user))) {
        ingress->counters.dropped++;
        if (session != NULL) {
            egress_end(ingress->egress, session);
        }
        return false;
    }
    hold_ms = penalties_hold_ms(&ingress->penalties, &from->user, ingress->egress->now_ms);
    if (hold_ms > 0) {
        egress_refuse(ingress->egress, session, from, 0, REFUSED_HELD_OFF, hold_ms);
        return false;
    }
    if (from->status == GROVE_OK) {
        refusal = refusal_of(wire_message_open(bus_frame_bytes(from->frame), &incoming->message));
    }
    if (refusal != REFUSED_NOT) {
        refuse(ingress, incoming, refusal);
        return false;
    }
    return true;
}

void ingress_receive(struct ingress *ingress, const struct bus_message *message)
{
    struct incoming incoming = {
        .from = message,
        .session = sessions_find(ingress->egress->sessions, &message->route),
    };
    enum refusal refusal;

    ingress->counters.messages++;
    if (!admit(ingress, &incoming)) {
        return;
    }
    ingress->counters.size += bus_frame_bytes(message->frame).size;
    if (incoming.session == NULL || incoming.message.type == MESSAGE_HELLO) {
        on_hello(ingress, &incoming);
        return;
    }
    refusal = judge_sender(ingress, &incoming);
    if (refusal != REFUSED_NOT) {
        refuse(ingress, &incoming, refusal);
        return;
    }
    heard(ingress, incoming.session);
    handle(ingress, &incoming);
}

/* ---- what comes back */

/* Three bad signatures end the session, and hold its key off. */
static void strike(struct ingress *ingress, struct session *session)
{
    if (penalties_strike(&ingress->penalties, &session->identity, ingress->egress->now_ms)) {
        ingress->counters.held_off++;
        if (session->is_open) {
            egress_end(ingress->egress, session);
        }
    }
}

void ingress_collect(struct ingress *ingress)
{
    struct job *job;

    while ((job = pool_take(ingress->pool)) != NULL) {
        if (job->refusal == REFUSED_NOT && !ingress->is_leader) {
            job->refusal = REFUSED_NO_LEADER; /* leadership went meanwhile */
        }
        if (job->refusal == REFUSED_NOT) {
            ingress->counters.verified += job->item_count > 0;
            proposals_add(ingress->proposals, job);
            continue;
        }
        egress_refuse_job(ingress->egress, job, job->refusal);
        if (job->refusal == REFUSED_BAD_SIGNATURE) {
            strike(ingress, job->session);
        }
        jobs_give_back(ingress->egress->jobs, job);
    }
}

/* ---- silence */

static void retire(struct ingress *ingress, struct seat *seat)
{
    const struct command command = {
        .kind = COMMAND_RETIRE,
        .retire = {.session = seat->index, .reason = RETIRE_SILENT},
    };

    seat->is_retiring = true;
    proposals_add_own(ingress->proposals, &command);
}

/* Whoever slept itself has heard nobody, though all have spoken: then everybody has a whole session
 * time from now on. */
static bool may_judge(struct ingress *ingress)
{
    const uint64_t now_ms = ingress->egress->now_ms;

    if (now_ms - ingress->ticked_ms >= LIMIT_HEARTBEAT_MS) {
        ingress->awake_ms = now_ms;
    }
    ingress->ticked_ms = now_ms;
    return now_ms - ingress->awake_ms >= ingress->session_ms;
}

void ingress_tick(struct ingress *ingress)
{
    struct egress *egress = ingress->egress;
    struct session *session;
    struct seat *seat;

    if (!may_judge(ingress)) {
        return;
    }
    while ((session = sessions_oldest(egress->sessions)) != NULL &&
           egress->now_ms - session->heard_ms >= ingress->session_ms) {
        egress_end(egress, session);
    }
    while (ingress->is_leader &&
           (seat = seats_silent(egress->seats, egress->now_ms, ingress->session_ms)) != NULL) {
        retire(ingress, seat);
    }
}

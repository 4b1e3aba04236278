/* SPDX-License-Identifier: MPL-2.0
 * Hello until Welcome; then silence is what to watch for. */
#include "nodes/client/session.h"

#include <sodium.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "nodes/host/clock.h"
#include "nodes/host/log.h"

static void lose(struct session *session, uint64_t now_ms);
static void move_to(struct session *session, unsigned coordinator);
static void begin_hurry(struct session *session);

uint64_t session_correlation(struct session *session)
{
    return ++session->correlation;
}

uint64_t session_ledger_ms(const struct session *session)
{
    int64_t offset = atomic_load_explicit(&session->offset_ms, memory_order_relaxed);

    return (uint64_t)((int64_t)clock_unix_ms() + offset);
}

void session_set_stamp(struct session *session, uint64_t stamp_ms)
{
    if (stamp_ms > 0 && stamp_ms < INT64_MAX) {
        atomic_store_explicit(&session->offset_ms, (int64_t)stamp_ms - (int64_t)clock_unix_ms(),
                              memory_order_relaxed);
    }
}

/* One that has no connection takes nothing: whoever else leads is looked for at once. */
enum grove_status session_send(struct session *session, struct bytes frame)
{
    if (!session->is_welcome) {
        return GROVE_BUSY;
    }
    const enum grove_status status = bus_send(session->socket, NULL, NULL, frame);

    if (status == GROVE_BUSY && session->places.count > 1 &&
        bus_handshake(session->socket) == BUS_UNANSWERED) {
        lose(session, clock_monotonic_ms());
    }
    return status;
}

void session_learn(struct session *session, struct wire_list certificates)
{
    struct bytes signed_form;

    while (wire_next(&certificates, &signed_form)) {
        bool changed;
        enum refusal refusal =
            trust_admit(&session->trust, signed_form, session_ledger_ms(session), &changed);

        if (refusal != REFUSED_NOT) {
            log_event(LOG_WARNING, "certificate refused", "reason=%s", refusal_name(refusal));
        }
    }
}

static void say_hello(struct session *session, uint64_t now_ms)
{
    struct hello hello = {
        .mesh = session->credential->mesh,
        .boot = session->boot,
        .has_ledger = session->has_ledger,
        .ledger = session->ledger,
    };

    session->hello_ms = now_ms;
    buffer_reset(&session->scratch);
    wire_hello_encode(&session->scratch, session_correlation(session), &hello);
    if (bus_send(session->socket, NULL, NULL, buffer_bytes(&session->scratch)) != GROVE_OK) {
        /* Not connected yet; the next tick says it again. */
        session->hello_ms = 0;
    }
}

void session_restart(struct session *session)
{
    if (session->is_welcome) {
        session->is_welcome = false;
        session->connected_ms = clock_monotonic_ms();
        session->lost_ms = session->connected_ms;
        say_hello(session, session->connected_ms);
    }
}

static void take_welcome(struct session *session, const struct message *message)
{
    struct welcome welcome;
    struct location location;
    struct bytes element;

    if (wire_welcome_decode(message->body, &welcome) != GROVE_OK) {
        return;
    }
    if (session->has_ledger && !id_equal(&session->ledger, &welcome.ledger)) {
        session->refusal = GROVE_WRONG_MESH;
        snprintf(session->refusal_text, sizeof(session->refusal_text),
                 "it keeps another ledger than the one seen before");
        return;
    }
    session->has_ledger = true;
    session->ledger = welcome.ledger;
    session_set_stamp(session, welcome.stamp_ms);
    session_learn(session, welcome.certificates);
    while (wire_next(&welcome.coordinators, &element)) {
        if (wire_location_decode(element, &location) == GROVE_OK) {
            places_add(&session->places, &location);
        }
    }
    session->heartbeat_ms = welcome.heartbeat_ms ? welcome.heartbeat_ms : LIMIT_HEARTBEAT_MS;
    session->silence_ms = welcome.session_ms ? welcome.session_ms : LIMIT_SESSION_MS;
    session->is_welcome = true;
    session->connections = bus_connections(session->socket);
    session->refusal = GROVE_OK;
    session->events.welcomed(session->events.context, message, &welcome);
}

/* Goes where the leader is said to be; else asks again soon. */
static void follow(struct session *session, struct wire_list leader, uint64_t now_ms)
{
    struct location location;
    struct bytes element;
    unsigned at = PLACES_MOST;

    if (wire_next(&leader, &element) && wire_location_decode(element, &location) == GROVE_OK) {
        at = places_add(&session->places, &location);
    }
    if (at < PLACES_MOST && at != session->coordinator &&
        now_ms - session->connected_ms >= SESSION_MOVE_MS) {
        move_to(session, at);
    } else {
        session->hello_ms = now_ms + SESSION_AGAIN_MS - SESSION_HELLO_MS;
        begin_hurry(session);
    }
}

/* It leads no more, or never has. */
static void take_no_leader(struct session *session, const struct refused *refused)
{
    const uint64_t now_ms = clock_monotonic_ms();

    if (session->is_welcome) {
        session->is_welcome = false;
        session->lost_ms = now_ms;
    }
    follow(session, refused->leader, now_ms);
}

/* Before a Welcome a refusal answers our Hello; after it, only the loss of the session is ours to
 * mend. */
static void take_refused(struct session *session, const struct message *message)
{
    struct refused refused;

    if (wire_refused_decode(message->body, &refused) != GROVE_OK) {
        return;
    }
    if (refused.code == REFUSED_NO_LEADER && (!session->is_welcome || message->correlation == 0)) {
        take_no_leader(session, &refused);
        return;
    }
    if (session->is_welcome && refused.code == REFUSED_NO_SESSION) {
        session_restart(session);
        return;
    }
    if (session->is_welcome) {
        session->events.received(session->events.context, message);
        return;
    }
    if (refused.code != REFUSED_NO_SESSION && !refused.retryable) {
        enum grove_status status = refusal_status((enum refusal)refused.code);

        session->refusal = status == GROVE_OK ? GROVE_REFUSED : status;
        snprintf(session->refusal_text, sizeof(session->refusal_text), "%.*s",
                 (int)refused.text.size, (const char *)refused.text.data);
    }
}

static void receive(void *context, const struct bus_message *received)
{
    struct session *session = context;
    struct message message;

    if (received->status != GROVE_OK ||
        wire_message_open(bus_frame_bytes(received->frame), &message) != GROVE_OK) {
        log_event(LOG_WARNING, "frame dropped", "why=malformed");
        return;
    }
    session->heard_ms = clock_monotonic_ms();
    if (message.type == MESSAGE_WELCOME) {
        take_welcome(session, &message);
    } else if (message.type == MESSAGE_REFUSED) {
        take_refused(session, &message);
    } else if (message.type == MESSAGE_HEARTBEAT) {
        struct heartbeat heartbeat;

        if (wire_heartbeat_decode(message.body, &heartbeat) == GROVE_OK) {
            session_set_stamp(session, heartbeat.stamp_ms);
        }
    } else if (session->is_welcome) {
        session->events.received(session->events.context, &message);
    }
}

static enum grove_status connect_to(struct session *session, unsigned coordinator)
{
    const struct place_known *place = &session->places.list[coordinator];
    struct bus_socket *socket;
    enum grove_status status = bus_connect(session->bus, place->endpoint, &place->link,
                                           session->credential->link, receive, session, &socket);

    if (status == GROVE_OK) {
        session->socket = socket;
        session->coordinator = coordinator;
        session->connected_ms = clock_monotonic_ms();
        session->hello_ms = 0;
    }
    return status;
}

static void move_to(struct session *session, unsigned coordinator)
{
    struct bus_socket *old = session->socket;

    session->connected_ms = clock_monotonic_ms();
    if (connect_to(session, coordinator) == GROVE_OK) {
        bus_close(session->bus, old);
        begin_hurry(session);
    }
}

/* Tries the next coordinator of the list; a list of one has nothing to try, its DEALER reconnects
 * by itself. */
static void move_on(struct session *session)
{
    const unsigned next = (session->coordinator + 1) % session->places.count;

    if (next != session->coordinator) {
        move_to(session, next);
    }
}

static void lose(struct session *session, uint64_t now_ms)
{
    session->is_welcome = false;
    session->lost_ms = now_ms;
    move_on(session);
}

static void end_hurry(struct session *session)
{
    if (session->hurry >= 0) {
        bus_unwatch(session->bus, session->hurry);
        close(session->hurry);
        session->hurry = -1;
    }
}

/* Says Hello where it is due, and goes elsewhere where nobody says Welcome. */
static void search(struct session *session, uint64_t now_ms)
{
    const bool is_connected = bus_handshake(session->socket) == BUS_CONNECTED;
    const uint64_t patience_ms = is_connected ? SESSION_GIVE_UP_MS : SESSION_TRY_MS;

    if (session->places.count > 1 && now_ms - session->connected_ms > patience_ms) {
        if (!is_connected) {
            places_turn(&session->places, session->coordinator);
        }
        move_on(session);
    }
    if (session->hello_ms == 0 || now_ms >= session->hello_ms + SESSION_HELLO_MS) {
        say_hello(session, now_ms);
    }
}

/* A Hello goes out as soon as there is a connection, not with the next tick; so it goes on while
 * there is somebody else to try. */
static void hurry(void *context)
{
    struct session *session = context;
    const uint64_t now_ms = clock_monotonic_ms();
    uint64_t count;

    if (read(session->hurry, &count, sizeof(count)) < 0) {
        return;
    }
    if (!session->is_welcome) {
        search(session, now_ms);
    }
    if (session->is_welcome ||
        (session->places.count == 1 &&
         (session->hello_ms != 0 || now_ms - session->connected_ms > SESSION_HELLO_MS))) {
        end_hurry(session);
    }
}

/* Without a timer the tick does the same, later. */
static void begin_hurry(struct session *session)
{
    struct itimerspec every = {
        .it_interval = {.tv_nsec = SESSION_HURRY_MS * 1000000L},
        .it_value = {.tv_nsec = SESSION_HURRY_MS * 1000000L},
    };

    if (session->hurry >= 0) {
        return;
    }
    session->hurry = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (session->hurry < 0) {
        return;
    }
    timerfd_settime(session->hurry, 0, &every, NULL);
    if (bus_watch(session->bus, session->hurry, hurry, session) != GROVE_OK) {
        close(session->hurry);
        session->hurry = -1;
    }
}

void session_tick(struct session *session, uint64_t now_ms)
{
    const enum bus_handshake handshake = bus_handshake(session->socket);

    if (handshake == BUS_REFUSED) {
        session->refusal = GROVE_DENIED;
    }
    if (session->is_welcome && handshake == BUS_UNANSWERED && session->places.count > 1) {
        lose(session, now_ms);
    }
    if (session->is_welcome && bus_connections(session->socket) != session->connections) {
        session_restart(session);
    }
    if (session->is_welcome && now_ms - session->heard_ms > session->silence_ms) {
        log_event(LOG_WARNING, "coordinator silent", "ms=%llu",
                  (unsigned long long)(now_ms - session->heard_ms));
        session_restart(session);
    }
    if (!session->is_welcome) {
        search(session, now_ms);
    }
}

bool session_beat(struct session *session, uint64_t now_ms)
{
    if (!session->is_welcome || now_ms - session->beat_ms < session->heartbeat_ms) {
        return false;
    }
    session->beat_ms = now_ms;
    return true;
}

enum grove_status session_open(struct session *session, struct bus *bus,
                               const struct credential *credential,
                               const struct session_events *events)
{
    uint8_t hash_key[16];
    bool changed;

    memset(session, 0, sizeof(*session));
    session->hurry = -1;
    if (credential->coordinator_count == 0) {
        return GROVE_NOT_FOUND;
    }
    session->bus = bus;
    session->credential = credential;
    session->events = *events;
    atomic_init(&session->offset_ms, 0);
    randombytes_buf(session->boot.byte, sizeof(session->boot.byte));
    randombytes_buf(hash_key, sizeof(hash_key));
    trust_init(&session->trust, &credential->mesh, hash_key);
    for (unsigned i = 0; i < credential->coordinator_count; i++) {
        if (trust_admit(&session->trust,
                        buffer_bytes(&credential->coordinator[i].certificate_bytes),
                        clock_unix_ms(), &changed) != REFUSED_NOT) {
            log_event(LOG_WARNING, "certificate refused", "coordinator=%u", i);
        }
    }
    if (trust_admit(&session->trust, buffer_bytes(&credential->certificate_bytes), clock_unix_ms(),
                    &changed) != REFUSED_NOT) {
        log_event(LOG_WARNING, "certificate refused", "whose=ours");
    }
    places_init(&session->places, credential);
    session->lost_ms = clock_monotonic_ms();
    begin_hurry(session);
    return connect_to(session, 0);
}

void session_close(struct session *session)
{
    if (!session->bus) {
        return;
    }
    end_hurry(session);
    if (session->socket) {
        bus_close(session->bus, session->socket);
    }
    trust_clear(&session->trust);
    buffer_clear(&session->scratch);
    memset(session, 0, sizeof(*session));
}

enum grove_status session_why(enum bus_handshake handshake, const char *endpoint, const char *path,
                              char *error)
{
    switch (handshake) {
    case BUS_UNANSWERED:
        break;
    case BUS_UNDECIDED:
    case BUS_CONNECTED:
        snprintf(error, SESSION_ERROR_SIZE,
                 "%s takes the connection of %.300s and does not answer; it may not know this key: "
                 "grove keys admit %.300s",
                 endpoint, path, path);
        return GROVE_NO_LEADER;
    case BUS_SHUT_OUT:
        snprintf(error, SESSION_ERROR_SIZE,
                 "%s shuts out %.300s: it does not know this key (grove keys admit %.300s), or it "
                 "is another coordinator than the one named there",
                 endpoint, path, path);
        return GROVE_UNKNOWN_KEY;
    case BUS_REFUSED:
        snprintf(error, SESSION_ERROR_SIZE,
                 "%s refuses the credential %.600s: it is revoked, out of its dates, or not for "
                 "this door",
                 endpoint, path);
        return GROVE_DENIED;
    }
    snprintf(error, SESSION_ERROR_SIZE, "nobody answers at %s, which %.600s names", endpoint, path);
    return GROVE_NO_LEADER;
}

/* One of several coordinators that has started and hears no other yet knows nobody: that it shuts
 * us out says nothing of the mesh. */
static enum grove_status why_several(const struct session *session, const char *endpoint,
                                     const char *path, char *error)
{
    snprintf(error, SESSION_ERROR_SIZE,
             "no leader among %u coordinators; %s shuts out %.300s: it has only just started, or "
             "does not know this key (grove keys admit %.300s)",
             session->places.count, endpoint, path, path);
    return GROVE_NO_LEADER;
}

enum grove_status session_complaint(const struct session *session, const char *path, char *error)
{
    const char *endpoint = session->places.list[session->coordinator].endpoint;
    const enum bus_handshake handshake = bus_handshake(session->socket);

    if (session->refusal != GROVE_OK && handshake != BUS_REFUSED) {
        snprintf(error, SESSION_ERROR_SIZE, "%s refuses the credential %.600s: %s", endpoint, path,
                 session->refusal_text);
        return session->refusal;
    }
    if (handshake == BUS_SHUT_OUT && session->places.count > 1) {
        return why_several(session, endpoint, path, error);
    }
    return session_why(handshake, endpoint, path, error);
}

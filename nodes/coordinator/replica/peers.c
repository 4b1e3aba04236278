/* SPDX-License-Identifier: MPL-2.0
 * Sockets to and from the other coordinators. */
#include "nodes/coordinator/replica/peers.h"

#include "core/limits.h"
#include "nodes/coordinator/replica/incoming.h"
#include "nodes/coordinator/replica/outgoing.h"
#include "nodes/coordinator/replica/voter.h"
#include "nodes/host/clock.h"
#include "nodes/host/log.h"
#include "nodes/host/zap.h"

#include <stdlib.h>
#include <string.h>

#define PEERS_PORT 2u /* after the task socket */
#define NO_BIRTH (~UINT64_C(0) << 32)
#define UNUSED_MS UINT64_C(60000) /* a connection to one that takes part no more */

/* A peer that was sent something. */
struct peer {
    LIST_ENTRY(peer) link;
    raft_id id;
    char address[REPLICA_ADDRESS_SIZE];
    struct bus_socket *socket; /* NULL: no certificate yet, or an address of no use */
    uint64_t used_ms;
    struct outgoing outgoing;
};

struct peers {
    struct peers_options options;
    char address[REPLICA_ADDRESS_SIZE];
    struct id ledger;
    struct replica_transport transport;
    struct bus_socket *socket;
    LIST_HEAD(, peer) list;
    struct incoming incoming;
    struct buffer frame;
    struct peers_counters counters;
};

/* ---- sending */

static struct peer *find(struct peers *peers, raft_id id)
{
    struct peer *peer;

    LIST_FOREACH(peer, &peers->list, link) {
        if (peer->id == id) {
            return peer;
        }
    }
    return NULL;
}

static void connect_to(struct peers *peers, struct peer *peer)
{
    const struct peers_options *options = &peers->options;
    struct peer_address address;
    char endpoint[PEER_ENDPOINT_SIZE];
    struct key link;

    if (peer_address_read(peer->address, &address) &&
        peer_endpoint(address.endpoint, PEERS_PORT, endpoint) &&
        options->link_of(options->context, &address.identity, &link) &&
        bus_connect_peer(options->bus, endpoint, &link, options->link, &peer->socket) != GROVE_OK) {
        log_event(LOG_WARNING, "peer not connected", "endpoint=%s", endpoint);
    }
}

static void forget(struct peers *peers, struct peer *peer)
{
    outgoing_end(&peer->outgoing);
    bus_close(peers->options.bus, peer->socket);
    LIST_REMOVE(peer, link);
    free(peer);
}

/* The peer of this id, where it is now: one that moved is connected to anew. */
static struct peer *take(struct peers *peers, raft_id id, const char *address)
{
    struct peer *peer = find(peers, id);

    if (peer != NULL && strcmp(peer->address, address) != 0) {
        forget(peers, peer);
        peer = NULL;
    }
    if (peer == NULL) {
        peer = calloc(1, sizeof(*peer));
        if (peer == NULL) {
            abort();
        }
        peer->id = id;
        outgoing_init(&peer->outgoing);
        snprintf(peer->address, sizeof(peer->address), "%s", address);
        LIST_INSERT_HEAD(&peers->list, peer, link);
    }
    if (peer->socket == NULL) {
        connect_to(peers, peer);
    }
    peer->used_ms = clock_monotonic_ms();
    return peer;
}

/* False when the peer does not take it now. */
static bool send_frame(struct peers *peers, struct peer *peer, struct peer_message *message)
{
    message->from = peers->options.id;
    message->to = peer->id;
    message->address = bytes_of_text(peers->address);
    message->ledger = peers->ledger;
    buffer_reset(&peers->frame);
    peer_message_encode(&peers->frame, message);
    if (peer->socket == NULL ||
        bus_send(peer->socket, NULL, NULL, buffer_bytes(&peers->frame)) != GROVE_OK) {
        peers->counters.unsent++;
        return false;
    }
    peers->counters.sent++;
    return true;
}

/* Sends as much of a snapshot as may be on its way. */
static void pump(struct peers *peers, struct peer *peer)
{
    struct peer_message message;

    while (outgoing_next(&peer->outgoing, &message)) {
        if (!send_frame(peers, peer, &message)) {
            return; /* from there on again, when it stands still */
        }
        outgoing_sent(&peer->outgoing, &message);
    }
}

static void end_transfer(struct peers *peers, struct peer *peer, bool arrived)
{
    const raft_id id = peer->id;

    outgoing_end(&peer->outgoing);
    peers->counters.snapshots_sent += arrived;
    peers->counters.snapshots_failed += !arrived;
    peers->options.transferred(peers->options.context, id, arrived);
}

static bool send_snapshot(struct peers *peers, struct peer *peer,
                          const struct raft_install_snapshot *install)
{
    struct voter_token token;
    int fd;

    memcpy(&token, install->data.base, sizeof(token));
    if (peer->socket == NULL ||
        peers->options.snapshot_file(peers->options.context, token.index, &fd) != GROVE_OK ||
        !outgoing_begin(&peer->outgoing, fd, token.index, install)) {
        peers->counters.snapshots_failed++;
        return false;
    }
    pump(peers, peer);
    return true;
}

/* The rest of what libraft wants to append goes when this was answered. */
static bool send_append(struct peers *peers, struct peer *peer, struct peer_message *message)
{
    struct raft_append_entries *append = &message->raft.append_entries;
    const bool is_cut = append->n_entries > PEER_ENTRIES;

    if (is_cut) {
        append->n_entries = PEER_ENTRIES;
    }
    return send_frame(peers, peer, message) && !is_cut;
}

static bool send_message(void *context, const struct raft_message *raft)
{
    struct peers *peers = context;
    struct peer *peer = take(peers, raft->server_id, raft->server_address);
    struct peer_message message = {.type = peer_type_of(raft), .raft = *raft};

    switch (message.type) {
    case PEER_INSTALL:
        return send_snapshot(peers, peer, &raft->install_snapshot);
    case PEER_APPEND:
        return send_append(peers, peer, &message);
    case PEER_REQUEST_VOTE:
    case PEER_VOTE:
    case PEER_APPENDED:
    case PEER_TIMEOUT_NOW:
        return send_frame(peers, peer, &message);
    case PEER_CHUNK:
    case PEER_CHUNK_TAKEN:
    case PEER_KNOCK:
    case PEER_SUM:
        break;
    }
    return false;
}

/* Whose id is not known is called by one that its key has and nobody has. */
void peers_knock(struct peers *peers, const struct peer_address *at)
{
    struct peer_message message = {.type = PEER_KNOCK};
    char address[REPLICA_ADDRESS_SIZE];

    peer_address_write(at, address);
    send_frame(peers, take(peers, peer_id(&at->identity, 0), address), &message);
}

void peers_tell(struct peers *peers, uint64_t id, const struct peer_address *at,
                const struct peer_sum *sum)
{
    struct peer_message message = {.type = PEER_SUM, .sum = *sum};
    char address[REPLICA_ADDRESS_SIZE];

    peer_address_write(at, address);
    send_frame(peers, take(peers, id, address), &message);
}

/* ---- receiving */

/* Hands over what libraft owns from now on. */
static void hand_over(struct peers *peers, struct raft_message *message, const char *address)
{
    message->server_address = address;
    peers->options.receive(peers->options.context, message);
}

/* Says how far the file of a snapshot is, and what libraft is to know. */
static void answer_chunk(struct peers *peers, const struct peer_message *from, const char *address)
{
    struct peer_message taken = {.type = PEER_CHUNK_TAKEN,
                                 .chunk = {.index = peers->incoming.index}};
    struct raft_message message;

    switch (incoming_state(&peers->incoming)) {
    case INCOMING_NONE:
        taken.chunk.index = from->type == PEER_CHUNK ? from->chunk.index : 0;
        taken.chunk.offset = PEER_CHUNK_REFUSED;
        break;
    case INCOMING_RUNS:
        taken.chunk.offset = peers->incoming.offset;
        if (incoming_heartbeat(&peers->incoming, clock_monotonic_ms(), &message)) {
            hand_over(peers, &message, address);
        }
        break;
    case INCOMING_WHOLE:
        taken.chunk.offset = peers->incoming.offset;
        incoming_take(&peers->incoming, &message);
        peers->counters.snapshots_received++;
        hand_over(peers, &message, address);
        break;
    case INCOMING_BROKEN:
        taken.chunk.offset = PEER_CHUNK_REFUSED;
        incoming_clear(&peers->incoming);
        peers->counters.snapshots_failed++;
        break;
    }
    send_frame(peers, take(peers, from->from, address), &taken);
}

static void on_taken(struct peers *peers, const struct peer_message *message)
{
    struct peer *peer = find(peers, message->from);

    if (peer == NULL) {
        return;
    }
    switch (outgoing_taken(&peer->outgoing, &message->chunk, clock_monotonic_ms())) {
    case OUTGOING_NONE:
        break;
    case OUTGOING_RUNS:
        pump(peers, peer);
        break;
    case OUTGOING_ARRIVED:
        end_transfer(peers, peer, true);
        break;
    case OUTGOING_REFUSED:
        end_transfer(peers, peer, false);
        break;
    }
}

static void announced(struct peers *peers, struct peer_message *message)
{
    const uint64_t index = message->raft.install_snapshot.last_index;
    int fd = -1;

    if (incoming_goes_on(&peers->incoming, message)) {
        peer_message_clear(message);
        return;
    }
    if (peers->options.incoming_file(peers->options.context, index, &fd) != GROVE_OK) {
        fd = -1;
    }
    incoming_begin(&peers->incoming, message, fd);
}

static void handle(struct peers *peers, struct peer_message *message, const char *address)
{
    switch (message->type) {
    case PEER_REQUEST_VOTE:
    case PEER_VOTE:
    case PEER_APPEND:
    case PEER_APPENDED:
    case PEER_TIMEOUT_NOW:
        hand_over(peers, &message->raft, address);
        break;
    case PEER_INSTALL:
        announced(peers, message);
        answer_chunk(peers, message, address);
        break;
    case PEER_CHUNK:
        incoming_chunk(&peers->incoming, message);
        answer_chunk(peers, message, address);
        break;
    case PEER_CHUNK_TAKEN:
        on_taken(peers, message);
        break;
    case PEER_KNOCK:
        peers->options.knocked(peers->options.context, message->from, address);
        break;
    case PEER_SUM:
        peers->options.told(peers->options.context, message->from, &message->sum);
        break;
    }
}

static bool is_for_us(const struct peers *peers, const struct peer_message *message)
{
    const uint64_t id = peers->options.id;

    return message->to == id || (message->type == PEER_KNOCK && message->to == (id & NO_BIRTH));
}

static bool is_foreign(const struct peers *peers, const struct peer_message *message)
{
    static const struct id unknown;

    return !id_equal(&message->ledger, &unknown) && !id_equal(&peers->ledger, &unknown) &&
           !id_equal(&message->ledger, &peers->ledger);
}

/* Said to us, or to whom we were on another disk; one that knocks only looks for a ledger. */
static bool is_claim(const struct peers *peers, const struct peer_message *message)
{
    return is_foreign(peers, message) && message->type != PEER_KNOCK &&
           ((message->to ^ peers->options.id) & NO_BIRTH) == 0;
}

/* The key of the connection says who it is; address and id must be that key's. */
static bool is_forged(const struct peer_message *message, const char *address,
                      const struct key *user)
{
    struct peer_address sender;

    return !peer_address_read(address, &sender) || !key_equal(&sender.identity, user) ||
           !peer_id_is_of(message->from, user);
}

static void on_frame(void *context, const struct bus_message *from)
{
    struct peers *peers = context;
    struct peer_message message;
    char address[REPLICA_ADDRESS_SIZE] = "";

    if (!from->has_user || from->status != GROVE_OK ||
        peer_message_decode(bus_frame_bytes(from->frame), &message) != GROVE_OK) {
        peers->counters.malformed++;
        return;
    }
    memcpy(address, message.address.data, message.address.size);
    if (is_forged(&message, address, &from->user)) {
        peers->counters.forged++;
        peer_message_clear(&message);
    } else if (!is_for_us(peers, &message) || is_foreign(peers, &message)) {
        peers->counters.misdirected++;
        if (is_claim(peers, &message)) {
            peers->options.claimed(peers->options.context);
        }
        peer_message_clear(&message);
    } else {
        peers->counters.received++;
        handle(peers, &message, address);
    }
}

/* ---- time */

void peers_tick(struct peers *peers)
{
    const uint64_t now_ms = clock_monotonic_ms();
    struct peer *peer, *next;

    LIST_FOREACH_SAFE(peer, &peers->list, link, next) {
        switch (outgoing_tick(&peer->outgoing, now_ms)) {
        case OUTGOING_NONE:
            if (now_ms - peer->used_ms > UNUSED_MS) {
                forget(peers, peer);
            }
            break;
        case OUTGOING_RUNS:
            pump(peers, peer);
            break;
        case OUTGOING_ARRIVED:
        case OUTGOING_REFUSED:
            end_transfer(peers, peer, false);
            break;
        }
    }
}

/* ---- opening and closing */

struct peers *peers_create(const struct peers_options *options)
{
    struct peers *made = calloc(1, sizeof(*made));

    if (made == NULL) {
        abort();
    }
    made->options = *options;
    snprintf(made->address, sizeof(made->address), "%s", options->address);
    made->transport = (struct replica_transport){.context = made, .send = send_message};
    incoming_init(&made->incoming);
    LIST_INIT(&made->list);
    return made;
}

enum grove_status peers_bind(struct peers *peers)
{
    const struct bus_bind_options bind = {.address = peers->options.listen,
                                          .zap_domain = ZAP_DOMAIN_PEERS,
                                          .zap = *peers->options.zap,
                                          .link = peers->options.link,
                                          .traffic = BUS_PEERS};

    return bus_bind(peers->options.bus, &bind, on_frame, peers, &peers->socket);
}

void peers_destroy(struct peers *peers)
{
    struct peer *peer, *next;

    if (peers == NULL) {
        return;
    }
    LIST_FOREACH_SAFE(peer, &peers->list, link, next) {
        forget(peers, peer);
    }
    incoming_clear(&peers->incoming);
    bus_close(peers->options.bus, peers->socket);
    buffer_clear(&peers->frame);
    free(peers);
}

const struct replica_transport *peers_transport(const struct peers *peers)
{
    return &peers->transport;
}

void peers_set_ledger(struct peers *peers, const struct id *ledger)
{
    peers->ledger = *ledger;
}

enum bus_handshake peers_handshake(struct peers *peers, uint64_t id)
{
    const struct peer *peer = find(peers, id);

    return peer != NULL && peer->socket != NULL ? bus_handshake(peer->socket) : BUS_UNANSWERED;
}

void peers_read_counters(const struct peers *peers, struct peers_counters *counters)
{
    *counters = peers->counters;
}

/* SPDX-License-Identifier: MPL-2.0
 * Two coordinators and a third party on one bus: what is said to a peer arrives there and nowhere
 * else, from whom the key says; everything else is dropped, and counted. */
#include "nodes/coordinator/replica/peers.h"

#include "core/certificate.h"
#include "nodes/coordinator/replica/configuration.h"
#include "nodes/coordinator/replica/peer_message.h"
#include "nodes/coordinator/replica/snapshot.h"
#include "nodes/coordinator/replica/voter.h"
#include "nodes/host/bus_context.h"
#include "nodes/host/zap.h"
#include "tests/support/scratch.h"

#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NODES 3u /* the third has a coordinator's certificate and no socket of its own */
#define TRIES 64
#define INCOMING_NAME "incoming"
#define TICK_MS 10
#define PATIENCE_MS 120000
#define STATE_SIZE ((size_t)5 << 20) /* bytes: more chunks than are under way at a time */

struct node {
    struct fixture *f;
    struct link_pair link;
    struct key identity;
    uint64_t id;
    char address[REPLICA_ADDRESS_SIZE], listen[64];
    struct scratch scratch;
    struct peers *peers;
    struct raft_message last; /* received; freed, but for a snapshot's index */
    char last_address[REPLICA_ADDRESS_SIZE];
    uint64_t last_snapshot;
    unsigned received, beats, transferred, failed;
    uint64_t told_by; /* this id, ... */
    struct peer_sum told;
    uint64_t knocked; /* by this id, ... */
    unsigned claims;  /* of other ledgers */
    char knocked_from[REPLICA_ADDRESS_SIZE];
};

struct fixture {
    struct bus *bus;
    struct zap *zap;
    struct node node[NODES];
    bool (*is_done)(struct fixture *f);
};

static bool link_of(void *context, const struct key *identity, struct key *link)
{
    const struct node *node = context;

    for (unsigned i = 0; i < NODES; i++) {
        if (key_equal(&node->f->node[i].identity, identity)) {
            *link = node->f->node[i].link.public_key;
            return true;
        }
    }
    return false;
}

static void receive(void *context, struct raft_message *message)
{
    struct node *node = context;
    struct peer_message taken = {.type = peer_type_of(message), .raft = *message};

    if (message->type == RAFT_IO_INSTALL_SNAPSHOT) {
        struct voter_token token;
        memcpy(&token, message->install_snapshot.data.base, sizeof(token));
        node->last_snapshot = token.index;
        raft_free(message->install_snapshot.data.base);
    } else if (message->type == RAFT_IO_APPEND_ENTRIES) {
        node->beats++;
    }
    snprintf(node->last_address, sizeof(node->last_address), "%s", message->server_address);
    node->last = *message;
    node->received++;
    peer_message_clear(&taken);
}

static void transferred(void *context, uint64_t peer, bool arrived)
{
    struct node *node = context;

    assert_int_equal(peer, node->f->node[1].id);
    node->transferred += arrived;
    node->failed += !arrived;
}

static enum grove_status open_in(const struct node *node, const char *name, int flags, int *fd)
{
    const int directory = open(node->scratch.path, O_RDONLY | O_DIRECTORY);

    *fd = openat(directory, name, flags, 0600);
    close(directory);
    return *fd >= 0 ? GROVE_OK : GROVE_NOT_FOUND;
}

static enum grove_status snapshot_file(void *context, uint64_t index, int *fd)
{
    char name[SNAPSHOT_NAME_SIZE];

    snapshot_name(index, name);
    return open_in(context, name, O_RDONLY, fd);
}

static enum grove_status incoming_file(void *context, uint64_t index, int *fd)
{
    assert_int_equal(index, 42);
    return open_in(context, INCOMING_NAME, O_RDWR | O_CREAT | O_TRUNC, fd);
}

static void knocked(void *context, uint64_t id, const char *address)
{
    struct node *node = context;

    node->knocked = id;
    snprintf(node->knocked_from, sizeof(node->knocked_from), "%s", address);
}

static void told(void *context, uint64_t id, const struct peer_sum *sum)
{
    struct node *node = context;

    node->told_by = id;
    node->told = *sum;
}

static void claimed(void *context)
{
    struct node *node = context;

    node->claims++;
}

static void look(void *context)
{
    struct fixture *f = context;

    if (f->is_done != NULL && f->is_done(f)) {
        bus_stop(f->bus);
    }
}

static void tick(void *context)
{
    struct fixture *f = context;

    peers_tick(f->node[0].peers);
    peers_tick(f->node[1].peers);
}

static void give_up(void *context)
{
    (void)context;
    print_error("it did not come to that\n");
    abort();
}

static void run_until(struct fixture *f, bool (*is_done)(struct fixture *f))
{
    f->is_done = is_done;
    if (!is_done(f)) {
        bus_run(f->bus);
    }
    f->is_done = NULL;
}

/* At a free port, which is in the address before the socket is bound. */
static void open_node(struct fixture *f, struct node *node)
{
    enum grove_status status = GROVE_IN_USE;
    struct peer_address address = {.identity = node->identity};

    for (int i = 0; i < TRIES && status == GROVE_IN_USE; i++) {
        const unsigned port = 20000 + randombytes_uniform(40000);
        snprintf(address.endpoint, sizeof(address.endpoint), "tcp://127.0.0.1:%u", port);
        snprintf(node->listen, sizeof(node->listen), "127.0.0.1:%u", port + 2);
        peer_address_write(&address, node->address);
        const struct peers_options options = {.bus = f->bus,
                                              .zap = &f->zap,
                                              .link = &node->link,
                                              .listen = node->listen,
                                              .id = node->id,
                                              .address = node->address,
                                              .context = node,
                                              .link_of = link_of,
                                              .receive = receive,
                                              .transferred = transferred,
                                              .snapshot_file = snapshot_file,
                                              .incoming_file = incoming_file,
                                              .knocked = knocked,
                                              .told = told,
                                              .claimed = claimed};
        node->peers = peers_create(&options);
        status = peers_bind(node->peers);
        if (status != GROVE_OK) {
            peers_destroy(node->peers);
        }
    }
    assert_int_equal(status, GROVE_OK);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct zap_entry entries[NODES];

    assert_non_null(f);
    f->bus = bus_create(50);
    assert_int_equal(zap_start(&f->zap), GROVE_OK);
    for (unsigned i = 0; i < NODES; i++) {
        struct node *node = &f->node[i];
        node->f = f;
        crypto_box_keypair(node->link.public_key.byte, node->link.secret);
        randombytes_buf(node->identity.byte, sizeof(node->identity.byte));
        node->id = peer_id(&node->identity, i + 1);
        scratch_make(&node->scratch);
        entries[i] = (struct zap_entry){.link = node->link.public_key,
                                        .identity = node->identity,
                                        .roles = ROLE_COORDINATOR,
                                        .not_after_ms = UINT64_MAX};
    }
    zap_publish(f->zap, entries, NODES);
    open_node(f, &f->node[0]);
    open_node(f, &f->node[1]);
    bus_at_turn_end(f->bus, look, f);
    assert_int_equal(bus_every(f->bus, TICK_MS, tick, f), GROVE_OK);
    assert_int_equal(bus_every(f->bus, PATIENCE_MS, give_up, f), GROVE_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < NODES; i++) {
        peers_destroy(f->node[i].peers);
        scratch_remove(&f->node[i].scratch);
    }
    bus_destroy(f->bus);
    zap_stop(f->zap);
    free(f);
    return 0;
}

static struct peers_counters counters(const struct node *node)
{
    struct peers_counters read;

    peers_read_counters(node->peers, &read);
    return read;
}

static bool send_to(const struct node *from, const struct node *to, struct raft_message *message)
{
    const struct replica_transport *transport = peers_transport(from->peers);

    message->server_id = to->id;
    message->server_address = to->address;
    return transport->send(transport->context, message);
}

static struct raft_message vote(raft_term term)
{
    return (struct raft_message){.type = RAFT_IO_REQUEST_VOTE_RESULT,
                                 .request_vote_result = {.term = term, .vote_granted = true}};
}

/* Says it again, as libraft does, until it arrives. */
static bool second_hears_the_first(struct fixture *f)
{
    struct raft_message message = vote(7);

    if (f->node[1].received == 0) {
        (void)send_to(&f->node[0], &f->node[1], &message);
    }
    return f->node[1].received > 0;
}

static void a_message_arrives_with_its_sender(void **state)
{
    struct fixture *f = *state;

    run_until(f, second_hears_the_first);
    assert_int_equal(f->node[1].last.type, RAFT_IO_REQUEST_VOTE_RESULT);
    assert_int_equal(f->node[1].last.request_vote_result.term, 7);
    assert_int_equal(f->node[1].last.server_id, f->node[0].id);
    assert_string_equal(f->node[1].last_address, f->node[0].address);
    assert_int_equal(f->node[0].received, 0);
    assert_int_equal(peers_handshake(f->node[0].peers, f->node[1].id), BUS_CONNECTED);
}

static void what_an_absent_peer_does_not_take_is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    struct raft_message message = vote(7);

    peers_destroy(f->node[1].peers);
    f->node[1].peers = NULL;
    assert_false(send_to(&f->node[0], &f->node[1], &message));
    assert_int_equal(counters(&f->node[0]).unsent, 1);
    open_node(f, &f->node[1]);
}

static void one_without_a_certificate_is_not_connected_to(void **state)
{
    struct fixture *f = *state;
    struct raft_message message = vote(7);
    struct node stranger = {.id = 4711};
    struct peer_address address = {.identity = {{1}}, .endpoint = "tcp://127.0.0.1:4000"};

    peer_address_write(&address, stranger.address);
    assert_false(send_to(&f->node[0], &stranger, &message));
    assert_int_equal(peers_handshake(f->node[0].peers, stranger.id), BUS_UNANSWERED);
}

/* ---- what the third party says to the second */

static struct peer_message claim(const struct fixture *f, unsigned who)
{
    struct peer_message message = {.type = PEER_VOTE,
                                   .from = f->node[who].id,
                                   .to = f->node[1].id,
                                   .address = bytes_of_text(f->node[who].address)};

    message.raft.request_vote_result = (struct raft_request_vote_result){.term = 9};
    return message;
}

static struct bus_socket *connect_as(struct fixture *f, const struct link_pair *link)
{
    struct bus_socket *socket;
    char endpoint[80];

    snprintf(endpoint, sizeof(endpoint), "tcp://%s", f->node[1].listen);
    assert_int_equal(bus_connect_peer(f->bus, endpoint, &f->node[1].link.public_key, link, &socket),
                     GROVE_OK);
    return socket;
}

static struct bus_socket *knocking;
static struct buffer knock_frame;
static bool is_said;

static bool say(struct fixture *f)
{
    (void)f;
    is_said = is_said || bus_send(knocking, NULL, NULL, buffer_bytes(&knock_frame)) == GROVE_OK;
    return is_said;
}

static uint64_t dropped(const struct fixture *f)
{
    const struct peers_counters read = counters(&f->node[1]);

    return read.malformed + read.forged + read.misdirected;
}

static bool second_answers_for_it(struct fixture *f)
{
    return f->node[1].received + dropped(f) > 0;
}

static void knock(struct fixture *f, const struct link_pair *link, struct bytes frame)
{
    is_said = false;
    knocking = connect_as(f, link);
    buffer_append(&knock_frame, frame.data, frame.size);
    run_until(f, say);
    run_until(f, second_answers_for_it);
    buffer_clear(&knock_frame);
    bus_close(f->bus, knocking);
}

static void knock_with(struct fixture *f, const struct peer_message *message)
{
    struct buffer frame = {0};

    peer_message_encode(&frame, message);
    knock(f, &f->node[2].link, buffer_bytes(&frame));
    buffer_clear(&frame);
}

/* The third has no socket: let it be found anywhere. */
static void give_address(struct node *node)
{
    struct peer_address address = {.identity = node->identity, .endpoint = "tcp://127.0.0.1:4000"};

    peer_address_write(&address, node->address);
}

static void a_peer_that_speaks_for_itself_is_heard(void **state)
{
    struct fixture *f = *state;

    give_address(&f->node[2]);
    const struct peer_message message = claim(f, 2);
    knock_with(f, &message);
    assert_int_equal(f->node[1].received, 1);
    assert_int_equal(f->node[1].last.server_id, f->node[2].id);
}

static void a_peer_that_speaks_for_another_is_dropped_and_counted(void **state)
{
    struct fixture *f = *state;
    const struct peer_message message = claim(f, 0);

    knock_with(f, &message);
    assert_int_equal(f->node[1].received, 0);
    assert_int_equal(counters(&f->node[1]).forged, 1);
}

/* Its own address, and the id of another: libraft goes by the id. */
static void an_id_that_is_not_of_the_key_is_dropped_and_counted(void **state)
{
    struct fixture *f = *state;

    give_address(&f->node[2]);
    struct peer_message message = claim(f, 2);
    message.from = f->node[0].id;
    knock_with(f, &message);
    assert_int_equal(f->node[1].received, 0);
    assert_int_equal(counters(&f->node[1]).forged, 1);
}

static void a_short_frame_is_dropped_and_counted(void **state)
{
    struct fixture *f = *state;
    struct buffer frame = {0};

    give_address(&f->node[2]);
    const struct peer_message message = claim(f, 2);
    peer_message_encode(&frame, &message);
    knock(f, &f->node[2].link, bytes_of(frame.data, frame.size - 1));
    buffer_clear(&frame);
    assert_int_equal(f->node[1].received, 0);
    assert_int_equal(counters(&f->node[1]).malformed, 1);
}

static void what_is_for_another_is_dropped_and_counted(void **state)
{
    struct fixture *f = *state;

    give_address(&f->node[2]);
    struct peer_message message = claim(f, 2);
    message.to = f->node[0].id;
    knock_with(f, &message);
    assert_int_equal(f->node[1].received, 0);
    assert_int_equal(counters(&f->node[1]).misdirected, 1);
}

static void what_is_of_another_ledger_is_dropped_and_counted(void **state)
{
    struct fixture *f = *state;
    const struct id ours = {"our ledger"};

    give_address(&f->node[2]);
    peers_set_ledger(f->node[1].peers, &ours);
    struct peer_message message = claim(f, 2);
    message.ledger = (struct id){"their ledger"};
    knock_with(f, &message);
    assert_int_equal(f->node[1].received, 0);
    assert_int_equal(counters(&f->node[1]).misdirected, 1);
    assert_int_equal(f->node[1].claims, 1);
}

/* It speaks to whom we were before our disk was lost. */
static void another_ledger_claims_its_member_by_an_old_id(void **state)
{
    struct fixture *f = *state;
    const struct id ours = {"our ledger"};

    give_address(&f->node[2]);
    peers_set_ledger(f->node[1].peers, &ours);
    struct peer_message message = claim(f, 2);
    message.ledger = (struct id){"their ledger"};
    message.to = peer_id(&f->node[1].identity, 77);
    knock_with(f, &message);
    assert_int_equal(counters(&f->node[1]).misdirected, 1);
    assert_int_equal(f->node[1].claims, 1);
}

static void what_another_ledger_says_to_others_claims_nobody(void **state)
{
    struct fixture *f = *state;
    const struct id ours = {"our ledger"};

    give_address(&f->node[2]);
    peers_set_ledger(f->node[1].peers, &ours);
    struct peer_message message = claim(f, 2);
    message.ledger = (struct id){"their ledger"};
    message.to = f->node[0].id;
    knock_with(f, &message);
    assert_int_equal(counters(&f->node[1]).misdirected, 1);
    assert_int_equal(f->node[1].claims, 0);
}

static bool is_shut_out(struct fixture *f)
{
    (void)f;
    return bus_handshake(knocking) == BUS_SHUT_OUT || bus_handshake(knocking) == BUS_REFUSED;
}

static void a_strangers_key_and_a_clients_stay_outside(void **state)
{
    struct fixture *f = *state;
    struct link_pair link;
    struct zap_counters zap;

    crypto_box_keypair(link.public_key.byte, link.secret);
    knocking = connect_as(f, &link);
    run_until(f, is_shut_out);
    bus_close(f->bus, knocking);
    zap_read_counters(f->zap, &zap);
    assert_true(zap.unknown_key > 0);

    const struct zap_entry client = {.link = link.public_key,
                                     .identity = {{1}},
                                     .roles =
                                         ROLE_CLIENT | ROLE_WORKER | ROLE_OPERATOR | ROLE_OBSERVER,
                                     .not_after_ms = UINT64_MAX};
    zap_publish(f->zap, &client, 1);
    knocking = connect_as(f, &link);
    run_until(f, is_shut_out);
    bus_close(f->bus, knocking);
    zap_read_counters(f->zap, &zap);
    assert_true(zap.wrong_role > 0);
    assert_int_equal(f->node[1].received, 0);
}

static bool second_is_told(struct fixture *f)
{
    const struct peer_sum sum = {.entries = 1024, .stretch = 3, .sum = 4711};
    struct peer_address at;

    assert_true(peer_address_read(f->node[1].address, &at));
    if (f->node[1].told_by == 0) { /* it may not be connected yet */
        peers_tell(f->node[0].peers, f->node[1].id, &at, &sum);
    }
    return f->node[1].told_by != 0;
}

static void what_became_of_the_ledger_is_told(void **state)
{
    struct fixture *f = *state;

    run_until(f, second_is_told);
    assert_int_equal(f->node[1].told_by, f->node[0].id);
    assert_int_equal(f->node[1].told.entries, 1024);
    assert_int_equal(f->node[1].told.stretch, 3);
    assert_int_equal(f->node[1].told.sum, 4711);
}

/* Says so until it is heard, as one that waits does. */
static bool second_hears_a_knock(struct fixture *f)
{
    struct peer_address at;

    assert_true(peer_address_read(f->node[1].address, &at));
    if (f->node[1].knocked == 0) {
        peers_knock(f->node[0].peers, &at);
    }
    return f->node[1].knocked != 0;
}

static void one_that_waits_is_heard_by_those_whose_id_it_does_not_know(void **state)
{
    struct fixture *f = *state;

    run_until(f, second_hears_a_knock);
    assert_int_equal(f->node[1].knocked, f->node[0].id);
    assert_string_equal(f->node[1].knocked_from, f->node[0].address);
    assert_int_equal(dropped(f), 0);
}

/* ---- snapshots */

static int fill(void *context, struct snapshot_writer *writer)
{
    static uint8_t block[4096];
    uint64_t seed = *(uint64_t *)context;

    for (size_t i = 0; i < STATE_SIZE / sizeof(block); i++) {
        for (size_t j = 0; j < sizeof(block); j++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            block[j] = (uint8_t)(seed >> 56);
        }
        snapshot_put(writer, block, sizeof(block));
    }
    return 0;
}

static void make_snapshot(const struct node *node, uint64_t index)
{
    const struct snapshot_head head = {.term = 3, .end = {.index = index}};
    const int directory = open(node->scratch.path, O_RDONLY | O_DIRECTORY);
    uint64_t seed = 1;
    pid_t child;
    int status;

    assert_int_equal(snapshot_fork(directory, &head, fill, &seed, &child), GROVE_OK);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(directory);
}

static bool send_snapshot(const struct fixture *f, uint64_t index)
{
    struct raft_message message = {.type = RAFT_IO_INSTALL_SNAPSHOT};
    struct raft_install_snapshot *install = &message.install_snapshot;

    *install = (struct raft_install_snapshot){
        .term = 3, .last_index = index, .last_term = 3, .conf_index = 1};
    raft_configuration_init(&install->conf);
    assert_int_equal(
        raft_configuration_add(&install->conf, f->node[0].id, f->node[0].address, RAFT_VOTER), 0);
    install->data = voter_token(index);
    const bool is_sent = send_to(&f->node[0], &f->node[1], &message);
    raft_configuration_close(&install->conf);
    raft_free(install->data.base);
    return is_sent;
}

static bool snapshot_is_over(struct fixture *f)
{
    return f->node[0].transferred + f->node[0].failed > 0;
}

static void connect_first(struct fixture *f)
{
    run_until(f, second_hears_the_first);
    f->node[1].received = 0;
}

static void expect_same_file(const struct fixture *f, const char *name)
{
    const int sent = scratch_open(&f->node[0].scratch, name);
    const int got = scratch_open(&f->node[1].scratch, INCOMING_NAME);
    struct stat sent_about, got_about;
    uint8_t sent_block[4096], got_block[4096];
    ssize_t size;

    assert_int_equal(fstat(sent, &sent_about), 0);
    assert_int_equal(fstat(got, &got_about), 0);
    assert_int_equal(got_about.st_size, sent_about.st_size);
    while ((size = read(sent, sent_block, sizeof(sent_block))) > 0) {
        assert_int_equal(read(got, got_block, sizeof(got_block)), size);
        assert_memory_equal(got_block, sent_block, (size_t)size);
    }
    close(sent);
    close(got);
}

static void a_snapshot_arrives_whole(void **state)
{
    struct fixture *f = *state;
    char name[SNAPSHOT_NAME_SIZE];

    make_snapshot(&f->node[0], 42);
    connect_first(f);
    assert_true(send_snapshot(f, 42));
    run_until(f, snapshot_is_over);
    assert_int_equal(f->node[0].transferred, 1);
    assert_int_equal(f->node[0].failed, 0);
    assert_int_equal(f->node[1].last.type, RAFT_IO_INSTALL_SNAPSHOT);
    assert_int_equal(f->node[1].last.server_id, f->node[0].id);
    assert_int_equal(f->node[1].last.install_snapshot.last_index, 42);
    assert_int_equal(f->node[1].last_snapshot, 42);
    assert_int_equal(counters(&f->node[1]).snapshots_received, 1);
    snapshot_name(42, name);
    expect_same_file(f, name);
}

/* In chunks it may take long: the follower hears meanwhile that its leader lives. */
static void a_follower_hears_its_leader_while_the_snapshot_comes(void **state)
{
    struct fixture *f = *state;

    make_snapshot(&f->node[0], 42);
    connect_first(f);
    f->node[1].beats = 0;
    assert_true(send_snapshot(f, 42));
    run_until(f, snapshot_is_over);
    assert_true(f->node[1].beats > 0);
    assert_int_equal(f->node[1].received, f->node[1].beats + 1);
}

/* How often an I/O thread of libzmq, which names them by number, has slept and gone on so far. */
static unsigned long turns_of(enum bus_thread thread)
{
    static const char field[] = "voluntary_ctxt_switches:";
    glob_t names;
    unsigned long turns = 0;
    char name[32] = "", line[128], wanted[32];

    snprintf(wanted, sizeof(wanted), "Name:\tZMQbg/IO/%u\n", thread);
    assert_int_equal(glob("/proc/self/task/*/status", 0, NULL, &names), 0);
    for (size_t i = 0; i < names.gl_pathc; i++) {
        FILE *file = fopen(names.gl_pathv[i], "re");
        if (file == NULL || fgets(name, sizeof(name), file) == NULL) {
            name[0] = '\0'; /* one that has ended meanwhile */
        }
        while (strcmp(name, wanted) == 0 && fgets(line, sizeof(line), file) != NULL) {
            if (strncmp(line, field, sizeof(field) - 1) == 0) {
                turns += strtoul(line + sizeof(field) - 1, NULL, 10);
            }
        }
        if (file != NULL) {
            fclose(file);
        }
    }
    globfree(&names);
    return turns;
}

/* Where clients come in crowds, and keep the other one at their handshakes. */
static void coordinators_talk_on_a_thread_of_their_own(void **state)
{
    struct fixture *f = *state;

    make_snapshot(&f->node[0], 42);
    connect_first(f);
    const unsigned long others = turns_of(BUS_THREAD_MAIN), theirs = turns_of(BUS_THREAD_PEERS);
    assert_true(send_snapshot(f, 42));
    run_until(f, snapshot_is_over);
    assert_true(turns_of(BUS_THREAD_PEERS) - theirs > 4 * (turns_of(BUS_THREAD_MAIN) - others));
}

static void a_snapshot_that_rotted_on_its_way_is_not_handed_over(void **state)
{
    struct fixture *f = *state;
    char name[SNAPSHOT_NAME_SIZE];

    make_snapshot(&f->node[0], 42);
    snapshot_name(42, name);
    scratch_flip(&f->node[0].scratch, name, STATE_SIZE / 2, 1);
    connect_first(f);
    f->node[1].last.type = 0;
    assert_true(send_snapshot(f, 42));
    f->node[1].last_snapshot = 0;
    run_until(f, snapshot_is_over);
    assert_int_equal(f->node[0].failed, 1);
    assert_int_equal(f->node[1].last_snapshot, 0);
    assert_int_equal(counters(&f->node[1]).snapshots_failed, 1);
}

static void a_snapshot_that_is_not_there_is_not_begun(void **state)
{
    struct fixture *f = *state;

    connect_first(f);
    assert_false(send_snapshot(f, 43));
    assert_int_equal(f->node[0].transferred + f->node[0].failed, 0);
}

/* ---- addresses */

static void addresses_and_ids_are_of_their_keys(void **state)
{
    const struct key one = {{1}}, two = {{2}};
    struct peer_address address = {.identity = one, .endpoint = "tcp://host:7310"}, back;
    char text[REPLICA_ADDRESS_SIZE], endpoint[PEER_ENDPOINT_SIZE];

    (void)state;
    peer_address_write(&address, text);
    assert_true(peer_address_read(text, &back));
    assert_true(key_equal(&back.identity, &one));
    assert_string_equal(back.endpoint, "tcp://host:7310");
    text[64] = '-';
    assert_false(peer_address_read(text, &back));
    assert_false(peer_address_read("1", &back));
    assert_false(peer_address_read("", &back));
    assert_true(peer_endpoint("tcp://[::1]:7310", 2, endpoint));
    assert_string_equal(endpoint, "tcp://[::1]:7312");
    assert_false(peer_endpoint("tcp://host:65535", 2, endpoint));
    assert_false(peer_endpoint("tcp://host:0", 2, endpoint));
    assert_false(peer_endpoint("udp://host:7310", 2, endpoint));
    assert_true(peer_id_is_of(peer_id(&one, 5), &one));
    assert_false(peer_id_is_of(peer_id(&one, 5), &two));
    assert_true(peer_id(&one, 5) != peer_id(&one, 6));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_arrives_with_its_sender),
        TEST(what_an_absent_peer_does_not_take_is_refused_at_once),
        TEST(one_without_a_certificate_is_not_connected_to),
        TEST(a_peer_that_speaks_for_itself_is_heard),
        TEST(a_peer_that_speaks_for_another_is_dropped_and_counted),
        TEST(an_id_that_is_not_of_the_key_is_dropped_and_counted),
        TEST(a_short_frame_is_dropped_and_counted),
        TEST(what_is_for_another_is_dropped_and_counted),
        TEST(what_is_of_another_ledger_is_dropped_and_counted),
        TEST(another_ledger_claims_its_member_by_an_old_id),
        TEST(what_another_ledger_says_to_others_claims_nobody),
        TEST(a_strangers_key_and_a_clients_stay_outside),
        TEST(what_became_of_the_ledger_is_told),
        TEST(one_that_waits_is_heard_by_those_whose_id_it_does_not_know),
        TEST(a_snapshot_arrives_whole),
        TEST(a_follower_hears_its_leader_while_the_snapshot_comes),
        TEST(coordinators_talk_on_a_thread_of_their_own),
        TEST(a_snapshot_that_rotted_on_its_way_is_not_handed_over),
        TEST(a_snapshot_that_is_not_there_is_not_begun),
        cmocka_unit_test(addresses_and_ids_are_of_their_keys),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

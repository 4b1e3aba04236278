/* SPDX-License-Identifier: MPL-2.0
 * A frame:
 *
 *   head            magic, version, type, from, to, ledger (16 bytes), length of the address, it
 *   request vote    term, last index, last term, flags (1 disrupt leader, 2 pre-vote)
 *   vote            term, granted (0, 1), pre-vote (0 unknown, 1 true, 2 false)
 *   append          term, previous index, previous term, commit, count,
 *                   {term, type, size} each, payloads of a multiple of 8 bytes each
 *   appended        term, rejected, last index
 *   install         term, last index, last term, configuration index, size of the file,
 *                   configuration to the end
 *   timeout now     term, last index, last term
 *   chunk           index, offset, bytes to the end
 *   chunk taken     index, offset
 *   knock           nothing
 *   sum             entries, stretch, sum
 *
 * Whose vote is asked for, and who asks, is the sender: it is not said twice. */
#include "nodes/coordinator/replica/peer_message.h"

#include "core/limits.h"
#include "nodes/coordinator/replica/configuration.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define VERSION UINT64_C(1)
#define MAGIC UINT64_C(0x7265657065767267) /* "grvepeer" */
#define ALIGNMENT 8u                       /* of entries, which libraft does not check */
#define FLAG_DISRUPT UINT64_C(1)
#define FLAG_PRE_VOTE UINT64_C(2)

/* What is left of a frame. Once it ended too early it stays failed, and all words are 0. */
struct reader {
    struct bytes rest;
    bool failed;
};

/* ---- encoding */

static void put(struct buffer *frame, uint64_t word)
{
    buffer_append(frame, &word, sizeof(word));
}

static void put_request_vote(struct buffer *frame, const struct raft_request_vote *request)
{
    put(frame, request->term);
    put(frame, request->last_log_index);
    put(frame, request->last_log_term);
    put(frame,
        (request->disrupt_leader ? FLAG_DISRUPT : 0) | (request->pre_vote ? FLAG_PRE_VOTE : 0));
}

static void put_vote(struct buffer *frame, const struct raft_request_vote_result *result)
{
    put(frame, result->term);
    put(frame, result->vote_granted);
    put(frame, (uint64_t)result->pre_vote);
}

static void put_append(struct buffer *frame, const struct raft_append_entries *append)
{
    put(frame, append->term);
    put(frame, append->prev_log_index);
    put(frame, append->prev_log_term);
    put(frame, append->leader_commit);
    put(frame, append->n_entries);
    for (unsigned i = 0; i < append->n_entries; i++) {
        put(frame, append->entries[i].term);
        put(frame, append->entries[i].type);
        put(frame, append->entries[i].buf.len);
    }
    for (unsigned i = 0; i < append->n_entries; i++) {
        assert(append->entries[i].buf.len % ALIGNMENT == 0);
        buffer_append(frame, append->entries[i].buf.base, append->entries[i].buf.len);
    }
}

static void put_appended(struct buffer *frame, const struct raft_append_entries_result *result)
{
    put(frame, result->term);
    put(frame, result->rejected);
    put(frame, result->last_log_index);
}

static void put_install(struct buffer *frame, const struct raft_install_snapshot *install,
                        uint64_t size)
{
    put(frame, install->term);
    put(frame, install->last_index);
    put(frame, install->last_term);
    put(frame, install->conf_index);
    put(frame, size);
    configuration_encode(&install->conf, frame);
}

static void put_timeout_now(struct buffer *frame, const struct raft_timeout_now *timeout)
{
    put(frame, timeout->term);
    put(frame, timeout->last_log_index);
    put(frame, timeout->last_log_term);
}

static void put_chunk(struct buffer *frame, const struct peer_chunk *chunk)
{
    put(frame, chunk->index);
    put(frame, chunk->offset);
    buffer_append(frame, chunk->bytes.data, chunk->bytes.size);
}

void peer_message_encode(struct buffer *frame, const struct peer_message *message)
{
    const struct raft_message *raft = &message->raft;

    put(frame, MAGIC);
    put(frame, VERSION);
    put(frame, message->type);
    put(frame, message->from);
    put(frame, message->to);
    buffer_append(frame, &message->ledger, sizeof(message->ledger));
    put(frame, message->address.size);
    buffer_append(frame, message->address.data, message->address.size);
    switch (message->type) {
    case PEER_REQUEST_VOTE:
        put_request_vote(frame, &raft->request_vote);
        break;
    case PEER_VOTE:
        put_vote(frame, &raft->request_vote_result);
        break;
    case PEER_APPEND:
        put_append(frame, &raft->append_entries);
        break;
    case PEER_APPENDED:
        put_appended(frame, &raft->append_entries_result);
        break;
    case PEER_INSTALL:
        put_install(frame, &raft->install_snapshot, message->snapshot_size);
        break;
    case PEER_TIMEOUT_NOW:
        put_timeout_now(frame, &raft->timeout_now);
        break;
    case PEER_CHUNK:
    case PEER_CHUNK_TAKEN:
        put_chunk(frame, &message->chunk);
        break;
    case PEER_KNOCK:
        break;
    case PEER_SUM:
        put(frame, message->sum.entries);
        put(frame, message->sum.stretch);
        put(frame, message->sum.sum);
        break;
    }
}

enum peer_type peer_type_of(const struct raft_message *message)
{
    switch (message->type) {
    case RAFT_IO_REQUEST_VOTE:
        return PEER_REQUEST_VOTE;
    case RAFT_IO_REQUEST_VOTE_RESULT:
        return PEER_VOTE;
    case RAFT_IO_APPEND_ENTRIES:
        return PEER_APPEND;
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        return PEER_APPENDED;
    case RAFT_IO_INSTALL_SNAPSHOT:
        return PEER_INSTALL;
    case RAFT_IO_TIMEOUT_NOW:
        return PEER_TIMEOUT_NOW;
    default:
        return (enum peer_type)0;
    }
}

/* ---- decoding */

static struct bytes take_bytes(struct reader *reader, size_t size)
{
    struct bytes taken = {.size = 0};

    if (size > reader->rest.size) {
        reader->failed = true;
    } else if (!reader->failed) {
        taken = bytes_of(reader->rest.data, size);
        reader->rest = bytes_of(reader->rest.data + size, reader->rest.size - size);
    }
    return taken;
}

static uint64_t take(struct reader *reader)
{
    uint64_t word = 0;
    const struct bytes bytes = take_bytes(reader, sizeof(word));

    if (bytes.size == sizeof(word)) {
        memcpy(&word, bytes.data, sizeof(word));
    }
    return word;
}

/* A word that may be `most` at most. */
static uint64_t take_up_to(struct reader *reader, uint64_t most)
{
    const uint64_t word = take(reader);

    reader->failed = reader->failed || word > most;
    return reader->failed ? 0 : word;
}

static struct bytes take_rest(struct reader *reader)
{
    return take_bytes(reader, reader->rest.size);
}

static void *allocate(size_t size)
{
    void *memory = raft_malloc(size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void take_request_vote(struct reader *reader, struct peer_message *message)
{
    struct raft_request_vote *request = &message->raft.request_vote;

    request->term = take(reader);
    request->candidate_id = message->from;
    request->last_log_index = take(reader);
    request->last_log_term = take(reader);
    const uint64_t flags = take_up_to(reader, FLAG_DISRUPT | FLAG_PRE_VOTE);
    request->disrupt_leader = (flags & FLAG_DISRUPT) != 0;
    request->pre_vote = (flags & FLAG_PRE_VOTE) != 0;
}

static void take_vote(struct reader *reader, struct raft_request_vote_result *result)
{
    result->term = take(reader);
    result->vote_granted = take_up_to(reader, 1) == 1;
    result->pre_vote = (raft_tribool)take_up_to(reader, raft_tribool_false);
}

/* The sizes add up to what is left, exactly; else nothing is allocated. */
static bool entries_fit(struct bytes table, unsigned count, size_t room)
{
    size_t sum = 0;

    for (unsigned i = 0; i < count; i++) {
        uint64_t word[3];

        memcpy(word, table.data + i * sizeof(word), sizeof(word));
        if (word[0] == 0 || word[1] < RAFT_COMMAND || word[1] > RAFT_CHANGE || word[2] == 0 ||
            word[2] % ALIGNMENT != 0 || word[2] > room - sum) {
            return false;
        }
        sum += (size_t)word[2];
    }
    return sum == room;
}

static void make_entries(struct bytes table, struct bytes payloads,
                         struct raft_append_entries *append)
{
    uint8_t *batch = allocate(payloads.size);
    size_t offset = 0;

    memcpy(batch, payloads.data, payloads.size);
    append->entries = allocate(append->n_entries * sizeof(*append->entries));
    for (unsigned i = 0; i < append->n_entries; i++) {
        uint64_t word[3];

        memcpy(word, table.data + i * sizeof(word), sizeof(word));
        append->entries[i] = (struct raft_entry){
            .term = word[0],
            .type = (unsigned short)word[1],
            .buf = {.base = batch + offset, .len = (size_t)word[2]},
            .batch = batch,
        };
        offset += (size_t)word[2];
    }
}

static void take_append(struct reader *reader, struct raft_append_entries *append)
{
    append->term = take(reader);
    append->prev_log_index = take(reader);
    append->prev_log_term = take(reader);
    append->leader_commit = take(reader);
    append->entries = NULL;
    append->n_entries = (unsigned)take_up_to(reader, PEER_ENTRIES);
    const struct bytes table = take_bytes(reader, (size_t)append->n_entries * 3 * sizeof(uint64_t));
    const struct bytes payloads = take_rest(reader);

    if (reader->failed || !entries_fit(table, append->n_entries, payloads.size)) {
        reader->failed = true;
    } else if (append->n_entries > 0) {
        make_entries(table, payloads, append);
    }
}

static void take_appended(struct reader *reader, struct raft_append_entries_result *result)
{
    result->term = take(reader);
    result->rejected = take(reader);
    result->last_log_index = take(reader);
}

/* Decoding is lenient, so what it made must be what was sent. */
static bool is_exact(struct bytes bytes, const struct raft_configuration *configuration)
{
    struct buffer again = {0};

    configuration_encode(configuration, &again);
    const bool is_equal = bytes_equal(bytes, buffer_bytes(&again));
    buffer_clear(&again);
    for (unsigned i = 0; i < configuration->n; i++) {
        if (configuration->servers[i].id == 0 || configuration->servers[i].role > RAFT_SPARE) {
            return false;
        }
    }
    return is_equal && configuration->n > 0;
}

static void take_install(struct reader *reader, struct peer_message *message)
{
    struct raft_install_snapshot *install = &message->raft.install_snapshot;

    install->term = take(reader);
    install->last_index = take(reader);
    install->last_term = take(reader);
    install->conf_index = take(reader);
    message->snapshot_size = take(reader);
    install->data = (struct raft_buffer){.base = NULL};
    const struct bytes bytes = take_rest(reader);
    if (reader->failed || !configuration_decode(bytes, &install->conf)) {
        reader->failed = true;
    } else if (!is_exact(bytes, &install->conf)) {
        raft_configuration_close(&install->conf);
        reader->failed = true;
    }
}

static void take_timeout_now(struct reader *reader, struct raft_timeout_now *timeout)
{
    timeout->term = take(reader);
    timeout->last_log_index = take(reader);
    timeout->last_log_term = take(reader);
}

static void take_chunk(struct reader *reader, struct peer_chunk *chunk)
{
    chunk->index = take(reader);
    chunk->offset = take(reader);
    chunk->bytes = take_rest(reader);
    reader->failed = reader->failed || chunk->bytes.size == 0 ||
                     chunk->bytes.size > PEER_CHUNK_SIZE ||
                     chunk->offset > UINT64_MAX - chunk->bytes.size;
}

static void take_taken(struct reader *reader, struct peer_chunk *chunk)
{
    chunk->index = take(reader);
    chunk->offset = take(reader);
}

static void take_sum(struct reader *reader, struct peer_sum *sum)
{
    sum->entries = take(reader);
    sum->stretch = take(reader);
    sum->sum = take(reader);
    reader->failed = reader->failed || sum->entries == 0;
}

static enum grove_status take_head(struct reader *reader, struct peer_message *message)
{
    const uint64_t magic = take(reader);
    const uint64_t version = take(reader);

    if (reader->failed || magic != MAGIC) {
        return GROVE_MALFORMED;
    }
    if (version != VERSION) {
        return GROVE_VERSION;
    }
    message->type = (enum peer_type)take_up_to(reader, PEER_SUM);
    message->from = take(reader);
    message->to = take(reader);
    const struct bytes ledger = take_bytes(reader, sizeof(message->ledger));
    message->address =
        take_bytes(reader, (size_t)take_up_to(reader, CONFIGURATION_ADDRESS_SIZE - 1));
    if (reader->failed || message->from == 0 || message->to == 0 || message->address.size == 0 ||
        memchr(message->address.data, '\0', message->address.size) != NULL) {
        return GROVE_MALFORMED;
    }
    memcpy(&message->ledger, ledger.data, sizeof(message->ledger));
    message->raft.server_id = message->from;
    return GROVE_OK;
}

static void take_body(struct reader *reader, struct peer_message *message)
{
    struct raft_message *raft = &message->raft;

    switch (message->type) {
    case PEER_REQUEST_VOTE:
        raft->type = RAFT_IO_REQUEST_VOTE;
        take_request_vote(reader, message);
        return;
    case PEER_VOTE:
        raft->type = RAFT_IO_REQUEST_VOTE_RESULT;
        take_vote(reader, &raft->request_vote_result);
        return;
    case PEER_APPEND:
        raft->type = RAFT_IO_APPEND_ENTRIES;
        take_append(reader, &raft->append_entries);
        return;
    case PEER_APPENDED:
        raft->type = RAFT_IO_APPEND_ENTRIES_RESULT;
        take_appended(reader, &raft->append_entries_result);
        return;
    case PEER_INSTALL:
        raft->type = RAFT_IO_INSTALL_SNAPSHOT;
        take_install(reader, message);
        return;
    case PEER_TIMEOUT_NOW:
        raft->type = RAFT_IO_TIMEOUT_NOW;
        take_timeout_now(reader, &raft->timeout_now);
        return;
    case PEER_CHUNK:
        take_chunk(reader, &message->chunk);
        return;
    case PEER_CHUNK_TAKEN:
        take_taken(reader, &message->chunk);
        return;
    case PEER_KNOCK:
        return;
    case PEER_SUM:
        take_sum(reader, &message->sum);
        return;
    }
    reader->failed = true; /* no such type */
}

enum grove_status peer_message_decode(struct bytes frame, struct peer_message *message)
{
    struct reader reader = {.rest = frame};
    struct peer_message read = {.from = 0};

    if (frame.size > LIMIT_PEER_FRAME_SIZE) {
        return GROVE_TOO_LARGE;
    }
    const enum grove_status status = take_head(&reader, &read);
    if (status != GROVE_OK) {
        return status;
    }
    take_body(&reader, &read);
    if (reader.failed) {
        return GROVE_MALFORMED;
    }
    if (reader.rest.size > 0) {
        peer_message_clear(&read);
        return GROVE_MALFORMED;
    }
    *message = read;
    return GROVE_OK;
}

void peer_message_clear(struct peer_message *message)
{
    struct raft_append_entries *append = &message->raft.append_entries;

    if (message->type == PEER_APPEND && append->n_entries > 0) {
        raft_free(append->entries[0].batch);
        raft_free(append->entries);
        append->entries = NULL;
        append->n_entries = 0;
    } else if (message->type == PEER_INSTALL) {
        raft_configuration_close(&message->raft.install_snapshot.conf);
        raft_configuration_init(&message->raft.install_snapshot.conf);
    }
}

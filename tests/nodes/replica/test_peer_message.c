/* SPDX-License-Identifier: MPL-2.0
 * Messages between coordinators as frames: what is sent arrives, in memory as libraft wants to own
 * it; what is cut off, padded or altered in a length is refused. */
#include "nodes/coordinator/replica/peer_message.h"

#include "core/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD_SIZE (64u + 6u)              /* the address is 6 bytes */
#define COUNT_OFFSET (HEAD_SIZE + 4 * 8u) /* of the number of entries */
#define ENTRY_OFFSET (COUNT_OFFSET + 8u)  /* of {term, type, size} of the first */

static const struct id ledger = {"a ledger's ident"};

static struct peer_message message_of(enum peer_type type)
{
    return (struct peer_message){
        .type = type, .from = 7, .to = 9, .address = bytes_of_text("host:1"), .ledger = ledger};
}

/* Encodes into memory of exactly that size, so that a sanitizer sees a read past the end. */
static struct bytes frame_of(const struct peer_message *message)
{
    struct buffer frame = {0};

    peer_message_encode(&frame, message);
    uint8_t *exact = malloc(frame.size);
    assert_non_null(exact);
    memcpy(exact, frame.data, frame.size);
    const struct bytes bytes = bytes_of(exact, frame.size);
    buffer_clear(&frame);
    return bytes;
}

static void release(struct bytes frame)
{
    free((void *)(uintptr_t)frame.data);
}

static void set_word(struct bytes frame, size_t offset, uint64_t word)
{
    memcpy((uint8_t *)(uintptr_t)frame.data + offset, &word, sizeof(word));
}

static enum grove_status status_of(struct bytes frame)
{
    struct peer_message back;
    const enum grove_status status = peer_message_decode(frame, &back);

    if (status == GROVE_OK) {
        peer_message_clear(&back);
    }
    return status;
}

static struct peer_message sent_and_received(const struct peer_message *message)
{
    struct peer_message back;
    const struct bytes frame = frame_of(message);

    assert_int_equal(peer_message_decode(frame, &back), GROVE_OK);
    assert_int_equal(back.type, message->type);
    assert_int_equal(back.from, 7);
    assert_int_equal(back.to, 9);
    assert_true(id_equal(&back.ledger, &ledger));
    assert_true(bytes_equal(back.address, message->address));
    back.address = message->address; /* it goes with the frame */
    release(frame);
    return back;
}

/* Three entries of 8, 24 and 16 bytes. */
static uint64_t words[6] = {1, 2, 3, 4, 5, 6};
static struct raft_entry entries[3] = {
    {.term = 4, .type = RAFT_COMMAND, .buf = {.base = words, .len = 8}},
    {.term = 5, .type = RAFT_BARRIER, .buf = {.base = words + 1, .len = 24}},
    {.term = 5, .type = RAFT_CHANGE, .buf = {.base = words + 4, .len = 16}},
};

static struct peer_message append_of(unsigned count)
{
    struct peer_message message = message_of(PEER_APPEND);

    message.raft.append_entries = (struct raft_append_entries){.term = 5,
                                                               .prev_log_index = 10,
                                                               .prev_log_term = 4,
                                                               .leader_commit = 9,
                                                               .entries = entries,
                                                               .n_entries = count};
    return message;
}

static void a_vote_is_asked_for_by_the_sender(void **state)
{
    (void)state;
    struct peer_message message = message_of(PEER_REQUEST_VOTE);

    message.raft.request_vote = (struct raft_request_vote){.term = 3,
                                                           .candidate_id = 4711,
                                                           .last_log_index = 8,
                                                           .last_log_term = 2,
                                                           .disrupt_leader = true};
    const struct peer_message back = sent_and_received(&message);
    assert_int_equal(back.raft.type, RAFT_IO_REQUEST_VOTE);
    assert_int_equal(back.raft.server_id, 7);
    assert_int_equal(back.raft.request_vote.candidate_id, 7);
    assert_int_equal(back.raft.request_vote.term, 3);
    assert_int_equal(back.raft.request_vote.last_log_index, 8);
    assert_int_equal(back.raft.request_vote.last_log_term, 2);
    assert_true(back.raft.request_vote.disrupt_leader);
    assert_false(back.raft.request_vote.pre_vote);
}

static void results_and_timeout_now_come_as_they_went(void **state)
{
    (void)state;
    struct peer_message vote = message_of(PEER_VOTE);
    struct peer_message appended = message_of(PEER_APPENDED);
    struct peer_message timeout = message_of(PEER_TIMEOUT_NOW);

    vote.raft.request_vote_result = (struct raft_request_vote_result){
        .term = 3, .vote_granted = true, .pre_vote = raft_tribool_false};
    appended.raft.append_entries_result =
        (struct raft_append_entries_result){.term = 3, .rejected = 5, .last_log_index = 6};
    timeout.raft.timeout_now =
        (struct raft_timeout_now){.term = 3, .last_log_index = 5, .last_log_term = 2};

    struct peer_message back = sent_and_received(&vote);
    assert_int_equal(back.raft.type, RAFT_IO_REQUEST_VOTE_RESULT);
    assert_true(back.raft.request_vote_result.vote_granted);
    assert_int_equal(back.raft.request_vote_result.pre_vote, raft_tribool_false);
    back = sent_and_received(&appended);
    assert_int_equal(back.raft.type, RAFT_IO_APPEND_ENTRIES_RESULT);
    assert_int_equal(back.raft.append_entries_result.rejected, 5);
    assert_int_equal(back.raft.append_entries_result.last_log_index, 6);
    back = sent_and_received(&timeout);
    assert_int_equal(back.raft.type, RAFT_IO_TIMEOUT_NOW);
    assert_int_equal(back.raft.timeout_now.last_log_index, 5);
    assert_int_equal(back.raft.timeout_now.last_log_term, 2);
}

/* One array, one block, every payload at a multiple of 8 in it: libraft frees them so. */
static void entries_arrive_in_one_block(void **state)
{
    (void)state;
    const struct peer_message message = append_of(3);
    struct peer_message back = sent_and_received(&message);
    const struct raft_append_entries *append = &back.raft.append_entries;

    assert_int_equal(append->n_entries, 3);
    assert_int_equal(append->prev_log_index, 10);
    assert_int_equal(append->prev_log_term, 4);
    assert_int_equal(append->leader_commit, 9);
    for (unsigned i = 0; i < 3; i++) {
        const struct raft_entry *entry = &append->entries[i];
        assert_ptr_equal(entry->batch, append->entries[0].buf.base);
        assert_int_equal(((uint8_t *)entry->buf.base - (uint8_t *)entry->batch) % 8, 0);
        assert_int_equal(entry->term, entries[i].term);
        assert_int_equal(entry->type, entries[i].type);
        assert_int_equal(entry->buf.len, entries[i].buf.len);
        assert_memory_equal(entry->buf.base, entries[i].buf.base, entry->buf.len);
    }
    peer_message_clear(&back);
}

static void a_heartbeat_has_no_entries(void **state)
{
    (void)state;
    const struct peer_message message = append_of(0);
    const struct peer_message back = sent_and_received(&message);

    assert_int_equal(back.raft.append_entries.n_entries, 0);
    assert_null(back.raft.append_entries.entries);
}

static struct peer_message install_of(void)
{
    struct peer_message message = message_of(PEER_INSTALL);
    struct raft_install_snapshot *install = &message.raft.install_snapshot;

    message.snapshot_size = 123456;
    *install = (struct raft_install_snapshot){
        .term = 6, .last_index = 100, .last_term = 5, .conf_index = 40};
    raft_configuration_init(&install->conf);
    assert_int_equal(raft_configuration_add(&install->conf, 7, "host:1", RAFT_VOTER), 0);
    assert_int_equal(raft_configuration_add(&install->conf, 9, "host:2", RAFT_STANDBY), 0);
    return message;
}

static void a_snapshot_is_announced_with_who_takes_part(void **state)
{
    (void)state;
    struct peer_message message = install_of();
    struct peer_message back = sent_and_received(&message);
    const struct raft_install_snapshot *install = &back.raft.install_snapshot;

    assert_int_equal(back.snapshot_size, 123456);
    assert_int_equal(install->last_index, 100);
    assert_int_equal(install->last_term, 5);
    assert_int_equal(install->conf_index, 40);
    assert_int_equal(install->conf.n, 2);
    assert_string_equal(install->conf.servers[1].address, "host:2");
    assert_int_equal(install->conf.servers[1].role, RAFT_STANDBY);
    peer_message_clear(&back);
    peer_message_clear(&message);
}

static struct peer_message chunk_of(const char *text)
{
    struct peer_message message = message_of(PEER_CHUNK);

    message.chunk = (struct peer_chunk){.index = 100, .offset = 512, .bytes = bytes_of_text(text)};
    return message;
}

static void chunks_name_their_place(void **state)
{
    (void)state;
    struct peer_message message = chunk_of("some bytes");
    struct peer_message taken = message_of(PEER_CHUNK_TAKEN);
    const struct bytes frame = frame_of(&message);
    struct peer_message back;

    taken.chunk = (struct peer_chunk){.index = 100, .offset = 522};
    assert_int_equal(peer_message_decode(frame, &back), GROVE_OK);
    assert_int_equal(back.chunk.offset, 512);
    assert_true(bytes_equal(back.chunk.bytes, bytes_of_text("some bytes")));
    release(frame);
    back = sent_and_received(&taken);
    assert_int_equal(back.chunk.index, 100);
    assert_int_equal(back.chunk.offset, 522);
}

/* Of every type, every prefix; and one byte more. Of a chunk, the last bytes are its own. */
static void what_is_cut_off_or_padded_is_refused(void **state)
{
    (void)state;
    struct peer_message samples[] = {
        message_of(PEER_REQUEST_VOTE),
        message_of(PEER_VOTE),
        append_of(3),
        message_of(PEER_APPENDED),
        install_of(),
        message_of(PEER_TIMEOUT_NOW),
        chunk_of("x"),
        message_of(PEER_CHUNK_TAKEN),
        message_of(PEER_KNOCK),
        message_of(PEER_SUM),
    };

    samples[9].sum.entries = 1;

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        const struct bytes whole = frame_of(&samples[i]);
        assert_int_equal(status_of(whole), GROVE_OK);
        for (size_t size = 0; size < whole.size; size++) {
            uint8_t *part = malloc(size + 1);
            assert_non_null(part);
            memcpy(part, whole.data, size);
            assert_int_equal(status_of(bytes_of(part, size)), GROVE_MALFORMED);
            free(part);
        }
        uint8_t *padded = calloc(1, whole.size + 1);
        assert_non_null(padded);
        memcpy(padded, whole.data, whole.size);
        assert_int_equal(status_of(bytes_of(padded, whole.size + 1)),
                         samples[i].type == PEER_CHUNK ? GROVE_OK : GROVE_MALFORMED);
        free(padded);
        release(whole);
    }
    peer_message_clear(&samples[4]);
}

static void refused_with(const struct peer_message *message, size_t offset, uint64_t word,
                         enum grove_status expected)
{
    const struct bytes frame = frame_of(message);

    assert_int_equal(status_of(frame), GROVE_OK);
    set_word(frame, offset, word);
    assert_int_equal(status_of(frame), expected);
    release(frame);
}

static void lengths_that_do_not_add_up_are_refused(void **state)
{
    (void)state;
    const struct peer_message append = append_of(3);

    refused_with(&append, COUNT_OFFSET, 2, GROVE_MALFORMED);
    refused_with(&append, COUNT_OFFSET, 4, GROVE_MALFORMED);
    refused_with(&append, COUNT_OFFSET, UINT64_MAX, GROVE_MALFORMED);
    refused_with(&append, COUNT_OFFSET, UINT64_C(1) << 32, GROVE_MALFORMED);
    refused_with(&append, ENTRY_OFFSET + 16, 16, GROVE_MALFORMED);
    refused_with(&append, ENTRY_OFFSET + 16, UINT64_MAX - 7, GROVE_MALFORMED);
    refused_with(&append, ENTRY_OFFSET + 16, 0, GROVE_MALFORMED);
}

/* The sum is right, and each of them is not: libraft would read past the one and shift the other.
 */
static void an_entry_is_a_multiple_of_eight_bytes(void **state)
{
    (void)state;
    const struct peer_message append = append_of(3);
    const struct bytes frame = frame_of(&append);

    set_word(frame, ENTRY_OFFSET + 16, 12);
    set_word(frame, ENTRY_OFFSET + 24 + 16, 20);
    assert_int_equal(status_of(frame), GROVE_MALFORMED);
    release(frame);
}

static void words_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    const struct peer_message append = append_of(3);
    const struct peer_message vote = message_of(PEER_VOTE);
    const struct peer_message request = message_of(PEER_REQUEST_VOTE);

    refused_with(&append, 0, 1, GROVE_MALFORMED); /* no frame of ours */
    refused_with(&append, 8, 2, GROVE_VERSION);
    refused_with(&append, 16, 0, GROVE_MALFORMED); /* type */
    refused_with(&append, 16, 10, GROVE_MALFORMED);
    refused_with(&append, 24, 0, GROVE_MALFORMED); /* from nobody */
    refused_with(&append, 32, 0, GROVE_MALFORMED); /* to nobody */
    refused_with(&append, 56, 0, GROVE_MALFORMED); /* no address */
    refused_with(&append, 56, 256, GROVE_MALFORMED);
    refused_with(&append, 62, 'h' << 16, GROVE_MALFORMED);   /* a NUL in it */
    refused_with(&append, ENTRY_OFFSET, 0, GROVE_MALFORMED); /* term 0 */
    refused_with(&append, ENTRY_OFFSET + 8, 0, GROVE_MALFORMED);
    refused_with(&append, ENTRY_OFFSET + 8, 4, GROVE_MALFORMED);
    refused_with(&vote, HEAD_SIZE + 8, 2, GROVE_MALFORMED);
    refused_with(&vote, HEAD_SIZE + 16, 3, GROVE_MALFORMED);
    refused_with(&request, HEAD_SIZE + 24, 4, GROVE_MALFORMED);
}

static void a_configuration_names_each_server_once(void **state)
{
    (void)state;
    struct peer_message install = install_of();
    const size_t configuration = HEAD_SIZE + 5 * 8u;

    refused_with(&install, configuration, 0, GROVE_MALFORMED); /* nobody */
    refused_with(&install, configuration, UINT64_MAX, GROVE_MALFORMED);
    refused_with(&install, configuration + 8, 0, GROVE_MALFORMED);  /* id 0 */
    refused_with(&install, configuration + 8, 9, GROVE_MALFORMED);  /* the other's id */
    refused_with(&install, configuration + 16, 3, GROVE_MALFORMED); /* no such role */
    refused_with(&install, configuration + 24, UINT64_MAX, GROVE_MALFORMED);
    peer_message_clear(&install);
}

static void frames_and_chunks_are_bounded(void **state)
{
    (void)state;
    struct peer_message chunk = message_of(PEER_CHUNK);
    uint8_t *bytes = calloc(1, LIMIT_PEER_FRAME_SIZE + 1);
    struct bytes frame;

    assert_non_null(bytes);
    chunk.chunk.bytes = bytes_of(bytes, PEER_CHUNK_SIZE);
    frame = frame_of(&chunk);
    assert_int_equal(status_of(frame), GROVE_OK);
    release(frame);
    chunk.chunk.bytes = bytes_of(bytes, PEER_CHUNK_SIZE + 1);
    frame = frame_of(&chunk);
    assert_int_equal(status_of(frame), GROVE_MALFORMED);
    release(frame);
    assert_int_equal(status_of(bytes_of(bytes, LIMIT_PEER_FRAME_SIZE + 1)), GROVE_TOO_LARGE);
    free(bytes);
}

static void what_failed_leaves_the_message_as_it_was(void **state)
{
    (void)state;
    struct peer_message message = message_of(PEER_VOTE);

    assert_int_equal(peer_message_decode(bytes_of_text("short"), &message), GROVE_MALFORMED);
    assert_int_equal(message.type, PEER_VOTE);
    assert_int_equal(message.from, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vote_is_asked_for_by_the_sender),
        cmocka_unit_test(results_and_timeout_now_come_as_they_went),
        cmocka_unit_test(entries_arrive_in_one_block),
        cmocka_unit_test(a_heartbeat_has_no_entries),
        cmocka_unit_test(a_snapshot_is_announced_with_who_takes_part),
        cmocka_unit_test(chunks_name_their_place),
        cmocka_unit_test(what_is_cut_off_or_padded_is_refused),
        cmocka_unit_test(lengths_that_do_not_add_up_are_refused),
        cmocka_unit_test(an_entry_is_a_multiple_of_eight_bytes),
        cmocka_unit_test(words_that_mean_nothing_are_refused),
        cmocka_unit_test(a_configuration_names_each_server_once),
        cmocka_unit_test(frames_and_chunks_are_bounded),
        cmocka_unit_test(what_failed_leaves_the_message_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

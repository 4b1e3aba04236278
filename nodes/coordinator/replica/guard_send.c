/* SPDX-License-Identifier: MPL-2.0
 * What the library sends: rules 2, 3, 10 and 13, and the length of a message. */
#include "nodes/coordinator/replica/guard_rules.h"

#include <stdlib.h>

/* A message whose sender has not heard how it went. */
struct guard_sent {
    struct raft_io_send *request;
    raft_io_send_cb done;
    raft_id peer;
    int status;
    STAILQ_ENTRY(guard_sent) link;
};

/* Rule 2. A follower whose disk was slow answers in the term and to the leader of now, though the
 * entries were those of a former leader, who may have been overruled; after an election it answers
 * to nobody, through a NULL address. Mended in 0.17.1 (35479fc, 05746af, 191a07e). */
static bool answers_another_term(const struct guard *guard, const struct raft_message *message)
{
    return message->type == RAFT_IO_APPEND_ENTRIES_RESULT &&
           (guard->muted || message->server_id == 0 || message->server_address == NULL);
}

/* Rule 3. A follower answers with the end of its log, also where that lies beyond what the message
 * verified, and the leader counts entries that may contradict its own. Mended in cowsql's fork
 * only (January 2024). */
static void answer_only_for_what_was_verified(const struct guard *guard,
                                              struct raft_message *message)
{
    struct raft_append_entries_result *result = &message->append_entries_result;

    if (message->type == RAFT_IO_APPEND_ENTRIES_RESULT && result->rejected == 0 &&
        result->last_log_index > guard->verified) {
        result->last_log_index = guard->verified;
    }
}

/* Rule 13. A leader sends a change of membership while its own disk still writes it. When it then
 * crashes, the one it was about to remove may alone have the entry: no other log is as long as its,
 * and it takes itself for no voter any more, so nobody leads. Not mended.
 *
 * A change is sent when it is on the leader's disk, who can then always stand for election. */
static bool is_a_change_not_on_disk(const struct raft *raft,
                                    const struct raft_append_entries *append, unsigned i)
{
    return append->entries[i].type == RAFT_CHANGE &&
           append->prev_log_index + 1 + i > raft->last_stored;
}

/* The library sends the whole rest of its log in one message. Cut, it counts as lost, and so the
 * library goes on from what the follower answers. True when it was cut. */
static bool cut(const struct raft *raft, struct raft_message *message)
{
    struct raft_append_entries *append = &message->append_entries;
    size_t size = 0;
    unsigned n = 0;

    if (message->type != RAFT_IO_APPEND_ENTRIES) {
        return false;
    }
    while (n < append->n_entries && !is_a_change_not_on_disk(raft, append, n) &&
           (n == 0 || size + append->entries[n].buf.len <= GUARD_APPEND_LIMIT)) {
        size += append->entries[n++].buf.len;
    }
    bool is_cut = n < append->n_entries;
    append->n_entries = n;
    return is_cut;
}

/* Rule 10. An entry that is truncated while a message still refers to it, and then received again,
 * gets a second count of references; one of the two frees it under the other. Mended in 0.18.1
 * (8be539d, "reinstate").
 *
 * So messages refer to entries only until the next turn: whoever hands the library something to
 * act on calls guard_settle before. */
int guard_send(struct raft_io *io, struct raft_io_send *request, const struct raft_message *message,
               raft_io_send_cb done)
{
    const struct raft *raft = io->data;
    struct guard *guard = raft->data;
    struct raft_message ours = *message;
    struct guard_sent *sent;
    bool gone = true;

    if (!answers_another_term(guard, message)) {
        answer_only_for_what_was_verified(guard, &ours);
        bool is_cut = cut(raft, &ours);
        gone = guard->transport != NULL &&
               guard->transport->send(guard->transport->context, &ours) && !is_cut;
    }
    if (done == NULL) {
        return 0; /* nobody wants to hear, and the request may be gone by then */
    }
    sent = malloc(sizeof(*sent));
    if (sent == NULL) {
        abort();
    }
    *sent = (struct guard_sent){.request = request,
                                .done = done,
                                .peer = message->server_id,
                                .status = gone ? 0 : RAFT_NOCONNECTION};
    if (gone && message->type == RAFT_IO_INSTALL_SNAPSHOT) {
        STAILQ_INSERT_TAIL(&guard->transferring, sent, link);
    } else {
        STAILQ_INSERT_TAIL(&guard->sent, sent, link);
    }
    return 0;
}

static void finish(struct guard_sent *sent)
{
    struct raft_io_send *request = sent->request;
    raft_io_send_cb done = sent->done;
    int status = sent->status;

    free(sent);
    done(request, status);
}

void guard_settle(struct guard *guard)
{
    struct guard_sent *sent;

    while ((sent = STAILQ_FIRST(&guard->sent)) != NULL) {
        STAILQ_REMOVE_HEAD(&guard->sent, link);
        finish(sent);
    }
}

void guard_transferred(struct guard *guard, raft_id peer, bool arrived)
{
    struct guard_sent *sent;

    STAILQ_FOREACH(sent, &guard->transferring, link) {
        if (sent->peer == peer) {
            STAILQ_REMOVE(&guard->transferring, sent, guard_sent, link);
            sent->status = arrived ? 0 : RAFT_NOCONNECTION;
            STAILQ_INSERT_TAIL(&guard->sent, sent, link);
            return;
        }
    }
}

/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/reads.h"

#include <stdlib.h>

#include "core/fetch_message.h"
#include "core/message.h"
#include "nodes/coordinator/fetch.h"
#include "nodes/coordinator/reading.h"

void reads_init(struct reads *reads)
{
    *reads = (struct reads){.count = 0};
    STAILQ_INIT(&reads->waiting);
}

static void refuse(struct reads *reads, struct session *session, const struct bus_message *from,
                   const struct message *message, enum refusal refusal)
{
    egress_refuse(reads->egress, session, from, message->correlation, refusal, 0);
}

/* ---- answers */

static void answer_wait(struct reads *reads, struct session *session,
                        const struct bus_message *from, const struct message *message)
{
    struct bytes ids;

    if (wire_wait_decode(message->body, &ids) != GROVE_OK || ids.size % sizeof(struct id) != 0) {
        refuse(reads, session, from, message, REFUSED_MALFORMED);
        return;
    }
    egress_ask(reads->egress, session, &from->envelope, message->correlation, ids);
}

static void answer_page(struct reads *reads, struct session *session,
                        const struct bus_message *from, const struct message *message)
{
    struct watcher question = {
        .session = session,
        .envelope = from->envelope,
        .correlation = message->correlation,
        .type = MESSAGE_PAGE,
    };

    if (wire_page_decode(message->body, &question.page) != GROVE_OK) {
        refuse(reads, session, from, message, REFUSED_MALFORMED);
        return;
    }
    egress_watch(reads->egress, &question);
}

static void answer(struct reads *reads, struct session *session, const struct bus_message *from,
                   const struct message *message)
{
    switch ((unsigned)message->type) {
    case MESSAGE_WAIT:
        answer_wait(reads, session, from, message);
        break;
    case MESSAGE_PAGE:
        answer_page(reads, session, from, message);
        break;
    default:
        fetch_task(reads->egress, session, from, message);
        break;
    }
}

/* ---- doubts */

static bool is_any_unknown(const struct reads *reads, const struct session *session,
                           struct bytes ids)
{
    struct task_view view;
    struct id id;

    for (size_t at = 0; at + sizeof(id) <= ids.size; at += sizeof(id)) {
        memcpy(&id, ids.data + at, sizeof(id));
        if (reading_judge(reads->egress->forest, session, &id, &view) != REFUSED_NOT) {
            return true;
        }
    }
    return false;
}

static bool is_open_or_unknown(const struct reads *reads, const struct session *session,
                               const struct id *id)
{
    struct task_view view;

    return reading_judge(reads->egress->forest, session, id, &view) != REFUSED_NOT ||
           task_state_is_open(view.state);
}

/* Whether another leader might answer otherwise. What cannot be read at all it cannot either. */
static bool is_in_doubt(const struct reads *reads, const struct session *session,
                        const struct message *message)
{
    struct join_view join;
    struct bytes ids;
    struct page page;
    struct id id;

    switch ((unsigned)message->type) {
    case MESSAGE_WAIT:
        return wire_wait_decode(message->body, &ids) == GROVE_OK &&
               is_any_unknown(reads, session, ids);
    case MESSAGE_PAGE:
        return wire_page_decode(message->body, &page) == GROVE_OK &&
               reading_judge_join(reads->egress->forest, session, &page.join, &join) != REFUSED_NOT;
    default:
        return wire_fetch_decode(message->body, &id) == GROVE_OK &&
               is_open_or_unknown(reads, session, &id);
    }
}

/* ---- waiting */

static bool keep(struct reads *reads, struct session *session, const struct bus_message *from)
{
    const size_t size = bus_frame_bytes(from->frame).size;
    struct read *read;

    if (reads->count == LIMIT_UNCOMMITTED || reads->size + size > LIMIT_UNCOMMITTED_SIZE) {
        return false;
    }
    read = malloc(sizeof(*read));
    if (read == NULL) {
        abort();
    }
    session_hold(session);
    *read = (struct read){
        .session = session,
        .frame = bus_frame_retain(from->frame),
        .envelope = from->envelope,
        .proof = reads->begun + 1,
    };
    reads->count++;
    reads->size += size;
    STAILQ_INSERT_TAIL(&reads->waiting, read, link);
    return true;
}

static void forget_first(struct reads *reads)
{
    struct read *read = STAILQ_FIRST(&reads->waiting);

    STAILQ_REMOVE_HEAD(&reads->waiting, link);
    reads->count--;
    reads->size -= bus_frame_bytes(read->frame).size;
    bus_frame_release(read->frame);
    session_release(read->session);
    free(read);
}

void reads_clear(struct reads *reads)
{
    while (!STAILQ_EMPTY(&reads->waiting)) {
        forget_first(reads);
    }
    reads->is_barrier = false;
}

void reads_receive(struct reads *reads, struct session *session, const struct bus_message *from,
                   const struct message *message)
{
    if (!is_in_doubt(reads, session, message)) {
        answer(reads, session, from, message);
    } else if (!keep(reads, session, from)) {
        refuse(reads, session, from, message, REFUSED_BUSY);
    }
}

/* ---- proofs */

bool reads_want(const struct reads *reads)
{
    return !STAILQ_EMPTY(&reads->waiting);
}

void reads_begin(struct reads *reads)
{
    reads->begun++;
}

static void answer_kept(struct reads *reads, const struct read *read)
{
    const struct bus_message from = {
        .route = read->session->route,
        .envelope = read->envelope,
        .has_user = true,
        .user = read->session->identity,
        .frame = read->frame,
    };
    struct message message;

    if (read->session->is_open &&
        wire_message_open(bus_frame_bytes(read->frame), &message) == GROVE_OK) {
        answer(reads, read->session, &from, &message);
    }
}

void reads_prove(struct reads *reads)
{
    const struct read *read;

    reads->is_barrier = false;
    while ((read = STAILQ_FIRST(&reads->waiting)) != NULL && read->proof <= reads->begun) {
        answer_kept(reads, read);
        forget_first(reads);
    }
}

/* SPDX-License-Identifier: MPL-2.0
 * Effects to messages, on the leader alone. What one turn produces for a session goes as one
 * message a type when the turn ends; answers go one by one, each to its question.
 *
 * Nothing queues without bound: work that a full pipe has no room for is owed again, and found by
 * the next heartbeats (owed.h); outcomes wait as ids; a session that does not even take answers is
 * ended, and asks again when it is back. */
#ifndef GROVE_COORDINATOR_EGRESS_H
#define GROVE_COORDINATOR_EGRESS_H

#include "core/effect.h"
#include "core/forest.h"
#include "nodes/coordinator/excerpts.h"
#include "nodes/coordinator/job.h"
#include "nodes/coordinator/progress.h"
#include "nodes/coordinator/seats.h"
#include "nodes/coordinator/sessions.h"
#include "nodes/coordinator/verdicts.h"
#include "nodes/host/credential.h"

struct members;

struct egress_counters {
    uint64_t sent, sent_size; /* messages, bytes */
    uint64_t full, gone;      /* pipes without room; peers that left */
    uint64_t assigned, notified, resent;
    uint64_t paged, recalled;        /* Paged, Recall */
    uint64_t refused[REFUSED_COUNT]; /* whole messages, by reason */
};

struct egress {
    /* borrowed; set before the first use */
    struct bus_socket *socket;
    const struct forest *forest;
    const struct credential *credential; /* seals verdicts */
    struct jobs *jobs;
    struct sessions *sessions;
    struct seats *seats;
    struct waiters *waiters;
    struct watchers *watchers;
    struct progress *progress;
    const struct members *members; /* NULL: one coordinator, which has no peers */

    struct id ledger;
    uint64_t index;    /* of the entry last applied */
    uint64_t stamp_ms; /* ledger time, as answers give it */
    uint64_t now_ms;   /* monotonic, as of this turn */
    uint32_t session_ms;

    struct session_list due;
    struct job_list answered;       /* applied; to be answered when the turn ends */
    struct buffer asked;            /* struct asked: Waits of this turn */
    struct buffer asked_ids;        /* struct id */
    struct verdicts verdicts;       /* of the turn */
    struct verdicts paged_verdicts; /* of the Paged that is being written */
    struct excerpts excerpts;
    struct trees trees;            /* of batches that excerpts were cut of lately */
    const struct seal *shown_seal; /* whose signer this message has seen to: neighbours share it */
    struct buffer frame, root, assignments, ids;
    bool trust_changed; /* certificates came or went: judge the sessions, then reset */
    struct egress_counters counters;
};

void egress_init(struct egress *egress, const uint8_t hash_key[16]);
void egress_clear(struct egress *egress);

/* Performs the effects of one applied entry: notes what jobs are answered and what sessions are
 * owed.
 *
 *   index   of the entry in the ledger */
void egress_apply(struct egress *egress, const struct effects *effects, uint64_t index);

/* Takes a job whose commands were applied; it is answered when the turn ends, and then given back.
 */
void egress_take(struct egress *egress, struct job *job);

/* Answers the jobs taken now, and gives them back. */
void egress_answer(struct egress *egress);

/* Ends the turn: sends what is owed, and the answers of the jobs taken. */
void egress_flush(struct egress *egress);

/* Notes a Wait, to be answered when the turn ends.
 *
 *   ids   16 bytes each, copied */
void egress_ask(struct egress *egress, struct session *session, const struct envelope *envelope,
                uint64_t correlation, struct bytes ids);

/* Keeps a Page, or a Cancel, to be answered when the turn ends or when there is
 * something to say.
 *
 *   question   copied; of an open session */
void egress_watch(struct egress *egress, const struct watcher *question);

/* The session will be served when the turn ends. */
void egress_due(struct egress *egress, struct session *session);

/* Ends a session: what it waits for is forgotten, its seat waits for it to come back. */
void egress_end(struct egress *egress, struct session *session);

/* Certificates came or went: sessions of those who are good no more end, with a word, and all are
 * shown certificates anew. */
void egress_judge_sessions(struct egress *egress);

/* ---- answers (replies.c) */

/* Refuses a whole message; counted by reason.
 *
 *   session   NULL: of a route that has none */
void egress_refuse(struct egress *egress, struct session *session,
                   const struct bus_message *message, uint64_t correlation, enum refusal refusal,
                   uint64_t retry_ms);
void egress_refuse_saying(struct egress *egress, struct session *session,
                          const struct envelope *envelope, uint64_t correlation,
                          enum refusal refusal, const char *text);
void egress_refuse_job(struct egress *egress, const struct job *job, enum refusal refusal);

/* Says that the forest refused the whole of it, which has counted that. */
void egress_tell_refused(struct egress *egress, const struct job *job, enum refusal refusal);

void egress_welcome(struct egress *egress, struct session *session, const struct envelope *envelope,
                    uint64_t correlation);
void egress_accept(struct egress *egress, const struct job *job);
void egress_done(struct egress *egress, struct session *session, const struct envelope *envelope,
                 uint64_t correlation);
void egress_heartbeat(struct egress *egress, struct session *session,
                      const struct envelope *envelope, uint64_t correlation);

/* ---- messages of the turn's end, for one session each */

void egress_assign(struct egress *egress, struct session *session); /* dispatch.c */
void egress_resume(struct egress *egress, struct session *session);
void egress_stop(struct egress *egress, struct session *session);
void egress_recall(struct egress *egress, struct session *session);
void egress_answer_asked(struct egress *egress); /* notify.c */
void egress_notify(struct egress *egress, struct session *session);

/* Outcomes of tasks that have ended, on their way into a message. */
struct outcomes {
    const struct id *ids;
    size_t count;
    const struct verdicts *verdicts;   /* those of the turn, or sealed ones */
    size_t size;                       /* bytes of items, but at least one item */
    uint32_t field, certificate_field; /* of the message */
};

/* Whether the ledger here is another one than this. One that waits to be added keeps none: it sends
 * away, and refuses nobody for good. */
bool egress_keeps_another(const struct egress *egress, const struct id *ledger);

/* Puts as many as fit, with certificates of signers that the session has not seen. Returns how many
 * ids it took; tasks that are open or forgotten are passed over. */
size_t egress_put_outcomes(struct egress *egress, struct session *session,
                           const struct outcomes *outcomes, struct wire_writer *writer);

/* The session hears of the outcome of a task that has ended; and of those that the attempts in an
 * Expand wait for, now or when they end. */
void egress_notify_later(struct egress *egress, struct session *session, const struct id *task);
void egress_await_children(struct egress *egress, const struct job *job);

/* Keeps a Cancel that was applied until its counts are there. */
void egress_await_counts(struct egress *egress, const struct job *job);

/* Finds out which watchers of what has news can be answered. */
void egress_look(struct egress *egress); /* pages.c */
void egress_answer_ready(struct egress *egress, struct session *session);

/* ---- sending (outlet.c) */

/* Sends a frame to a session, or keeps it until its pipe has room.
 *
 *   envelope   of the question; NULL: nobody asked */
void egress_send(struct egress *egress, struct session *session, const struct envelope *envelope,
                 struct bytes frame);

/* Sends what was kept; true when none is left. */
bool egress_drain(struct egress *egress, struct session *session);

/* Whether the session takes more than answers now. */
bool session_has_room(const struct session *session);

#define EGRESS_ROOM LIMIT_MIB               /* bytes kept for a session before only answers are */
#define EGRESS_MOST (8 * LIMIT_MIB)         /* bytes kept before the session is ended */
#define EGRESS_MESSAGE_SIZE (2 * LIMIT_MIB) /* bytes of items in one message, but at least one */
#define EGRESS_MESSAGE_ITEMS 1024u

#endif

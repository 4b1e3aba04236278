/* SPDX-License-Identifier: MPL-2.0
 * Questions that are answered from the forest: Wait, Page, Fetch.
 *
 * That a task has ended is final, whoever tells it. That there is none, or that it has not ended,
 * only a leader may say: one that was overruled, and has not noticed, would say so of what its
 * successor has accepted. Such questions wait for a proof: a group, or else a barrier, that was
 * begun after they came and then committed. One is for all that wait meanwhile. */
#ifndef GROVE_COORDINATOR_READS_H
#define GROVE_COORDINATOR_READS_H

#include "core/frame.h"
#include "nodes/coordinator/egress.h"

struct read {
    STAILQ_ENTRY(read) link;
    struct session *session; /* held */
    struct bus_frame *frame; /* held */
    struct envelope envelope;
    uint64_t proof; /* the first that will do */
};

struct reads {
    struct egress *egress; /* borrowed; set before the first use */

    STAILQ_HEAD(, read) waiting; /* in the order of their proofs */
    size_t count;
    size_t size;     /* bytes of frames */
    uint64_t begun;  /* proofs, ever */
    bool is_barrier; /* the one under way is no group */
};

void reads_init(struct reads *reads);

/* Forgets all that wait: leadership is over, and so are their sessions. */
void reads_clear(struct reads *reads);

/* Answers a question of a session when the turn ends, or when it is proved. BUSY when as many wait
 * as commands may.
 *
 *   from   its frame is held as long as the question waits */
void reads_receive(struct reads *reads, struct session *session, const struct bus_message *from,
                   const struct message *message);

/* Whether, when none is under way, a proof is wanted. */
bool reads_want(const struct reads *reads);

/* A group, or a barrier, was proposed. */
void reads_begin(struct reads *reads);

/* ... and is committed, and all that is before it is applied: answers what came before it began. */
void reads_prove(struct reads *reads);

#endif

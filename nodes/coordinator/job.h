/* SPDX-License-Identifier: MPL-2.0
 * A message on its way to the ledger and back: opened on the loop, verified in the pool, proposed,
 * applied, answered. One thread has it at a time. */
#ifndef GROVE_COORDINATOR_JOB_H
#define GROVE_COORDINATOR_JOB_H

#include <sys/queue.h>

#include "core/buffer.h"
#include "core/frame.h"
#include "core/refusal.h"
#include "nodes/host/bus.h"

struct session;

/* An item of a batch that was refused. */
struct job_refused {
    uint32_t position;
    enum refusal refusal;
    struct digest conflict; /* of the payload that is kept, on CONFLICT */
};

/* How a job is answered once its commands have been applied. */
enum job_answer {
    ANSWER_NONE, /* nothing more is to be said */
    ANSWER_ACCEPTED,
    ANSWER_DONE,
};

struct job {
    STAILQ_ENTRY(job) link;
    uint64_t token; /* never 0; names the job as long as it is under way */

    /* by ingress */
    struct session *session; /* held */
    struct bus_frame *frame; /* held; body borrows from it */
    struct envelope envelope;
    enum message_type type;
    uint64_t correlation;
    struct bytes body;
    struct key identity;
    struct id boot;
    uint64_t worker; /* index of the worker session; 0: none */

    /* by the pool */
    enum refusal refusal;   /* of the whole message; REFUSED_NOT: the commands are ready */
    struct buffer commands; /* encoded for a group of the ledger */
    unsigned command_count;
    unsigned item_count; /* of its batch; 0: it has none */
    size_t append_count; /* to joins */
    bool wait;           /* notify its session of every outcome */

    /* by egress */
    unsigned done_count;  /* commands applied */
    enum refusal outcome; /* of the commands: the first that was refused */
    enum job_answer answer;
    struct buffer ids;     /* struct id, a position each; zero where refused */
    struct buffer settled; /* a byte, 1 when it had already ended */
    struct buffer refused; /* struct job_refused */
    struct buffer appends; /* a byte each: enum refusal; empty: none has been answered */
};

STAILQ_HEAD(job_list, job);

/* All jobs under way: at most LIMIT_UNCOMMITTED of them, holding frames of LIMIT_UNCOMMITTED_SIZE.
 */
struct jobs {
    struct job **slots; /* by token - 1 */
    size_t slot_count;  /* made so far */
    struct job_list unused;
    size_t count;
    size_t size; /* bytes of frames */
};

void jobs_init(struct jobs *jobs);

/* Gives all back, wherever they are; nobody may have one any more. */
void jobs_clear(struct jobs *jobs);

/* A job for a message of a session; holds both. NULL: no room now. */
struct job *jobs_take(struct jobs *jobs, struct session *session, struct bus_frame *frame);

void jobs_give_back(struct jobs *jobs, struct job *job);

/* The job under way with this token, NULL when there is none. */
struct job *jobs_find(const struct jobs *jobs, uint64_t token);

#endif

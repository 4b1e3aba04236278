/* SPDX-License-Identifier: MPL-2.0
 * Jobs are kept and used again, with their buffers: none is made in the steady state. */
#include "nodes/coordinator/job.h"

#include <assert.h>
#include <stdlib.h>

#include "core/limits.h"
#include "nodes/coordinator/sessions.h"

/* A buffer that once held a large message is not kept, or idle jobs would hold all of memory. */
#define BUFFER_KEPT (64 * LIMIT_KIB)

void jobs_init(struct jobs *jobs)
{
    *jobs = (struct jobs){.slots = calloc(LIMIT_UNCOMMITTED, sizeof(struct job *))};
    STAILQ_INIT(&jobs->unused);
    if (jobs->slots == NULL) {
        abort();
    }
}

static void empty(struct buffer *buffer)
{
    if (buffer->capacity > BUFFER_KEPT) {
        buffer_clear(buffer);
    } else {
        buffer_reset(buffer);
    }
}

void jobs_give_back(struct jobs *jobs, struct job *job)
{
    assert(job->frame != NULL);
    jobs->count--;
    jobs->size -= bus_frame_bytes(job->frame).size;
    bus_frame_release(job->frame);
    session_release(job->session);
    job->frame = NULL;
    job->session = NULL;
    empty(&job->commands);
    empty(&job->ids);
    empty(&job->settled);
    empty(&job->refused);
    empty(&job->appends);
    STAILQ_INSERT_HEAD(&jobs->unused, job, link);
}

void jobs_clear(struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->slot_count; i++) {
        struct job *job = jobs->slots[i];

        if (job->frame != NULL) {
            jobs_give_back(jobs, job);
        }
        buffer_clear(&job->commands);
        buffer_clear(&job->ids);
        buffer_clear(&job->settled);
        buffer_clear(&job->refused);
        buffer_clear(&job->appends);
        free(job);
    }
    free(jobs->slots);
    *jobs = (struct jobs){.count = 0};
}

static struct job *make(struct jobs *jobs)
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        abort();
    }
    assert(jobs->slot_count < LIMIT_UNCOMMITTED);
    jobs->slots[jobs->slot_count++] = job;
    job->token = jobs->slot_count;
    return job;
}

struct job *jobs_take(struct jobs *jobs, struct session *session, struct bus_frame *frame)
{
    const size_t size = bus_frame_bytes(frame).size;
    struct job *job = STAILQ_FIRST(&jobs->unused);

    if (jobs->count == LIMIT_UNCOMMITTED || jobs->size + size > LIMIT_UNCOMMITTED_SIZE) {
        return NULL;
    }
    if (job != NULL) {
        STAILQ_REMOVE_HEAD(&jobs->unused, link);
    } else {
        job = make(jobs);
    }
    jobs->count++;
    jobs->size += size;
    session_hold(session);
    job->session = session;
    job->frame = bus_frame_retain(frame);
    job->refusal = REFUSED_NOT;
    job->outcome = REFUSED_NOT;
    job->answer = ANSWER_NONE;
    job->command_count = 0;
    job->done_count = 0;
    job->item_count = 0;
    job->append_count = 0;
    job->wait = false;
    return job;
}

struct job *jobs_find(const struct jobs *jobs, uint64_t token)
{
    struct job *job;

    if (token == 0 || token > jobs->slot_count) {
        return NULL;
    }
    job = jobs->slots[token - 1];
    return job->frame != NULL ? job : NULL;
}

/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/guard.h"

#include <assert.h>
#include <stdlib.h>

/* An append under way. */
struct guarded_append {
    struct raft_io_append inner;
    struct guard *guard;
    struct raft_io_append *request;
    raft_io_append_cb done;
};

static struct guard *guard_of(struct raft_io *io)
{
    struct raft *raft = io->data;

    return raft->data;
}

static void die(struct guard *guard, int error)
{
    const char *text = guard->raft->io->errmsg;

    guard->fatal(guard->context, text[0] != '\0' ? text : raft_strerror(error));
    abort(); /* fatal does not return */
}

static void finish_append(struct raft_io_append *inner, int status)
{
    struct guarded_append *append = inner->data;
    struct raft_io_append *request = append->request;
    raft_io_append_cb done = append->done;

    if (status != 0) {
        die(append->guard, status);
    }
    free(append);
    done(request, status);
}

static int guard_append(struct raft_io *io, struct raft_io_append *request,
                        const struct raft_entry entries[], unsigned n, raft_io_append_cb done)
{
    struct guard *guard = guard_of(io);
    struct guarded_append *append = malloc(sizeof(*append));

    if (append == NULL) {
        abort();
    }
    for (unsigned i = 0; i < n; i++) {
        assert(entries[i].buf.len > 0 && entries[i].buf.len % 8 == 0);
    }
    *append = (struct guarded_append){
        .inner = {.data = append}, .guard = guard, .request = request, .done = done};
    int error = guard->inner.append(io, &append->inner, entries, n, finish_append);
    if (error != 0) {
        die(guard, error);
    }
    return 0;
}

static void guard_tick(struct raft_io *io)
{
    struct guard *guard = guard_of(io);

    guard->tick(io);
    guard_lead(guard);
}

static int guard_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick,
                       raft_io_recv_cb receive)
{
    struct guard *guard = guard_of(io);

    guard->tick = tick;
    return guard->inner.start(io, msecs, guard_tick, receive);
}

void guard_install(struct guard *guard, struct raft *raft,
                   void (*fatal)(void *context, const char *text), void *context)
{
    *guard = (struct guard){.raft = raft, .inner = *raft->io, .fatal = fatal, .context = context};
    raft->data = guard;
    raft->io->append = guard_append;
    raft->io->start = guard_start;
    raft_set_pre_vote(raft, false);
}

static void finish_barrier(struct raft_barrier *barrier, int status)
{
    struct guard *guard = barrier->data;

    if (status == 0) {
        guard->committed_term = guard->barrier_term;
    } else {
        guard->barrier_term = 0; /* leadership went: the next one writes its own */
    }
}

void guard_lead(struct guard *guard)
{
    struct raft *raft = guard->raft;

    if (raft_state(raft) != RAFT_LEADER || guard->barrier_term == raft->current_term) {
        return;
    }
    guard->barrier_term = raft->current_term;
    guard->barrier.data = guard;
    int error = raft_barrier(raft, &guard->barrier, finish_barrier);
    if (error != 0) {
        die(guard, error);
    }
}

bool guard_leads(const struct guard *guard)
{
    return guard->raft->state == RAFT_LEADER && guard->committed_term == guard->raft->current_term;
}

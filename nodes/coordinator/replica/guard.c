/* SPDX-License-Identifier: MPL-2.0
 * How the guard gets between the library and its raft_io; and the rules 1, 4, 9, 11 and 12.
 */
#include "nodes/coordinator/replica/guard_rules.h"

#include "nodes/coordinator/replica/configuration.h"

#include <assert.h>
#include <stdlib.h>

/* An append under way. */
struct guarded_append {
    struct raft_io_append inner;
    struct guard *guard;
    struct raft_io_append *request;
    raft_io_append_cb done;
    raft_term term;      /* when it began */
    raft_index verified; /* by the message that brought the entries */
};

/* A snapshot on its way to disk. */
struct guarded_put {
    struct raft_io_snapshot_put inner;
    struct guard *guard;
    struct raft_io_snapshot_put *request;
    raft_io_snapshot_put_cb done;
    struct raft_configuration configuration;
    raft_index configuration_index;
    raft_index index;
    struct raft_buffer *buffers;
    bool installs; /* it is the leader's, and replaces the log */
};

static struct guard *guard_of(const struct raft_io *io)
{
    const struct raft *raft = io->data;

    return raft->data;
}

void guard_die(struct guard *guard, const char *text)
{
    guard->fatal(guard->context, text[0] != '\0' ? text : "libraft gave up");
    abort(); /* fatal does not return */
}

/* Rule 9. After a failed write a leader goes on and uses the index again, and a follower keeps in
 * memory what is not on disk. Mended in 0.16 and 0.18 (0cac59c, a5cef60, 857e17e, 23ed201). */
static void die_of_failed_write(struct guard *guard, int error)
{
    const char *text = guard->raft->io->errmsg;

    guard_die(guard, text[0] != '\0' ? text : raft_strerror(error));
}

static bool is_closed(const struct guard *guard)
{
    return guard->raft->state == RAFT_UNAVAILABLE;
}

static void finish_append(struct raft_io_append *inner, int status)
{
    struct guarded_append *append = inner->data;
    struct guard *guard = append->guard;
    struct raft_io_append *request = append->request;
    raft_io_append_cb done = append->done;

    if (status != 0 && !is_closed(guard)) {
        die_of_failed_write(guard, status);
    }
    guard->appending--;
    guard->muted = append->term != guard->raft->current_term || guard->raft->state != RAFT_FOLLOWER;
    guard->verified = append->verified;
    free(append);
    done(request, status);
    guard->muted = false;
    guard->verified = GUARD_NO_LIMIT;
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
        .inner = {.data = append},
        .guard = guard,
        .request = request,
        .done = done,
        .term = guard->raft->current_term,
        .verified = guard->verified,
    };
    guard->appending++;
    int error = guard->inner.append(io, &append->inner, entries, n, finish_append);
    if (error != 0) {
        die_of_failed_write(guard, error);
    }
    return 0;
}

/* The library leaves the mark of an uncommitted configuration when it installs a snapshot that
 * stands for it. */
static void forget_the_doubt(struct guard *guard, raft_index snapshot)
{
    if (guard->raft->configuration_uncommitted_index <= snapshot) {
        guard->raft->configuration_uncommitted_index = 0;
    }
}

static void finish_put(struct raft_io_snapshot_put *inner, int status)
{
    struct guarded_put *put = inner->data;
    struct guard *guard = put->guard;

    if (put->installs && status != 0 && !is_closed(guard)) {
        die_of_failed_write(guard, status); /* the log in memory is gone by now */
    }
    if (status == 0) {
        guard_keep(guard, &put->configuration, put->configuration_index);
    }
    if (put->installs) {
        guard->verified = put->index;
    }
    put->done(put->request, status);
    guard->verified = GUARD_NO_LIMIT;
    if (put->installs && status != 0) {
        raft_free(put->buffers); /* the library forgets it when it is closed meanwhile */
    }
    if (put->installs) {
        guard->installing = false;
        forget_the_doubt(guard, put->index);
    }
    raft_configuration_close(&put->configuration);
    free(put);
}

static int guard_snapshot_put(struct raft_io *io, unsigned trailing,
                              struct raft_io_snapshot_put *request,
                              const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb done)
{
    struct guard *guard = guard_of(io);
    struct guarded_put *put = malloc(sizeof(*put));

    if (put == NULL) {
        abort();
    }
    *put = (struct guarded_put){
        .inner = {.data = put},
        .guard = guard,
        .request = request,
        .done = done,
        .configuration_index = snapshot->configuration_index,
        .index = snapshot->index,
        .buffers = snapshot->bufs,
        .installs = trailing == 0,
    };
    configuration_copy(&snapshot->configuration, &put->configuration);
    guard->installing = put->installs || guard->installing;
    int error = guard->inner.snapshot_put(io, trailing, &put->inner, snapshot, finish_put);
    if (error != 0) {
        die_of_failed_write(guard, error);
    }
    return 0;
}

static int guard_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                      struct raft_snapshot **snapshot, raft_index *start_index,
                      struct raft_entry *entries[], size_t *n_entries)
{
    struct guard *guard = guard_of(io);
    int error = guard->inner.load(io, term, voted_for, snapshot, start_index, entries, n_entries);

    if (error == 0 && *snapshot != NULL) {
        guard_keep(guard, &(*snapshot)->configuration, (*snapshot)->configuration_index);
    }
    return error;
}

bool guard_is_lone_voter(const struct raft *raft)
{
    const struct raft_server *self = configuration_server(&raft->configuration, raft->id);

    for (unsigned i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];
        if (server->role == RAFT_VOTER && server != self) {
            return false;
        }
    }
    return self != NULL && self->role == RAFT_VOTER;
}

/* Rule 11. The only voter leads without an election, in the term of its last leader, be that itself
 * before a crash or another that has left: two entries may then have the same index and term, and a
 * standby that has the other one keeps it. Not mended.
 *
 * It begins a term as any candidate does. */
static void begin_a_term_alone(struct raft *raft)
{
    if (guard_is_lone_voter(raft)) {
        raft->io->set_term(raft->io, raft->current_term + 1);
        raft->io->set_vote(raft->io, raft->id);
        raft->current_term++;
        raft->voted_for = raft->id;
    }
}

static int guard_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick,
                       raft_io_recv_cb receive)
{
    struct guard *guard = guard_of(io);

    guard->tick = tick;
    guard->receive = receive;
    guard_doubt(guard);
    begin_a_term_alone(guard->raft); /* the library leads before raft_start returns */
    return guard->inner.start(io, msecs, tick, receive);
}

static void guard_close(struct raft_io *io, raft_io_close_cb done)
{
    struct guard *guard = guard_of(io);

    STAILQ_CONCAT(&guard->sent, &guard->transferring);
    guard_settle(guard);
    guard->inner.close(io, done);
}

void guard_install(struct guard *guard, struct raft *raft,
                   const struct replica_transport *transport,
                   void (*fatal)(void *context, const char *text), void *context)
{
    *guard = (struct guard){
        .raft = raft,
        .inner = *raft->io,
        .transport = transport,
        .verified = GUARD_NO_LIMIT,
        .fatal = fatal,
        .context = context,
    };
    STAILQ_INIT(&guard->sent);
    STAILQ_INIT(&guard->transferring);
    raft_configuration_init(&guard->configuration);
    raft->data = guard;
    raft->io->append = guard_append;
    raft->io->snapshot_put = guard_snapshot_put;
    raft->io->load = guard_load;
    raft->io->start = guard_start;
    raft->io->send = guard_send;
    raft->io->close = guard_close;
    raft_set_pre_vote(raft, false);
}

void guard_clear(struct guard *guard)
{
    raft_configuration_close(&guard->configuration);
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

/* The barrier of rule 1, and of the second rule of use. A hand-over of a former leadership that has
 * not been given up yet makes the library refuse it: then it is written in a later turn. */
void guard_lead(struct guard *guard)
{
    struct raft *raft = guard->raft;

    if (raft_state(raft) != RAFT_LEADER || guard->barrier_term == raft->current_term ||
        raft->transfer != NULL) {
        return;
    }
    guard->barrier_term = raft->current_term;
    guard->barrier.index = GUARD_NO_LIMIT; /* until it is known */
    guard->barrier.data = guard;
    int error = raft_barrier(raft, &guard->barrier, finish_barrier);
    if (error != 0) {
        guard_die(guard, raft_strerror(error));
    }
}

bool guard_leads(const struct guard *guard)
{
    return guard->raft->state == RAFT_LEADER && guard->committed_term == guard->raft->current_term;
}

/* Rule 4. A follower that becomes candidate while entries or a snapshot are being written answers
 * to nobody when they are, and does not take over the configuration among them. Mended in 0.17.1
 * and 0.18 (a54636b, 634cb11; f65b6e7, 64b0b8b for TimeoutNow). */
static void hold_elections(struct guard *guard)
{
    struct raft *raft = guard->raft;

    if (raft->state == RAFT_FOLLOWER && (guard->appending > 0 || guard->installing)) {
        raft->election_timer_start = raft->io->time(raft->io);
    }
}

/* Rule 12, the other half. A follower grants no vote while it knows a leader, and forgets one only
 * when it stands for election itself: one that may not vote never does.
 *
 * A leader that has been silent for an election timeout is none (Ongaro 2014, section 4.2.3). */
static void forget_a_silent_leader(struct raft *raft)
{
    if (raft->state == RAFT_FOLLOWER &&
        raft->io->time(raft->io) - raft->election_timer_start >= raft->election_timeout) {
        raft->follower_state.current_leader.id = 0;
    }
}

static bool is_about_to_elect(const struct raft *raft)
{
    return raft->state == RAFT_FOLLOWER && raft->io->time(raft->io) - raft->election_timer_start >=
                                               raft->follower_state.randomized_election_timeout;
}

void guard_tick(struct guard *guard)
{
    guard_settle(guard);
    hold_elections(guard);
    forget_a_silent_leader(guard->raft);
    if (is_about_to_elect(guard->raft)) {
        begin_a_term_alone(guard->raft);
    }
    guard->tick(guard->raft->io);
    if (guard->raft->state == RAFT_UNAVAILABLE) {
        guard_die(guard, guard->raft->errmsg);
    }
    guard_lead(guard);
}

/* SPDX-License-Identifier: MPL-2.0
 * The loop of a coordinator.
 *
 *   task socket ─▶ ingress ─▶ pool ─▶ proposals ─▶ replica ─▶ machine ─▶ egress ─▶ task socket
 */
#include "nodes/coordinator/parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "nodes/coordinator/roster.h"
#include "nodes/host/clock.h"
#include "nodes/host/log.h"

#define TICK_MS 30u /* of consensus, of silence, and of what is due */

void coordinator_refresh(struct coordinator *coordinator)
{
    const uint64_t now_ms = clock_monotonic_ms();

    coordinator->egress.now_ms = now_ms;
    coordinator->egress.stamp_ms = stamp_now(&coordinator->stamp, clock_unix_ms(), now_ms);
}

/* ---- the ledger */

/* Before whoever asked hears that it is done: the one who was admitted may knock at once, and is
 * not answered for seconds when it knocks too early. */
static void publish(struct coordinator *coordinator)
{
    const struct effects *effects = &coordinator->machine.effects;

    for (size_t i = 0; i < effects->count; i++) {
        if (effects->list[i].kind == EFFECT_TRUSTED) {
            roster_publish(coordinator->machine.forest, coordinator->options.credential,
                           coordinator->zap);
            events_send_away(&coordinator->events);
            return;
        }
    }
}

/* The group is over, and what became of its jobs is known. */
static void end_group(struct coordinator *coordinator)
{
    struct job *job;

    while ((job = proposals_land(&coordinator->proposals)) != NULL) {
        egress_take(&coordinator->egress, job);
    }
    chores_land(&coordinator->chores);
}

/* Of a follower, and before leadership: the effects are the leader's to perform. */
static void follow(struct coordinator *coordinator)
{
    publish(coordinator);
    effects_reset(&coordinator->machine.effects);
    coordinator->egress.index = coordinator->machine.index;
}

/* The group will not come back as ours: whoever asked hears so, and asks again. */
static void fail(struct coordinator *coordinator, enum grove_status status)
{
    const enum refusal refusal = status == GROVE_NO_LEADER ? REFUSED_NO_LEADER : REFUSED_TOO_LARGE;
    struct job *job;

    coordinator->machine.tokens = NULL;
    coordinator->machine.token_count = 0;
    STAILQ_FOREACH(job, &coordinator->proposals.in_flight, link) {
        egress_refuse_job(&coordinator->egress, job, refusal);
    }
    end_group(coordinator);
}

void coordinator_land(struct coordinator *coordinator)
{
    struct machine *machine = &coordinator->machine;

    if (machine->forest != coordinator->egress.forest) {
        coordinator->egress.forest = machine->forest; /* the leader sent its state */
        roster_publish(machine->forest, coordinator->options.credential, coordinator->zap);
    }
    if (!coordinator->proposals.is_in_flight && !coordinator->leads) {
        follow(coordinator);
        return;
    }
    if (coordinator->reads.is_barrier && !replica_is_busy(coordinator->replica)) {
        reads_prove(&coordinator->reads);
    }
    if (!coordinator->proposals.is_in_flight || machine->tokens != NULL) {
        return;
    }
    if (machine->lost) {
        machine->lost = false;
        fail(coordinator, GROVE_NO_LEADER);
        return;
    }
    publish(coordinator);
    egress_apply(&coordinator->egress, &machine->effects, machine->index);
    effects_reset(&machine->effects);
    end_group(coordinator);
    reads_prove(&coordinator->reads);
    if (coordinator->egress.trust_changed) {
        egress_judge_sessions(&coordinator->egress);
        coordinator->egress.trust_changed = false;
    }
}

/* By a barrier, since no group is to be proposed. */
static void prove(struct coordinator *coordinator)
{
    if (reads_want(&coordinator->reads) && replica_barrier(coordinator->replica) == GROVE_OK) {
        reads_begin(&coordinator->reads);
        coordinator->reads.is_barrier = true;
    }
}

void coordinator_propose(struct coordinator *coordinator)
{
    struct proposal proposal;
    enum grove_status status;

    if (replica_is_busy(coordinator->replica)) {
        return;
    }
    if (!proposals_next(&coordinator->proposals, coordinator->egress.stamp_ms, &proposal)) {
        prove(coordinator);
        return;
    }
    reads_begin(&coordinator->reads);
    coordinator->machine.tokens = proposal.tokens;
    coordinator->machine.token_count = proposal.count;
    status = replica_propose(coordinator->replica, proposal.entry.data, proposal.entry.size);
    if (status != GROVE_OK) {
        fail(coordinator, status);
    }
}

/* ---- the loop */

void coordinator_on_task(void *context, const struct bus_message *message)
{
    struct coordinator *coordinator = context;

    coordinator_refresh(coordinator);
    ingress_receive(&coordinator->ingress, message);
    if (!replica_is_busy(coordinator->replica)) {
        replica_expect(coordinator->replica);
    }
}

/* A slow reader is dropped: it asks again. */
void coordinator_on_stats(void *context, const struct bus_message *message)
{
    struct coordinator *coordinator = context;
    struct buffer *frame = &coordinator->stats_frame;
    enum refusal refusal;
    enum grove_status status;

    coordinator_refresh(coordinator);
    if (!message->has_user || message->status == GROVE_MALFORMED) {
        coordinator->ingress.counters.dropped++;
        return;
    }
    buffer_reset(frame);
    refusal = message->status == GROVE_BUSY ? REFUSED_BUSY
                                            : stats_judge(&coordinator->stats, &message->user);
    if (refusal == REFUSED_NOT) {
        stats_answer(&coordinator->stats, bus_frame_bytes(message->frame), frame);
    } else {
        coordinator->egress.counters.refused[refusal]++;
        stats_refuse(refusal, frame);
    }
    status = bus_send(coordinator->stats_socket, &message->route, &message->envelope,
                      buffer_bytes(frame));
    if (status != GROVE_OK) {
        coordinator->egress.counters.gone++;
    }
}

static void on_verified(void *context)
{
    struct coordinator *coordinator = context;

    coordinator_refresh(coordinator);
    ingress_collect(&coordinator->ingress);
}

static void on_ledger(void *context)
{
    struct coordinator *coordinator = context;

    coordinator_refresh(coordinator);
    replica_turn(coordinator->replica);
    coordinator_attend(coordinator);
}

/* Before the disk is full, while there is still room to end what has begun. */
static void look_at_room(struct coordinator *coordinator)
{
    const struct replica_status status = replica_status(coordinator->replica);

    if (status.room != coordinator->ingress.room) {
        coordinator->ingress.room = status.room;
        events_note_room(&coordinator->events, status.room);
        log_event(status.room == REPLICA_ROOM_ENOUGH ? LOG_INFO : LOG_WARNING, "disk",
                  "room=%s size=%" PRIu64, room_name(status.room), status.free);
    }
}

static void on_tick(void *context)
{
    struct coordinator *coordinator = context;

    coordinator_refresh(coordinator);
    replica_tick(coordinator->replica);
    coordinator_attend(coordinator);
    if (coordinator->peers != NULL) {
        coordinator_tick_members(coordinator);
    }
    look_at_room(coordinator);
    ingress_tick(&coordinator->ingress);
    events_tick(&coordinator->events);
    if (coordinator->leads) {
        chores_tick(&coordinator->chores);
    }
}

/* The journal gets its group before the peers get their messages: it is the longer way. */
static void on_turn_end(void *context)
{
    struct coordinator *coordinator = context;

    if (coordinator->leads) {
        chores_propose(&coordinator->chores);
        coordinator_propose(coordinator);
    }
    egress_flush(&coordinator->egress);
    events_flush(&coordinator->events);
}

enum grove_status coordinator_wire(struct coordinator *coordinator)
{
    const uint32_t spin_us = coordinator->options.spin_us;
    struct pool_options pool = {
        .threads = coordinator->options.threads,
        .spin_us = spin_us,
        .work = verify_job,
        .context = &coordinator->verifier,
    };

    coordinator->verified = bus_signal_create(coordinator->bus, on_verified, coordinator);
    pool.ready = coordinator->verified;
    coordinator->pool = pool_create(&pool);
    coordinator->ingress.pool = coordinator->pool;
    bus_at_turn_end(coordinator->bus, on_turn_end, coordinator);
    return bus_every(coordinator->bus, TICK_MS, on_tick, coordinator);
}

enum grove_status coordinator_run(struct coordinator *coordinator, char *error)
{
    struct bus *bus = coordinator->bus;
    const int fd = replica_fd(coordinator->replica);

    if (bus_watch(bus, fd, on_ledger, coordinator) != GROVE_OK) {
        snprintf(error, COORDINATOR_ERROR_SIZE, "the loop has no room for the ledger");
        return GROVE_IO;
    }
    bus_run(bus);
    bus_unwatch(bus, fd);
    if (coordinator->is_claimed) {
        snprintf(error, COORDINATOR_ERROR_SIZE,
                 "%s: the mesh has another ledger, of which this coordinator is a member; put this "
                 "directory aside and join that",
                 coordinator->options.directory);
        return GROVE_CORRUPT;
    }
    if (coordinator->dissents) {
        snprintf(error, COORDINATOR_ERROR_SIZE,
                 "%s: its state is not that of most coordinators, after the same entries of the "
                 "ledger; put this directory aside and join anew",
                 coordinator->options.directory);
        return GROVE_CORRUPT;
    }
    return GROVE_OK;
}

void coordinator_stop(struct coordinator *coordinator)
{
    bus_stop(coordinator->bus);
}

uint16_t coordinator_task_port(const struct coordinator *coordinator)
{
    return bus_port(coordinator->task_socket);
}

uint16_t coordinator_stats_port(const struct coordinator *coordinator)
{
    return bus_port(coordinator->stats_socket);
}

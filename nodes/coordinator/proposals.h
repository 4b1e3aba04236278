/* SPDX-License-Identifier: MPL-2.0
 * What waits for the ledger. Everything that queued goes as one group as soon as none is in flight:
 * under load groups grow by themselves, and nothing waits for a timer. */
#ifndef GROVE_COORDINATOR_PROPOSALS_H
#define GROVE_COORDINATOR_PROPOSALS_H

#include "core/command.h"
#include "nodes/coordinator/job.h"

/* A group for the ledger. */
struct proposal {
    struct bytes entry;
    const uint64_t *tokens; /* a command each; 0: the coordinator's own */
    size_t count;
};

struct proposals {
    struct job_list queued;
    struct job_list in_flight;
    struct buffer own; /* commands of the coordinator, encoded; they go before those of jobs */
    struct buffer own_sizes; /* size_t, of each */
    size_t own_count;
    bool is_in_flight;
    struct buffer entry;
    struct buffer tokens;      /* uint64_t */
    uint64_t groups, commands; /* ever proposed */
};

void proposals_init(struct proposals *proposals);
void proposals_clear(struct proposals *proposals); /* the jobs are the caller's */

/* Takes a job whose commands are ready. */
void proposals_add(struct proposals *proposals, struct job *job);

/* Adds a command of the coordinator itself, copied. */
void proposals_add_own(struct proposals *proposals, const struct command *command);

/* Makes the next group, to be proposed now: at most LIMIT_GROUP_COMMANDS and LIMIT_GROUP_SIZE, but
 * at least one command. False when nothing waits, or when a group is in flight.
 *
 *   proposal   borrowed until the next call */
bool proposals_next(struct proposals *proposals, uint64_t at_ms, struct proposal *proposal);

/* The group in flight was applied, or has failed: returns its jobs one by one, NULL at the end;
 * then the next group may go. */
struct job *proposals_land(struct proposals *proposals);

/* What waits will not be proposed here: its jobs one by one, NULL at the end; the coordinator's own
 * commands are dropped. */
struct job *proposals_withdraw(struct proposals *proposals);

#endif

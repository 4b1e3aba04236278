/* SPDX-License-Identifier: MPL-2.0
 * Whole nodes in a world: three or five coordinators of one ledger and those that may join them,
 * workers and clients, and perhaps an operator. */
#ifndef GROVE_TESTS_SIMULATION_MESH_PLAYERS_H
#define GROVE_TESTS_SIMULATION_MESH_PLAYERS_H

#include "core/buffer.h"
#include "nodes/coordinator/coordinator.h"
#include "nodes/grove.h"
#include "tests/simulation/mesh/world.h"
#include "tests/support/party.h"
#include "tests/support/scratch.h"

#define PLAYERS_COORDINATORS 7u /* at most */
#define PLAYERS_SPARE 2u        /* ... that are none of the founders */
#define PLAYERS_WORKERS 2u
#define PLAYERS_CLIENTS 2u

struct players;

struct player {
    struct players *players;
    struct process *process;
    struct credential credential;
    char path[SCRATCH_PATH_SIZE + 32]; /* of its credential */

    /* Of a coordinator. */
    unsigned number; /* from 0 */
    struct disk habits;
    struct volume volume;
    char listen[32];
    uint64_t led;                    /* the last term that it was seen to lead */
    bool is_lost;                    /* its disk is, and the ledger still counts on it */
    bool is_discarded;               /* it was removed, and is to begin anew */
    bool wanted;                     /* it has ended itself last for want of room or memory */
    struct coordinator *coordinator; /* NULL while it is down */

    /* Of a worker. */
    struct grove_worker *worker;

    uint64_t restart_us; /* when it is down */
};

struct players {
    uint64_t seed;
    struct party party;
    struct scratch keys;
    unsigned founder_count, coordinator_count;
    bool churns; /* members come and go */
    struct bytes admitted[PLAYERS_COORDINATORS + PLAYERS_WORKERS + PLAYERS_CLIENTS + 1];
    size_t admitted_count;
    struct player coordinators[PLAYERS_COORDINATORS];
    struct player workers[PLAYERS_WORKERS];
    struct player clients[PLAYERS_CLIENTS];
    struct player operator;
    grove_handler *work, *flow;         /* what workers do */
    size_t segment_size, snapshot_size; /* bytes, of each coordinator's log */
    struct buffer events;               /* of clients and workers: lines of a history */
};

void players_begin(struct players *players, uint64_t seed);
void players_end(struct players *players);

/* How slow a disk is; some are. */
void players_draw_habits(struct disk *habits);

/* False when it is down, for its disk has lost what it had said it has. For want of room or memory,
 * too, it may be down then, and comes again. */
bool players_start_coordinator(struct player *player);
void players_crash_coordinator(struct player *player, bool loses_power);
void players_start_worker(struct player *player);
void players_crash_worker(struct player *player);

/* Has a client's process, which may not end itself, run this. */
void players_start_client(struct player *player, void *(*start)(void *player));

/* Lets the thread that calls wait so long. */
void players_sleep(uint64_t for_us);

void players_tell(struct players *players, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Ends the run with a line that names the seed. */
void players_fail(const struct players *players, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* The one that leads with the highest term, as a coordinator that was not told of another knows;
 * NULL for none. */
const struct coordinator *players_leader(const struct players *players);

/* Does it take part, by that one, under whichever id? And vote? */
bool players_takes_part(const struct coordinator *leader, const struct player *player);
bool players_votes(const struct coordinator *leader, const struct player *player);

/* Notes who leads, for the history. */
void players_watch(struct players *players);

/* Are all that vote up, and have they applied the same, and all that they have? */
bool players_are_even(const struct players *players);

/* Has the second model judge the ledger, and then what clients and workers said. All that vote
 * are even. */
void players_judge(struct players *players);

#endif

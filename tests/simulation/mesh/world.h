/* SPDX-License-Identifier: MPL-2.0
 * One virtual time for whole nodes in one process: coordinators, workers and clients as they are,
 * over what stands here in place of their surroundings. bus.c and sockets.c have the network,
 * threads.c lets one thread run at a time, host.c has clocks, the guard of the door, and threads
 * that verify at once; disks are those of the simulator (tests/simulation/volume.h). */
#ifndef GROVE_TESTS_SIMULATION_MESH_WORLD_H
#define GROVE_TESTS_SIMULATION_MESH_WORLD_H

#include "tests/simulation/volume.h"

#define WORLD_PROCESSES 16u

struct bus;

/* Who has sockets, threads, a clock, perhaps a disk; a crash ends it. */
struct process {
    const char *name;
    unsigned number;
    bool is_up;
    uint64_t life; /* grows with each crash: its threads of before never run again */
    uint64_t paused_until_us;
    int64_t skew_ms; /* of its wall clock */
    struct volume *volume;
    bool starves; /* an allocation of it has failed, or will */

    /* It has ended itself: of its coordinator, or whatever runs in it, nothing goes on. */
    void (*died)(void *owner, const char *why);
    void *owner;
};

struct world {
    struct schedule schedule;
    struct dice dice;
    uint64_t trace; /* of all that happened */
    struct process processes[WORLD_PROCESSES];
    unsigned count;
    struct process *current; /* whose code runs; NULL: the test's */

    /* The network. */
    uint64_t least_us, most_us;                 /* on the way */
    bool cut[WORLD_PROCESSES][WORLD_PROCESSES]; /* from, to */
    uint64_t patience_us;                       /* a connection that is cut so long breaks */
    unsigned reset;                             /* permille of what is sent breaks one, too */
};

extern struct world world; /* there is one; the code under test has no way to name it */

void world_begin(uint64_t seed);
void world_end(void);

struct process *world_add(const char *name);

/* Lets one thing happen, or time pass; false when there is nothing before `until_us`. */
bool world_step(uint64_t until_us);
void world_run(uint64_t for_us);

void world_note(uint64_t what, uint64_t value);

/* The process ends where it is: its sockets go, its threads never run again. */
void world_crash(struct process *process);

/* Has a process do this; false when it ended itself. */
bool world_does(struct process *process, void (*act)(void *context), void *context);

/* The present process, which has waited, goes on, unless it has ended meanwhile. */
void world_go_on(void);

/* The present process ends itself. */
void world_die(const char *why) __attribute__((noreturn));

/* An allocation of this process fails, after so many more of it. It may end itself then. */
void world_starve(struct process *process, uint64_t allocations);

/* True when it may act now; else the call is made again when it may, or never. */
bool world_runs(void *process, schedule_call call, void *context, uint64_t argument);

/* bus.c */
void bus_crash(const struct process *process);
void bus_ring(void *process); /* its journal has finished something */
void bus_forget_all(void);

/* threads.c: parks this thread until somebody wakes `key`; on the test's own thread the world goes
 * on meanwhile. */
bool threads_is_own(void); /* the test's own runs */
void threads_park(const void *key);
void threads_wake(const void *key, bool all);
void threads_forget_all(void);

/* host.c */
void host_forget_all(void);

#endif

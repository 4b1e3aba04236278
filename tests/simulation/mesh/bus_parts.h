/* SPDX-License-Identifier: MPL-2.0
 * What the loop of a simulated bus (bus.c) and its sockets (sockets.c) have in common. */
#ifndef GROVE_TESTS_SIMULATION_MESH_BUS_PARTS_H
#define GROVE_TESTS_SIMULATION_MESH_BUS_PARTS_H

#include "nodes/host/bus.h"

#include "tests/simulation/mesh/world.h"

#define BUS_HANDLERS 8u

struct handler {
    bus_handler *call;
    void *context;
};

struct timer;

struct watch {
    int fd; /* -1: not any more */
    struct handler handler;
};

struct bus {
    struct process *process;
    bool is_gone, runs, is_stopped;
    struct timer *timers;
    struct watch watches[BUS_HANDLERS];
    struct handler turn_ends[BUS_HANDLERS];
    unsigned turn_end_count;
    struct bus *next;
};

/* Zeroed; aborts for want of memory, as a process does. */
void *bus_make(size_t size);

/* False: the bus is gone, or is not served now; then a call may come again. */
bool bus_is_served(struct bus *bus, schedule_call call, void *context);
void bus_end_turn(struct bus *bus);

void sockets_close_all(struct bus *bus);
void sockets_forget_all(void);

#endif

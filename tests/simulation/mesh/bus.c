/* SPDX-License-Identifier: MPL-2.0
 * The loop of bus.h over virtual time; sockets.c has the rest. What a bus and its sockets were is
 * kept to the end of the world, so that what was still to happen to them finds that they are gone.
 */
#include "tests/simulation/mesh/bus_parts.h"

#include <assert.h>
#include <stdlib.h>

struct timer {
    struct handler handler;
    struct bus *bus;
    uint64_t every_us;
    struct timer *next;
};

struct bus_signal {
    struct bus *bus;
    struct handler handler;
    bool is_raised, is_gone;
    struct bus_signal *next;
};

static struct bus *buses;
static struct bus_signal *signals;

void *bus_make(size_t size)
{
    void *made = calloc(1, size);

    if (made == NULL) {
        abort();
    }
    return made;
}

/* ---- the loop */

struct bus *bus_create(uint32_t spin_us)
{
    struct bus *bus = bus_make(sizeof(*bus));

    (void)spin_us;
    bus->process = world.current;
    for (unsigned i = 0; i < BUS_HANDLERS; i++) {
        bus->watches[i].fd = -1;
    }
    bus->next = buses;
    buses = bus;
    return bus;
}

bool bus_is_served(struct bus *bus, schedule_call call, void *context)
{
    if (bus->is_gone || !world_runs(bus->process, call, context, 0)) {
        return false;
    }
    if (!bus->runs) {
        schedule_after(&world.schedule, 1000, call, context, 0);
        return false;
    }
    return true;
}

void bus_end_turn(struct bus *bus)
{
    for (unsigned i = 0; i < bus->turn_end_count && !bus->is_gone && bus->runs; i++) {
        bus->turn_ends[i].call(bus->turn_ends[i].context);
    }
}

static void fire(void *context, uint64_t unused)
{
    struct timer *timer = context;

    (void)unused;
    if (bus_is_served(timer->bus, fire, timer)) {
        schedule_after(&world.schedule, timer->every_us, fire, timer, 0);
        timer->handler.call(timer->handler.context);
        bus_end_turn(timer->bus);
    }
}

enum grove_status bus_every(struct bus *bus, uint32_t ms, bus_handler *handler, void *context)
{
    struct timer *timer = bus_make(sizeof(*timer));

    timer->handler = (struct handler){handler, context};
    timer->bus = bus;
    timer->every_us = ms * UINT64_C(1000);
    timer->next = bus->timers;
    bus->timers = timer;
    schedule_after(&world.schedule, timer->every_us, fire, timer, 0);
    return GROVE_OK;
}

void bus_at_turn_end(struct bus *bus, bus_handler *handler, void *context)
{
    assert(bus->turn_end_count < BUS_HANDLERS);
    bus->turn_ends[bus->turn_end_count++] = (struct handler){handler, context};
}

enum grove_status bus_watch(struct bus *bus, int fd, bus_handler *handler, void *context)
{
    for (unsigned i = 0; i < BUS_HANDLERS; i++) {
        if (bus->watches[i].fd < 0) {
            bus->watches[i] = (struct watch){fd, {handler, context}};
            return GROVE_OK;
        }
    }
    abort();
}

void bus_unwatch(struct bus *bus, int fd)
{
    for (unsigned i = 0; i < BUS_HANDLERS; i++) {
        if (bus->watches[i].fd == fd) {
            bus->watches[i].fd = -1;
        }
    }
}

static void ring(void *context, uint64_t unused)
{
    struct bus *bus = context;

    (void)unused;
    if (!bus_is_served(bus, ring, bus)) {
        return;
    }
    for (unsigned i = 0; i < BUS_HANDLERS; i++) {
        const struct watch *watch = &bus->watches[i];
        if (watch->fd >= 0 && volume_of_fd(watch->fd) != NULL) {
            watch->handler.call(watch->handler.context);
        }
    }
    bus_end_turn(bus);
}

void bus_ring(void *process)
{
    for (struct bus *bus = buses; bus != NULL; bus = bus->next) {
        if (bus->process == process && !bus->is_gone) {
            schedule_after(&world.schedule, 1, ring, bus, 0);
        }
    }
}

struct bus_signal *bus_signal_create(struct bus *bus, bus_handler *handler, void *context)
{
    struct bus_signal *signal = bus_make(sizeof(*signal));

    signal->bus = bus;
    signal->handler = (struct handler){handler, context};
    signal->next = signals;
    signals = signal;
    return signal;
}

void bus_signal_destroy(struct bus_signal *signal)
{
    signal->is_gone = true;
}

static void hear_signal(void *context, uint64_t unused)
{
    struct bus_signal *signal = context;

    (void)unused;
    if (!signal->is_gone && bus_is_served(signal->bus, hear_signal, signal)) {
        signal->is_raised = false;
        signal->handler.call(signal->handler.context);
        bus_end_turn(signal->bus);
    }
}

void bus_signal_raise(struct bus_signal *signal)
{
    if (!signal->is_raised) {
        signal->is_raised = true;
        schedule_after(&world.schedule, 1, hear_signal, signal, 0);
    }
}

void bus_run(struct bus *bus)
{
    bus->runs = true;
    while (!bus->is_stopped) {
        threads_park(bus);
    }
    bus->is_stopped = false;
    bus_end_turn(bus);
    bus->runs = false;
}

void bus_stop(struct bus *bus)
{
    bus->is_stopped = true;
    threads_wake(bus, true);
}

/* ---- ends */

void bus_destroy(struct bus *bus)
{
    if (bus != NULL) {
        bus->is_gone = true;
        sockets_close_all(bus);
    }
}

void bus_crash(const struct process *process)
{
    for (struct bus *bus = buses; bus != NULL; bus = bus->next) {
        if (bus->process == process) {
            bus_destroy(bus);
        }
    }
}

void bus_forget_all(void)
{
    buses = NULL; /* their memory goes with the process */
    signals = NULL;
    sockets_forget_all();
}

/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/mesh/world.h"

#include "tests/simulation/memory.h"

#include <assert.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct world world;

static jmp_buf *escape; /* from what a process does on the test's own thread */

static const char *random_name(void)
{
    return "dice";
}

static uint32_t random_word(void)
{
    return (uint32_t)dice_throw(&world.dice);
}

static void random_bytes(void *const bytes, const size_t size)
{
    uint8_t *next = bytes;

    for (size_t i = 0; i < size; i++) {
        next[i] = (uint8_t)dice_throw(&world.dice);
    }
}

static struct randombytes_implementation throws_dice = {
    .implementation_name = random_name, .random = random_word, .buf = random_bytes};

void world_begin(uint64_t seed)
{
    if (sodium_init() < 0) {
        abort();
    }
    world = (struct world){.least_us = 50, .most_us = 500};
    world.schedule.now_us = 1000000; /* 0 is no time */
    world.dice.state = dice_mix(seed + 1);
    randombytes_set_implementation(&throws_dice);
    memory_reset();
}

void world_end(void)
{
    bus_forget_all();
    threads_forget_all();
    host_forget_all();
    schedule_clear(&world.schedule);
}

struct process *world_add(const char *name)
{
    struct process *process = &world.processes[world.count];

    assert(world.count < WORLD_PROCESSES);
    *process = (struct process){.name = name, .number = world.count++, .is_up = true};
    return process;
}

/* From here on this one's code runs, and allocates. */
static void become(struct process *process)
{
    world.current = process;
    memory_enter(process);
}

bool world_does(struct process *process, void (*act)(void *context), void *context)
{
    struct process *before = world.current;
    jmp_buf *outer = escape;
    jmp_buf here;
    volatile bool is_well = false;

    become(process);
    escape = &here;
    if (setjmp(here) == 0) {
        act(context);
        is_well = true;
    }
    escape = outer;
    become(before);
    return is_well;
}

void world_go_on(void)
{
    if (world.current != NULL && !world.current->is_up) {
        longjmp(*escape, 1);
    }
}

void world_die(const char *why)
{
    static const int never;
    struct process *process = world.current;

    memory_enter(NULL);
    process->died(process->owner, why);
    if (threads_is_own()) {
        longjmp(*escape, 1);
    }
    for (;;) {
        threads_park(&never);
    }
}

static void die_of_hunger(void)
{
    world_die("aborts");
}

void world_starve(struct process *process, uint64_t allocations)
{
    process->starves = true;
    memory_fail_after(process, allocations, die_of_hunger);
}

struct step {
    uint64_t until_us;
    bool happened;
};

static void take_step(void *context)
{
    struct step *step = context;

    step->happened = schedule_step(&world.schedule, step->until_us);
}

bool world_step(uint64_t until_us)
{
    struct step step = {.until_us = until_us, .happened = true};

    (void)world_does(NULL, take_step, &step);
    return step.happened;
}

void world_run(uint64_t for_us)
{
    const uint64_t until_us = world.schedule.now_us + for_us;

    while (world_step(until_us)) {
    }
}

void world_note(uint64_t what, uint64_t value)
{
    world.trace = dice_mix(world.trace ^ dice_mix(world.schedule.now_us + what)) ^ value;
}

void world_crash(struct process *process)
{
    world_note(1, process->number);
    process->is_up = false;
    process->life++;
    bus_crash(process);
}

bool world_runs(void *context, schedule_call call, void *argument_context, uint64_t argument)
{
    struct process *process = context;

    if (!process->is_up) {
        return false;
    }
    if (process->paused_until_us > world.schedule.now_us) {
        schedule_after(&world.schedule, process->paused_until_us - world.schedule.now_us, call,
                       argument_context, argument);
        return false;
    }
    become(process);
    return true;
}

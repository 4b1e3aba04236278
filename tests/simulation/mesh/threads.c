/* SPDX-License-Identifier: MPL-2.0
 * Threads that take turns: one runs until it waits for another, and which is next is an event like
 * any other. They are real ones, for their stacks; a baton goes from hand to hand. The linker puts
 * this around what our objects call (ld --wrap). */
#include "tests/simulation/mesh/threads.h"

#include "tests/simulation/mesh/world.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define STACK_SIZE ((size_t)1 << 20) /* many are left standing where their process crashed */

struct thread {
    pthread_t id;
    void *(*start)(void *argument);
    void *argument;
    void *result;
    struct process *process;
    uint64_t life;       /* of the process */
    sem_t turn;          /* posted to let it run */
    const void *waiting; /* for this; NULL: it runs, or will */
    bool is_over, is_joined;
    bool is_forgotten;   /* with its world: it only ends */
    struct thread *next; /* made after it */
};

static struct thread *first, **last = &first;
static struct thread *running; /* NULL: the test's own */
static sem_t idle;             /* posted when the one that ran waits, or is over */
static bool is_ready;

static void take_turn(struct thread *thread)
{
    while (__real_sem_wait(&thread->turn) != 0) {
    }
    if (thread->is_forgotten) {
        pthread_exit(NULL);
    }
}

static void resume(void *context, uint64_t unused)
{
    struct thread *thread = context;

    (void)unused;
    if (thread->is_over || thread->life != thread->process->life ||
        !world_runs(thread->process, resume, thread, 0)) {
        return;
    }
    running = thread;
    __real_sem_post(&thread->turn);
    while (__real_sem_wait(&idle) != 0) {
    }
    running = NULL;
}

bool threads_is_own(void)
{
    return running == NULL;
}

static void *serve(void *context)
{
    struct thread *thread = context;

    take_turn(thread);
    thread->result = thread->start(thread->argument);
    thread->is_over = true;
    threads_wake(thread, true);
    __real_sem_post(&idle);
    return NULL;
}

void threads_park(const void *key)
{
    struct thread *thread = running;

    if (thread == NULL) { /* the test waits: let others go on */
        if (!world_step(world.schedule.now_us + 3600000000)) {
            abort(); /* for ever */
        }
        world_go_on();
        return;
    }
    thread->waiting = key;
    __real_sem_post(&idle);
    take_turn(thread);
}

void threads_wake(const void *key, bool all)
{
    for (struct thread *thread = first; thread != NULL; thread = thread->next) {
        if (!thread->is_over && thread->waiting == key) {
            thread->waiting = NULL;
            schedule_after(&world.schedule, 1, resume, thread, 0);
            if (!all) {
                return;
            }
        }
    }
}

/* What they had taken is left where it is; only they and their stacks go. */
void threads_forget_all(void)
{
    struct thread *next;

    for (struct thread *thread = first; thread != NULL; thread = next) {
        next = thread->next;
        thread->is_forgotten = true;
        __real_sem_post(&thread->turn);
        if (!thread->is_joined) {
            __real_pthread_join(thread->id, NULL);
        }
        free(thread);
    }
    first = NULL;
    last = &first;
}

/* ---- pthread.h */

int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*start)(void *),
                          void *argument)
{
    struct thread *thread = calloc(1, sizeof(*thread));

    (void)attributes;
    if (thread == NULL) {
        abort();
    }
    if (!is_ready) {
        sem_init(&idle, 0, 0);
        is_ready = true;
    }
    thread->start = start;
    thread->argument = argument;
    thread->process = world.current;
    thread->life = world.current->life;
    sem_init(&thread->turn, 0, 0);
    *last = thread;
    last = &thread->next;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_SIZE);
    if (__real_pthread_create(&thread->id, &small, serve, thread) != 0) {
        abort();
    }
    pthread_attr_destroy(&small);
    *id = thread->id;
    schedule_after(&world.schedule, 1, resume, thread, 0);
    return 0;
}

static struct thread *find(pthread_t id)
{
    struct thread *thread = first;

    while (thread->is_joined || !pthread_equal(thread->id, id)) { /* which may come again */
        thread = thread->next;
        assert(thread != NULL);
    }
    return thread;
}

int __wrap_pthread_join(pthread_t id, void **result)
{
    struct thread *thread = find(id);

    while (!thread->is_over) {
        threads_park(thread);
    }
    if (result != NULL) {
        *result = thread->result;
    }
    thread->is_joined = true;
    return __real_pthread_join(id, NULL);
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    pthread_mutex_unlock(mutex);
    threads_park(condition);
    return pthread_mutex_lock(mutex);
}

int __wrap_pthread_cond_signal(pthread_cond_t *condition)
{
    threads_wake(condition, false);
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *condition)
{
    threads_wake(condition, true);
    return 0;
}

int __wrap_pthread_setname_np(pthread_t id, const char *name)
{
    (void)id;
    (void)name;
    return 0;
}

/* ---- semaphore.h */

int __wrap_sem_wait(sem_t *semaphore)
{
    while (sem_trywait(semaphore) != 0) {
        threads_park(semaphore);
    }
    return 0;
}

int __wrap_sem_post(sem_t *semaphore)
{
    int result = __real_sem_post(semaphore);

    threads_wake(semaphore, false);
    return result;
}

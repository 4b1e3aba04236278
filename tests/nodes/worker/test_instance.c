/* SPDX-License-Identifier: MPL-2.0
 * Names of workers: one at a time has each, and the next on this host knows that the one before is
 * gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#include "nodes/worker/worker.h"
#include "tests/support/mesh.h"

static const struct key identity = {{1, 2, 3}};

struct fixture {
    struct scratch runtime, other;
};

static void in_directory(const struct scratch *scratch)
{
    assert_int_equal(setenv("XDG_RUNTIME_DIR", scratch->path, 1), 0);
}

static int setup(void **state)
{
    static struct fixture f;

    scratch_make(&f.runtime);
    scratch_make(&f.other);
    in_directory(&f.runtime);
    *state = &f;
    return 0;
}

/* Scratch directories are flat. */
static void remove_scratch(struct scratch *scratch)
{
    struct scratch inner;

    snprintf(inner.path, sizeof(inner.path), "%.100s/grove", scratch->path);
    if (access(inner.path, F_OK) == 0) {
        scratch_remove(&inner);
    }
    scratch_remove(scratch);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    remove_scratch(&f->runtime);
    remove_scratch(&f->other);
    return 0;
}

static void two_at_a_time_have_two_names(void **state)
{
    struct instance first, second, third;

    (void)state;
    instance_take(&first, &identity);
    instance_take(&second, &identity);
    assert_string_not_equal(first.name, second.name);
    assert_true(first.previous_exited && second.previous_exited);
    instance_release(&first);
    assert_int_not_equal(access(first.path, F_OK), 0);
    instance_take(&third, &identity);
    assert_string_equal(third.path, first.path);
    instance_release(&second);
    instance_release(&third);
}

static void the_next_after_a_crash_has_the_same_name(void **state)
{
    struct instance crashed, next;

    (void)state;
    instance_take(&crashed, &identity);
    close(crashed.lock);
    instance_take(&next, &identity);
    assert_string_equal(next.name, crashed.name);
    assert_true(next.previous_exited);
    instance_release(&next);
}

/* As two hosts of one name, or a login and a service on one host. */
static void elsewhere_names_are_others(void **state)
{
    struct fixture *f = *state;
    struct instance here, there;

    instance_take(&here, &identity);
    in_directory(&f->other);
    instance_take(&there, &identity);
    assert_string_not_equal(here.name, there.name);
    instance_release(&here);
    instance_release(&there);
}

static enum grove_status nothing(struct grove_attempt *attempt, void *context)
{
    (void)attempt;
    (void)context;
    return GROVE_OK;
}

static void await_worker(struct grove_client *client)
{
    struct grove_task task = GROVE_TASK_INIT;

    task.function = "nothing";
    assert_int_equal(grove_wait(client, &task, NULL, NULL), GROVE_OK);
}

/* Both believe that the other is gone: the later one stays, and they do not take turns. */
static void one_of_two_with_one_name_gives_up(void **state)
{
    struct mesh mesh;
    struct mesh_worker workers[2];
    struct grove_client *client;

    (void)state;
    mesh_start(&mesh);
    client = mesh_client(&mesh);
    for (unsigned i = 0; i < 2; i++) {
        mesh_worker_open(&mesh, &workers[i], "twin", 1);
        workers[i].worker->instance.previous_exited = true;
        assert_int_equal(grove_worker_handle(workers[i].worker, "nothing", nothing, NULL),
                         GROVE_OK);
        mesh_worker_run(&workers[i]);
        await_worker(client);
    }
    pthread_join(workers[0].thread, NULL);
    assert_int_equal(workers[0].status, GROVE_IN_USE);
    grove_worker_close(workers[0].worker);
    await_worker(client);
    grove_client_close(client);
    mesh_worker_stop(&workers[1]);
    mesh_stop(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_at_a_time_have_two_names, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_after_a_crash_has_the_same_name, setup, teardown),
        cmocka_unit_test_setup_teardown(elsewhere_names_are_others, setup, teardown),
        cmocka_unit_test(one_of_two_with_one_name_gives_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

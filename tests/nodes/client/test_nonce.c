/* SPDX-License-Identifier: MPL-2.0
 * Equal nonces make equal ids: nobody draws what another has drawn. */
#include "nodes/client/nonce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void a_child_draws_others_than_its_parent(void **state)
{
    uint8_t first[NONCE_SIZE], ours[NONCE_SIZE], theirs[NONCE_SIZE];
    int pipes[2], status;

    (void)state;
    nonce_fill(first);
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork();

    if (child == 0) {
        nonce_fill(ours);
        _exit(write(pipes[1], ours, sizeof(ours)) == sizeof(ours) ? 0 : 1);
    }
    nonce_fill(ours);
    assert_int_equal(read(pipes[0], theirs, sizeof(theirs)), sizeof(theirs));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(pipes[0]);
    close(pipes[1]);
    assert_memory_not_equal(ours, theirs, sizeof(ours));
    assert_memory_not_equal(ours, first, sizeof(ours));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_draws_others_than_its_parent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

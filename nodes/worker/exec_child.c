/* SPDX-License-Identifier: MPL-2.0
 * Commands are started with a pipe for each of descriptors 0 to 3. */
#include "nodes/worker/exec_child.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PIPES 4u

void exec_child_shut(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static bool open_pipes(int (*ends)[2])
{
    for (unsigned i = 0; i < PIPES; i++) {
        ends[i][0] = ends[i][1] = -1;
    }
    for (unsigned i = 0; i < PIPES; i++) {
        if (pipe2(ends[i], O_CLOEXEC) != 0) {
            return false;
        }
    }
    return true;
}

static void close_pipes(int (*ends)[2])
{
    for (unsigned i = 0; i < PIPES; i++) {
        exec_child_shut(&ends[i][0]);
        exec_child_shut(&ends[i][1]);
    }
}

/* Our end of a pipe, which is not closed with the others. */
static int keep(int *end)
{
    const int fd = *end;

    *end = -1;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd;
}

int exec_child_start(struct exec_child *child, struct guardian *guardian,
                     const struct guardian_errand *errand)
{
    struct guardian_errand whole = *errand;
    int ends[PIPES][2];
    int error = 0;

    *child = (struct exec_child){-1, -1, -1, -1, -1};
    if (!open_pipes(ends)) {
        error = errno;
    } else {
        whole.input = ends[0][0];
        whole.output = ends[1][1];
        whole.errors = ends[2][1];
        whole.aside = ends[3][1];
        error = guardian_run(guardian, &whole, &child->leash);
    }
    if (error == 0) {
        child->input = keep(&ends[0][1]);
        child->output = keep(&ends[1][0]);
        child->errors = keep(&ends[2][0]);
        child->aside = keep(&ends[3][0]);
    }
    close_pipes(ends);
    return error;
}

void exec_child_close(struct exec_child *child)
{
    exec_child_shut(&child->input);
    exec_child_shut(&child->output);
    exec_child_shut(&child->errors);
    exec_child_shut(&child->aside);
    exec_child_shut(&child->leash);
}

/* SPDX-License-Identifier: MPL-2.0
 * Single-threaded. Each command has a keeper of its own, our child, which holds its leash; should a
 * keeper be killed, what was its becomes ours. */
#include "nodes/worker/guardian_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nodes/worker/guardian_keeper.h"

/* Keepers that have done their work. */
static void take_deaths(const struct guardian_process *process)
{
    struct signalfd_siginfo ignored;

    (void)!read(process->signals, &ignored, sizeof(ignored));
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

/* The command is what the text begins with; the last NUL of a text is always there. */
static void split(struct guardian_process *process, size_t size)
{
    const char *at = process->text + strlen(process->text) + 1;
    unsigned count = 0;

    process->place = at;
    at += strlen(at) + 1;
    while (at < process->text + size && count < GUARDIAN_VARIABLES) {
        process->environment[count++] = at;
        at += strlen(at) + 1;
    }
    process->environment[count] = NULL;
}

static void launch(struct guardian_process *process, const int fds[GUARDIAN_FDS])
{
    const pid_t pid = _Fork();

    if (pid == 0) {
        guardian_keep(process, fds);
    }
    if (pid < 0) {
        guardian_tell(fds[GUARDIAN_PIPES], GUARDIAN_NOT_STARTED, errno);
    }
    for (unsigned i = 0; i < GUARDIAN_FDS; i++) {
        close(fds[i]);
    }
}

/* False when the worker is gone. */
static bool take_errand(struct guardian_process *process)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * GUARDIAN_FDS)];
    } beside;
    struct iovec part = {.iov_base = process->text, .iov_len = GUARDIAN_TEXT_SIZE};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = beside.space,
                             .msg_controllen = sizeof(beside.space)};
    int fds[GUARDIAN_FDS];
    const ssize_t size = recvmsg(process->control, &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = size > 0 ? CMSG_FIRSTHDR(&message) : NULL;

    if (size < 0 && errno == EINTR) {
        return true;
    }
    if (header == NULL || header->cmsg_len != CMSG_LEN(sizeof(fds))) {
        return size > 0; /* no room for its descriptors: the leash is closed, which says so */
    }
    memcpy(fds, CMSG_DATA(header), sizeof(fds));
    process->text[size] = '\0';
    split(process, (size_t)size);
    launch(process, fds);
    return true;
}

/* Keepers first: what they leave becomes ours. */
noreturn static void end_all(struct guardian_process *process)
{
    char remove[] = "rm", option[] = "-rf", end[] = "--";
    char *const arguments[] = {remove, option, end, process->directory, NULL};
    char *const environment[] = {NULL};

    guardian_end_children();
    if (process->directory[0] != '\0') {
        execve("/bin/rm", arguments, environment);
    }
    _exit(0);
}

/* Apart from the worker's group, deaf to what the terminal says, and holding nothing of the
 * worker's but the control. */
static void settle(struct guardian_process *process, int control)
{
    sigset_t signals;

    sigfillset(&signals);
    sigprocmask(SIG_SETMASK, &signals, NULL);
    process->pid = getpid();
    setpgid(0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "grove-guardian");
    process->control = dup2(control, STDERR_FILENO + 1);
    fcntl(process->control, F_SETFD, FD_CLOEXEC);
    const int null = open("/dev/null", O_RDWR);
    for (int i = 0; i <= STDERR_FILENO; i++) {
        dup2(null, i);
    }
    close_range((unsigned)process->control + 1, ~0U, 0);
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM); /* to a keeper: that we are gone */
    process->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

noreturn void guardian_process_run(struct guardian_process *process, int control)
{
    settle(process, control);

    struct pollfd polled[] = {{.fd = process->control, .events = POLLIN},
                              {.fd = process->signals, .events = POLLIN}};

    for (;;) {
        if (poll(polled, 2, -1) < 0) {
            continue;
        }
        if (polled[1].revents != 0) {
            take_deaths(process);
        }
        if (polled[0].revents != 0 && !take_errand(process)) {
            end_all(process);
        }
    }
}

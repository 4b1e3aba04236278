/* SPDX-License-Identifier: MPL-2.0
 * Single-threaded, so that a command's end and its signals come one after the other: a group is
 * signalled only while its number is taken. */
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

#include "nodes/worker/guardian.h"

/* ---- ends */

static void tell(int leash, enum guardian_end end, int number)
{
    const struct guardian_news news = {end, number};

    (void)!send(leash, &news, sizeof(news), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void forget(struct guardian_process *process, unsigned i)
{
    close(process->guarded[i].leash);
    process->guarded[i] = process->guarded[--process->count];
}

/* The group outlives its leader by what that left behind: killed before its number is free. */
static void bury(struct guardian_process *process, unsigned i)
{
    const struct guarded *guarded = &process->guarded[i];
    siginfo_t info = {0};

    (void)waitid(P_PID, (id_t)guarded->pid, &info, WEXITED | WNOWAIT);
    kill(-guarded->pid, SIGKILL);
    (void)waitpid(guarded->pid, NULL, 0);
    tell(guarded->leash, info.si_code == CLD_EXITED ? GUARDIAN_EXITED : GUARDIAN_SIGNALED,
         info.si_status);
    forget(process, i);
}

static unsigned find(const struct guardian_process *process, pid_t pid)
{
    unsigned i = 0;

    while (i < process->count && process->guarded[i].pid != pid) {
        i++;
    }
    return i;
}

/* Commands, and what they left to us when their own parents ended. */
static void take_deaths(struct guardian_process *process)
{
    struct signalfd_siginfo ignored;
    siginfo_t info = {0};

    (void)!read(process->deaths, &ignored, sizeof(ignored));
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        const unsigned i = find(process, info.si_pid);

        if (i < process->count) {
            bury(process, i);
        } else {
            (void)waitpid(info.si_pid, NULL, 0);
        }
        info.si_pid = 0;
    }
}

/* ---- beginnings */

/* In the child: signals as a fresh process has them, a group of its own, nothing open but its
 * pipes, whose descriptors here are above those that they become: the control is fd 3. Should we
 * die first, it does, too. */
noreturn static void become(const struct guardian_process *process, const int fds[GUARDIAN_FDS])
{
    union {
        const char *given;
        char *taken;
    } command = {.given = process->text};
    union {
        const char *const *given;
        char *const *taken;
    } environment = {.given = process->environment};
    char shell[] = "sh";
    char option[] = "-c";
    char *const arguments[] = {shell, option, command.taken, NULL};
    sigset_t none;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 1; i < NSIG; i++) {
        (void)signal(i, SIG_DFL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 0; i < (int)GUARDIAN_PIPES; i++) {
        dup2(fds[i], i);
    }
    close_range(GUARDIAN_PIPES, ~0U, CLOSE_RANGE_CLOEXEC);
    if (chdir(process->place) == 0) {
        execve("/bin/sh", arguments, environment.taken);
    }
    tell(fds[GUARDIAN_PIPES], GUARDIAN_NOT_STARTED, errno);
    _exit(127);
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
    const pid_t pid = process->count < GUARDIAN_COMMANDS ? _Fork() : -1;
    const int leash = fds[GUARDIAN_PIPES];

    if (pid == 0) {
        become(process, fds);
    }
    for (unsigned i = 0; i < GUARDIAN_PIPES; i++) {
        close(fds[i]);
    }
    if (pid < 0) {
        tell(leash, GUARDIAN_NOT_STARTED, errno);
        close(leash);
        return;
    }
    setpgid(pid, pid); /* whoever of us two comes first */
    process->guarded[process->count++] = (struct guarded){.pid = pid, .leash = leash};
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

/* ---- leashes */

/* A signal to pass on, or the end of the leash: then nobody wants to know any more. */
static void take_leash(struct guardian_process *process, unsigned i)
{
    const struct guarded *guarded = &process->guarded[i];
    int wanted = 0;
    const ssize_t size = recv(guarded->leash, &wanted, sizeof(wanted), MSG_DONTWAIT);

    if (size == (ssize_t)sizeof(wanted)) {
        kill(-guarded->pid, wanted);
    } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
        kill(-guarded->pid, SIGKILL);
        bury(process, i);
    }
}

/* ---- the end of all */

/* Kills those that the kernel lists as our children; false when it does not say. */
static bool kill_children(void)
{
    char text[4096];
    const int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    ssize_t size;

    if (fd < 0) {
        return false;
    }
    size = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    for (char *at = text; *at != '\0';) {
        char *end;
        const long pid = strtol(at, &end, 10);

        if (end == at) {
            break;
        }
        kill((pid_t)pid, SIGKILL);
        at = end + (*end == ' ');
    }
    return true;
}

/* Whatever loses its parent becomes our child, so killing children again and again gets to all,
 * whatever group or session they have moved to. */
noreturn static void end_all(struct guardian_process *process)
{
    char remove[] = "rm", option[] = "-rf", end[] = "--";
    char *const arguments[] = {remove, option, end, process->directory, NULL};
    char *const environment[] = {NULL};
    bool is_listed;

    for (unsigned i = 0; i < process->count; i++) {
        kill(-process->guarded[i].pid, SIGKILL);
    }
    do {
        is_listed = kill_children();
    } while (waitpid(-1, NULL, is_listed ? 0 : WNOHANG) > 0);
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
    process->deaths = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void watch(struct guardian_process *process)
{
    struct pollfd *polled = process->polled;

    polled[0] = (struct pollfd){.fd = process->control, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = process->deaths, .events = POLLIN};
    for (unsigned i = 0; i < process->count; i++) {
        polled[2 + i] = (struct pollfd){.fd = process->guarded[i].leash, .events = POLLIN};
    }
}

noreturn void guardian_process_run(struct guardian_process *process, int control)
{
    const struct pollfd *polled = process->polled;

    settle(process, control);
    for (;;) {
        watch(process);
        if (poll(process->polled, 2 + process->count, -1) < 0) {
            continue;
        }
        /* From the last one on: what is buried is replaced by the last. */
        for (unsigned i = process->count; i-- > 0;) {
            if (polled[2 + i].revents != 0) {
                take_leash(process, i);
            }
        }
        if (polled[1].revents != 0) {
            take_deaths(process);
        }
        if (polled[0].revents != 0 && !take_errand(process)) {
            end_all(process);
        }
    }
}

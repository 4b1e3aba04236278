/* SPDX-License-Identifier: MPL-2.0
 * Single-threaded, so that a command's end and its signals come one after the other: a group is
 * signalled only while its number is taken. */
#include "nodes/worker/guardian_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void guardian_tell(int leash, enum guardian_end end, int number)
{
    const struct guardian_news news = {end, number};

    (void)!send(leash, &news, sizeof(news), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- the command */

/* In the child: signals as a fresh process has them, a group of its own, nothing open but its
 * pipes, whose descriptors here are above those that they become: the control was fd 3. Should we
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
    guardian_tell(fds[GUARDIAN_PIPES], GUARDIAN_NOT_STARTED, errno);
    _exit(127);
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

void guardian_end_children(void)
{
    bool is_listed;

    do {
        is_listed = kill_children();
    } while (waitpid(-1, NULL, is_listed ? 0 : WNOHANG) > 0);
}

/* ---- while it runs */

/* True when the command's own process has ended; it stays there to be waited for. */
static bool has_ended(pid_t pid, struct guardian_news *news)
{
    siginfo_t info = {0};

    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        if (info.si_pid == pid) {
            news->end = info.si_code == CLD_EXITED ? GUARDIAN_EXITED : GUARDIAN_SIGNALED;
            news->number = info.si_status;
            return true;
        }
        (void)waitpid(info.si_pid, NULL, 0); /* what it left to us */
        info.si_pid = 0;
    }
    return false;
}

/* Passes a signal on; false when nobody wants to know any more. */
static bool heed_leash(int leash, pid_t pid)
{
    int wanted = 0;
    const ssize_t size = recv(leash, &wanted, sizeof(wanted), MSG_DONTWAIT);

    if (size == (ssize_t)sizeof(wanted)) {
        kill(-pid, wanted);
        return true;
    }
    return size < 0 && (errno == EAGAIN || errno == EINTR);
}

/* False when the guardian is gone, which a signal told. */
static bool heed_signal(const struct guardian_process *process)
{
    struct signalfd_siginfo ignored;

    (void)!read(process->signals, &ignored, sizeof(ignored));
    return getppid() == process->pid;
}

/* True with news; false when it is to end as it is. */
static bool watch(const struct guardian_process *process, int leash, pid_t pid,
                  struct guardian_news *news)
{
    struct pollfd polled[] = {{.fd = leash, .events = POLLIN},
                              {.fd = process->signals, .events = POLLIN}};

    while (!has_ended(pid, news)) {
        if (poll(polled, 2, -1) < 0) {
            continue;
        }
        if ((polled[0].revents != 0 && !heed_leash(leash, pid)) ||
            (polled[1].revents != 0 && !heed_signal(process))) {
            return false;
        }
    }
    return true;
}

noreturn void guardian_keep(const struct guardian_process *process, const int fds[GUARDIAN_FDS])
{
    const int leash = fds[GUARDIAN_PIPES];
    struct guardian_news news = {GUARDIAN_NOT_STARTED, 0};
    bool has_news = true;
    pid_t pid;

    close(process->control);
    prctl(PR_SET_NAME, "grove-keeper");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != process->pid) {
        _exit(0); /* it died before we had asked to be told */
    }
    pid = _Fork();
    if (pid == 0) {
        become(process, fds);
    }
    news.number = errno;
    for (unsigned i = 0; i < GUARDIAN_PIPES; i++) {
        close(fds[i]);
    }
    if (pid > 0) {
        setpgid(pid, pid); /* whoever of us two comes first */
        has_news = watch(process, leash, pid, &news);
        kill(-pid, SIGKILL);
        guardian_end_children();
    }
    if (has_news) {
        guardian_tell(leash, news.end, news.number);
    }
    _exit(0);
}

/* SPDX-License-Identifier: MPL-2.0
 * The worker's side: one that was killed is replaced when the next command comes. */
#include "nodes/worker/guardian.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buffer.h"
#include "nodes/host/log.h"
#include "nodes/worker/guardian_process.h"

struct guardian {
    char directory[PATH_MAX]; /* or "" */
    pthread_mutex_t lock;     /* guards what follows */
    int control;
    pid_t pid;
};

/* What the process will need is allocated here: after the fork it must not. */
static void begin(struct guardian *guardian)
{
    struct guardian_process *process = calloc(1, sizeof(*process));
    int ends[2];

    if (process == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        abort();
    }
    memcpy(process->directory, guardian->directory, sizeof(process->directory));
    guardian->control = ends[0];
    guardian->pid = fork();
    if (guardian->pid < 0) {
        abort();
    }
    if (guardian->pid == 0) {
        guardian_process_run(process, ends[1]);
    }
    close(ends[1]);
    free(process);
}

static void finish(struct guardian *guardian)
{
    close(guardian->control);
    while (waitpid(guardian->pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

struct guardian *guardian_start(const char *directory)
{
    struct guardian *guardian = calloc(1, sizeof(*guardian));

    if (guardian == NULL) {
        abort();
    }
    snprintf(guardian->directory, sizeof(guardian->directory), "%s", directory ? directory : "");
    pthread_mutex_init(&guardian->lock, NULL);
    begin(guardian);
    return guardian;
}

const char *guardian_directory(const struct guardian *guardian)
{
    return guardian->directory;
}

void guardian_stop(struct guardian *guardian)
{
    if (guardian == NULL) {
        return;
    }
    finish(guardian);
    pthread_mutex_destroy(&guardian->lock);
    free(guardian);
}

/* One message: the text, and the descriptors beside it. */
static int send_errand(int control, struct bytes text, const int fds[GUARDIAN_FDS])
{
    union {
        struct cmsghdr header; /* for its alignment */
        char space[CMSG_SPACE(sizeof(int) * GUARDIAN_FDS)];
    } beside;
    union {
        const uint8_t *given;
        void *taken;
    } data = {.given = text.data};
    struct iovec part = {.iov_base = data.taken, .iov_len = text.size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = beside.space,
                             .msg_controllen = sizeof(beside.space)};
    struct cmsghdr *header;
    ssize_t sent;

    memset(&beside, 0, sizeof(beside));
    header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * GUARDIAN_FDS);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * GUARDIAN_FDS);
    do {
        sent = sendmsg(control, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

/* The command, its directory, then its environment, each with its NUL. */
static void put_text(struct buffer *text, const struct guardian_errand *errand)
{
    buffer_append(text, errand->command, strlen(errand->command) + 1);
    buffer_append(text, errand->directory, strlen(errand->directory) + 1);
    for (const char *const *at = errand->environment; *at != NULL; at++) {
        buffer_append(text, *at, strlen(*at) + 1);
    }
}

static int send_to_somebody(struct guardian *guardian, struct bytes text,
                            const int fds[GUARDIAN_FDS])
{
    int error = send_errand(guardian->control, text, fds);

    if (error == EPIPE || error == ECONNRESET) {
        log_event(LOG_WARNING, "guardian gone", "pid=%ld", (long)guardian->pid);
        finish(guardian);
        begin(guardian);
        error = send_errand(guardian->control, text, fds);
    }
    return error;
}

int guardian_run(struct guardian *guardian, const struct guardian_errand *errand, int *leash)
{
    struct buffer text = {0};
    int ends[2];
    int error = 0;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return errno;
    }
    put_text(&text, errand);
    if (text.size > GUARDIAN_TEXT_SIZE) {
        error = E2BIG;
    } else {
        const int fds[GUARDIAN_FDS] = {errand->input, errand->output, errand->errors, errand->aside,
                                       ends[1]};

        pthread_mutex_lock(&guardian->lock);
        error = send_to_somebody(guardian, buffer_bytes(&text), fds);
        pthread_mutex_unlock(&guardian->lock);
    }
    buffer_clear(&text);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        return error;
    }
    *leash = ends[0];
    return 0;
}

bool guardian_ended(int leash, struct guardian_news *news)
{
    const ssize_t size = recv(leash, news, sizeof(*news), MSG_DONTWAIT);

    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (size != (ssize_t)sizeof(*news)) {
        *news = (struct guardian_news){GUARDIAN_SIGNALED, SIGKILL};
    }
    return true;
}

void guardian_signal(int leash, int signal)
{
    /* It fails when the group is gone: then there is nothing to signal. */
    (void)!send(leash, &signal, sizeof(signal), MSG_NOSIGNAL | MSG_DONTWAIT);
}

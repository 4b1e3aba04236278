/* SPDX-License-Identifier: MPL-2.0
 * Who is connected to which attempt. */
#include "nodes/worker/grants.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nodes/host/channel.h"
#include "nodes/host/log.h"
#include "nodes/worker/context.h"
#include "nodes/worker/errands.h"
#include "nodes/worker/worker.h"

#define STACK_SIZE ((size_t)256 * 1024)
#define LISTEN_AGAIN_MS 1000 /* after accepting has failed */
#define EVENTS 64

/* One connection, and its thread. */
struct connection {
    TAILQ_ENTRY(connection) link;
    struct grant *grant;
    uint64_t key;
    int fd;
    struct visit visit;
};

struct grant {
    TAILQ_ENTRY(grant) link;
    struct grants *grants;
    struct grove_attempt *attempt;
    uint64_t key;
    char *path;
    int fd;       /* listens */
    bool is_deaf; /* nobody is accepted for now */
    bool is_over;
    unsigned count;
    TAILQ_HEAD(, connection) connections;
};

struct grants {
    int epoll, stop;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock; /* guards all below, and what hangs on it */
    pthread_cond_t ended; /* a connection has */
    uint64_t keys;        /* given so far; 0 is that of `stop` */
    unsigned connections;
    TAILQ_HEAD(, grant) list;
};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (!memory) {
        abort();
    }
    return memory;
}

static void watch(struct grants *grants, int operation, int fd, uint32_t events, uint64_t key)
{
    struct epoll_event event = {.events = events, .data.u64 = key};

    if (epoll_ctl(grants->epoll, operation, fd, &event) != 0) {
        abort(); /* out of memory, or a bug */
    }
}

static pthread_t start_thread(void *(*run)(void *), void *context, bool *failed)
{
    pthread_attr_t attributes;
    pthread_t thread = 0;
    sigset_t all, before;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    *failed = pthread_create(&thread, &attributes, run, context) != 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return thread;
}

/* ---- connections; all with the lock, but serve */

static void listen_again(struct grants *grants)
{
    struct grant *grant;

    TAILQ_FOREACH(grant, &grants->list, link) {
        if (grant->is_deaf && !grant->is_over && grant->count < GRANT_CONNECTIONS &&
            grants->connections < GRANTS_CONNECTIONS) {
            grant->is_deaf = false;
            watch(grants, EPOLL_CTL_MOD, grant->fd, EPOLLIN, grant->key);
        }
    }
}

static void stop_listening(struct grant *grant)
{
    if (!grant->is_deaf) {
        grant->is_deaf = true;
        watch(grant->grants, EPOLL_CTL_MOD, grant->fd, 0, grant->key);
    }
}

static void remove_connection(struct connection *connection)
{
    struct grant *grant = connection->grant;

    TAILQ_REMOVE(&grant->connections, connection, link);
    grant->count--;
    grant->grants->connections--;
}

static void *serve(void *context)
{
    struct connection *connection = context;
    struct grants *grants = connection->grant->grants;
    struct channel channel;

    pthread_setname_np(pthread_self(), "grove-errand");
    pthread_detach(pthread_self());
    channel_init(&channel, connection->fd);
    errands_serve(&channel, connection->grant->attempt, &connection->visit);
    pthread_mutex_lock(&grants->lock);
    remove_connection(connection);
    epoll_ctl(grants->epoll, EPOLL_CTL_DEL, channel.fd, NULL);
    channel_clear(&channel); /* with the lock: till now others may shut it */
    listen_again(grants);
    pthread_cond_broadcast(&grants->ended);
    pthread_mutex_unlock(&grants->lock);
    free(connection);
    return NULL;
}

static void add_connection(struct grant *grant, int fd)
{
    struct grants *grants = grant->grants;
    struct connection *connection = allocate(sizeof(*connection));
    bool failed;

    connection->grant = grant;
    connection->key = ++grants->keys;
    connection->fd = fd;
    TAILQ_INSERT_TAIL(&grant->connections, connection, link);
    grant->count++;
    grants->connections++;
    (void)start_thread(serve, connection, &failed);
    if (failed) {
        log_event(LOG_WARNING, "no thread", "connections=%u", grants->connections);
        remove_connection(connection);
        close(fd);
        free(connection);
        stop_listening(grant);
    } else {
        watch(grants, EPOLL_CTL_ADD, fd, EPOLLRDHUP | EPOLLONESHOT, connection->key);
    }
}

static void accept_one(struct grant *grant)
{
    int fd;

    if (grant->count >= GRANT_CONNECTIONS || grant->grants->connections >= GRANTS_CONNECTIONS) {
        stop_listening(grant);
        return;
    }
    fd = accept4(grant->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && channel_is_ours(fd)) {
        add_connection(grant, fd);
    } else if (fd >= 0) {
        log_event(LOG_WARNING, "stranger", "function=%s", grant->attempt->function->name);
        close(fd);
    } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        log_event(LOG_WARNING, "cannot accept", "why=\"%s\"", strerrordesc_np(errno));
        stop_listening(grant);
    }
}

/* What is under way ends, and so does the thread. */
static void hang_up(struct connection *connection)
{
    handlers_hang_up(&connection->grant->attempt->worker->handlers, &connection->visit);
    shutdown(connection->fd, SHUT_RDWR);
}

/* A key whose owner is gone is nobody's. */
static void take_event(struct grants *grants, uint64_t key)
{
    struct connection *connection;
    struct grant *grant;

    TAILQ_FOREACH(grant, &grants->list, link) {
        if (grant->key == key && !grant->is_over && !grant->is_deaf) {
            accept_one(grant);
        }
        TAILQ_FOREACH(connection, &grant->connections, link) {
            if (connection->key == key) {
                hang_up(connection);
            }
        }
    }
}

/* -1: nobody is to be listened to again. */
static int wait_ms(const struct grants *grants)
{
    const struct grant *grant;

    TAILQ_FOREACH(grant, &grants->list, link) {
        if (grant->is_deaf) {
            return LISTEN_AGAIN_MS;
        }
    }
    return -1;
}

static void *watch_all(void *context)
{
    struct epoll_event events[EVENTS];
    struct grants *grants = context;
    bool is_stopping = false;
    int timeout_ms = -1;

    pthread_setname_np(pthread_self(), "grove-grants");
    while (!is_stopping) {
        const int count = epoll_wait(grants->epoll, events, EVENTS, timeout_ms);

        pthread_mutex_lock(&grants->lock);
        for (int i = 0; i < count; i++) {
            is_stopping |= events[i].data.u64 == 0;
            take_event(grants, events[i].data.u64);
        }
        if (count == 0) {
            listen_again(grants);
        }
        timeout_ms = wait_ms(grants);
        pthread_mutex_unlock(&grants->lock);
    }
    return NULL;
}

/* ---- all of them */

struct grants *grants_create(void)
{
    struct grants *grants = allocate(sizeof(*grants));

    pthread_mutex_init(&grants->lock, NULL);
    pthread_cond_init(&grants->ended, NULL);
    TAILQ_INIT(&grants->list);
    grants->epoll = epoll_create1(EPOLL_CLOEXEC);
    grants->stop = eventfd(0, EFD_CLOEXEC);
    if (grants->epoll < 0 || grants->stop < 0) {
        abort();
    }
    watch(grants, EPOLL_CTL_ADD, grants->stop, EPOLLIN, 0);
    return grants;
}

void grants_destroy(struct grants *grants)
{
    if (!grants) {
        return;
    }
    if (grants->has_thread) {
        eventfd_write(grants->stop, 1);
        pthread_join(grants->thread, NULL);
    }
    close(grants->stop);
    close(grants->epoll);
    pthread_cond_destroy(&grants->ended);
    pthread_mutex_destroy(&grants->lock);
    free(grants);
}

/* False: there can be none. */
static bool have_thread(struct grants *grants)
{
    bool failed = false;

    pthread_mutex_lock(&grants->lock);
    if (!grants->has_thread) {
        grants->thread = start_thread(watch_all, grants, &failed);
        grants->has_thread = !failed;
    }
    pthread_mutex_unlock(&grants->lock);
    return !failed;
}

static struct grant *close_again(int fd, const char *path)
{
    if (fd >= 0) {
        close(fd);
        unlink(path);
        errno = EAGAIN;
    }
    return NULL;
}

struct grant *grant_open(struct grants *grants, struct grove_attempt *attempt, const char *path)
{
    const int fd = channel_listen(path, SOMAXCONN);
    struct grant *grant;

    if (fd < 0 || !have_thread(grants)) {
        return close_again(fd, path);
    }
    grant = allocate(sizeof(*grant));
    grant->grants = grants;
    grant->attempt = attempt;
    grant->path = strdup(path);
    grant->fd = fd;
    TAILQ_INIT(&grant->connections);
    if (!grant->path) {
        abort();
    }
    pthread_mutex_lock(&grants->lock);
    grant->key = ++grants->keys;
    TAILQ_INSERT_TAIL(&grants->list, grant, link);
    watch(grants, EPOLL_CTL_ADD, fd, EPOLLIN, grant->key);
    pthread_mutex_unlock(&grants->lock);
    grove_context_release();
    return grant;
}

void grant_close(struct grant *grant)
{
    struct grants *grants = grant->grants;
    struct connection *connection;

    pthread_mutex_lock(&grants->lock);
    grant->is_over = true;
    epoll_ctl(grants->epoll, EPOLL_CTL_DEL, grant->fd, NULL);
    close(grant->fd);
    unlink(grant->path);
    TAILQ_FOREACH(connection, &grant->connections, link) {
        hang_up(connection);
    }
    while (grant->count > 0) {
        pthread_cond_wait(&grants->ended, &grants->lock);
    }
    TAILQ_REMOVE(&grants->list, grant, link);
    pthread_mutex_unlock(&grants->lock);
    free(grant->path);
    free(grant);
}

/* SPDX-License-Identifier: MPL-2.0
 * grove dev: a whole mesh in one process, to try things on.
 *
 * The coordinator and the worker have a thread each; the main thread waits for signals, and for
 * COMMAND. A thread that ends by itself sends a signal to its own process. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nodes/coordinator/coordinator.h"
#include "nodes/host/log.h"
#include "nodes/programs/dev_cluster.h"
#include "nodes/programs/dev_functions.h"
#include "nodes/programs/dev_mesh.h"
#include "nodes/programs/outcome.h"
#include "nodes/programs/signals.h"
#include "nodes/programs/worker_options.h"

#define SEGMENT_SIZE (4u << 20) /* bytes: a small ledger starts sooner */
#define ENLIST_PATIENCE_S 5
#define DRAIN_PATIENCE_S 2 /* for handlers that are still at work when the mesh stops */

struct dev {
    const struct arguments *arguments;
    struct dev_mesh mesh;
    struct coordinator *coordinator; /* one, in this process; else NULL, and ... */
    struct dev_cluster cluster;      /* ... several, with one each */
    struct grove_worker *worker;
    char tasks[160], stats[160]; /* endpoints */
    char user[PATH_MAX];         /* the user's credential */
    pthread_t coordinator_thread, worker_thread;
    bool has_coordinator_thread, has_worker_thread;
    sem_t enlisted;
    enum exit_code failure; /* of a thread that ended by itself */
};

static void fail(struct dev *dev, enum grove_status status, const char *error)
{
    complain("dev: %s", error);
    dev->failure = exit_of_status(status);
    sem_post(&dev->enlisted);
    kill(getpid(), SIGTERM);
}

/* ---- the coordinator */

static void *run_coordinator(void *context)
{
    struct dev *dev = context;
    char error[COORDINATOR_ERROR_SIZE];
    const enum grove_status status = coordinator_run(dev->coordinator, error);

    if (status != GROVE_OK) {
        fail(dev, status, error);
    }
    return NULL;
}

/* HOST:PORT to listen at: what was asked for, else where the mesh was before, else any port. */
static const char *listen_address(const struct dev *dev)
{
    const char *given = argument_value(dev->arguments, "listen");
    const struct credential *user = &dev->mesh.part[DEV_USER];

    if (given != NULL) {
        return given;
    }
    return user->coordinator_count > 0 ? user->coordinator[0].endpoint + strlen("tcp://")
                                       : "127.0.0.1:0";
}

static enum exit_code open_coordinator(struct dev *dev)
{
    struct dev_mesh *mesh = &dev->mesh;
    char ledger[PATH_MAX], listen[160], error[COORDINATOR_ERROR_SIZE];
    struct bytes admitted[DEV_PARTS];
    struct coordinator_options wanted = {
        .directory = ledger,
        .listen = listen,
        .credential = &mesh->part[DEV_COORDINATOR],
        .bootstrap = true,
        .admitted = admitted,
        .admitted_count = DEV_PARTS - 1,
        .segment_size = SEGMENT_SIZE,
    };

    for (unsigned i = 1; i < DEV_PARTS; i++) {
        admitted[i - 1] = buffer_bytes(&mesh->part[i].certificate_bytes);
    }
    dev_mesh_path(mesh, "ledger", ledger);
    snprintf(listen, sizeof(listen), "%s", listen_address(dev));
    const enum grove_status status = coordinator_open(&wanted, &dev->coordinator, error);

    if (status != GROVE_OK) {
        complain("dev: %s", error);
        return exit_of_opening(status);
    }
    const int host = (int)(strrchr(listen, ':') - listen);

    snprintf(dev->tasks, sizeof(dev->tasks), "tcp://%.*s:%u", host, listen,
             coordinator_task_port(dev->coordinator));
    snprintf(dev->stats, sizeof(dev->stats), "tcp://%.*s:%u", host, listen,
             coordinator_stats_port(dev->coordinator));
    return EXIT_DONE;
}

/* ---- the worker */

static void note_enlisted(void *context)
{
    struct dev *dev = context;

    sem_post(&dev->enlisted);
}

static void *run_worker(void *context)
{
    struct dev *dev = context;
    char error[GROVE_ERROR_SIZE];
    const enum grove_status status = grove_worker_run(dev->worker, error);

    if (status != GROVE_OK) {
        fail(dev, status, error);
    }
    return NULL;
}

static enum exit_code open_worker(struct dev *dev)
{
    struct grove_worker_options wanted = GROVE_WORKER_OPTIONS_INIT;
    char path[PATH_MAX], error[GROVE_ERROR_SIZE];

    if (!worker_options_slots(dev->arguments, &wanted.slots)) {
        return EXIT_USAGE;
    }
    dev_mesh_credential_path(&dev->mesh, DEV_WORKER, path);
    wanted.credential_path = path;
    wanted.enlisted = note_enlisted;
    wanted.context = dev;
    const enum grove_status status = grove_worker_open(&wanted, &dev->worker, error);

    if (status != GROVE_OK) {
        complain("dev: %s", error);
        return exit_of_status(status);
    }
    if (dev_functions_offer(dev->worker) != GROVE_OK) {
        abort(); /* their names are our own */
    }
    return worker_options_exec(dev->arguments, dev->worker);
}

/* ---- start and stop */

static void start_thread(pthread_t *thread, bool *has, void *(*body)(void *), struct dev *dev)
{
    if (pthread_create(thread, NULL, body, dev) != 0) {
        abort();
    }
    *has = true;
}

static void await_enlisted(struct dev *dev)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ENLIST_PATIENCE_S;
    while (sem_timedwait(&dev->enlisted, &until) != 0 && errno == EINTR) {
    }
}

static enum exit_code start_alone(struct dev *dev)
{
    if (dev->mesh.part[DEV_USER].coordinator_count > 1) {
        complain("dev: the mesh of %s has %u coordinators: give --coordinators",
                 dev->mesh.directory, dev->mesh.part[DEV_USER].coordinator_count);
        return EXIT_USAGE;
    }
    enum exit_code code = open_coordinator(dev);
    const struct dev_places places = {
        .count = 1, .endpoint = {dev->tasks}, .credential = {&dev->mesh.part[DEV_COORDINATOR]}};

    if (code == EXIT_DONE) {
        code = dev_mesh_publish(&dev->mesh, &places);
    }
    if (code == EXIT_DONE) {
        start_thread(&dev->coordinator_thread, &dev->has_coordinator_thread, run_coordinator, dev);
    }
    return code;
}

static enum exit_code start_several(struct dev *dev, unsigned count)
{
    struct dev_cluster *cluster = &dev->cluster;
    struct dev_places places = {.count = 0};
    enum exit_code code =
        dev_cluster_open(cluster, &dev->mesh, count, argument_value(dev->arguments, "listen"));

    if (code == EXIT_DONE) {
        dev_cluster_places(cluster, &places);
        code = dev_mesh_publish(&dev->mesh, &places);
    }
    if (code == EXIT_DONE) {
        const char *first = cluster->list[0].endpoint;
        const char *colon = strrchr(first, ':');

        snprintf(dev->tasks, sizeof(dev->tasks), "%s", first);
        snprintf(dev->stats, sizeof(dev->stats), "%.*s:%lu", (int)(colon - first), first,
                 strtoul(colon + 1, NULL, 10) + 1);
        code = dev_cluster_start(cluster);
    }
    return code;
}

static enum exit_code start(struct dev *dev)
{
    int64_t count;
    enum exit_code code;

    if (!argument_number(dev->arguments, "coordinators", 1, DEV_COORDINATORS_MOST, 1, &count)) {
        return EXIT_USAGE;
    }
    code = dev_mesh_open(argument_value(dev->arguments, "data"), &dev->mesh);
    if (code == EXIT_DONE) {
        code = count == 1 ? start_alone(dev) : start_several(dev, (unsigned)count);
    }
    if (code == EXIT_DONE) {
        code = open_worker(dev);
    }
    if (code == EXIT_DONE) {
        dev_mesh_credential_path(&dev->mesh, DEV_USER, dev->user);
        start_thread(&dev->worker_thread, &dev->has_worker_thread, run_worker, dev);
        await_enlisted(dev);
        code = dev->failure;
    }
    return code;
}

/* False when its handlers do not end in time: then only the end of the process ends them. */
static bool stop_worker(struct dev *dev)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DRAIN_PATIENCE_S;
    if (dev->has_worker_thread) {
        grove_worker_stop(dev->worker);
        if (pthread_timedjoin_np(dev->worker_thread, NULL, &until) != 0) {
            return false;
        }
    }
    grove_worker_close(dev->worker);
    return true;
}

static void stop(struct dev *dev, enum exit_code code)
{
    const bool is_out = stop_worker(dev);

    if (dev->has_coordinator_thread) {
        coordinator_stop(dev->coordinator);
        pthread_join(dev->coordinator_thread, NULL);
    }
    if (is_out) {
        coordinator_close(dev->coordinator);
    }
    dev_cluster_close(&dev->cluster);
    dev_mesh_close(&dev->mesh);
    if (!is_out) {
        fflush(NULL);
        _exit((int)code);
    }
    sem_destroy(&dev->enlisted);
}

static void print_ready(const struct dev *dev)
{
    FILE *out = dev->arguments->rest != NULL ? stderr : stdout;

    if (dev->arguments->rest != NULL && argument_given(dev->arguments, "quiet")) {
        return;
    }
    if (argument_json(dev->arguments)) {
        json_t *ready = json_pack("{s:s, s:s, s:s, s:s}", "schema", "grove.ready/1", "tasks",
                                  dev->tasks, "stats", dev->stats, "credential", dev->user);

        json_dumpf(ready, out, JSON_COMPACT);
        fputc('\n', out);
        json_decref(ready);
    } else {
        fprintf(out, "ready tasks=%s stats=%s credential=%s\n", dev->tasks, dev->stats, dev->user);
    }
    fflush(out);
}

/* ---- COMMAND */

/* Starts it with the signals of a fresh process; -1, with a reason on stderr, when it cannot. */
static pid_t spawn(const struct dev *dev)
{
    char **command = dev->arguments->rest;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    pid_t child;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    setenv("GROVE_CREDENTIAL", dev->user, 1);
    const int error = posix_spawnp(&child, command[0], NULL, &attributes, command, environ);

    posix_spawnattr_destroy(&attributes);
    if (error != 0) {
        complain("dev: cannot run %s: %s", command[0], strerror(error));
        return -1;
    }
    return child;
}

/* Serves until a signal says stop, or until COMMAND ends; what ends us is passed on to it. */
static int serve(struct dev *dev, const sigset_t *signals)
{
    const pid_t child = dev->arguments->rest != NULL ? spawn(dev) : 0;
    int number, status;

    if (child < 0) {
        return 127;
    }
    for (;;) {
        sigwait(signals, &number);
        if (number == SIGCHLD) {
            dev_cluster_reap(&dev->cluster);
        }
        if (child == 0 && number != SIGCHLD) {
            return (int)dev->failure;
        }
        if (child != 0 && number == SIGCHLD && waitpid(child, &status, WNOHANG) == child) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        if (child != 0 && number != SIGCHLD) {
            kill(child, number);
        }
    }
}

static enum exit_code run(const struct arguments *arguments)
{
    struct dev dev = {.arguments = arguments};
    sigset_t signals;
    int code;

    if (arguments->word_count > 0 || (arguments->rest != NULL && arguments->rest[0] == NULL)) {
        complain("dev: a command comes after --, as in grove dev -- COMMAND");
        return EXIT_USAGE;
    }
    if (argument_given(arguments, "quiet")) {
        log_set_level(LOG_ERROR);
    }
    signals_block(&signals);
    sigaddset(&signals, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    sem_init(&dev.enlisted, 0, 0);
    code = (int)start(&dev);
    if (code == EXIT_DONE) {
        print_ready(&dev);
        code = serve(&dev, &signals);
    }
    stop(&dev, (enum exit_code)code);
    return (enum exit_code)code;
}

static const struct option options[] = {
    {"data", 0, "DIR", "keep identities, ports and tasks here (a temporary directory)"},
    {"coordinators", 0, "N",
     "as many processes keep the ledger together, up to 5 (1, in this one)"},
    {"listen", 0, "HOST:PORT", "tasks at PORT, stats at PORT + 1 (free ports)"},
    WORKER_OPTIONS,
    {"quiet", 'q', NULL, "log errors only; with COMMAND, do not say ready"},
    OPTION_END,
};

const struct subcommand dev_subcommand = {
    .name = "dev",
    .summary = "Run a whole mesh in one process",
    .usage =
        "[--data DIR] [--coordinators N] [--slots N] [--listen HOST:PORT] [--exec NAME=CMD]... "
        "[--quiet] [-- COMMAND...]",
    .description =
        "Prints 'ready' with its endpoints and the path of a credential, which other commands of "
        "this user\n"
        "find by themselves. With COMMAND: runs it with GROVE_CREDENTIAL set, stops the mesh, "
        "exits with its\n"
        "status. Without --data, all of it is in a temporary directory that goes with it. With "
        "--coordinators 3 or\n5, each can be killed and is started again. Its worker offers echo, "
        "sleep (milliseconds), fail (a message), and flow, a "
        "workflow of three\n"
        "levels ({\"segments\":3,\"steps\":3}).",
    .options = options,
    .has_section = true,
    .run = run,
};

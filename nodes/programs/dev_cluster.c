/* SPDX-License-Identifier: MPL-2.0
 * Coordinators as processes. */
#include "nodes/programs/dev_cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/wire.h"
#include "nodes/host/clock.h"
#include "nodes/host/secret.h"
#include "nodes/programs/observer.h"
#include "nodes/programs/operator.h"

#define READY_PATIENCE_MS 60000 /* only a failure waits so long */
#define WAIT_PATIENCE_MS 60000  /* the same */
#define LOOK_US 20000
#define PORTS 4u     /* tasks, stats, peers, events */
#define PORT_STEP 4u /* between two coordinators */
#define PORT_TRIES 100
#define SHORT_MS 1000 /* one that ends within this is not started again */
#define WORDS 32      /* of a coordinator's command */
#define NAME_SIZE 16

static void name_of(unsigned i, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "c%u", i + 1);
}

static void path_of(const struct dev_cluster *cluster, unsigned i, const char *ending,
                    char path[PATH_MAX])
{
    char name[24];

    snprintf(name, sizeof(name), "c%u.%s", i + 1, ending);
    dev_mesh_path(cluster->mesh, name, path);
}

/* ---- credentials and ports */

static enum exit_code take_credential(struct dev_cluster *cluster, unsigned i,
                                      const struct signer *key)
{
    struct credential *credential = &cluster->list[i].credential;
    char path[PATH_MAX], name[NAME_SIZE], error[CREDENTIAL_ERROR_SIZE];
    enum grove_status status = GROVE_OK;

    name_of(i, name);
    path_of(cluster, i, "credential", path);
    if (cluster->mesh->is_new) {
        dev_mesh_make(key, name, ROLE_COORDINATOR, credential);
    } else {
        status = credential_load(path, credential, error);
    }
    if (status != GROVE_OK) {
        complain("dev: %s", error);
    }
    return exit_of_status(status);
}

static enum exit_code take_credentials(struct dev_cluster *cluster)
{
    struct signer *key = secret_create(sizeof(*key));
    char path[PATH_MAX], error[CREDENTIAL_ERROR_SIZE];
    enum exit_code code;

    dev_mesh_path(cluster->mesh, "mesh.key", path);
    code = exit_of_status(mesh_key_load(path, NULL, key, error));
    if (code != EXIT_DONE) {
        complain("dev: %s", error);
    }
    for (unsigned i = 1; i < cluster->count && code == EXIT_DONE; i++) {
        code = take_credential(cluster, i, key);
    }
    secret_destroy(key);
    return code;
}

static bool is_free(unsigned port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool free = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;

    if (fd >= 0) {
        close(fd);
    }
    return free;
}

/* Below the range that the kernel gives away, so that they stay free for a while. */
static unsigned free_port(unsigned count)
{
    unsigned port = 0;

    for (int i = 0; i < PORT_TRIES; i++) {
        bool all = true;

        port = 12000 + PORT_STEP * randombytes_uniform(4500);
        for (unsigned j = 0; j < PORT_STEP * (count - 1) + PORTS && all; j++) {
            all = is_free(port + j);
        }
        if (all) {
            break;
        }
    }
    return port;
}

static enum exit_code choose_places(struct dev_cluster *cluster, const char *listen)
{
    const char *colon = listen != NULL ? strrchr(listen, ':') : NULL;
    unsigned long port = colon != NULL ? strtoul(colon + 1, NULL, 10) : 0;
    char host[64] = "127.0.0.1";

    if (listen != NULL && (colon == NULL || (size_t)(colon - listen) >= sizeof(host) ||
                           port > UINT16_MAX - PORT_STEP * cluster->count)) {
        complain("dev: --listen wants HOST:PORT, not '%s'", listen);
        return EXIT_USAGE;
    }
    if (listen != NULL) {
        snprintf(host, sizeof(host), "%.*s", (int)(colon - listen), listen);
    }
    if (port == 0) {
        port = free_port(cluster->count);
    }
    for (unsigned i = 0; i < cluster->count; i++) {
        snprintf(cluster->list[i].endpoint, sizeof(cluster->list[i].endpoint), "tcp://%s:%lu", host,
                 port + (unsigned long)PORT_STEP * i);
    }
    return EXIT_DONE;
}

enum exit_code dev_cluster_open(struct dev_cluster *cluster, struct dev_mesh *mesh, unsigned count,
                                const char *listen)
{
    const struct credential *user = &mesh->part[DEV_USER];

    cluster->mesh = mesh;
    cluster->count = count;
    if (!mesh->is_new && user->coordinator_count != count) {
        complain("dev: the mesh of %s has %u coordinators, not %u", mesh->directory,
                 user->coordinator_count, count);
        return EXIT_USAGE;
    }
    const enum exit_code code = take_credentials(cluster);

    if (code != EXIT_DONE || mesh->is_new) {
        return code != EXIT_DONE ? code : choose_places(cluster, listen);
    }
    /* The ledger has their addresses: they stay where they were. */
    for (unsigned i = 0; i < count; i++) {
        memcpy(cluster->list[i].endpoint, user->coordinator[i].endpoint,
               sizeof(cluster->list[i].endpoint));
    }
    return EXIT_DONE;
}

void dev_cluster_places(struct dev_cluster *cluster, struct dev_places *places)
{
    places->count = cluster->count;
    for (unsigned i = 0; i < cluster->count; i++) {
        places->endpoint[i] = cluster->list[i].endpoint;
        places->credential[i] =
            i == 0 ? &cluster->mesh->part[DEV_COORDINATOR] : &cluster->list[i].credential;
    }
}

/* ---- processes */

/* In the child: nothing but what may be called after a fork. */
static void become(char *const words[], int out, int log, pid_t parent)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* what is typed at our terminal is ours: we end it */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent) {
        dup2(out, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        execv("/proc/self/exe", words);
    }
    _exit(127);
}

/* Whether it says that it is ready. */
static bool await_ready(int out)
{
    struct pollfd ready = {.fd = out, .events = POLLIN};
    char line[16] = "";

    return poll(&ready, 1, READY_PATIENCE_MS) == 1 && read(out, line, sizeof(line) - 1) > 0 &&
           strncmp(line, "ready ", strlen("ready ")) == 0;
}

static bool spawn(struct dev_cluster *cluster, unsigned i, char *const words[])
{
    struct dev_coordinator *coordinator = &cluster->list[i];
    char path[PATH_MAX];
    int out[2];

    path_of(cluster, i, "log", path);
    const int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (log < 0 || pipe2(out, O_CLOEXEC) != 0) {
        abort();
    }
    const pid_t parent = getpid();
    const pid_t pid = fork();

    if (pid == 0) {
        become(words, out[1], log, parent);
    }
    close(out[1]);
    close(log);
    coordinator->pid = pid;
    coordinator->started_ms = clock_monotonic_ms();
    const bool is_ready = pid > 0 && await_ready(out[0]);

    close(out[0]);
    if (!is_ready) {
        complain("dev: c%u does not come up; see %s", i + 1, path);
    }
    return is_ready;
}

static bool start_one(struct dev_cluster *cluster, unsigned i)
{
    char data[PATH_MAX], credential[PATH_MAX], admitted[DEV_PARTS][PATH_MAX];
    char *words[WORDS] = {"grove",
                          "coordinator",
                          "--config",
                          "", /* [coordinator] is of another one */
                          "--output",
                          "text",
                          "--data",
                          data,
                          "--credential",
                          credential,
                          "--listen",
                          cluster->list[i].endpoint + strlen("tcp://"),
                          i == 0 ? "--bootstrap" : "--join"};
    size_t count = 0;

    path_of(cluster, i, "ledger", data);
    path_of(cluster, i, "credential", credential);
    while (words[count] != NULL) {
        count++;
    }
    for (unsigned part = 0; i == 0 && part < DEV_PARTS; part++) {
        dev_mesh_credential_path(cluster->mesh, (enum dev_part)part, admitted[part]);
        words[count++] = "--admit";
        words[count++] = admitted[part];
    }
    return spawn(cluster, i, words);
}

/* ---- votes */

static bool is_listed(const json_t *list, const char *name, const char *role)
{
    json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const char *its_name = json_string_value(json_object_get(one, "name"));
        const char *its_role = json_string_value(json_object_get(one, "role"));

        if (its_name != NULL && strcmp(its_name, name) == 0 &&
            (role == NULL || (its_role != NULL && strcmp(its_role, role) == 0))) {
            return true;
        }
    }
    return false;
}

enum standing { STANDING_UNKNOWN, STANDING_WAITS, STANDING_VOTES };

static enum standing look(struct observer *observer, const char *name)
{
    enum standing standing = STANDING_UNKNOWN;
    json_t *answer;

    if (observer_ask(observer, "cluster", &answer) != EXIT_DONE) {
        return STANDING_UNKNOWN;
    }
    if (is_listed(json_object_get(answer, "members"), name, "voter")) {
        standing = STANDING_VOTES;
    } else if (is_listed(json_object_get(answer, "waiting"), name, NULL) ||
               is_listed(json_object_get(answer, "members"), name, NULL)) {
        standing = STANDING_WAITS;
    }
    json_decref(answer);
    return standing;
}

/* One that was away for long may bring about an election first. */
static enum exit_code give_vote(struct observer *observer, const struct dev_mesh *mesh, unsigned i)
{
    const uint64_t until_ms = clock_monotonic_ms() + WAIT_PATIENCE_MS;
    enum standing standing;
    char name[NAME_SIZE], path[PATH_MAX];

    name_of(i, name);
    dev_mesh_credential_path(mesh, DEV_USER, path);
    const struct change change = {.kind = CHANGE_ADD, .name = bytes_of_text(name)};

    while ((standing = look(observer, name)) != STANDING_VOTES) {
        if (clock_monotonic_ms() >= until_ms) {
            complain("dev: %s does not come to vote", name);
            return EXIT_NO_LEADER;
        }
        if (standing == STANDING_UNKNOWN ||
            operator_change(&mesh->part[DEV_USER], path, &change) != EXIT_DONE) {
            usleep(LOOK_US);
        }
    }
    return EXIT_DONE;
}

enum exit_code dev_cluster_start(struct dev_cluster *cluster)
{
    char path[PATH_MAX];
    enum exit_code code = EXIT_DONE;

    for (unsigned i = 0; i < cluster->count; i++) {
        if (!start_one(cluster, i)) {
            return EXIT_SYSTEM;
        }
    }
    dev_mesh_credential_path(cluster->mesh, DEV_USER, path);
    struct observer *observer = observer_open(path, &code);

    for (unsigned i = 1; i < cluster->count && code == EXIT_DONE; i++) {
        code = give_vote(observer, cluster->mesh, i);
    }
    observer_close(observer);
    return code;
}

void dev_cluster_reap(struct dev_cluster *cluster)
{
    int status;

    for (unsigned i = 0; i < cluster->count; i++) {
        struct dev_coordinator *coordinator = &cluster->list[i];

        if (coordinator->pid <= 0 || waitpid(coordinator->pid, &status, WNOHANG) <= 0) {
            continue;
        }
        const bool was_short = clock_monotonic_ms() - coordinator->started_ms < SHORT_MS;

        coordinator->pid = 0;
        if (was_short) {
            complain("dev: c%u ends at once, and stays down", i + 1);
        } else {
            complain("dev: c%u has ended; it is started again", i + 1);
            start_one(cluster, i);
        }
    }
}

void dev_cluster_close(struct dev_cluster *cluster)
{
    int status;

    for (unsigned i = 0; i < cluster->count; i++) {
        if (cluster->list[i].pid > 0) {
            kill(cluster->list[i].pid, SIGTERM);
        }
    }
    for (unsigned i = 0; i < cluster->count; i++) {
        if (cluster->list[i].pid > 0) {
            waitpid(cluster->list[i].pid, &status, 0);
        }
        credential_clear(&cluster->list[i].credential);
    }
    cluster->count = 0;
}

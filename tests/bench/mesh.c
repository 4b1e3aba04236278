/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/mesh.h"

#include <dirent.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "nodes/grove.h"
#include "nodes/host/clock.h"
#include "nodes/host/credential.h"
#include "tests/bench/joins.h"

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

static _Noreturn void give_up(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

/* A port from `port` on that is free, as are the three after it; taken again at once by whom it is
 * meant for. */
static uint16_t free_port(uint16_t port)
{
    for (; port < 27310; port = (uint16_t)(port + 10)) {
        unsigned bound = 0;

        for (uint16_t i = 0; i < 4; i++) {
            const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            const struct sockaddr_in address = {.sin_family = AF_INET,
                                                .sin_port = htons((uint16_t)(port + i)),
                                                .sin_addr = {htonl(INADDR_LOOPBACK)}};

            bound += bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
            close(fd);
        }
        if (bound == 4) {
            return port;
        }
    }
    give_up("port", "none is free");
}

static void save(const char *path, const struct credential *credential)
{
    char error[CREDENTIAL_ERROR_SIZE];

    if (credential_save(path, credential, error) != GROVE_OK) {
        give_up("credential", error);
    }
}

static void make_one(const struct signer *mesh, const char *name, uint32_t roles,
                     struct credential *made)
{
    struct certificate wanted = {.roles = roles, .submit_count = 1, .run_count = 1};

    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
    snprintf(wanted.submit[0].text, sizeof(wanted.submit[0].text), "*");
    snprintf(wanted.run[0].text, sizeof(wanted.run[0].text), "*");
    wanted.not_before_ms = clock_unix_ms() - DAY_MS;
    wanted.not_after_ms = clock_unix_ms() + DAY_MS;
    credential_make(mesh, &wanted, made);
}

static void name_coordinator(struct credential *credential, const struct credential *coordinator,
                             uint16_t port)
{
    struct coordinator_address *address = &credential->coordinator[credential->coordinator_count++];

    snprintf(address->endpoint, sizeof(address->endpoint), "tcp://127.0.0.1:%u", port);
    address->certificate = coordinator->certificate;
    buffer_append(&address->certificate_bytes, coordinator->certificate_bytes.data,
                  coordinator->certificate_bytes.size);
}

static const char *name_of(unsigned coordinator)
{
    return coordinator == 0 ? "c1" : coordinator == 1 ? "c2" : "c3";
}

static void path_of(const struct mesh *mesh, const char *name, const char *end, char path[300])
{
    snprintf(path, 300, "%.255s/%s%s", mesh->directory, name, end);
}

/* Each names all coordinators. */
static void make_credentials(const struct mesh *mesh, const uint16_t *ports)
{
    static struct credential made[MESH_VOTERS + 2];
    struct credential *client = &made[MESH_VOTERS], *worker = &made[MESH_VOTERS + 1];
    struct signer key;
    char path[300];

    crypto_sign_keypair(key.public_key.byte, key.secret);
    for (unsigned i = 0; i < mesh->voters; i++) {
        make_one(&key, name_of(i), ROLE_COORDINATOR, &made[i]);
    }
    make_one(&key, "bench", ROLE_CLIENT | ROLE_OPERATOR | ROLE_OBSERVER, client);
    make_one(&key, "worker", ROLE_WORKER, worker);
    for (unsigned i = 0; i < mesh->voters; i++) {
        for (unsigned j = 0; j < mesh->voters; j++) {
            name_coordinator(&made[j], &made[i], ports[i]);
        }
        name_coordinator(client, &made[i], ports[i]);
        name_coordinator(worker, &made[i], ports[i]);
    }
    for (unsigned i = 0; i < mesh->voters; i++) {
        path_of(mesh, name_of(i), ".credential", path);
        save(path, &made[i]);
    }
    save(mesh->client_credential, client);
    save(mesh->worker_credential, worker);
    for (unsigned i = 0; i < MESH_VOTERS + 2; i++) {
        credential_clear(&made[i]);
        made[i] = (struct credential){.coordinator_count = 0};
    }
}

static enum grove_status echo(struct grove_attempt *attempt, void *context)
{
    const struct grove_bytes payload = grove_attempt_payload(attempt);

    (void)context;
    return grove_attempt_return(attempt, payload.data, payload.size);
}

static enum grove_status chain(struct grove_attempt *attempt, void *context)
{
    struct grove_task task = GROVE_TASK_INIT;
    const long steps = strtol(grove_attempt_payload(attempt).data, NULL, 10);
    static const char payload[64] = "step";

    (void)context;
    task.function = "echo";
    task.payload = (struct grove_bytes){payload, sizeof(payload)};
    for (long i = 0; i < steps; i++) {
        const enum grove_status status = grove_wait(NULL, &task, NULL, NULL);

        if (status != GROVE_OK) {
            return status;
        }
    }
    return GROVE_OK;
}

static _Noreturn void run_worker(const struct mesh *mesh, unsigned slots, unsigned window,
                                 unsigned spin_us)
{
    struct grove_worker_options options = GROVE_WORKER_OPTIONS_INIT;
    struct grove_worker *worker;
    char error[GROVE_ERROR_SIZE];

    options.credential_path = mesh->worker_credential;
    options.slots = slots;
    options.window = window;
    options.spin_us = spin_us;
    if (grove_worker_open(&options, &worker, error) != GROVE_OK ||
        grove_worker_handle(worker, "echo", echo, NULL) != GROVE_OK ||
        grove_worker_handle(worker, "chain", chain, NULL) != GROVE_OK ||
        joins_handle(worker) != GROVE_OK || grove_worker_run(worker, error) != GROVE_OK) {
        give_up("worker", error);
    }
    exit(0);
}

/* A child that ends with us, whatever happens. */
static pid_t start(void)
{
    const pid_t child = fork();

    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    return child;
}

static void await_first_task(const struct mesh *mesh)
{
    /* A client here would start a ZeroMQ context before the next fork, so a child asks. */
    const pid_t child = start();
    int status;

    if (child == 0) {
        struct grove_client_options options = GROVE_CLIENT_OPTIONS_INIT;
        struct grove_client *client;
        struct grove_task task = GROVE_TASK_INIT;
        char error[GROVE_ERROR_SIZE];

        options.credential_path = mesh->client_credential;
        task.function = "echo";
        if (grove_client_open(&options, &client, error) != GROVE_OK) {
            give_up("client", error);
        }
        _exit(grove_wait(client, &task, NULL, NULL) == GROVE_OK ? 0 : 1);
    }
    if (waitpid(child, &status, 0) != child || status != 0) {
        give_up("mesh", "the first task did not end well");
    }
}

/* The first begins the ledger, the others are added to it as soon as they wait. */
static pid_t start_coordinator(const struct mesh *mesh, const char *grove, unsigned number,
                               uint16_t port)
{
    char path[300], data[300], listen[32];
    const pid_t child = start();

    if (child != 0) {
        return child;
    }
    path_of(mesh, name_of(number), ".credential", path);
    path_of(mesh, number == 0 ? "data" : name_of(number), "", data);
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", port);
    if (number == 0) {
        execl(grove, grove, "coordinator", "--data", data, "--listen", listen, "--credential", path,
              "--bootstrap", "--admit", mesh->client_credential, "--admit", mesh->worker_credential,
              NULL);
    } else {
        execl(grove, grove, "coordinator", "--data", data, "--listen", listen, "--credential", path,
              "--join", NULL);
    }
    give_up(grove, "cannot be run");
}

/* False while it does not wait yet. */
static bool is_added(const struct mesh *mesh, const char *grove, const char *name)
{
    const pid_t child = start();
    int status;

    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) != NULL) {
            execl(grove, grove, "cluster", "add", name, "--credential", mesh->client_credential,
                  NULL);
        }
        _exit(127);
    }
    return waitpid(child, &status, 0) == child && status == 0;
}

static void add_coordinator(const struct mesh *mesh, const char *grove, const char *name)
{
    for (unsigned tries = 0; !is_added(mesh, grove, name); tries++) {
        if (tries == 100) {
            give_up(name, "cannot be added");
        }
        usleep(100000);
    }
}

static void start_coordinators(struct mesh *mesh, const char *grove, const uint16_t *ports)
{
    mesh->coordinator = start_coordinator(mesh, grove, 0, ports[0]);
    for (unsigned i = 1; i < mesh->voters; i++) {
        mesh->others[i - 1] = start_coordinator(mesh, grove, i, ports[i]);
        add_coordinator(mesh, grove, name_of(i));
    }
}

void mesh_start(struct mesh *mesh, const char *grove, unsigned slots, unsigned window,
                unsigned spin_us)
{
    uint16_t ports[MESH_VOTERS] = {0}, from = 17310;

    for (unsigned i = 0; i < mesh->voters; i++) {
        ports[i] = free_port(from);
        from = (uint16_t)(ports[i] + 10);
    }
    snprintf(mesh->directory, sizeof(mesh->directory), "bench-mesh.XXXXXX");
    if (mkdtemp(mesh->directory) == NULL) {
        give_up("directory", "cannot make one here");
    }
    path_of(mesh, "client", ".credential", mesh->client_credential);
    path_of(mesh, "worker", ".credential", mesh->worker_credential);
    make_credentials(mesh, ports);
    start_coordinators(mesh, grove, ports);
    mesh->worker = start();
    if (mesh->worker == 0) {
        run_worker(mesh, slots, window, spin_us);
    }
    await_first_task(mesh);
}

static void end(pid_t child)
{
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

void mesh_stop(struct mesh *mesh)
{
    end(mesh->worker);
    for (unsigned i = 1; i < mesh->voters; i++) {
        end(mesh->others[i - 1]);
    }
    end(mesh->coordinator);
    if (nftw(mesh->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0) {
        fprintf(stderr, "bench: cannot remove %s\n", mesh->directory);
    }
}

/* The number after `name` in a file of /proc; 0 when it is not there. */
static uint64_t read_number(const char *path, const char *name)
{
    FILE *file = fopen(path, "re");
    char line[256];
    uint64_t number = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            number = strtoull(line + strlen(name), NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return number;
}

static double cpu_seconds(pid_t process)
{
    clockid_t clock;
    struct timespec used = {0};

    if (clock_getcpuclockid(process, &clock) == 0) {
        clock_gettime(clock, &used);
    }
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

void mesh_usage(const struct mesh *mesh, struct mesh_usage *usage)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/io", (int)mesh->coordinator);
    usage->journal_bytes = read_number(path, "write_bytes:");
    usage->wire_bytes = read_number("/sys/class/net/lo/statistics/tx_bytes", "");
    usage->coordinator_s = cpu_seconds(mesh->coordinator);
    usage->worker_s = cpu_seconds(mesh->worker);
    usage->cpu_s = usage->coordinator_s + usage->worker_s + cpu_seconds(getpid());
}

uint64_t mesh_resident(pid_t process, const char *which)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/status", (int)process);
    return read_number(path, which) * 1024;
}

uint64_t mesh_memory(const struct mesh *mesh)
{
    return mesh_resident(mesh->coordinator, "VmRSS:");
}

uint64_t mesh_disk(const struct mesh *mesh)
{
    char path[600];
    uint64_t total = 0;

    snprintf(path, sizeof(path), "%s/data", mesh->directory);
    DIR *directory = opendir(path);

    if (directory == NULL) {
        return 0;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        struct stat about;

        snprintf(path, sizeof(path), "%s/data/%s", mesh->directory, entry->d_name);
        if (strncmp(entry->d_name, "snapshot", 8) == 0 && stat(path, &about) == 0) {
            total = (uint64_t)about.st_size > total ? (uint64_t)about.st_size : total;
        }
    }
    closedir(directory);
    return total;
}

void mesh_snapshot(const struct mesh *mesh, const char *grove)
{
    const pid_t child = start();
    int status;

    if (child == 0) {
        execl(grove, grove, "cluster", "snapshot", "--credential", mesh->client_credential, NULL);
        _exit(127);
    }
    if (waitpid(child, &status, 0) != child || status != 0) {
        give_up("cluster snapshot", "it failed");
    }
    /* It is said to be done when it has begun; the log before it goes when it has been written. */
    for (uint64_t before = 0; before != mesh_memory(mesh) + mesh_disk(mesh);) {
        before = mesh_memory(mesh) + mesh_disk(mesh);
        sleep(1);
    }
}

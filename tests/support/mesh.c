/* SPDX-License-Identifier: MPL-2.0
 * A mesh in one process. */
#include "tests/support/mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- ports */

/* A socket that has this port (0: any that is free) and does not listen. It was free when it was
 * taken; since then whoever listens as ZeroMQ does, with SO_REUSEADDR, may do so beside it, but no
 * other socket is given it. */
static int hold(uint16_t *port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    const int yes = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

static void release_ports(struct mesh *mesh)
{
    for (size_t i = 0; i < MESH_PORTS; i++) {
        if (mesh->held[i] >= 0) {
            close(mesh->held[i]);
        }
        mesh->held[i] = -1;
    }
}

static bool try_ports(struct mesh *mesh)
{
    uint16_t port = 0;

    for (size_t i = 0; i < MESH_PORTS; i++) {
        mesh->held[i] = -1;
    }
    for (size_t i = 0; i < MESH_PORTS; i++, port++) {
        mesh->held[i] = i > 0 && port == 0 ? -1 : hold(&port); /* there is none behind the last */
        if (mesh->held[i] < 0) {
            release_ports(mesh);
            return false;
        }
        mesh->port = i == 0 ? port : mesh->port;
    }
    return true;
}

/* All that a coordinator listens at, one behind the other, for as long as the mesh lives: also
 * while its coordinator starts again. */
static void hold_ports(struct mesh *mesh)
{
    int tries = 1000;

    while (!try_ports(mesh)) {
        assert_true(tries-- > 0);
    }
}

static bool is_free(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int yes = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_free = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
                         bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
                         listen(fd, 1) == 0;

    close(fd);
    return is_free;
}

/* libzmq closes what listened some time after its socket, on a thread of its own; while others use
 * its context, nothing waits for that. */
static void await_ports(const struct mesh *mesh)
{
    for (uint16_t i = 0; i < MESH_PORTS; i++) {
        while (!is_free((uint16_t)(mesh->port + i))) {
            sched_yield();
        }
    }
}

/* ---- the coordinator */

static void *serve(void *context)
{
    struct mesh *mesh = context;
    char error[COORDINATOR_ERROR_SIZE];

    return coordinator_run(mesh->coordinator, error) == GROVE_OK ? NULL : mesh;
}

static void open_coordinator(struct mesh *mesh)
{
    char error[COORDINATOR_ERROR_SIZE] = "";
    char listen[32];

    snprintf(listen, sizeof(listen), "127.0.0.1:%u", mesh->port);
    mesh->options.listen = listen;
    if (coordinator_open(&mesh->options, &mesh->coordinator, error) != GROVE_OK) {
        fail_msg("%s", error);
    }
    assert_int_equal(coordinator_task_port(mesh->coordinator), mesh->port);
    assert_int_equal(pthread_create(&mesh->thread, NULL, serve, mesh), 0);
}

void mesh_fall_silent(struct mesh *mesh)
{
    void *failed;

    coordinator_stop(mesh->coordinator);
    pthread_join(mesh->thread, &failed);
    assert_null(failed);
    mesh->is_silent = true;
}

static void close_coordinator(struct mesh *mesh)
{
    if (!mesh->is_silent) {
        mesh_fall_silent(mesh);
    }
    coordinator_close(mesh->coordinator);
    mesh->is_silent = false;
}

static void save(struct mesh *mesh, struct credential *credential, const char *name, char *path,
                 size_t size)
{
    struct coordinator_address *address = &credential->coordinator[0];
    char error[CREDENTIAL_ERROR_SIZE];

    credential->coordinator_count = 1;
    snprintf(address->endpoint, sizeof(address->endpoint), "tcp://127.0.0.1:%u", mesh->port);
    address->certificate = mesh->party.coordinator.certificate;
    buffer_reset(&address->certificate_bytes);
    buffer_append(&address->certificate_bytes, mesh->party.coordinator.certificate_bytes.data,
                  mesh->party.coordinator.certificate_bytes.size);
    snprintf(path, size, "%s/%s", mesh->keys.path, name);
    if (credential_save(path, credential, error) != GROVE_OK) {
        fail_msg("%s", error);
    }
}

void mesh_start(struct mesh *mesh)
{
    memset(mesh, 0, sizeof(*mesh));
    party_make(&mesh->party);
    scratch_make(&mesh->ledger);
    scratch_make(&mesh->keys);
    mesh->admitted[0] = buffer_bytes(&mesh->party.client.certificate_bytes);
    mesh->admitted[1] = buffer_bytes(&mesh->party.worker.certificate_bytes);
    mesh->admitted[2] = buffer_bytes(&mesh->party.operator.certificate_bytes);
    mesh->options = (struct coordinator_options){
        .directory = mesh->ledger.path,
        .credential = &mesh->party.coordinator,
        .bootstrap = true,
        .admitted = mesh->admitted,
        .admitted_count = 3,
    };
    hold_ports(mesh);
    open_coordinator(mesh);
    save(mesh, &mesh->party.client, "client", mesh->client_path, sizeof(mesh->client_path));
    save(mesh, &mesh->party.worker, "worker", mesh->worker_path, sizeof(mesh->worker_path));
}

void mesh_stop(struct mesh *mesh)
{
    close_coordinator(mesh);
    release_ports(mesh);
    scratch_remove(&mesh->ledger);
    scratch_remove(&mesh->keys);
    party_clear(&mesh->party);
}

void mesh_restart(struct mesh *mesh)
{
    close_coordinator(mesh);
    await_ports(mesh);
    open_coordinator(mesh);
}

struct grove_client *mesh_client(struct mesh *mesh)
{
    struct grove_client_options options = GROVE_CLIENT_OPTIONS_INIT;
    struct grove_client *client = NULL;
    char error[GROVE_ERROR_SIZE] = "";

    options.credential_path = mesh->client_path;
    options.connect_timeout_ms = MESH_PATIENCE_MS;
    if (grove_client_open(&options, &client, error) != GROVE_OK) {
        fail_msg("%s", error);
    }
    return client;
}

void mesh_worker_open(struct mesh *mesh, struct mesh_worker *worker, const char *instance,
                      uint32_t slots)
{
    struct grove_worker_options options = GROVE_WORKER_OPTIONS_INIT;

    memset(worker, 0, sizeof(*worker));
    options.credential_path = mesh->worker_path;
    options.instance = instance;
    options.slots = slots;
    if (grove_worker_open(&options, &worker->worker, worker->error) != GROVE_OK) {
        fail_msg("%s", worker->error);
    }
}

static void *work(void *context)
{
    struct mesh_worker *worker = context;

    worker->status = grove_worker_run(worker->worker, worker->error);
    return NULL;
}

void mesh_worker_run(struct mesh_worker *worker)
{
    assert_int_equal(pthread_create(&worker->thread, NULL, work, worker), 0);
}

void mesh_worker_stop(struct mesh_worker *worker)
{
    grove_worker_stop(worker->worker);
    pthread_join(worker->thread, NULL);
    grove_worker_close(worker->worker);
    if (worker->status != GROVE_OK) {
        fail_msg("%s", worker->error);
    }
}

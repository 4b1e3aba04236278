/* SPDX-License-Identifier: MPL-2.0
 * A mesh in one process for tests of the library: a real coordinator on a thread, workers on
 * theirs, and credential files for all. */
#ifndef GROVE_TESTS_SUPPORT_MESH_H
#define GROVE_TESTS_SUPPORT_MESH_H

#include <pthread.h>

#include "nodes/coordinator/coordinator.h"
#include "nodes/grove.h"
#include "tests/support/party.h"
#include "tests/support/scratch.h"

#define MESH_PORTS 4 /* of a coordinator: tasks, stats, peers, events */
#define MESH_PATIENCE_MS 120000u

struct mesh {
    struct party party;
    struct scratch ledger, keys;
    struct bytes admitted[3];
    struct coordinator_options options;
    struct coordinator *coordinator;
    pthread_t thread;
    bool is_silent;
    uint16_t port;        /* of tasks */
    int held[MESH_PORTS]; /* sockets that hold the ports for it */
    char client_path[SCRATCH_PATH_SIZE + 32];
    char worker_path[SCRATCH_PATH_SIZE + 32];
};

/* Starts the coordinator; a failure fails the test. */
void mesh_start(struct mesh *mesh);
void mesh_stop(struct mesh *mesh);

/* Ends the coordinator as a crash would not: politely; and starts it on the same ledger and port.
 */
void mesh_restart(struct mesh *mesh);

/* The coordinator hangs: its connections stay, and nothing comes of them until mesh_restart. */
void mesh_fall_silent(struct mesh *mesh);

struct grove_client *mesh_client(struct mesh *mesh);

/* A worker to be given functions, and then run. */
struct mesh_worker {
    struct grove_worker *worker;
    pthread_t thread;
    enum grove_status status;
    char error[GROVE_ERROR_SIZE];
};

void mesh_worker_open(struct mesh *mesh, struct mesh_worker *worker, const char *instance,
                      uint32_t slots);
void mesh_worker_run(struct mesh_worker *worker);

/* Stops it and waits for its end. */
void mesh_worker_stop(struct mesh_worker *worker);

#endif

/* SPDX-License-Identifier: MPL-2.0
 * A mesh of separate processes on loopback: one coordinator (the grove binary) or three, and one
 * worker (this program, forked), with its journals on the disk of the working directory. */
#ifndef GROVE_TESTS_BENCH_MESH_H
#define GROVE_TESTS_BENCH_MESH_H

#include <stdint.h>
#include <sys/types.h>

enum { MESH_VOTERS = 3 };

struct mesh {
    unsigned voters; /* 1 or 3; the caller's, before mesh_start */
    char directory[256];
    char client_credential[300]; /* client, operator and observer */
    char worker_credential[300];
    pid_t coordinator, worker; /* the first of them */
    pid_t others[MESH_VOTERS - 1];
};

/* What the processes and the loopback have used since they started. */
struct mesh_usage {
    double cpu_s;         /* of all three processes */
    double coordinator_s; /* of the coordinator alone */
    double worker_s;
    uint64_t wire_bytes;    /* sent over loopback, headers and all */
    uint64_t journal_bytes; /* written to the disk by the coordinator */
};

/* Starts it and waits until a task has run. Exits with a reason when it cannot.
 *
 *   slots, window, spin_us   of the worker, which offers echo and chain (awaits N echos in turn; N
 * is its payload) */
void mesh_start(struct mesh *mesh, const char *grove, unsigned slots, unsigned window,
                unsigned spin_us);
void mesh_stop(struct mesh *mesh);

void mesh_usage(const struct mesh *mesh, struct mesh_usage *usage);

/* Resident bytes of a process: now by "VmRSS:", at most by "VmHWM:". */
uint64_t mesh_resident(pid_t process, const char *which);

/* Resident bytes of the coordinator; bytes its directory takes on the disk. */
uint64_t mesh_memory(const struct mesh *mesh);
uint64_t mesh_disk(const struct mesh *mesh);

/* Has the coordinator write a snapshot, and waits for it. */
void mesh_snapshot(const struct mesh *mesh, const char *grove);

#endif

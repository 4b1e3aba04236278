/* SPDX-License-Identifier: MPL-2.0
 * The coordinators of `grove dev --coordinators N`: a process each, so that each can be killed
 * alone. One that ends is started again.
 *
 *   DIR/cN.credential   who it is
 *   DIR/cN.ledger/      its data
 *   DIR/cN.log          what it says on stderr */
#ifndef GROVE_NODES_PROGRAMS_DEV_CLUSTER_H
#define GROVE_NODES_PROGRAMS_DEV_CLUSTER_H

#include <sys/types.h>

#include "nodes/programs/dev_mesh.h"

#define DEV_COORDINATORS_MOST 5u

struct dev_coordinator {
    struct credential credential; /* of the first: empty, it is a part of the mesh */
    char endpoint[128];           /* of its task socket */
    pid_t pid;                    /* 0: it does not run */
    uint64_t started_ms;          /* monotonic */
};

struct dev_cluster {
    struct dev_mesh *mesh; /* borrowed */
    unsigned count;
    struct dev_coordinator list[DEV_COORDINATORS_MOST];
};

/* Makes or loads their credentials, and chooses where they listen. Says on stderr why it cannot.
 *
 *   listen   HOST:PORT of the first, the others 4 ports on each; NULL: where they were, or anywhere
 */
enum exit_code dev_cluster_open(struct dev_cluster *cluster, struct dev_mesh *mesh, unsigned count,
                                const char *listen);

/* Who they are and where, for dev_mesh_publish. */
void dev_cluster_places(struct dev_cluster *cluster, struct dev_places *places);

/* Starts them all, and gives each a vote. After dev_mesh_publish. */
enum exit_code dev_cluster_start(struct dev_cluster *cluster);

/* Starts again what has ended; one that ends at once stays down. After SIGCHLD. */
void dev_cluster_reap(struct dev_cluster *cluster);

/* Ends them, and awaits that. Fine when it was not opened. */
void dev_cluster_close(struct dev_cluster *cluster);

#endif

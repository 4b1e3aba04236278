/* SPDX-License-Identifier: MPL-2.0
 * The identities of a `grove dev`: a directory with a mesh key and a credential for each part.
 *
 *   DIR/mesh.key           plain, mode 0600
 *   DIR/c1.credential      the coordinator
 *   DIR/worker.credential  the worker
 *   DIR/dev.credential     what GROVE_CREDENTIAL names: client, observer and operator, so that
 * every command works, and worker for programs that bring handlers DIR/ledger/            the
 * coordinator's data */
#ifndef GROVE_NODES_PROGRAMS_DEV_MESH_H
#define GROVE_NODES_PROGRAMS_DEV_MESH_H

#include <limits.h>

#include "nodes/host/credential.h"
#include "nodes/programs/program.h"

enum dev_part { DEV_COORDINATOR, DEV_WORKER, DEV_USER, DEV_PARTS };

struct dev_mesh {
    char directory[PATH_MAX]; /* absolute */
    char published[PATH_MAX]; /* where the credential is for all to find; "": nowhere yet */
    bool is_temporary;
    bool is_new; /* there were no credentials */
    struct credential part[DEV_PARTS];
};

/* Makes the directory and the identities, or loads them. Says on stderr why it cannot.
 *
 *   directory   NULL: a temporary one, removed by dev_mesh_close */
enum exit_code dev_mesh_open(const char *directory, struct dev_mesh *mesh);

/* The path of a part's credential, or of the ledger. */
void dev_mesh_path(const struct dev_mesh *mesh, const char *name, char path[PATH_MAX]);
void dev_mesh_credential_path(const struct dev_mesh *mesh, enum dev_part part, char path[PATH_MAX]);

/* A credential of this mesh that may submit and run nothing. */
void dev_mesh_make(const struct signer *key, const char *name, uint32_t roles,
                   struct credential *made);

/* The coordinators, the part of that name first. */
struct dev_places {
    unsigned count;
    const char *endpoint[CREDENTIAL_COORDINATORS];
    struct credential *credential[CREDENTIAL_COORDINATORS];
};

/* Writes every credential, also those of further coordinators, with all their endpoints; then
 * publishes the user's where this user's commands look for it. */
enum exit_code dev_mesh_publish(struct dev_mesh *mesh, const struct dev_places *places);

/* Takes the published credential back, unless another mesh has put its own there; removes a
 * temporary directory. */
void dev_mesh_close(struct dev_mesh *mesh);

#endif

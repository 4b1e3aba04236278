/* SPDX-License-Identifier: MPL-2.0
 * Keys and certificates on disk: one credential file is all that a node needs; the mesh key stays with its
 * operator. Files are 0600 in the right owner's hands, or refused; written whole, by rename. */
#ifndef GROVE_NODES_HOST_CREDENTIAL_H
#define GROVE_NODES_HOST_CREDENTIAL_H

#include "core/buffer.h"
#include "core/wire.h"
#include "nodes/host/bus.h"

#define CREDENTIAL_ERROR_SIZE 512

struct coordinator_address {
    char endpoint[128];         /* tcp://HOST:PORT of its task socket */
    struct certificate certificate;
    struct buffer certificate_bytes; /* signed form */
};

#define CREDENTIAL_COORDINATORS 16

struct credential {
    struct key mesh;
    struct signer signer; /* Ed25519 */
    struct link_pair link;
    struct certificate certificate;
    struct buffer certificate_bytes; /* signed form */
    unsigned coordinator_count;
    struct coordinator_address coordinator[CREDENTIAL_COORDINATORS];
};

/* Makes fresh keys for a node and has `mesh` sign its certificate; coordinators are left empty.
 *
 *   wanted    name, roles, patterns and dates; mesh and keys are filled in here */
void credential_make(const struct signer *mesh, const struct certificate *wanted, struct credential *credential);

/* Loads and checks a credential file down to its mesh key.
 *
 *   error     a sentence naming the file and what is wrong; CREDENTIAL_ERROR_SIZE bytes
 *   errors    GROVE_NOT_FOUND, GROVE_PERMISSION, GROVE_MALFORMED, GROVE_WRONG_MESH, GROVE_BAD_SIGNATURE, GROVE_IO */
enum grove_status credential_load(const char *path, struct credential *credential, char *error) GROVE_CHECKED;
enum grove_status credential_save(const char *path, const struct credential *credential, char *error) GROVE_CHECKED;
void credential_clear(struct credential *credential); /* wipes the secrets */

/* The operator's mesh key: sealed with a passphrase (Argon2id, secretbox), or plain when passphrase is NULL. */
enum grove_status mesh_key_create(const char *path, const char *passphrase, struct signer *mesh, char *error)
    GROVE_CHECKED;
enum grove_status mesh_key_load(const char *path, const char *passphrase, struct signer *mesh, char *error)
    GROVE_CHECKED;
bool mesh_key_is_sealed(const char *path);

/* The credential a command uses: `path` when given, else $GROVE_CREDENTIAL, else the dev.credential of this user's
 * last `grove dev`. Writes the path chosen to `found` (PATH_MAX bytes). */
enum grove_status credential_find(const char *path, char *found) GROVE_CHECKED;

/* Where `grove dev` publishes its credential: $XDG_RUNTIME_DIR/grove/dev.credential, or, when that is unset, in a
 * 0700 directory of this user under the temporary directory; made when it is missing, refused when others own it. */
enum grove_status credential_dev_path(char *path, char *error) GROVE_CHECKED;

#endif

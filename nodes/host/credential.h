/* SPDX-License-Identifier: MPL-2.0
 * Keys and certificates on disk: one credential file is all that a node needs; the mesh key stays
 * with its operator. Files are 0600 in the right owner's hands, or refused; written whole, by
 * rename. */
#ifndef GROVE_NODES_HOST_CREDENTIAL_H
#define GROVE_NODES_HOST_CREDENTIAL_H

#include "core/buffer.h"
#include "core/wire.h"
#include "nodes/host/bus.h"
#include "nodes/host/secret_file.h"

#define CREDENTIAL_ERROR_SIZE SECRET_FILE_ERROR_SIZE

struct coordinator_address {
    char endpoint[128]; /* tcp://HOST:PORT of its task socket */
    struct certificate certificate;
    struct buffer certificate_bytes; /* signed form */
};

#define CREDENTIAL_COORDINATORS 16

struct credential {
    struct key mesh;
    struct signer *signer; /* Ed25519; secret memory, only to be read */
    struct link_pair *link;
    struct certificate certificate;
    struct buffer certificate_bytes; /* signed form */
    unsigned coordinator_count;
    struct coordinator_address coordinator[CREDENTIAL_COORDINATORS];
};

/* Makes fresh keys for a node and has `mesh` sign its certificate; coordinators are left empty.
 *
 *   wanted    name, roles, patterns and dates; mesh, serial and keys are filled in here */
void credential_make(const struct signer *mesh, const struct certificate *wanted,
                     struct credential *credential);

/* Loads and checks a credential file down to its mesh key. Its dates are the caller's to judge.
 *
 *   error     a sentence naming the file and what is wrong; CREDENTIAL_ERROR_SIZE bytes
 *   errors    as secret_file_read; GROVE_MALFORMED: the text, or keys that are not the
 *             certificate's; GROVE_BAD_SIGNATURE: a certificate not signed by the file's mesh key;
 *             GROVE_DENIED: a coordinator's that is none */
enum grove_status credential_load(const char *path, struct credential *credential, char *error)
    GROVE_CHECKED;

/* Writes it, in place of one of that name. errors: as secret_file_write. */
enum grove_status credential_save(const char *path, const struct credential *credential,
                                  char *error) GROVE_CHECKED;

void credential_clear(struct credential *credential); /* wipes the secrets */

/* The operator's mesh key, in the caller's secret memory: sealed with a passphrase (Argon2id,
 * secretbox; takes a second and 256 MiB), or plain when passphrase is NULL. Never written over
 * another file.
 *
 *   errors    as secret_file_write, with GROVE_CONFLICT; as secret_file_read; GROVE_MALFORMED;
 *             GROVE_DENIED: another passphrase, or none where one is needed */
enum grove_status mesh_key_create(const char *path, const char *passphrase, struct signer *mesh,
                                  char *error) GROVE_CHECKED;
enum grove_status mesh_key_load(const char *path, const char *passphrase, struct signer *mesh,
                                char *error) GROVE_CHECKED;

/* False also for what mesh_key_load will refuse. */
bool mesh_key_is_sealed(const char *path);

/* The credential a command uses: `path` when given, else $GROVE_CREDENTIAL, else the dev.credential
 * of this user's last `grove dev`. It need not exist.
 *
 *   found     out: PATH_MAX bytes
 *   errors    GROVE_INVALID: a name too long; as credential_dev_path */
enum grove_status credential_find(const char *path, char *found) GROVE_CHECKED;

/* Where `grove dev` publishes its credential: $XDG_RUNTIME_DIR/grove/dev.credential, or, when that
 * is unset, in the directory grove-UID under $TMPDIR or /tmp; made when it is missing.
 *
 *   path      out: PATH_MAX bytes
 *   errors    as secret_directory: others own it, or may read it */
enum grove_status credential_dev_path(char *path, char *error) GROVE_CHECKED;

#endif

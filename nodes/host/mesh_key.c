/* SPDX-License-Identifier: MPL-2.0
 * The operator's mesh key on disk:
 *
 *   [mesh-key]
 *   version = 1
 *   public = hexadecimal
 *   seed = ...                         plain, or
 *   salt, nonce, sealed = ...          secretbox of the seed under Argon2id (moderate) */
#include <sodium.h>

#include "nodes/host/credential.h"
#include "nodes/host/key_text.h"
#include "nodes/host/secret.h"
#include "nodes/host/secret_file.h"

#define SEED_SIZE 32u

struct draft {
    struct key public_key;
    uint8_t seed[SEED_SIZE];
    uint8_t salt[crypto_pwhash_SALTBYTES];
    uint8_t nonce[crypto_secretbox_NONCEBYTES];
    uint8_t sealed[SEED_SIZE + crypto_secretbox_MACBYTES];
    bool has_version, has_public, has_seed, has_salt, has_nonce, has_sealed;
};

static const char *take_entry(void *context, const char *section, const char *name,
                              const char *value)
{
    struct draft *draft = context;
    const struct {
        const char *name;
        uint8_t *bytes;
        size_t size;
        bool *seen;
    } fields[] = {
        {"public", draft->public_key.byte, sizeof(draft->public_key.byte), &draft->has_public},
        {"seed", draft->seed, sizeof(draft->seed), &draft->has_seed},
        {"salt", draft->salt, sizeof(draft->salt), &draft->has_salt},
        {"nonce", draft->nonce, sizeof(draft->nonce), &draft->has_nonce},
        {"sealed", draft->sealed, sizeof(draft->sealed), &draft->has_sealed},
    };

    if (strcmp(section, "mesh-key") != 0) {
        return "in an unknown section";
    }
    if (strcmp(name, "version") == 0) {
        return key_text_version(value, &draft->has_version);
    }
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(name, fields[i].name) == 0) {
            return key_text_hex(value, fields[i].bytes, fields[i].size, fields[i].seen);
        }
    }
    return "unknown key";
}

static enum grove_status read_draft(const char *path, struct draft *draft, char *error)
{
    struct buffer contents = {0};
    enum grove_status status = secret_file_read(path, &contents, error);

    if (status == GROVE_OK) {
        status = key_text_read(path, buffer_bytes(&contents), take_entry, draft, error);
    }
    secret_buffer_clear(&contents);
    if (status != GROVE_OK) {
        return status;
    }
    const bool is_sealed = draft->has_salt && draft->has_nonce && draft->has_sealed;
    const bool is_partly = draft->has_salt || draft->has_nonce || draft->has_sealed;
    if (!draft->has_version || !draft->has_public || draft->has_seed == is_sealed ||
        is_sealed != is_partly) {
        return secret_file_refuse(error, GROVE_MALFORMED, "%s: not a whole mesh key", path);
    }
    return GROVE_OK;
}

/* The key that seals; false when there is no memory for it. */
static bool stretch(const char *passphrase, const uint8_t *salt,
                    uint8_t key[crypto_secretbox_KEYBYTES])
{
    return crypto_pwhash(key, crypto_secretbox_KEYBYTES, passphrase, strlen(passphrase), salt,
                         crypto_pwhash_OPSLIMIT_MODERATE, crypto_pwhash_MEMLIMIT_MODERATE,
                         crypto_pwhash_ALG_ARGON2ID13) == 0;
}

static enum grove_status unseal(const char *path, struct draft *draft, const char *passphrase,
                                char *error)
{
    enum grove_status status = GROVE_OK;
    uint8_t *key;

    if (passphrase == NULL) {
        return secret_file_refuse(error, GROVE_DENIED, "%s: sealed with a passphrase", path);
    }
    key = secret_create(crypto_secretbox_KEYBYTES);
    if (!stretch(passphrase, draft->salt, key)) {
        status = secret_file_refuse(error, GROVE_IO, "%s: no memory to derive its key", path);
    } else if (crypto_secretbox_open_easy(draft->seed, draft->sealed, sizeof(draft->sealed),
                                          draft->nonce, key) != 0) {
        status = secret_file_refuse(error, GROVE_DENIED,
                                    "%s: another passphrase, or a damaged file", path);
    }
    secret_destroy(key);
    return status;
}

enum grove_status mesh_key_load(const char *path, const char *passphrase, struct signer *mesh,
                                char *error)
{
    struct draft *draft = secret_create(sizeof(*draft));
    struct signer *loaded = secret_create(sizeof(*loaded));
    enum grove_status status = read_draft(path, draft, error);

    if (status == GROVE_OK && draft->has_sealed) {
        status = unseal(path, draft, passphrase, error);
    }
    if (status == GROVE_OK) {
        crypto_sign_seed_keypair(loaded->public_key.byte, loaded->secret, draft->seed);
        if (key_equal(&loaded->public_key, &draft->public_key)) {
            *mesh = *loaded;
        } else {
            status =
                secret_file_refuse(error, GROVE_MALFORMED, "%s: its public key is another's", path);
        }
    }
    secret_destroy(loaded);
    secret_destroy(draft);
    return status;
}

static bool put_sealed(struct buffer *text, const struct signer *mesh, const char *passphrase)
{
    struct draft draft; /* only what may be seen */
    uint8_t *key = secret_create(crypto_secretbox_KEYBYTES);
    bool is_stretched;

    randombytes_buf(draft.salt, sizeof(draft.salt));
    randombytes_buf(draft.nonce, sizeof(draft.nonce));
    is_stretched = stretch(passphrase, draft.salt, key);
    if (is_stretched) {
        crypto_secretbox_easy(draft.sealed, mesh->secret, SEED_SIZE, draft.nonce, key);
    }
    secret_destroy(key);
    if (!is_stretched) {
        return false;
    }
    key_text_put_hex(text, "salt", draft.salt, sizeof(draft.salt));
    key_text_put_hex(text, "nonce", draft.nonce, sizeof(draft.nonce));
    key_text_put_hex(text, "sealed", draft.sealed, sizeof(draft.sealed));
    return true;
}

enum grove_status mesh_key_create(const char *path, const char *passphrase, struct signer *mesh,
                                  char *error)
{
    enum grove_status status = GROVE_OK;
    struct signer *made = secret_create(sizeof(*made));
    struct buffer text;

    crypto_sign_keypair(made->public_key.byte, made->secret);
    secret_buffer_init(&text, SECRET_FILE_SIZE);
    key_text_put(&text, "# The key of a grove mesh: whoever has it can admit anybody.\n"
                        "[mesh-key]\nversion = 1\n");
    key_text_put_hex(&text, "public", made->public_key.byte, sizeof(made->public_key.byte));
    if (passphrase == NULL) {
        key_text_put_hex(&text, "seed", made->secret, SEED_SIZE); /* seed, public key */
    } else if (!put_sealed(&text, made, passphrase)) {
        status = secret_file_refuse(error, GROVE_IO, "%s: no memory to derive its key", path);
    }
    if (status == GROVE_OK) {
        status = secret_file_write(path, SECRET_FILE_NEW, buffer_bytes(&text), error);
    }
    if (status == GROVE_OK) {
        *mesh = *made;
    }
    secret_buffer_clear(&text);
    secret_destroy(made);
    return status;
}

bool mesh_key_is_sealed(const char *path)
{
    struct draft *draft = secret_create(sizeof(*draft));
    char error[CREDENTIAL_ERROR_SIZE];
    const bool is_sealed = read_draft(path, draft, error) == GROVE_OK && draft->has_sealed;

    secret_destroy(draft);
    return is_sealed;
}

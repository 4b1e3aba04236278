/* SPDX-License-Identifier: MPL-2.0
 * Credential files:
 *
 *   [credential]
 *   version = 1
 *   mesh = the mesh key, hexadecimal
 *   sign = the seed of the identity
 *   link = the secret of the link key
 *   certificate = its signed form, base64 over lines
 *   [coordinator]                    one for each
 *   endpoint = tcp://HOST:PORT
 *   certificate = ... */
#include "nodes/host/credential.h"

#include <assert.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "nodes/host/key_text.h"
#include "nodes/host/secret.h"
#include "nodes/host/secret_file.h"

#define SEED_SIZE 32u

static void make_keys(struct credential *credential)
{
    credential->signer = secret_create(sizeof(*credential->signer));
    credential->link = secret_create(sizeof(*credential->link));
}

static void freeze_keys(struct credential *credential)
{
    secret_freeze(credential->signer);
    secret_freeze(credential->link);
}

void credential_make(const struct signer *mesh, const struct certificate *wanted,
                     struct credential *credential)
{
    struct credential made = {.mesh = mesh->public_key, .certificate = *wanted};

    make_keys(&made);
    crypto_sign_keypair(made.signer->public_key.byte, made.signer->secret);
    crypto_box_keypair(made.link->public_key.byte, made.link->secret);
    freeze_keys(&made);
    randombytes_buf(made.certificate.serial.byte, sizeof(made.certificate.serial.byte));
    made.certificate.mesh = mesh->public_key;
    made.certificate.sign_key = made.signer->public_key;
    made.certificate.link_key = made.link->public_key;
    certificate_issue(&made.certificate_bytes, &made.certificate, mesh);
    *credential = made;
}

void credential_clear(struct credential *credential)
{
    if (credential == NULL) {
        return;
    }
    buffer_clear(&credential->certificate_bytes);
    for (unsigned i = 0; i < CREDENTIAL_COORDINATORS; i++) {
        buffer_clear(&credential->coordinator[i].certificate_bytes);
    }
    secret_destroy(credential->signer);
    secret_destroy(credential->link);
    memset(credential, 0, sizeof(*credential));
}

/* ---- loading */

/* A file while it is read: the certificates are gathered as text, then opened. */
struct draft {
    struct credential made;
    uint8_t *seed; /* secret memory */
    bool has_version, has_mesh, has_sign, has_link;
    struct buffer text; /* base64 of made.certificate */
    struct buffer coordinator_text[CREDENTIAL_COORDINATORS];
};

static const char *take_own(struct draft *draft, const char *name, const char *value)
{
    struct credential *made = &draft->made;

    if (strcmp(name, "version") == 0) {
        return key_text_version(value, &draft->has_version);
    }
    if (strcmp(name, "mesh") == 0) {
        return key_text_hex(value, made->mesh.byte, sizeof(made->mesh.byte), &draft->has_mesh);
    }
    if (strcmp(name, "sign") == 0) {
        return key_text_hex(value, draft->seed, SEED_SIZE, &draft->has_sign);
    }
    if (strcmp(name, "link") == 0) {
        return key_text_hex(value, made->link->secret, sizeof(made->link->secret),
                            &draft->has_link);
    }
    if (strcmp(name, "certificate") == 0) {
        buffer_append(&draft->text, value, strlen(value));
        return NULL;
    }
    return "unknown key";
}

static bool endpoint_is_valid(const char *endpoint)
{
    const char *const prefix = "tcp://";

    if (strncmp(endpoint, prefix, strlen(prefix)) != 0 || strpbrk(endpoint, " \t;\"\\") != NULL) {
        return false;
    }
    const char *const host = endpoint + strlen(prefix);
    const char *const colon = strrchr(host, ':');
    return colon != NULL && colon > host && colon[1] != '\0' &&
           strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

static const char *take_coordinator(struct draft *draft, const char *name, const char *value)
{
    struct credential *made = &draft->made;

    if (strcmp(name, "endpoint") == 0) {
        if (made->coordinator_count == CREDENTIAL_COORDINATORS) {
            return "one coordinator too many";
        }
        struct coordinator_address *next = &made->coordinator[made->coordinator_count++];
        if (strlen(value) >= sizeof(next->endpoint) || !endpoint_is_valid(value)) {
            return "not of the form tcp://HOST:PORT";
        }
        snprintf(next->endpoint, sizeof(next->endpoint), "%s", value);
        return NULL;
    }
    if (strcmp(name, "certificate") == 0) {
        if (made->coordinator_count == 0) {
            return "before its endpoint";
        }
        buffer_append(&draft->coordinator_text[made->coordinator_count - 1], value, strlen(value));
        return NULL;
    }
    return "unknown key";
}

static const char *take_entry(void *context, const char *section, const char *name,
                              const char *value)
{
    if (strcmp(section, "credential") == 0) {
        return take_own(context, name, value);
    }
    if (strcmp(section, "coordinator") == 0) {
        return take_coordinator(context, name, value);
    }
    return "in an unknown section";
}

static enum grove_status open_certificate(const struct buffer *text, const struct key *mesh,
                                          struct buffer *bytes, struct certificate *certificate)
{
    if (!key_text_base64(buffer_bytes(text), bytes)) {
        return GROVE_MALFORMED;
    }
    return certificate_open(buffer_bytes(bytes), mesh, certificate);
}

/* Everything is what the mesh has signed, and the keys are those that it has signed. */
static enum grove_status check_own(const char *path, struct draft *draft, char *error)
{
    struct credential *made = &draft->made;

    if (!draft->has_version || !draft->has_mesh || !draft->has_sign || !draft->has_link) {
        return secret_file_refuse(error, GROVE_MALFORMED,
                                  "%s: version, mesh, sign or link is missing", path);
    }
    const enum grove_status status =
        open_certificate(&draft->text, &made->mesh, &made->certificate_bytes, &made->certificate);
    if (status != GROVE_OK) {
        return secret_file_refuse(error, status, "%s: certificate: %s", path,
                                  grove_status_text(status));
    }
    crypto_sign_seed_keypair(made->signer->public_key.byte, made->signer->secret, draft->seed);
    crypto_scalarmult_base(made->link->public_key.byte, made->link->secret);
    freeze_keys(made);
    if (!key_equal(&made->signer->public_key, &made->certificate.sign_key) ||
        !key_equal(&made->link->public_key, &made->certificate.link_key)) {
        return secret_file_refuse(error, GROVE_MALFORMED,
                                  "%s: the certificate is not that of these keys", path);
    }
    return GROVE_OK;
}

static enum grove_status check_coordinators(const char *path, struct draft *draft, char *error)
{
    for (unsigned i = 0; i < draft->made.coordinator_count; i++) {
        struct coordinator_address *address = &draft->made.coordinator[i];
        enum grove_status status =
            open_certificate(&draft->coordinator_text[i], &draft->made.mesh,
                             &address->certificate_bytes, &address->certificate);
        if (status == GROVE_OK && (address->certificate.roles & ROLE_COORDINATOR) == 0) {
            status = GROVE_DENIED;
        }
        if (status != GROVE_OK) {
            return secret_file_refuse(error, status, "%s: certificate of coordinator %s: %s", path,
                                      address->endpoint, grove_status_text(status));
        }
    }
    return GROVE_OK;
}

static void draft_destroy(struct draft *draft)
{
    credential_clear(&draft->made);
    buffer_clear(&draft->text);
    for (unsigned i = 0; i < CREDENTIAL_COORDINATORS; i++) {
        buffer_clear(&draft->coordinator_text[i]);
    }
    secret_destroy(draft->seed);
    free(draft);
}

enum grove_status credential_load(const char *path, struct credential *credential, char *error)
{
    struct draft *draft = calloc(1, sizeof(*draft));
    struct buffer contents = {0};

    if (draft == NULL) {
        abort();
    }
    draft->seed = secret_create(SEED_SIZE);
    make_keys(&draft->made);
    enum grove_status status = secret_file_read(path, &contents, error);
    if (status == GROVE_OK) {
        status = key_text_read(path, buffer_bytes(&contents), take_entry, draft, error);
    }
    if (status == GROVE_OK) {
        status = check_own(path, draft, error);
    }
    if (status == GROVE_OK) {
        status = check_coordinators(path, draft, error);
    }
    if (status == GROVE_OK) {
        *credential = draft->made;
        memset(&draft->made, 0, sizeof(draft->made));
    }
    secret_buffer_clear(&contents);
    draft_destroy(draft);
    return status;
}

enum grove_status credential_save(const char *path, const struct credential *credential,
                                  char *error)
{
    struct buffer text;

    assert(credential->coordinator_count <= CREDENTIAL_COORDINATORS);
    secret_buffer_init(&text, SECRET_FILE_SIZE);
    key_text_put(&text,
                 "# Who %s is in its grove mesh. Secret: keep it readable for its owner "
                 "only.\n[credential]\nversion = 1\n",
                 credential->certificate.name);
    key_text_put_hex(&text, "mesh", credential->mesh.byte, sizeof(credential->mesh.byte));
    key_text_put_hex(&text, "sign", credential->signer->secret, SEED_SIZE); /* seed, public key */
    key_text_put_hex(&text, "link", credential->link->secret, sizeof(credential->link->secret));
    key_text_put_base64(&text, "certificate", buffer_bytes(&credential->certificate_bytes));
    for (unsigned i = 0; i < credential->coordinator_count; i++) {
        const struct coordinator_address *address = &credential->coordinator[i];
        key_text_put(&text, "\n[coordinator]\nendpoint = %s\n", address->endpoint);
        key_text_put_base64(&text, "certificate", buffer_bytes(&address->certificate_bytes));
    }
    const enum grove_status status =
        secret_file_write(path, SECRET_FILE_REPLACE, buffer_bytes(&text), error);
    secret_buffer_clear(&text);
    return status;
}

/* ---- finding */

enum grove_status credential_dev_path(char *path, char *error)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    const char *temporary = getenv("TMPDIR");
    char directory[PATH_MAX];
    int size;

    if (runtime != NULL && *runtime == '/') {
        size = snprintf(directory, sizeof(directory), "%s/grove", runtime);
    } else {
        size = snprintf(directory, sizeof(directory), "%s/grove-%u",
                        temporary != NULL && *temporary == '/' ? temporary : "/tmp",
                        (unsigned)geteuid());
    }
    if (size < 0 || (size_t)size + sizeof("/dev.credential") > PATH_MAX) {
        return secret_file_refuse(error, GROVE_INVALID, "the runtime directory's name is too long");
    }
    const enum grove_status status = secret_directory(directory, error);
    if (status == GROVE_OK) {
        memcpy(path, directory, (size_t)size);
        memcpy(path + size, "/dev.credential", sizeof("/dev.credential"));
    }
    return status;
}

enum grove_status credential_find(const char *path, char *found)
{
    char error[CREDENTIAL_ERROR_SIZE];
    const char *const named = path != NULL ? path : getenv("GROVE_CREDENTIAL");

    if (named == NULL || *named == '\0') {
        return credential_dev_path(found, error);
    }
    const size_t size = strlen(named) + 1;
    if (size > PATH_MAX) {
        return GROVE_INVALID;
    }
    memcpy(found, named, size);
    return GROVE_OK;
}

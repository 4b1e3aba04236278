/* SPDX-License-Identifier: MPL-2.0
 * grove keys init DIR: a new mesh: its key, its coordinators' credentials, its operator's. */
#include "nodes/programs/keys.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/host/clock.h"
#include "nodes/host/credential.h"
#include "nodes/host/secret.h"

#define YEAR_MS (UINT64_C(365) * 24 * 3600 * 1000)

/* Splits NAME=HOST:PORT; false when it is not of that form. */
static bool take_address(const char *text, struct coordinator_address *address,
                         char name[LIMIT_NAME_LENGTH + 1])
{
    const char *equals = strchr(text, '=');

    if (equals == NULL || equals == text || (size_t)(equals - text) > LIMIT_NAME_LENGTH ||
        strrchr(equals + 1, ':') == NULL ||
        strlen(equals + 1) + sizeof("tcp://") > sizeof(address->endpoint)) {
        complain("keys init: --coordinator wants NAME=HOST:PORT, not '%s'", text);
        return false;
    }
    snprintf(name, LIMIT_NAME_LENGTH + 1, "%.*s", (int)(equals - text), text);
    snprintf(address->endpoint, sizeof(address->endpoint), "tcp://%s", equals + 1);
    return true;
}

static void make(const struct signer *mesh, const char *name, uint32_t roles,
                 struct credential *credential)
{
    struct certificate wanted = {.roles = roles, .not_before_ms = clock_unix_ms() - 60000};

    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
    wanted.not_after_ms = wanted.not_before_ms + YEAR_MS;
    if ((roles & ROLE_CLIENT) != 0) {
        wanted.submit_count = 1;
        snprintf(wanted.submit[0].text, sizeof(wanted.submit[0].text), "*");
    }
    credential_make(mesh, &wanted, credential);
}

static bool save(const struct arguments *arguments, const char *name,
                 const struct credential *credential)
{
    char path[PATH_MAX], error[CREDENTIAL_ERROR_SIZE];

    if (snprintf(path, sizeof(path), "%s/%s.credential", arguments->word[1], name) >=
        (int)sizeof(path)) {
        complain("keys init: the path is too long");
        return false;
    }
    if (credential_save(path, credential, error) != GROVE_OK) {
        complain("keys init: %s", error);
        return false;
    }
    print_file(arguments, path);
    return true;
}

/* Makes every credential, gives each the list of coordinators, writes them. */
static enum exit_code make_credentials(const struct arguments *arguments, const struct signer *mesh)
{
    struct credential *made = calloc(CREDENTIAL_COORDINATORS + 1, sizeof(*made));
    struct coordinator_address addresses[CREDENTIAL_COORDINATORS];
    char names[CREDENTIAL_COORDINATORS + 1][LIMIT_NAME_LENGTH + 1];
    const char *text = argument_value_at(arguments, "coordinator", 0);
    unsigned count = 0;
    enum exit_code code = EXIT_USAGE;

    if (made == NULL) {
        abort();
    }
    text = text != NULL ? text : "c1=127.0.0.1:7310";
    for (; text != NULL && count < CREDENTIAL_COORDINATORS;
         text = argument_value_at(arguments, "coordinator", count)) {
        if (!take_address(text, &addresses[count], names[count])) {
            goto done;
        }
        make(mesh, names[count], ROLE_COORDINATOR, &made[count]);
        addresses[count].certificate = made[count].certificate;
        addresses[count].certificate_bytes = made[count].certificate_bytes;
        count++;
    }
    make(mesh, "operator", ROLE_OPERATOR | ROLE_CLIENT | ROLE_OBSERVER, &made[count]);
    snprintf(names[count], sizeof(names[count]), "operator");
    code = EXIT_DONE;
    for (unsigned i = 0; i <= count && code == EXIT_DONE; i++) {
        made[i].coordinator_count = count;
        memcpy(made[i].coordinator, addresses, count * sizeof(addresses[0]));
        code = save(arguments, names[i], &made[i]) ? EXIT_DONE : EXIT_SYSTEM;
        /* The addresses are shared here, and owned by none. */
        memset(made[i].coordinator, 0, sizeof(made[i].coordinator));
        made[i].coordinator_count = 0;
    }
done:
    for (unsigned i = 0; i <= count; i++) {
        credential_clear(&made[i]);
    }
    free(made);
    return code;
}

static enum exit_code make_mesh(const struct arguments *arguments, const char *path,
                                const char *passphrase)
{
    struct signer *mesh = secret_create(sizeof(*mesh));
    char error[CREDENTIAL_ERROR_SIZE];
    enum exit_code code = EXIT_SYSTEM;

    if (mesh_key_create(path, passphrase, mesh, error) != GROVE_OK) {
        complain("keys init: %s", error);
    } else {
        print_file(arguments, path);
        code = make_credentials(arguments, mesh);
    }
    secret_destroy(mesh);
    return code;
}

enum exit_code keys_init(const struct arguments *arguments)
{
    char path[PATH_MAX];
    const bool is_sealed = argument_given(arguments, "passphrase-file");
    char *passphrase;
    enum exit_code code = EXIT_USAGE;

    if (arguments->word_count != 2 ||
        snprintf(path, sizeof(path), "%s/mesh.key", arguments->word[1]) >= (int)sizeof(path)) {
        complain("keys init: in which directory?");
        return EXIT_USAGE;
    }
    if (!is_sealed) {
        complain("keys init: a mesh key is sealed: give --passphrase-file FILE");
        return EXIT_USAGE;
    }
    passphrase = secret_create(PASSPHRASE_SIZE);
    if (!passphrase_read(arguments, passphrase)) {
        code = EXIT_USAGE;
    } else if (mkdir(arguments->word[1], 0700) != 0 && errno != EEXIST) {
        complain("keys init: %s: %s", arguments->word[1], strerror(errno));
        code = EXIT_SYSTEM;
    } else if (access(path, F_OK) == 0) {
        complain("keys init: %s is there already; a mesh has one key", path);
        code = EXIT_REFUSED;
    } else {
        code = make_mesh(arguments, path, passphrase);
    }
    secret_destroy(passphrase);
    return code;
}

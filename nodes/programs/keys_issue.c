/* SPDX-License-Identifier: MPL-2.0
 * grove keys issue --role ROLE NAME: sign a certificate, write its credential, admit it to the
 * mesh. */
#include "nodes/programs/keys.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nodes/host/clock.h"
#include "nodes/host/secret.h"
#include "nodes/programs/operator.h"

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

static bool take_patterns(const struct arguments *arguments, const char *option, const char *absent,
                          struct pattern *patterns, unsigned *count)
{
    const char *text = argument_value_at(arguments, option, 0);

    for (text = text != NULL ? text : absent; text != NULL;
         text = argument_value_at(arguments, option, *count)) {
        if (*count == LIMIT_PATTERNS || !pattern_text_is_valid(bytes_of_text(text))) {
            complain("keys issue: --%s wants at most %u names of [a-z0-9._-], or prefix*; not '%s'",
                     option, LIMIT_PATTERNS, text);
            return false;
        }
        snprintf(patterns[*count].text, sizeof(patterns[*count].text), "%s", text);
        (*count)++;
    }
    return true;
}

static bool describe(const struct arguments *arguments, struct certificate *wanted)
{
    const char *name = arguments->word_count == 2 ? arguments->word[1] : NULL;
    int64_t days;

    if (name == NULL || name[0] == '\0' || strlen(name) > LIMIT_NAME_LENGTH ||
        strchr(name, '/') != NULL) {
        complain("keys issue: which NAME? At most %u characters, no slash", LIMIT_NAME_LENGTH);
        return false;
    }
    for (size_t i = 0; argument_value_at(arguments, "role", i) != NULL; i++) {
        uint32_t role;

        if (!role_parse(argument_value_at(arguments, "role", i), &role)) {
            return false;
        }
        wanted->roles |= role;
    }
    if (wanted->roles == 0) {
        complain("keys issue: --role worker, client, observer, operator or coordinator?");
        return false;
    }
    const char *everything = (wanted->roles & ROLE_WORKER) != 0 ? "*" : NULL;

    if (!take_patterns(arguments, "submit", everything, wanted->submit, &wanted->submit_count) ||
        !take_patterns(arguments, "run", everything, wanted->run, &wanted->run_count) ||
        !argument_number(arguments, "days", 1, 3650, 365, &days)) {
        return false;
    }
    snprintf(wanted->name, sizeof(wanted->name), "%s", name);
    wanted->not_before_ms = clock_unix_ms() - 60000;
    wanted->not_after_ms = clock_unix_ms() + (uint64_t)days * DAY_MS;
    return true;
}

/* The mesh key named, or the one beside the operator's credential. */
static enum exit_code load_mesh_key(const struct arguments *arguments, const char *credential_path,
                                    struct signer *mesh)
{
    char path[PATH_MAX + 16], directory[PATH_MAX], error[CREDENTIAL_ERROR_SIZE];
    char *passphrase = NULL;
    const char *given = argument_value(arguments, "mesh-key");

    snprintf(directory, sizeof(directory), "%s", credential_path);
    if (given != NULL) {
        snprintf(path, sizeof(path), "%s", given);
    } else {
        snprintf(path, sizeof(path), "%s/mesh.key", dirname(directory));
    }
    if (given == NULL && access(path, F_OK) != 0) {
        complain(
            "keys issue: there is no %s: give --mesh-key FILE, or by --credential the operator's "
            "credential that the mesh key stands beside",
            path);
        return EXIT_NOT_FOUND;
    }
    const bool is_sealed = mesh_key_is_sealed(path);

    if (is_sealed && !argument_given(arguments, "passphrase-file")) {
        complain("keys issue: %s is sealed: give --passphrase-file FILE", path);
        return EXIT_USAGE;
    }
    if (is_sealed) {
        passphrase = secret_create(PASSPHRASE_SIZE);
        if (!passphrase_read(arguments, passphrase)) {
            secret_destroy(passphrase);
            return EXIT_USAGE;
        }
    }
    const enum grove_status status = mesh_key_load(path, passphrase, mesh, error);

    secret_destroy(passphrase);
    if (status != GROVE_OK) {
        complain("keys issue: %s", error);
        return exit_of_status(status);
    }
    return EXIT_DONE;
}

static enum exit_code issue(const struct arguments *arguments, const struct credential *ours,
                            const char *our_path, const struct signer *mesh,
                            const struct certificate *wanted)
{
    char path[PATH_MAX], error[CREDENTIAL_ERROR_SIZE];
    struct credential made;
    const char *out = argument_value(arguments, "out");

    if (!key_equal(&mesh->public_key, &ours->mesh)) {
        complain("keys issue: this mesh key belongs to another mesh than the credential");
        return EXIT_REFUSED;
    }
    snprintf(path, sizeof(path), "%s%s", out != NULL ? out : wanted->name,
             out != NULL ? "" : ".credential");
    credential_make(mesh, wanted, &made);
    made.coordinator_count = ours->coordinator_count;
    memcpy(made.coordinator, ours->coordinator, sizeof(made.coordinator));
    const enum grove_status status = credential_save(path, &made, error);
    const struct bytes signed_form = buffer_bytes(&made.certificate_bytes);
    enum exit_code code = exit_of_status(status);

    made.coordinator_count = 0; /* `ours` owns them */
    memset(made.coordinator, 0, sizeof(made.coordinator));
    if (status != GROVE_OK) {
        complain("keys issue: %s", error);
    } else {
        print_file(arguments, path);
        code = operator_admit(ours, our_path, &signed_form, 1);
        if (code != EXIT_DONE) {
            complain("keys issue: %s is written but not admitted yet; later: grove keys admit %s",
                     path, path);
        }
    }
    credential_clear(&made);
    return code;
}

enum exit_code keys_issue(const struct arguments *arguments)
{
    struct certificate wanted = {.roles = 0};
    struct credential ours;
    struct signer *mesh;
    char path[PATH_MAX];
    enum exit_code code;

    if (!describe(arguments, &wanted)) {
        return EXIT_USAGE;
    }
    if (!operator_credential(arguments, &ours, path, &code)) {
        return code;
    }
    mesh = secret_create(sizeof(*mesh));
    code = load_mesh_key(arguments, path, mesh);
    if (code == EXIT_DONE) {
        code = issue(arguments, &ours, path, mesh, &wanted);
    }
    secret_destroy(mesh);
    credential_clear(&ours);
    return code;
}

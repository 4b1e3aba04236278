/* SPDX-License-Identifier: MPL-2.0
 * grove keys init|issue|admit|show: identities from the operator's side. */
#include "nodes/programs/keys.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "core/id.h"
#include "nodes/programs/operator.h"
#include "nodes/programs/outcome.h"

static const struct {
    const char *name;
    enum role role;
} roles[] = {
    {"coordinator", ROLE_COORDINATOR}, {"worker", ROLE_WORKER},     {"client", ROLE_CLIENT},
    {"observer", ROLE_OBSERVER},       {"operator", ROLE_OPERATOR},
};

bool role_parse(const char *name, uint32_t *role)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (strcmp(roles[i].name, name) == 0) {
            *role = roles[i].role;
            return true;
        }
    }
    complain("keys: no role '%s'; there are coordinator, worker, client, observer and operator",
             name);
    return false;
}

void print_file(const struct arguments *arguments, const char *path)
{
    if (argument_json(arguments)) {
        print_json(json_pack("{s:s, s:s}", "schema", "grove.file/1", "path", path));
    } else {
        puts(path);
    }
    fflush(stdout);
}

/* The passphrase in --passphrase-file: its first line. */
bool passphrase_read(const struct arguments *arguments, char passphrase[PASSPHRASE_SIZE])
{
    const char *path = argument_value(arguments, "passphrase-file");
    FILE *file = fopen(path, "re");

    if (file != NULL) {
        setvbuf(file, NULL, _IONBF, 0); /* no copy of it in a buffer */
    }
    if (file == NULL || fgets(passphrase, PASSPHRASE_SIZE, file) == NULL) {
        complain("keys: cannot read a passphrase from %s", path);
        if (file != NULL) {
            fclose(file);
        }
        return false;
    }
    fclose(file);
    passphrase[strcspn(passphrase, "\r\n")] = '\0';
    if (passphrase[0] == '\0') {
        complain("keys: the first line of %s is empty", path);
        return false;
    }
    return true;
}

static enum exit_code admit(const struct arguments *arguments)
{
    struct credential ours;
    struct buffer certificates[ARGUMENT_LIMIT];
    struct bytes signed_forms[ARGUMENT_LIMIT];
    char path[PATH_MAX];
    size_t count = 0;
    enum exit_code code;

    if (arguments->word_count < 2) {
        complain("keys admit: which credential files?");
        return EXIT_USAGE;
    }
    if (arguments->word_count > ARGUMENT_LIMIT) {
        complain("keys admit: at most %d files at a time", ARGUMENT_LIMIT - 1);
        return EXIT_USAGE;
    }
    if (!operator_credential(arguments, &ours, path, &code)) {
        return code;
    }
    for (size_t i = 1; i < arguments->word_count; i++) {
        struct credential theirs;
        char error[CREDENTIAL_ERROR_SIZE];
        const enum grove_status status = credential_load(arguments->word[i], &theirs, error);

        if (status != GROVE_OK) {
            complain("keys admit: %s", error);
            code = exit_of_status(status);
            goto done;
        }
        certificates[count] = theirs.certificate_bytes;
        theirs.certificate_bytes = (struct buffer){0};
        signed_forms[count] = buffer_bytes(&certificates[count]);
        count++;
        credential_clear(&theirs);
    }
    code = operator_admit(&ours, path, signed_forms, count);
done:
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&certificates[i]);
    }
    credential_clear(&ours);
    return code;
}

static json_t *patterns_json(const struct pattern *patterns, unsigned count)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < count; i++) {
        json_array_append_new(list, json_string(patterns[i].text));
    }
    return list;
}

static json_t *roles_json(uint32_t set)
{
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if ((set & (uint32_t)roles[i].role) != 0) {
            json_array_append_new(list, json_string(roles[i].name));
        }
    }
    return list;
}

static void hex(const uint8_t *bytes, size_t size, char *text)
{
    for (size_t i = 0; i < size; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
}

static json_t *certificate_json(const struct certificate *certificate)
{
    char mesh[65], identity[65], serial[ID_TEXT_SIZE];

    hex(certificate->mesh.byte, 32, mesh);
    hex(certificate->sign_key.byte, 32, identity);
    id_format(&certificate->serial, serial);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I}", "schema",
                     "grove.certificate/1", "name", certificate->name, "mesh", mesh, "identity",
                     identity, "serial", serial, "roles", roles_json(certificate->roles), "submit",
                     patterns_json(certificate->submit, certificate->submit_count), "run",
                     patterns_json(certificate->run, certificate->run_count), "not_before_ms",
                     (json_int_t)certificate->not_before_ms, "not_after_ms",
                     (json_int_t)certificate->not_after_ms);
}

static void print_list(const char *title, json_t *list)
{
    size_t i;
    json_t *value;

    printf("%-11s", title);
    json_array_foreach(list, i, value)
    {
        fputs(i > 0 ? ", " : "", stdout);
        print_text(stdout, json_string_value(value));
    }
    printf("%s\n", json_array_size(list) == 0 ? "(none)" : "");
    json_decref(list);
}

static void print_day(const char *title, uint64_t ms)
{
    const time_t seconds = (time_t)(ms / 1000);
    struct tm day;
    char text[32];

    gmtime_r(&seconds, &day);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &day);
    printf("%-11s%s\n", title, text);
}

static void show_text(const struct certificate *certificate)
{
    char mesh[65], identity[65];

    hex(certificate->mesh.byte, 32, mesh);
    hex(certificate->sign_key.byte, 32, identity);
    printf("%-11s", "name");
    print_text(stdout, certificate->name);
    printf("\n%-11s%s\n%-11s%s\n", "mesh", mesh, "identity", identity);
    print_list("roles", roles_json(certificate->roles));
    print_list("may submit", patterns_json(certificate->submit, certificate->submit_count));
    print_list("may run", patterns_json(certificate->run, certificate->run_count));
    print_day("not before", certificate->not_before_ms);
    print_day("not after", certificate->not_after_ms);
}

static enum exit_code show(const struct arguments *arguments)
{
    struct credential credential;
    char path[PATH_MAX], error[CREDENTIAL_ERROR_SIZE];
    const char *wanted =
        arguments->word_count > 1 ? arguments->word[1] : argument_value(arguments, "credential");
    enum grove_status status = credential_find(wanted, path);

    if (status != GROVE_OK) {
        complain("keys show: no credential: give a FILE, --credential or GROVE_CREDENTIAL");
        return EXIT_NOT_FOUND;
    }
    status = credential_load(path, &credential, error);
    if (status != GROVE_OK) {
        complain("keys show: %s", error);
        return exit_of_status(status);
    }
    if (argument_json(arguments)) {
        print_json(certificate_json(&credential.certificate));
    } else {
        show_text(&credential.certificate);
    }
    credential_clear(&credential);
    return EXIT_DONE;
}

static enum exit_code run(const struct arguments *arguments)
{
    return run_verb(&keys_subcommand, arguments);
}

static const struct verb verbs[] = {
    {"init", "DIR", "DIR",
     "write DIR/mesh.key, DIR/operator.credential and one credential for each coordinator",
     keys_init},
    {"issue", "--role ROLE NAME", NULL,
     "sign a certificate with the mesh key, write one credential file, all that a host needs, and "
     "admit it to the running mesh; if no leader answers it exits 5, and 'keys admit' does it "
     "later",
     keys_issue},
    {"admit", "FILE...", "FILE", "admit credentials to the running mesh", admit},
    {"show", "[FILE]", "FILE", "print what a credential file says of its holder; never a secret",
     show},
    VERB_END,
};

static const struct option options[] = {
    {"coordinator", 0, "NAME=HOST:PORT...",
     "init: a coordinator of the new mesh (c1=127.0.0.1:7310)"},
    {"role", 0, "ROLE...", "issue: worker, client, observer, operator or coordinator"},
    {"submit", 0, "PATTERN...", "issue: functions it may submit, a name or prefix*"},
    {"run", 0, "PATTERN...", "issue: functions it may run (workers: * for both)"},
    {"days", 0, "N", "issue: how long the certificate is good (365)"},
    {"out", 0, "FILE", "issue: where to write it (NAME.credential)"},
    {"mesh-key", 0, "FILE", "issue: the mesh key (mesh.key beside the operator's credential)"},
    {"passphrase-file", 0, "FILE", "init, issue: its first line seals the mesh key"},
    OPTION_END,
};

const struct subcommand keys_subcommand = {
    .name = "keys",
    .summary = "Make a mesh, issue and admit credentials, show one",
    .usage = "init DIR | issue --role ROLE NAME | admit FILE... | show [FILE]",
    .verbs = verbs,
    .options = options,
    .run = run,
};

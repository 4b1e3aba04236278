/* SPDX-License-Identifier: MPL-2.0
 * grove doctor: what might be wrong with this host and its credential, and what to do about it. */
#include "nodes/programs/doctor.h"

#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "nodes/grove.h"
#include "nodes/host/bus_context.h"
#include "nodes/host/clock.h"
#include "nodes/programs/configuration.h"
#include "nodes/programs/json_text.h"
#include "nodes/programs/look.h"
#include "nodes/programs/outcome.h"

#define DAY_MS (UINT64_C(24) * 3600 * 1000)
#define EXPIRY_WARN_DAYS 30u

static const char *const verdicts[] = {
    [VERDICT_OK] = "ok", [VERDICT_WARN] = "warn", [VERDICT_BAD] = "bad"};

void find(struct findings *findings, const char *check, enum verdict verdict, const char *help,
          const char *format, ...)
{
    char text[2048];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    json_array_append_new(findings->list,
                          json_pack("{s:s, s:s, s:s, s:s?}", "check", check, "verdict",
                                    verdicts[verdict], "text", text, "help", help));
    findings->worst = verdict > findings->worst ? verdict : findings->worst;
}

/* ---- what is here */

static void look_at_versions(struct findings *findings)
{
    char zmq[BUS_VERSION_SIZE];

    bus_context_version(zmq);
    find(findings, "version", VERDICT_OK, NULL, "grove %s, libzmq %s with CURVE, libsodium %s",
         grove_version(), zmq, sodium_version_string());
}

static void look_at_configuration(const struct configuration *configuration,
                                  struct findings *findings)
{
    for (unsigned i = 0; i < configuration->path_count; i++) {
        find(findings, "configuration", VERDICT_OK, NULL, "%s", configuration->path[i]);
    }
    if (configuration->path_count == 0) {
        find(findings, "configuration", VERDICT_OK, NULL, "none: every option is its default");
    }
}

static void look_at_dates(const struct certificate *certificate, struct findings *findings)
{
    const uint64_t now_ms = clock_unix_ms();
    const uint64_t days =
        certificate->not_after_ms > now_ms ? (certificate->not_after_ms - now_ms) / DAY_MS : 0;

    if (now_ms < certificate->not_before_ms) {
        find(findings, "certificate", VERDICT_BAD, "is this host's clock right?",
             "it is not good before %" PRIu64 " s from now",
             (certificate->not_before_ms - now_ms) / 1000);
    } else if (now_ms >= certificate->not_after_ms) {
        find(findings, "certificate", VERDICT_BAD, "an operator issues another: grove keys issue",
             "it has ended %" PRIu64 " days ago", (now_ms - certificate->not_after_ms) / DAY_MS);
    } else {
        const bool is_soon = days < EXPIRY_WARN_DAYS;

        find(findings, "certificate", is_soon ? VERDICT_WARN : VERDICT_OK,
             is_soon ? "an operator issues another: grove keys issue" : NULL,
             "good for %" PRIu64 " days more", days);
    }
}

static void look_at_roles(const struct certificate *certificate, struct findings *findings)
{
    static const struct {
        enum role role;
        const char *name;
    } names[] = {{ROLE_COORDINATOR, "coordinator"},
                 {ROLE_WORKER, "worker"},
                 {ROLE_CLIENT, "client"},
                 {ROLE_OBSERVER, "observer"},
                 {ROLE_OPERATOR, "operator"}};
    char list[96] = "";

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((certificate->roles & (uint32_t)names[i].role) != 0) {
            const size_t used = strlen(list);

            snprintf(list + used, sizeof(list) - used, "%s%s", used > 0 ? ", " : "", names[i].name);
        }
    }
    const bool submits_nothing =
        (certificate->roles & ROLE_CLIENT) != 0 && certificate->submit_count == 0;
    const bool runs_nothing =
        (certificate->roles & ROLE_WORKER) != 0 && certificate->run_count == 0;

    find(findings, "roles", submits_nothing || runs_nothing ? VERDICT_WARN : VERDICT_OK,
         submits_nothing || runs_nothing ? "issue another: grove keys issue --submit, --run" : NULL,
         "%s is %s%s%s", certificate->name, list, submits_nothing ? ", and may submit nothing" : "",
         runs_nothing ? ", and may run nothing" : "");
}

/* Beside the credential of an operator: it may well be elsewhere. */
static void look_at_mesh_key(const struct credential *credential, const char *credential_path,
                             struct findings *findings)
{
    char copy[PATH_MAX], path[PATH_MAX + 16];
    struct stat about;

    snprintf(copy, sizeof(copy), "%s", credential_path);
    snprintf(path, sizeof(path), "%s/mesh.key", dirname(copy));
    if ((credential->certificate.roles & ROLE_OPERATOR) == 0 || lstat(path, &about) != 0) {
        return;
    }
    if (!S_ISREG(about.st_mode) || about.st_uid != geteuid() ||
        (about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        find(findings, "mesh key", VERDICT_BAD, "chmod 600 it, and ask who may have read it",
             "%s is not a file of this user alone", path);
    } else if (!mesh_key_is_sealed(path)) {
        find(findings, "mesh key", VERDICT_WARN,
             "fit for a grove dev only: others are made by grove keys init", "%s is not sealed",
             path);
    } else {
        find(findings, "mesh key", VERDICT_OK, NULL, "%s is sealed", path);
    }
}

/* ---- all of it */

static void look_at_credential(const char *path, struct findings *findings)
{
    struct credential credential;
    char error[CREDENTIAL_ERROR_SIZE];
    const enum grove_status status = credential_load(path, &credential, error);

    if (status != GROVE_OK) {
        find(findings, "credential", VERDICT_BAD,
             status == GROVE_NOT_FOUND
                 ? "give --credential FILE, set GROVE_CREDENTIAL, or start grove dev"
                 : "chmod 600 it if it is yours, or have an operator issue another",
             "%s", error);
        doctor_limits(0, findings);
        return;
    }
    find(findings, "credential", VERDICT_OK, NULL, "%s", path);
    look_at_dates(&credential.certificate, findings);
    look_at_roles(&credential.certificate, findings);
    look_at_mesh_key(&credential, path, findings);
    doctor_limits(credential.certificate.roles, findings);
    doctor_mesh(&credential, path, findings);
    credential_clear(&credential);
}

static void print_findings(const struct look *look, const json_t *list)
{
    static const enum tone tones[] = {TONE_GOOD, TONE_WARN, TONE_BAD};
    const json_t *finding;
    size_t i;

    json_array_foreach(list, i, finding)
    {
        const char *verdict = json_text(finding, "verdict"), *help = json_text(finding, "help");
        const enum tone tone = tones[strcmp(verdict, "ok") == 0 ? 0 : verdict[0] == 'w' ? 1 : 2];

        fputs(look_begin(look, tone), stdout);
        print_column(stdout, verdict, 5);
        fputs(look_end(look), stdout);
        print_column(stdout, json_text(finding, "check"), 14);
        print_text(stdout, json_text(finding, "text"));
        putchar('\n');
        if (help[0] != '\0') {
            printf("%19s%s ", "", look->glyphs->arrow);
            print_text(stdout, help);
            putchar('\n');
        }
    }
}

static enum exit_code run(const struct arguments *arguments)
{
    struct findings findings = {.list = json_array()};
    const struct look look = look_of(arguments, stdout);
    const char *data = argument_value(arguments, "data");
    char path[PATH_MAX];

    if (arguments->word_count > 0) {
        complain("doctor: no word is asked for");
        json_decref(findings.list);
        return EXIT_USAGE;
    }
    look_at_versions(&findings);
    look_at_configuration(arguments->configuration, &findings);
    if (credential_find(argument_value(arguments, "credential"), path) == GROVE_OK) {
        look_at_credential(path, &findings);
    }
    if (data != NULL) {
        doctor_directory(data, &findings);
    }
    if (argument_json(arguments)) {
        print_json(json_pack("{s:s, s:s, s:O}", "schema", "grove.doctor/1", "verdict",
                             verdicts[findings.worst], "checks", findings.list));
    } else {
        print_findings(&look, findings.list);
    }
    json_decref(findings.list);
    return findings.worst == VERDICT_BAD ? EXIT_TASK_FAILED : EXIT_DONE;
}

static const struct option options[] = {
    {"data", 0, "DIR", "look at this data directory of a coordinator, too"},
    OPTION_END,
};

const struct subcommand doctor_subcommand = {
    .name = "doctor",
    .summary = "Say what is wrong with this host and its credential, and what to do about it",
    .usage = "[--data DIR]",
    .description = "Looks at versions, configuration, credential, dates, roles, the mesh key "
                   "beside an operator's "
                   "credential,\nlimits, each coordinator's address and key, whether one leads, "
                   "the clock, and a "
                   "data directory. Each line\nis ok, warn or bad; exits with 1 when one is bad. "
                   "With --config "
                   "and --credential it looks at those.",
    .options = options,
    .run = run,
};

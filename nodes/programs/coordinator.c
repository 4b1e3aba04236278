/* SPDX-License-Identifier: MPL-2.0
 * grove coordinator: the forest, its ledger and its sockets, in one process. */
#include "nodes/coordinator/coordinator.h"

#include <stdio.h>
#include <string.h>

#include "nodes/programs/outcome.h"
#include "nodes/programs/signals.h"

#define SEGMENT_MIB 64

/* The certificates of the --admit files. */
struct admitted {
    struct buffer memory[ARGUMENT_LIMIT];
    struct bytes certificates[ARGUMENT_LIMIT];
    size_t count;
};

static void admitted_clear(struct admitted *admitted)
{
    for (size_t i = 0; i < admitted->count; i++) {
        buffer_clear(&admitted->memory[i]);
    }
}

static enum exit_code load(const char *path, struct credential *credential)
{
    char error[CREDENTIAL_ERROR_SIZE];
    const enum grove_status status = credential_load(path, credential, error);

    if (status != GROVE_OK) {
        complain("coordinator: %s", error);
    }
    return exit_of_status(status);
}

static enum exit_code load_admitted(const struct arguments *arguments, struct admitted *admitted)
{
    const char *path;

    while ((path = argument_value_at(arguments, "admit", admitted->count)) != NULL) {
        struct buffer *memory = &admitted->memory[admitted->count];
        struct credential credential;
        const enum exit_code code = load(path, &credential);

        if (code != EXIT_DONE) {
            return code;
        }
        *memory = credential.certificate_bytes;
        credential.certificate_bytes = (struct buffer){0};
        admitted->certificates[admitted->count++] = buffer_bytes(memory);
        credential_clear(&credential);
    }
    return EXIT_DONE;
}

static void print_ready(const struct arguments *arguments, const struct coordinator *coordinator)
{
    const char *listen = argument_value(arguments, "listen");
    const int host = (int)(strrchr(listen, ':') - listen);
    char tasks[300], stats[300];

    snprintf(tasks, sizeof(tasks), "tcp://%.*s:%u", host, listen,
             coordinator_task_port(coordinator));
    snprintf(stats, sizeof(stats), "tcp://%.*s:%u", host, listen,
             coordinator_stats_port(coordinator));
    if (argument_json(arguments)) {
        print_json(json_pack("{s:s, s:s, s:s}", "schema", "grove.ready/1", "tasks", tasks, "stats",
                             stats));
    } else {
        printf("ready tasks=%s stats=%s\n", tasks, stats);
    }
    fflush(stdout);
}

static void stop(void *coordinator)
{
    coordinator_stop(coordinator);
}

static enum exit_code serve(const struct arguments *arguments,
                            const struct coordinator_options *options)
{
    struct coordinator *coordinator;
    struct signals signals;
    char error[COORDINATOR_ERROR_SIZE];
    enum grove_status status;

    signals_block(&signals.stops);
    status = coordinator_open(options, &coordinator, error);
    if (status != GROVE_OK) {
        complain("coordinator: %s", error);
        return exit_of_opening(status);
    }
    signals_watch(&signals, stop, coordinator);
    print_ready(arguments, coordinator);
    status = coordinator_run(coordinator, error);
    if (status != GROVE_OK) {
        complain("coordinator: %s", error);
    }
    signals_unwatch(&signals);
    coordinator_close(coordinator);
    return exit_of_status(status);
}

/* Any free port can be known to nobody beforehand. */
static bool has_port(const char *listen)
{
    const char *colon = strrchr(listen, ':');

    return colon != NULL && strspn(colon + 1, "0") != strlen(colon + 1);
}

static enum exit_code run(const struct arguments *arguments)
{
    struct coordinator_options wanted = {
        .directory = argument_value(arguments, "data"),
        .listen = argument_value(arguments, "listen"),
        .bootstrap = argument_given(arguments, "bootstrap"),
        .join = argument_given(arguments, "join"),
        .advertise = argument_value(arguments, "advertise"),
    };
    const char *path = argument_value(arguments, "credential");
    struct credential credential;
    struct admitted admitted = {.count = 0};

    if (wanted.directory == NULL || wanted.listen == NULL || path == NULL ||
        arguments->word_count > 0) {
        complain("coordinator: --data DIR, --listen HOST:PORT and --credential FILE are needed, "
                 "and nothing else");
        return EXIT_USAGE;
    }
    if (wanted.bootstrap && wanted.join) {
        complain("coordinator: --bootstrap begins a ledger, --join takes part in another's");
        return EXIT_USAGE;
    }
    wanted.has_peers = has_port(wanted.listen);
    int64_t segment_mib;

    if (!argument_duration(arguments, "abandon", COORDINATOR_ABANDON_MS, &wanted.abandon_ms) ||
        !argument_number(arguments, "segment", 1, 1024, SEGMENT_MIB, &segment_mib)) {
        return EXIT_USAGE;
    }
    wanted.segment_size = (size_t)segment_mib << 20;
    enum exit_code code = load(path, &credential);

    if (code != EXIT_DONE) {
        return code;
    }
    code = load_admitted(arguments, &admitted);
    if (code == EXIT_DONE) {
        wanted.credential = &credential;
        wanted.admitted = admitted.certificates;
        wanted.admitted_count = admitted.count;
        code = serve(arguments, &wanted);
    }
    admitted_clear(&admitted);
    credential_clear(&credential);
    return code;
}

static const struct option options[] = {
    {"data", 0, "DIR", "where the ledger is kept"},
    {"listen", 0, "HOST:PORT", "tasks at PORT, stats at PORT + 1, other coordinators at PORT + 2"},
    {"advertise", 0, "HOST:PORT", "where others find it, if not at --listen"},
    {"bootstrap", 0, NULL, "begin a new ledger when DIR is empty"},
    {"join", 0, NULL, "when DIR is empty, wait to be added to the ledger of others"},
    {"admit", 0, "FILE...", "a credential to admit"},
    {"abandon", 0, "DURATION", "ends joins from outside whose signer is gone for so long (5m)"},
    {"segment", 0, "MIB", "size of the files that the ledger lies in (64)"},
    OPTION_END,
};

const struct subcommand coordinator_subcommand = {
    .name = "coordinator",
    .summary = "Keep the forest of a mesh and drive it",
    .usage = "--data DIR --listen HOST:PORT --credential FILE "
             "[--bootstrap | --join] [--advertise HOST:PORT] [--admit FILE]... "
             "[--abandon DURATION] [--segment MIB]",
    .description = "Prints 'ready' with its endpoints once it serves. SIGTERM stops it; workers go "
                   "on meanwhile.\n"
                   "With --join it waits for 'grove cluster add NAME', by the name of its "
                   "credential.\n"
                   "Exits with 78 when DIR holds data that must not be used, or none and neither "
                   "--bootstrap nor\n--join is given.",
    .options = options,
    .has_section = true,
    .run = run,
};

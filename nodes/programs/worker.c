/* SPDX-License-Identifier: MPL-2.0
 * grove worker: offers shell commands as functions. */
#include <stdio.h>

#include "nodes/programs/connect.h"
#include "nodes/programs/outcome.h"
#include "nodes/programs/signals.h"
#include "nodes/programs/worker_options.h"

static void stop(void *worker)
{
    grove_worker_stop(worker);
}

static void say_ready(void *context)
{
    const struct arguments *arguments = context;

    if (argument_json(arguments)) {
        print_json(json_pack("{s:s}", "schema", "grove.ready/1"));
    } else {
        puts("ready");
    }
    fflush(stdout);
}

static enum exit_code serve(struct grove_worker *worker)
{
    struct signals signals;
    char error[GROVE_ERROR_SIZE];

    signals_watch(&signals, stop, worker);
    const enum grove_status status = grove_worker_run(worker, error);

    signals_unwatch(&signals);
    if (status != GROVE_OK) {
        complain("worker: %s", error);
    }
    return exit_of_status(status);
}

static enum exit_code run(const struct arguments *arguments)
{
    struct grove_worker_options wanted = GROVE_WORKER_OPTIONS_INIT;
    struct arguments copy = *arguments;
    struct grove_worker *worker;
    char path[PATH_MAX], error[GROVE_ERROR_SIZE];
    enum exit_code code;

    if (arguments->word_count > 0 || !worker_options_offer(arguments)) {
        complain("worker: what does it offer? --exec NAME=CMD, --coproc NAME=CMD, --exec-dir DIR, "
                 "or [exec \"NAME\"] "
                 "in the "
                 "configuration, once or more");
        return EXIT_USAGE;
    }
    if (!worker_options_slots(arguments, &wanted.slots)) {
        return EXIT_USAGE;
    }
    if (!connect_choose(arguments, path, &code)) {
        return code;
    }
    wanted.credential_path = path;
    wanted.enlisted = say_ready;
    wanted.context = &copy;
    const enum grove_status status = grove_worker_open(&wanted, &worker, error);

    if (status != GROVE_OK) {
        complain("worker: %s", error);
        return exit_of_status(status);
    }
    code = worker_options_exec(arguments, worker);
    if (code == EXIT_DONE) {
        code = serve(worker);
    }
    grove_worker_close(worker);
    return code;
}

static const struct option options[] = {WORKER_OPTIONS, OPTION_END};

const struct subcommand worker_subcommand = {
    .name = "worker",
    .summary = "Run tasks by shell commands",
    .usage = "[--slots N] [--exec NAME=CMD]... [--coproc NAME=CMD]... [--exec-dir DIR]...",
    .description = "A command gets the payload on stdin; its stdout is the result, its exit status "
                   "the verdict. Prints 'ready'\n"
                   "once the mesh has taken it. SIGTERM drains it: what has started is finished, "
                   "the rest handed back; a\n"
                   "second SIGTERM stops it at once.",
    .options = options,
    .has_section = true,
    .run = run,
};

/* SPDX-License-Identifier: MPL-2.0
 * One binary: a table of subcommands. */
#include "nodes/programs/configuration.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "nodes/host/libraries.h"

/* clang-format off */
const struct subcommand *const subcommands[] = {
    &dev_subcommand,         &coordinator_subcommand, &worker_subcommand,   &run_subcommand,
    &submit_subcommand,      &wait_subcommand,        &result_subcommand,   &map_subcommand,
    &gather_subcommand,      &race_subcommand,        &cancel_subcommand,   &progress_subcommand,
    &checkpoint_subcommand,  &log_subcommand,         &fail_subcommand,     &tree_subcommand,
    &task_subcommand,        &roots_subcommand,       &failures_subcommand, &retry_subcommand,
    &top_subcommand,         &events_subcommand,      &explain_subcommand,  &functions_subcommand,
    &workers_subcommand,     &stats_subcommand,       &limit_subcommand,    &keys_subcommand,
    &cluster_subcommand,     &check_subcommand,       &doctor_subcommand,   &config_subcommand,
    &completions_subcommand, &version_subcommand,     &help_subcommand,     NULL,
};
/* clang-format on */

const struct subcommand *subcommand_find(const char *name)
{
    for (size_t i = 0; subcommands[i] != NULL; i++) {
        if (strcmp(subcommands[i]->name, name) == 0) {
            return subcommands[i];
        }
    }
    return NULL;
}

void complain_unknown_command(const char *word)
{
    const char *names[sizeof(subcommands) / sizeof(subcommands[0])];
    size_t count = 0;

    for (; subcommands[count] != NULL; count++) {
        names[count] = subcommands[count]->name;
    }
    const char *nearest = nearest_word(word, names, count);

    if (nearest != NULL) {
        complain("unknown command '%s'; did you mean '%s'?", word, nearest);
    } else {
        complain("unknown command '%s'; 'grove help' lists them all", word);
    }
}

/* A result that could not be written whole is no success: a full disk behind a pipe must not go
 * unseen. */
static enum exit_code flush(enum exit_code code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain("cannot write to standard output");
        return code == EXIT_DONE ? EXIT_SYSTEM : code;
    }
    return code;
}

static enum exit_code run_configured(const struct subcommand *command, struct arguments *arguments)
{
    struct configuration configuration;
    enum exit_code code = EXIT_REFUSED_DATA;
    json_t *wrong;
    size_t i;

    configuration_load(argument_value(arguments, "config"), &configuration);
    json_array_foreach(configuration.wrong, i, wrong)
    {
        complain("%s", json_string_value(wrong));
    }
    arguments->configuration = &configuration;
    if (json_array_size(configuration.wrong) == 0) {
        code = configuration_apply(&configuration, command, arguments) ? command->run(arguments)
                                                                       : EXIT_USAGE;
    }
    arguments->configuration = NULL;
    configuration_clear(&configuration);
    return code;
}

static enum exit_code run(int argc, char **argv)
{
    struct arguments arguments;

    signal(SIGPIPE, SIG_IGN);
    if (argc < 2 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        arguments = (struct arguments){.word_count = 0};
        help_subcommand.run(&arguments);
        return flush(argc < 2 ? EXIT_USAGE : EXIT_DONE);
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    const struct subcommand *command = subcommand_find(name);

    if (command == NULL) {
        complain_unknown_command(name);
        return EXIT_USAGE;
    }
    if (!arguments_parse(command, argc - 2, argv + 2, &arguments)) {
        return EXIT_USAGE;
    }
    if (argument_given(&arguments, "help")) {
        print_help(command);
        return flush(EXIT_DONE);
    }
    if (host_check_libraries() != GROVE_OK) {
        return EXIT_SYSTEM;
    }
    const enum exit_code code = command->ignores_configuration
                                    ? command->run(&arguments)
                                    : run_configured(command, &arguments);

    arguments_clear(&arguments);
    return flush(code);
}

/* libzmq keeps the link key in ordinary memory: nobody is to read it there, nor in a core dump. */
int main(int argc, char **argv)
{
    prctl(PR_SET_DUMPABLE, 0);
    return (int)run(argc, argv);
}

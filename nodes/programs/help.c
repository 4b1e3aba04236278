/* SPDX-License-Identifier: MPL-2.0
 * grove help [COMMAND] */
#include "nodes/programs/program.h"

#include <stdio.h>
#include <string.h>

#include "nodes/programs/manual.h"
#include "nodes/programs/outcome.h"

static json_t *options_json(const struct option *options)
{
    json_t *list = json_array();

    for (; options != NULL && options->name != NULL; options++) {
        const char letter[] = {options->letter, '\0'};

        json_array_append_new(list, json_pack("{s:s, s:s?, s:s?, s:s}", "name", options->name,
                                              "letter", options->letter != 0 ? letter : NULL,
                                              "value", options->value, "help", options->help));
    }
    return list;
}

static json_t *verbs_json(const struct verb *verbs)
{
    json_t *list = json_array();

    for (; verbs != NULL && verbs->name != NULL; verbs++) {
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", verbs->name, "usage",
                                              verbs->usage, "help", verbs->help));
    }
    return list;
}

static json_t *command_json(const struct subcommand *command)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o}", "name", command->name, "summary",
                     command->summary, "usage", command->usage, "configured", command->has_section,
                     "verbs", verbs_json(command->verbs), "options",
                     options_json(command->options));
}

static json_t *commands_json(void)
{
    json_t *list = json_array();

    for (size_t i = 0; subcommands[i] != NULL; i++) {
        json_array_append_new(list, command_json(subcommands[i]));
    }
    return json_pack("{s:s, s:o, s:o}", "schema", "grove.commands/1", "commands", list, "options",
                     options_json(common_options));
}

static enum exit_code run(const struct arguments *arguments)
{
    if (arguments->word_count > 0) {
        const struct subcommand *command = subcommand_find(arguments->word[0]);

        if (command == NULL) {
            complain_unknown_command(arguments->word[0]);
            return EXIT_USAGE;
        }
        print_help(command);
        return EXIT_DONE;
    }
    const char *part = argument_value(arguments, "manual");

    if (part != NULL) {
        (strcmp(part, "commands") == 0 ? manual_print_commands : manual_print_settings)();
        return EXIT_DONE;
    }
    if (argument_json(arguments)) {
        print_json(commands_json());
        return EXIT_DONE;
    }
    printf("usage: grove COMMAND [OPTIONS]\n\n"
           "A distributed worker mesh: tasks in, signed results out.\n\n");
    for (size_t i = 0; subcommands[i] != NULL; i++) {
        printf("  %-12s %s\n", subcommands[i]->name, subcommands[i]->summary);
    }
    printf("\n'grove help COMMAND' tells the rest. Start with 'grove dev', then 'grove run -t echo "
           "hello'.\n"
           "Exit codes: 0 done, 1 task failed, 2 usage, 3 not found, 4 refused, 5 no leader, 6 "
           "deadline,\n"
           "7 cancelled, 8 conflict.\n");
    return EXIT_DONE;
}

static const struct option options[] = {
    {"manual", 0, "PART", "commands or settings, as source of the manual (scdoc)"},
    OPTION_END,
};

const struct subcommand help_subcommand = {
    .name = "help",
    .summary = "Tell what the commands do",
    .usage = "[COMMAND]",
    .options = options,
    .operand = "COMMAND",
    .ignores_configuration = true,
    .run = run,
};

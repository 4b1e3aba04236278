/* SPDX-License-Identifier: MPL-2.0
 * grove config show|check: what the configuration says, and whether it is right. */
#include <string.h>

#include "core/limits.h"
#include "nodes/programs/configuration.h"
#include "nodes/programs/outcome.h"
#include "nodes/programs/worker_options.h"

static json_t *files_json(const struct configuration *configuration)
{
    json_t *files = json_array();

    for (unsigned i = 0; i < configuration->path_count; i++) {
        json_array_append_new(files, json_string(configuration->path[i]));
    }
    return files;
}

/* ---- show */

struct showing {
    const struct arguments *arguments;
    const struct configuration *configuration;
    json_t *values;
};

static void add(const struct showing *showing, const char *section, const struct option *option,
                const struct setting *setting)
{
    json_array_append_new(showing->values,
                          json_pack("{s:s, s:s, s:s, s:s}", "section", section, "key", option->name,
                                    "value", setting->value, "origin", setting->origin));
}

static bool find_given(const struct arguments *arguments, const struct option *option,
                       struct setting *setting)
{
    const char *value = argument_value(arguments, option->name);

    snprintf(setting->origin, sizeof(setting->origin), "--%s", option->name);
    setting->value = value != NULL ? value : "yes";
    setting->entry = NULL;
    return argument_given(arguments, option->name) && strcmp(option->name, "config") != 0;
}

/* What stands in it; and what every command takes, from wherever that comes, in [client] alone. */
static void add_section(const struct showing *showing, const char *section,
                        const struct option *options)
{
    const bool is_client = strcmp(section, "client") == 0;
    struct setting setting;

    for (const struct option *option = options; option->name != NULL; option++) {
        if (is_client && find_given(showing->arguments, option, &setting)) {
            add(showing, section, option, &setting);
            continue;
        }
        for (size_t i = 0; configuration_find(showing->configuration, section, option, i, &setting);
             i++) {
            if (is_client || options != common_options || setting.entry != NULL) {
                add(showing, section, option, &setting);
            }
        }
    }
}

static void add_sections(const struct showing *showing)
{
    char name[LIMIT_FUNCTION_LENGTH + 1], section[LIMIT_FUNCTION_LENGTH + 16];

    add_section(showing, "client", common_options);
    for (size_t i = 0; subcommands[i] != NULL; i++) {
        if (subcommands[i]->has_section) {
            add_section(showing, subcommands[i]->name, subcommands[i]->options);
            add_section(showing, subcommands[i]->name, common_options);
        }
    }
    for (size_t i = 0; configuration_exec(showing->configuration, i, name); i++) {
        snprintf(section, sizeof(section), "exec \"%s\"", name);
        add_section(showing, section, exec_options);
    }
}

/* As a configuration file, with origins as comments. */
static void print_values(const json_t *values, bool has_origins)
{
    const char *section = "", *key, *text, *origin, *in;
    json_t *value;
    size_t i;

    json_array_foreach(values, i, value)
    {
        json_unpack(value, "{s:s, s:s, s:s, s:s}", "section", &in, "key", &key, "value", &text,
                    "origin", &origin);
        if (strcmp(section, in) != 0) {
            printf("%s[%s]\n", i > 0 ? "\n" : "", in);
            section = in;
        }
        if (has_origins) {
            fputs("# ", stdout);
            print_text(stdout, origin);
            putchar('\n');
        }
        printf("%s = ", key);
        print_text(stdout, text);
        putchar('\n');
    }
}

static enum exit_code complain_wrong(const struct configuration *configuration)
{
    const json_t *wrong;
    size_t i;

    json_array_foreach(configuration->wrong, i, wrong)
    {
        complain("%s", json_string_value(wrong));
    }
    return i == 0 ? EXIT_DONE : EXIT_REFUSED_DATA;
}

static enum exit_code show(const struct arguments *arguments)
{
    struct configuration configuration;
    struct showing showing = {arguments, &configuration, json_array()};

    configuration_load(argument_value(arguments, "config"), &configuration);
    const enum exit_code code = complain_wrong(&configuration);

    if (code == EXIT_DONE) {
        add_sections(&showing);
    }
    if (code == EXIT_DONE && argument_json(arguments)) {
        print_json(json_pack("{s:s, s:o, s:O}", "schema", "grove.config/1", "files",
                             files_json(&configuration), "values", showing.values));
    } else if (code == EXIT_DONE) {
        print_values(showing.values, argument_given(arguments, "origin"));
    }
    json_decref(showing.values);
    configuration_clear(&configuration);
    return code;
}

/* ---- check */

static enum exit_code check(const struct arguments *arguments)
{
    const char *given =
        arguments->word_count > 1 ? arguments->word[1] : argument_value(arguments, "config");
    struct configuration configuration;

    configuration_load(given, &configuration);
    const enum exit_code code = complain_wrong(&configuration);

    if (argument_json(arguments)) {
        print_json(json_pack("{s:s, s:o, s:O}", "schema", "grove.config_check/1", "files",
                             files_json(&configuration), "wrong", configuration.wrong));
    } else if (code == EXIT_DONE) {
        for (unsigned i = 0; i < configuration.path_count; i++) {
            print_text(stdout, configuration.path[i]);
            puts(": ok");
        }
    }
    configuration_clear(&configuration);
    return code;
}

static enum exit_code run(const struct arguments *arguments)
{
    if (arguments->word_count > 2) {
        complain("config: one file at a time");
        return EXIT_USAGE;
    }
    return run_verb(&config_subcommand, arguments);
}

static const struct verb verbs[] = {
    {"show", "[--origin]", NULL, "print each value that a file or the environment gives", show},
    {"check", "[FILE]", "FILE", "say what is wrong in a file, or in those that commands read",
     check},
    VERB_END,
};

static const struct option options[] = {
    {"origin", 0, NULL, "show: where each comes from"},
    OPTION_END,
};

const struct subcommand config_subcommand = {
    .name = "config",
    .summary = "Show and check the configuration",
    .usage = "show [--origin] | check [FILE]",
    .description =
        "A command line comes before the environment (GROVE_COLOR, GROVE_WORKER_SLOTS), that "
        "before "
        "the user's\ngrove/grove.conf in $XDG_CONFIG_HOME or ~/.config, that before "
        "/etc/grove/grove.conf. --config or\nGROVE_CONFIG name one file instead of the two. Its "
        "sections are [client], which every command reads,\n[coordinator], [worker], [dev], and "
        "[exec \"NAME\"] for each command that a worker offers; its keys are\nthe options.",
    .options = options,
    .verbs = verbs,
    .ignores_configuration = true,
    .run = run,
};

/* SPDX-License-Identifier: MPL-2.0
 * What `grove worker` and `grove dev` have in common. */
#include "nodes/programs/worker_options.h"

#include <stdio.h>
#include <string.h>

#include "core/limits.h"
#include "nodes/programs/configuration.h"
#include "nodes/programs/exec_directory.h"
#include "nodes/programs/values.h"

bool worker_options_slots(const struct arguments *arguments, uint32_t *slots)
{
    int64_t number;

    if (!argument_number(arguments, "slots", 1, LIMIT_SLOTS, 0, &number)) {
        return false;
    }
    *slots = (uint32_t)number;
    return true;
}

static uint32_t bounded_ms(uint64_t ms)
{
    return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

/* A command to be offered. */
struct command {
    const char *text;
    struct grove_command_options options;
};

/* `what` said that it is to be offered. */
static enum exit_code offer(struct grove_worker *worker, const char *what, const char *name,
                            const struct command *command)
{
    const enum grove_status status =
        grove_worker_command(worker, name, command->text, &command->options);

    if (status == GROVE_OK) {
        return EXIT_DONE;
    }
    complain("%s %s: %s", what, name,
             status == GROVE_CONFLICT  ? "it is offered already"
             : status == GROVE_INVALID ? "a function is named [a-z0-9._-]{1,63}"
                                       : grove_status_text(status));
    return EXIT_USAGE;
}

static enum exit_code add(struct grove_worker *worker, const char *what, const char *text,
                          struct command *command)
{
    const char *equals = strchr(text, '=');
    char name[LIMIT_FUNCTION_LENGTH + 1];
    const size_t length = equals != NULL ? (size_t)(equals - text) : 0;

    if (length == 0 || length >= sizeof(name) || equals[1] == '\0') {
        complain("%s wants NAME=CMD, not '%s'", what, text);
        return EXIT_USAGE;
    }
    snprintf(name, sizeof(name), "%.*s", (int)length, text);
    command->text = equals + 1;
    return offer(worker, what, name, command);
}

static enum exit_code add_directory(struct grove_worker *worker, const char *path,
                                    struct command *command)
{
    struct exec_directory directory;
    enum exit_code code = exec_directory_read(path, &directory);

    for (size_t i = 0; code == EXIT_DONE && i < directory.count; i++) {
        command->text = directory.list[i].command;
        code = offer(worker, "--exec-dir", directory.list[i].name, command);
    }
    exec_directory_clear(&directory);
    return code;
}

/* ---- [exec "NAME"] */

const struct option exec_options[] = {
    {"command", 0, "CMD", "the shell command"},
    {"coproc", 0, NULL, "it stays: attempts and answers are lines of JSON"},
    {"grace", 0, "DURATION", "between SIGTERM and SIGKILL of it (that of the worker)"},
    OPTION_END,
};

static bool has_section(const struct arguments *arguments, size_t i, char *name)
{
    return arguments->configuration != NULL &&
           configuration_exec(arguments->configuration, i, name);
}

static bool is_given_by(const struct arguments *arguments, const char *option, const char *name)
{
    const size_t length = strlen(name);
    const char *text;

    for (size_t i = 0; (text = argument_value_at(arguments, option, i)) != NULL; i++) {
        if (strncmp(text, name, length) == 0 && text[length] == '=') {
            return true;
        }
    }
    return false;
}

/* A flag comes before what a file says. */
static bool is_given(const struct arguments *arguments, const char *name)
{
    return is_given_by(arguments, "exec", name) || is_given_by(arguments, "coproc", name);
}

/* What a section does not say is as for all commands. */
static enum exit_code add_section(const struct arguments *arguments, const char *name,
                                  struct grove_worker *worker, struct command command)
{
    const struct configuration *configuration = arguments->configuration;
    const char *grace = configuration_exec_value(configuration, name, "grace");
    const char *coproc = configuration_exec_value(configuration, name, "coproc");
    uint64_t grace_ms;
    bool stays;

    command.text = configuration_exec_value(configuration, name, "command");
    if (command.text == NULL) {
        complain("[exec \"%s\"] has no command", name);
        return EXIT_REFUSED_DATA;
    }
    if (coproc != NULL && value_switch(coproc, &stays) && stays) {
        command.options.mode = GROVE_COMMAND_STAYS;
    }
    if (grace != NULL && value_duration(grace, &grace_ms)) {
        command.options.grace_ms = bounded_ms(grace_ms);
    }
    return offer(worker, "exec", name, &command);
}

bool worker_options_offer(const struct arguments *arguments)
{
    char name[LIMIT_FUNCTION_LENGTH + 1];

    return argument_given(arguments, "exec") || argument_given(arguments, "coproc") ||
           argument_given(arguments, "exec-dir") || has_section(arguments, 0, name);
}

enum exit_code worker_options_exec(const struct arguments *arguments, struct grove_worker *worker)
{
    struct command command = {.options = GROVE_COMMAND_OPTIONS_INIT};
    enum exit_code code = EXIT_DONE;
    char name[LIMIT_FUNCTION_LENGTH + 1];
    uint64_t grace_ms;
    const char *text;

    if (!argument_duration(arguments, "grace", 0, &grace_ms)) {
        return EXIT_USAGE;
    }
    command.options.grace_ms = bounded_ms(grace_ms);
    for (size_t i = 0;
         code == EXIT_DONE && (text = argument_value_at(arguments, "exec", i)) != NULL; i++) {
        code = add(worker, "--exec", text, &command);
    }
    for (size_t i = 0;
         code == EXIT_DONE && (text = argument_value_at(arguments, "coproc", i)) != NULL; i++) {
        struct command staying = command;

        staying.options.mode = GROVE_COMMAND_STAYS;
        code = add(worker, "--coproc", text, &staying);
    }
    for (size_t i = 0;
         code == EXIT_DONE && (text = argument_value_at(arguments, "exec-dir", i)) != NULL; i++) {
        code = add_directory(worker, text, &command);
    }
    for (size_t i = 0; code == EXIT_DONE && has_section(arguments, i, name); i++) {
        code =
            is_given(arguments, name) ? EXIT_DONE : add_section(arguments, name, worker, command);
    }
    return code;
}

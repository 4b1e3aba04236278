/* SPDX-License-Identifier: MPL-2.0
 * What `grove worker` and `grove dev` have in common. */
#include "nodes/programs/worker_options.h"

#include <stdio.h>
#include <string.h>

#include "core/limits.h"
#include "nodes/programs/configuration.h"

bool worker_options_slots(const struct arguments *arguments, uint32_t *slots)
{
    int64_t number;

    if (!argument_number(arguments, "slots", 1, LIMIT_SLOTS, 0, &number)) {
        return false;
    }
    *slots = (uint32_t)number;
    return true;
}

static enum exit_code offer(struct grove_worker *worker, const char *name, const char *command)
{
    const enum grove_status status = grove_worker_exec(worker, name, command);

    if (status == GROVE_OK) {
        return EXIT_DONE;
    }
    complain("--exec %s: %s", name,
             status == GROVE_CONFLICT  ? "it is offered already"
             : status == GROVE_INVALID ? "a function is named [a-z0-9._-]{1,63}"
                                       : grove_status_text(status));
    return EXIT_USAGE;
}

static enum exit_code add(struct grove_worker *worker, const char *text)
{
    const char *equals = strchr(text, '=');
    char name[LIMIT_FUNCTION_LENGTH + 1];
    const size_t length = equals != NULL ? (size_t)(equals - text) : 0;

    if (length == 0 || length >= sizeof(name) || equals[1] == '\0') {
        complain("--exec wants NAME=CMD, not '%s'", text);
        return EXIT_USAGE;
    }
    snprintf(name, sizeof(name), "%.*s", (int)length, text);
    return offer(worker, name, equals + 1);
}

/* ---- [exec "NAME"] */

const struct option exec_options[] = {
    {"command", 0, "CMD", "the shell command"},
    OPTION_END,
};

static bool has_section(const struct arguments *arguments, size_t i, char *name)
{
    return arguments->configuration != NULL &&
           configuration_exec(arguments->configuration, i, name);
}

/* By --exec: a flag comes before what a file says. */
static bool is_given(const struct arguments *arguments, const char *name)
{
    const size_t length = strlen(name);
    const char *text;

    for (size_t i = 0; (text = argument_value_at(arguments, "exec", i)) != NULL; i++) {
        if (strncmp(text, name, length) == 0 && text[length] == '=') {
            return true;
        }
    }
    return false;
}

static enum exit_code add_section(const struct arguments *arguments, const char *name,
                                  struct grove_worker *worker)
{
    const char *command = configuration_exec_value(arguments->configuration, name, "command");

    if (command == NULL) {
        complain("[exec \"%s\"] has no command", name);
        return EXIT_REFUSED_DATA;
    }
    return offer(worker, name, command);
}

bool worker_options_offer(const struct arguments *arguments)
{
    char name[LIMIT_FUNCTION_LENGTH + 1];

    return argument_given(arguments, "exec") || has_section(arguments, 0, name);
}

enum exit_code worker_options_exec(const struct arguments *arguments, struct grove_worker *worker)
{
    enum exit_code code = EXIT_DONE;
    char name[LIMIT_FUNCTION_LENGTH + 1];
    const char *text;

    for (size_t i = 0;
         code == EXIT_DONE && (text = argument_value_at(arguments, "exec", i)) != NULL; i++) {
        code = add(worker, text);
    }
    for (size_t i = 0; code == EXIT_DONE && has_section(arguments, i, name); i++) {
        code = is_given(arguments, name) ? EXIT_DONE : add_section(arguments, name, worker);
    }
    return code;
}

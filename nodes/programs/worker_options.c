/* SPDX-License-Identifier: MPL-2.0
 * What `grove worker` and `grove dev` have in common. */
#include "nodes/programs/worker_options.h"

#include <stdio.h>
#include <string.h>

#include "core/limits.h"

bool worker_options_slots(const struct arguments *arguments, uint32_t *slots)
{
    int64_t number;

    if (!argument_number(arguments, "slots", 1, LIMIT_SLOTS, 0, &number)) {
        return false;
    }
    *slots = (uint32_t)number;
    return true;
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
    const enum grove_status status = grove_worker_exec(worker, name, equals + 1);

    if (status == GROVE_OK) {
        return EXIT_DONE;
    }
    complain("--exec %s: %s", name,
             status == GROVE_CONFLICT  ? "it is offered already"
             : status == GROVE_INVALID ? "a function is named [a-z0-9._-]{1,63}"
                                       : grove_status_text(status));
    return EXIT_USAGE;
}

enum exit_code worker_options_exec(const struct arguments *arguments, struct grove_worker *worker)
{
    enum exit_code code = EXIT_DONE;
    const char *text;

    for (size_t i = 0;
         code == EXIT_DONE && (text = argument_value_at(arguments, "exec", i)) != NULL; i++) {
        code = add(worker, text);
    }
    return code;
}

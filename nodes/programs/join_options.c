/* SPDX-License-Identifier: MPL-2.0
 * A join from a command line. */
#include "nodes/programs/join_options.h"

#include <string.h>

#include "core/limits.h"
#include "nodes/host/clock.h"

bool join_options_parse(const struct arguments *arguments, struct grove_join_options *options,
                        struct grove_task *model)
{
    int64_t priority, attempts, failures;
    uint64_t deadline_ms;

    *options = (struct grove_join_options)GROVE_JOIN_OPTIONS_INIT;
    *model = (struct grove_task)GROVE_TASK_INIT;
    if (!argument_number(arguments, "priority", -LIMIT_PRIORITY, LIMIT_PRIORITY, 0, &priority) ||
        !argument_number(arguments, "attempts", 1, LIMIT_ATTEMPTS, 1, &attempts) ||
        !argument_number(arguments, "max-failures", 1, LIMIT_JOIN_INPUTS, 0, &failures) ||
        !argument_duration(arguments, "deadline", 0, &deadline_ms) ||
        !argument_duration(arguments, "timeout", 0, &model->timeout_ms)) {
        return false;
    }
    if (argument_given(arguments, "stop-on-failure") && failures > 0) {
        complain("--stop-on-failure or --max-failures, not both");
        return false;
    }
    model->max_attempts = (uint32_t)attempts;
    model->content_type = argument_value(arguments, "content-type");
    options->key = argument_value(arguments, "key");
    options->has_priority = argument_given(arguments, "priority");
    options->priority = (int)priority;
    options->stop_on_failure = argument_given(arguments, "stop-on-failure");
    options->max_failures = (uint32_t)failures;
    if (argument_given(arguments, "deadline")) {
        options->deadline_ms = clock_unix_ms() + deadline_ms;
    }
    return true;
}

/* A name that is too long is no name, and neither is what is left of it here. */
struct grove_task join_options_task(const struct grove_task *model, const char *word,
                                    char function[JOIN_FUNCTION_SIZE])
{
    struct grove_task task = *model;
    const size_t size = strcspn(word, "=");
    const bool is_long = size >= JOIN_FUNCTION_SIZE;

    memcpy(function, is_long ? "" : word, is_long ? 0 : size);
    function[is_long ? 0 : size] = '\0';
    task.function = function;
    if (word[size] == '=') {
        task.payload = (struct grove_bytes){word + size + 1, strlen(word + size + 1)};
    }
    return task;
}

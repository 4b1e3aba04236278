/* SPDX-License-Identifier: MPL-2.0
 * A task from a command line. */
#include "nodes/programs/task_options.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/limits.h"
#include "nodes/host/clock.h"

#define CHUNK ((size_t)64 * 1024)

bool task_options_parse(const struct arguments *arguments, struct grove_task *task)
{
    int64_t priority, attempts;
    uint64_t deadline_ms;

    *task = (struct grove_task)GROVE_TASK_INIT;
    task->function = argument_value(arguments, "task");
    task->key = argument_value(arguments, "key");
    task->content_type = argument_value(arguments, "content-type");
    task->has_priority = argument_given(arguments, "priority");
    if (task->function == NULL) {
        complain("which function? -t FUNCTION");
        return false;
    }
    if (!argument_number(arguments, "priority", -LIMIT_PRIORITY, LIMIT_PRIORITY, 0, &priority) ||
        !argument_number(arguments, "attempts", 1, LIMIT_ATTEMPTS, 1, &attempts) ||
        !argument_duration(arguments, "delay", 0, &task->delay_ms) ||
        !argument_duration(arguments, "deadline", 0, &deadline_ms) ||
        !argument_duration(arguments, "timeout", 0, &task->timeout_ms)) {
        return false;
    }
    task->priority = (int)priority;
    task->max_attempts = (uint32_t)attempts;
    task->at_most_once = argument_given(arguments, "at-most-once");
    if (argument_given(arguments, "deadline")) {
        task->deadline_ms = clock_unix_ms() + deadline_ms;
    }
    return true;
}

static bool read_input(struct buffer *memory)
{
    ssize_t got;

    do {
        uint8_t *at = buffer_extend(memory, CHUNK);

        got = read(STDIN_FILENO, at, CHUNK);
        memory->size -= CHUNK - (got > 0 ? (size_t)got : 0);
    } while ((got > 0 && memory->size <= LIMIT_PAYLOAD_SIZE) || (got < 0 && errno == EINTR));
    return got >= 0;
}

bool task_options_payload(const struct arguments *arguments, struct buffer *memory,
                          struct grove_bytes *payload, enum exit_code *code)
{
    *code = EXIT_USAGE;
    if (arguments->word_count > 1) {
        complain("one payload, not %zu words; quote it", arguments->word_count);
        return false;
    }
    if (arguments->word_count == 1) {
        *payload = (struct grove_bytes){arguments->word[0], strlen(arguments->word[0])};
    } else if (read_input(memory)) {
        *payload = (struct grove_bytes){memory->data, memory->size};
    } else {
        complain("cannot read the payload from stdin: %s", strerror(errno));
        *code = EXIT_SYSTEM;
        return false;
    }
    if (payload->size > LIMIT_PAYLOAD_SIZE) {
        complain("the payload is over the limit of %zu bytes; store it, and submit where it is",
                 (size_t)LIMIT_PAYLOAD_SIZE);
        *code = EXIT_REFUSED;
        return false;
    }
    return true;
}

enum exit_code task_options_refused(const char *where, const struct grove_failure *failure)
{
    fprintf(stderr, "grove: %snot accepted (%s): ", where, failure->reason);
    print_text(stderr, failure->text);
    fputc('\n', stderr);
    return exit_of_status(failure->status);
}

/* SPDX-License-Identifier: MPL-2.0
 * What a task may ask for, and its item. */
#include "nodes/client/task.h"

#include "nodes/client/nonce.h"

static const char *complaint(const struct grove_task *task, enum grove_status *status)
{
    *status = GROVE_INVALID;
    if (!wire_function_is_valid(bytes_of_text(task->function))) {
        return "a function's name is 1 to 63 of a-z, 0-9, '.', '_' and '-'";
    }
    if (task->content_type && strlen(task->content_type) > LIMIT_CONTENT_TYPE_LENGTH) {
        return "the content type is longer than 127 bytes";
    }
    if (task->key && strlen(task->key) > LIMIT_KEY_LENGTH) {
        return "the key is longer than 128 bytes";
    }
    if (task->priority < -LIMIT_PRIORITY || task->priority > LIMIT_PRIORITY) {
        return "a priority is -100 to 100";
    }
    if (task->max_attempts > LIMIT_ATTEMPTS) {
        return "more than 1,000 attempts";
    }
    if (task->payload.size > LIMIT_PAYLOAD_SIZE) {
        *status = GROVE_TOO_LARGE;
        return "the payload is larger than 1 MiB (1,048,576 bytes)";
    }
    return NULL;
}

const char *task_take(const struct grove_task *task, struct grove_task *copy,
                      enum grove_status *status)
{
    *copy = (struct grove_task)GROVE_TASK_INIT;
    if (task->size < offsetof(struct grove_task, content_type)) {
        *status = GROVE_INVALID;
        return "a task must begin with its size: use GROVE_TASK_INIT";
    }
    memcpy(copy, task, task->size < sizeof(*copy) ? task->size : sizeof(*copy));
    return complaint(copy, status);
}

uint64_t task_expires_ms(const struct grove_task *task)
{
    return task->expires_ms > 0 ? task->expires_ms : LIMIT_EXPIRES_MS;
}

struct task_item task_make_item(const struct grove_task *task, uint64_t ledger_ms)
{
    struct task_item item = {
        .function = bytes_of_text(task->function),
        .payload = bytes_of(task->payload.data, task->payload.size),
        .content_type = bytes_of_text(task->content_type),
        .key = bytes_of_text(task->key),
        .has_priority = task->has_priority || task->priority != 0,
        .priority = task->priority,
        .delay_ms = task->delay_ms,
        .deadline_ms = task->deadline_ms,
        .timeout_ms = task->timeout_ms,
        .max_attempts = task->max_attempts,
        .at_most_once = task->at_most_once,
        .fresh = task->fresh,
        .expires_ms = ledger_ms + task_expires_ms(task),
    };

    memcpy(&item.retry_of, &task->retry_of, sizeof(item.retry_of));
    item.has_retry_of = !id_is_zero(&item.retry_of);
    nonce_fill(item.nonce);
    return item;
}

const struct grove_task *task_at(const struct grove_task *tasks, size_t i)
{
    return (const struct grove_task *)(const void *)((const char *)tasks + i * tasks->size);
}

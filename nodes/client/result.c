/* SPDX-License-Identifier: MPL-2.0
 * Results and failures as the caller gets them. */
#include "nodes/client/result.h"

#include <assert.h>
#include <stdlib.h>

#include "core/id.h"

static_assert(sizeof(struct grove_id) == sizeof(struct id), "ids are copied whole");
static_assert(ID_TEXT_SIZE == GROVE_ID_TEXT_SIZE, "one form of ids");
static_assert(LIMIT_PAYLOAD_SIZE == GROVE_PAYLOAD_SIZE, "one limit of payloads");

const char *grove_code_name(enum grove_code code)
{
    return code == GROVE_CODE_NONE ? "none" : outcome_code_name((enum outcome_code)code);
}

const char *grove_version(void)
{
    return GROVE_PACKAGE_VERSION;
}

void grove_id_format(const struct grove_id *id, char text[GROVE_ID_TEXT_SIZE])
{
    struct id copy;

    memcpy(&copy, id, sizeof(copy));
    id_format(&copy, text);
}

bool grove_id_parse(const char *text, struct grove_id *id)
{
    struct id parsed;

    if (!id_parse(text, &parsed)) {
        return false;
    }
    memcpy(id, &parsed, sizeof(*id));
    return true;
}

void grove_result_clear(struct grove_result *result)
{
    if (result) {
        free(result->memory);
        memset(result, 0, sizeof(*result));
    }
}

void grove_failure_clear(struct grove_failure *failure)
{
    if (failure) {
        free(failure->memory);
        memset(failure, 0, sizeof(*failure));
    }
}

static char *allocate(size_t size)
{
    char *memory = malloc(size);

    if (!memory) {
        abort();
    }
    return memory;
}

/* Copies to `*at` with a NUL behind, and moves it on. */
static const char *place(char **at, struct bytes bytes)
{
    char *start = *at;

    if (bytes.size > 0) {
        memcpy(start, bytes.data, bytes.size);
    }
    start[bytes.size] = '\0';
    *at += bytes.size + 1;
    return start;
}

void result_write(struct grove_result *result, const struct result_item *item)
{
    if (!result) {
        return;
    }

    char *at = allocate(item->bytes.size + item->content_type.size + 2);

    memset(result, 0, sizeof(*result));
    result->memory = at;
    memcpy(&result->task, &item->task, sizeof(result->task));
    result->bytes = (struct grove_bytes){place(&at, item->bytes), item->bytes.size};
    result->content_type = place(&at, item->content_type);
    result->attempt = item->attempt;
    result->run_ms = item->run_ms;
}

void failure_write(struct grove_failure *failure, const struct failing *failing)
{
    if (!failure) {
        return;
    }

    char *at = allocate(failing->function.size + failing->text.size + failing->bytes.size + 3);

    memset(failure, 0, sizeof(*failure));
    failure->memory = at;
    memcpy(&failure->task, &failing->task, sizeof(failure->task));
    failure->function = place(&at, failing->function);
    failure->code = failing->code;
    failure->status = failing->status;
    failure->reason = failing->reason;
    failure->text = place(&at, failing->text);
    failure->bytes = (struct grove_bytes){place(&at, failing->bytes), failing->bytes.size};
    failure->attempt = failing->attempt;
    failure->retryable = failing->retryable;
}

struct failing failing_of_result(const struct result_item *item)
{
    enum grove_code code = (enum grove_code)item->code;

    return (struct failing){
        .task = item->task,
        .function = item->function,
        .code = code,
        .status = GROVE_FAILED,
        .reason = grove_code_name(code),
        .text = item->text,
        .bytes = item->bytes,
        .attempt = item->attempt,
    };
}

struct failing failing_of_verdict(const struct verdict_item *item)
{
    enum grove_code code = (enum grove_code)item->code;

    return (struct failing){
        .task = item->task,
        .function = item->function,
        .code = code,
        .status = GROVE_FAILED,
        .reason = grove_code_name(code),
        .text = item->text.size > 0 ? item->text : bytes_of_text(grove_code_name(code)),
    };
}

struct failing failing_of_refusal(enum refusal refusal, struct bytes text)
{
    enum grove_status status = refusal_status(refusal);

    return (struct failing){
        .code = GROVE_CODE_NONE,
        .status = status == GROVE_OK ? GROVE_REFUSED : status,
        .reason = refusal_name(refusal),
        .text = text.size > 0 ? text : bytes_of_text(refusal_text(refusal)),
        .retryable = refusal_is_retryable(refusal),
    };
}

struct failing failing_of_status(enum grove_status status, const char *text)
{
    return (struct failing){
        .code = GROVE_CODE_NONE,
        .status = status,
        .reason = grove_status_name(status),
        .text = bytes_of_text(text ? text : grove_status_text(status)),
        .retryable = status == GROVE_TIMEOUT || status == GROVE_BUSY || status == GROVE_NO_LEADER,
    };
}

struct failing failing_of_failure(const struct grove_failure *failure)
{
    struct failing failing = {
        .function = bytes_of_text(failure->function),
        .code = failure->code,
        .status = failure->status,
        .reason = failure->reason,
        .text = bytes_of_text(failure->text),
        .bytes = bytes_of(failure->bytes.data, failure->bytes.size),
        .attempt = failure->attempt,
        .retryable = failure->retryable,
    };

    memcpy(&failing.task, &failure->task, sizeof(failing.task));
    return failing;
}

/* SPDX-License-Identifier: MPL-2.0
 * What the worker of `grove dev` offers.
 *
 *   flow {"segments":3,"steps":3}          submits its segments one after the other
 *   └─ segment {"segment":1,"steps":3}     likewise its steps
 *      └─ step {"segment":1,"step":1}
 *
 * "step_ms" says how long each step takes; it is handed down. */
#include "nodes/programs/dev_functions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#define SLICE_MS 20 /* between two looks at whether to stop */
#define MOST 1000   /* segments, or steps of one */

static enum grove_status fail(struct grove_attempt *attempt, const char *text)
{
    return grove_attempt_fail(attempt, text, (struct grove_bytes){NULL, 0});
}

/* False when the attempt was told to stop meanwhile. */
static bool pause_ms(int64_t ms)
{
    for (; ms > 0 && !grove_cancelled(); ms -= SLICE_MS) {
        usleep((useconds_t)(ms < SLICE_MS ? ms : SLICE_MS) * 1000);
    }
    return !grove_cancelled();
}

static enum grove_status run_echo(struct grove_attempt *attempt, void *context)
{
    const struct grove_bytes payload = grove_attempt_payload(attempt);

    (void)context;
    return grove_attempt_return(attempt, payload.data, payload.size);
}

static enum grove_status run_sleep(struct grove_attempt *attempt, void *context)
{
    const struct grove_bytes payload = grove_attempt_payload(attempt);
    char *end;
    const long long ms = strtoll(payload.data, &end, 10);

    (void)context;
    if (end == payload.data || ms < 0) {
        return fail(attempt, "the payload is a number of milliseconds");
    }
    if (!pause_ms(ms)) {
        return GROVE_CANCELLED;
    }
    return grove_attempt_return(attempt, payload.data, payload.size);
}

static enum grove_status run_fail(struct grove_attempt *attempt, void *context)
{
    (void)context;
    return fail(attempt, grove_attempt_payload(attempt).data);
}

/* ---- the workflow */

static json_int_t number(json_t *object, const char *name, json_int_t absent)
{
    const json_t *value = json_object_get(object, name);

    return json_is_integer(value) ? json_integer_value(value) : absent;
}

/* The payload as an object; an empty one is {}. NULL when it is none, and the attempt has failed.
 */
static json_t *payload_object(struct grove_attempt *attempt)
{
    const struct grove_bytes payload = grove_attempt_payload(attempt);
    json_t *object =
        payload.size == 0 ? json_object() : json_loadb(payload.data, payload.size, 0, NULL);

    if (!json_is_object(object) || number(object, "segments", 3) < 0 ||
        number(object, "segments", 3) > MOST || number(object, "steps", 3) < 0 ||
        number(object, "steps", 3) > MOST) {
        (void)grove_attempt_fail_permanently(
            attempt, "the payload is JSON such as {\"segments\":3,\"steps\":3}",
            (struct grove_bytes){NULL, 0});
        json_decref(object);
        return NULL;
    }
    return object;
}

/* Takes the object. */
static enum grove_status return_json(struct grove_attempt *attempt, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    const enum grove_status status = grove_attempt_return(attempt, text, strlen(text));

    free(text);
    json_decref(object);
    return status;
}

/* Runs a child and appends its result; takes the payload. */
static enum grove_status run_child(const char *function, json_t *payload, json_t *results)
{
    struct grove_task task = GROVE_TASK_INIT;
    struct grove_result result;
    char *text = json_dumps(payload, JSON_COMPACT);

    task.function = function;
    task.payload = (struct grove_bytes){text, strlen(text)};
    const enum grove_status status = grove_wait(NULL, &task, &result, NULL);

    if (status == GROVE_OK) {
        json_t *value = json_loadb(result.bytes.data, result.bytes.size, 0, NULL);

        json_array_append_new(results, value != NULL ? value : json_null());
    }
    grove_result_clear(&result);
    free(text);
    json_decref(payload);
    return status;
}

static void report_progress(const char *what, json_int_t i, json_int_t count)
{
    char text[64];

    snprintf(text, sizeof(text), "%s %lld/%lld", what, (long long)i, (long long)count);
    grove_progress((unsigned)(i * 100 / count), text);
}

static enum grove_status run_step(struct grove_attempt *attempt, void *context)
{
    json_t *payload = payload_object(attempt);
    char text[64];

    (void)context;
    if (payload == NULL) {
        return GROVE_FAILED;
    }
    const json_int_t segment = number(payload, "segment", 1), step = number(payload, "step", 1);
    const bool is_wanted = pause_ms(number(payload, "step_ms", 0));

    json_decref(payload);
    if (!is_wanted) {
        return GROVE_CANCELLED;
    }
    snprintf(text, sizeof(text), "Segment %lld, step %lld done", (long long)segment,
             (long long)step);
    grove_progress(100, text);
    return return_json(attempt, json_pack("{s:I, s:I}", "segment", segment, "step", step));
}

static enum grove_status run_segment(struct grove_attempt *attempt, void *context)
{
    json_t *payload = payload_object(attempt), *done = json_array();
    enum grove_status status = payload != NULL ? GROVE_OK : GROVE_FAILED;
    const json_int_t segment = number(payload, "segment", 1), steps = number(payload, "steps", 3);

    (void)context;
    for (json_int_t i = 1; i <= steps && status == GROVE_OK; i++) {
        report_progress("Step", i, steps);
        status = run_child("step",
                           json_pack("{s:I, s:I, s:I}", "segment", segment, "step", i, "step_ms",
                                     number(payload, "step_ms", 0)),
                           done);
    }
    json_decref(payload);
    if (status == GROVE_OK) {
        return return_json(attempt, json_pack("{s:I, s:o}", "segment", segment, "steps", done));
    }
    json_decref(done);
    return status;
}

static enum grove_status run_flow(struct grove_attempt *attempt, void *context)
{
    json_t *payload = payload_object(attempt), *done = json_array();
    enum grove_status status = payload != NULL ? GROVE_OK : GROVE_FAILED;
    const json_int_t segments = number(payload, "segments", 3);

    (void)context;
    for (json_int_t i = 1; i <= segments && status == GROVE_OK; i++) {
        report_progress("Segment", i, segments);
        status = run_child("segment",
                           json_pack("{s:I, s:I, s:I}", "segment", i, "steps",
                                     number(payload, "steps", 3), "step_ms",
                                     number(payload, "step_ms", 0)),
                           done);
    }
    json_decref(payload);
    if (status == GROVE_OK) {
        return return_json(attempt, json_pack("{s:o}", "segments", done));
    }
    json_decref(done);
    return status;
}

enum grove_status dev_functions_offer(struct grove_worker *worker)
{
    static const struct {
        const char *name;
        grove_handler *handler;
    } functions[] = {
        {"echo", run_echo}, {"sleep", run_sleep},     {"fail", run_fail},
        {"flow", run_flow}, {"segment", run_segment}, {"step", run_step},
    };
    enum grove_status status = GROVE_OK;

    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]) && status == GROVE_OK; i++) {
        status = grove_worker_handle(worker, functions[i].name, functions[i].handler, NULL);
    }
    return status;
}

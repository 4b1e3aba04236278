/* SPDX-License-Identifier: MPL-2.0
 * Ill functions: the mesh withdraws one for the session when an attempt comes back, until an Enlist
 * offers it again. */
#include "nodes/worker/health.h"

#include <stdio.h>

#include "nodes/host/clock.h"
#include "nodes/host/log.h"

static struct function *function_of(struct grove_worker *worker,
                                    const struct grove_attempt *attempt)
{
    return &worker->function[attempt->function - worker->function];
}

static void withdraw(struct grove_worker *worker, struct function *function, struct bytes why)
{
    const uint64_t pause_ms = function->pause_ms ? function->pause_ms : HEALTH_FIRST_MS;
    char quoted[256];

    function->ill_until_ms = clock_monotonic_ms() + pause_ms;
    function->pause_ms = pause_ms < HEALTH_LAST_MS / 2 ? 2 * pause_ms : HEALTH_LAST_MS;
    log_event(LOG_WARNING, "cannot run", "function=%s why=%s again_ms=%llu", function->name,
              log_quote(why, quoted, sizeof(quoted)), (unsigned long long)pause_ms);
    worker->has_ill = true;
}

/* What has not started of it need not be tried. */
static void hand_back(struct grove_worker *worker, const struct function *function)
{
    struct grove_attempt *attempt;
    struct grove_attempt *next;

    TAILQ_FOREACH_SAFE(attempt, &worker->held, held, next) {
        if (attempt->function == function && handlers_take_back(&worker->handlers, attempt)) {
            reports_return(worker, attempt, RETURN_UNSTARTED, "");
        }
    }
}

void health_fell_ill(struct grove_worker *worker, struct grove_attempt *attempt)
{
    struct function *function = function_of(worker, attempt);
    const struct bytes why = buffer_bytes(&attempt->said.text);
    char text[LIMIT_TEXT_LENGTH + 1];

    snprintf(text, sizeof(text), "%.*s", (int)why.size, (const char *)why.data);
    reports_return(worker, attempt, RETURN_CANNOT_RUN, text);
    if (health_is_offered(function)) {
        withdraw(worker, function, why);
        hand_back(worker, function);
    }
}

void health_is_well(struct grove_worker *worker, const struct grove_attempt *attempt)
{
    function_of(worker, attempt)->pause_ms = 0;
}

bool health_is_offered(const struct function *function)
{
    return function->ill_until_ms == 0;
}

bool health_may_return(struct grove_worker *worker, uint64_t now_ms)
{
    bool may = false;

    if (!worker->has_ill) {
        return false;
    }
    worker->has_ill = false;
    for (unsigned i = 0; i < worker->function_count; i++) {
        struct function *function = &worker->function[i];

        if (function->ill_until_ms != 0 && now_ms >= function->ill_until_ms) {
            function->ill_until_ms = 0;
            may = true;
        }
        worker->has_ill = worker->has_ill || function->ill_until_ms != 0;
    }
    return may;
}

/* SPDX-License-Identifier: MPL-2.0
 * The moves a task may make. A test walks every pair of states.
 *
 *  submit          assign             report
 * ───┬───▶ READY ─────────▶ RUNNING ─────────▶ SUCCEEDED, FAILED
 *    │     ▲ ▲ ▲  lost, returned │ ▲ │              ▲
 *    │ due │ │ └─────────────────┤ │ │ own failure  │
 *    ▼     │ │                   │ │ ▼              │
 *  DELAYED ┘ │             waits │ │ DELAYED        │
 *            │   lost, returned  ▼ │ settled, slot  │ report
 *            └────────────────── WAITING ───────────┘
 *
 * HELD stands where READY stands, while a window or a limit is full. Every open state may end as
 * FAILED or CANCELLED by a verdict; a closed state is final. */
#include "core/task.h"

#include <stdint.h>

#define TO(state) (UINT32_C(1) << TASK_##state)

static const uint32_t permitted[TASK_STATE_COUNT] = {
    [TASK_DELAYED] = TO(READY) | TO(HELD) | TO(FAILED) | TO(CANCELLED),
    [TASK_HELD] = TO(READY) | TO(FAILED) | TO(CANCELLED),
    [TASK_READY] = TO(RUNNING) | TO(HELD) | TO(FAILED) | TO(CANCELLED),
    [TASK_RUNNING] = TO(READY) | TO(HELD) | TO(DELAYED) | TO(WAITING) | TO(SUCCEEDED) | TO(FAILED) |
                     TO(CANCELLED),
    [TASK_WAITING] = TO(READY) | TO(HELD) | TO(DELAYED) | TO(RUNNING) | TO(SUCCEEDED) | TO(FAILED) |
                     TO(CANCELLED),
};

static const char *const names[TASK_STATE_COUNT] = {
    [TASK_DELAYED] = "delayed", [TASK_HELD] = "held",           [TASK_READY] = "ready",
    [TASK_RUNNING] = "running", [TASK_WAITING] = "waiting",     [TASK_SUCCEEDED] = "succeeded",
    [TASK_FAILED] = "failed",   [TASK_CANCELLED] = "cancelled",
};

bool task_may_move(enum task_state from, enum task_state to)
{
    return permitted[from] & (UINT32_C(1) << to);
}

bool task_state_is_open(enum task_state state)
{
    return permitted[state] != 0;
}

const char *task_state_name(enum task_state state)
{
    return names[state];
}

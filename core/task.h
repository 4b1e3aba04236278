/* SPDX-License-Identifier: MPL-2.0
 * Task states and the moves between them. */
#ifndef GROVE_CORE_TASK_H
#define GROVE_CORE_TASK_H

#include <stdbool.h>

enum task_state {
    TASK_DELAYED,
    TASK_HELD, /* a window or a limit is full */
    TASK_READY,
    TASK_RUNNING, /* assigned; whether it has started is the worker's to say */
    TASK_WAITING, /* every thread of its handler waits for children; holds no slot */
    TASK_SUCCEEDED,
    TASK_FAILED,
    TASK_CANCELLED,
    TASK_STATE_COUNT
};

bool task_may_move(enum task_state from, enum task_state to);
bool task_state_is_open(enum task_state state);
const char *task_state_name(enum task_state state); /* "ready" */

#endif

/* SPDX-License-Identifier: MPL-2.0
 * What sessions are still owed, from the state alone. */
#ifndef GROVE_CORE_OUTSTANDING_H
#define GROVE_CORE_OUTSTANDING_H

#include "core/forest_state.h"

enum outstanding {
    OUTSTANDING_ALL,
    OUTSTANDING_UNSEEN, /* no Assign of what the worker has just listed; clears the marks */
};

/* Appends the Assign, Resume or Stop that each attempt of a session stands for. */
void outstanding_session(struct session *session, enum outstanding which, struct effects *effects);

#endif

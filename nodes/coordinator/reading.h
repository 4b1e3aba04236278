/* SPDX-License-Identifier: MPL-2.0
 * Who may read a task: the signer of its root, an operator, and a live attempt above it. */
#ifndef GROVE_COORDINATOR_READING_H
#define GROVE_COORDINATOR_READING_H

#include "core/forest.h"

struct session;

/* Finds a task for a session.
 *
 *   view      out, when it may be read; borrowed until the next apply
 *   returns   REFUSED_NOT, REFUSED_FORGOTTEN, or REFUSED_NOT_FOUND: also for what is not for this
 *             session, so that asking tells nobody what there is */
enum refusal reading_judge(const struct forest *forest, const struct session *session,
                           const struct id *id, struct task_view *view);

/* The same of a join, which is read by those who may read what its parent starts. */
enum refusal reading_judge_join(const struct forest *forest, const struct session *session,
                                const struct id *id, struct join_view *view);

#endif

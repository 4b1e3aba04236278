/* SPDX-License-Identifier: MPL-2.0
 * Who may read a task. */
#include "nodes/coordinator/reading.h"

#include "nodes/coordinator/seats.h"
#include "nodes/coordinator/sessions.h"

static bool is_own_root(const struct forest *forest, const struct session *session,
                        const struct task_view *view)
{
    struct task_view root;

    if (view->is_root) {
        return key_equal(&view->seal->signer, &session->identity);
    }
    return forest_task(forest, &view->root, &root) &&
           key_equal(&root.seal->signer, &session->identity);
}

static bool is_held(const struct session *session, const struct task_view *view)
{
    return session->seat != NULL && view->session == session->seat->index &&
           task_state_is_open(view->state);
}

/* Whether the session holds an attempt of a task above this one; at most LIMIT_DEPTH steps. */
static bool is_below_an_attempt(const struct forest *forest, const struct session *session,
                                const struct task_view *view)
{
    struct task_view above = *view;

    if (session->seat == NULL) {
        return false;
    }
    while (!above.is_root) {
        const struct id parent = above.parent;

        if (!forest_task(forest, &parent, &above)) {
            return false;
        }
        if (is_held(session, &above)) {
            return true;
        }
    }
    return false;
}

static bool may_read(const struct forest *forest, const struct session *session,
                     const struct task_view *view)
{
    return (session->roles & ROLE_OPERATOR) != 0 || is_own_root(forest, session, view) ||
           is_below_an_attempt(forest, session, view);
}

enum refusal reading_judge(const struct forest *forest, const struct session *session,
                           const struct id *id, struct task_view *view)
{
    struct task_view found;

    if (!forest_task(forest, id, &found)) {
        return forest_remembers(forest, id) ? REFUSED_FORGOTTEN : REFUSED_NOT_FOUND;
    }
    if (!may_read(forest, session, &found)) {
        return REFUSED_NOT_FOUND;
    }
    *view = found;
    return REFUSED_NOT;
}

enum refusal reading_judge_join(const struct forest *forest, const struct session *session,
                                const struct id *id, struct join_view *view)
{
    struct task_view parent;
    struct join_view found;

    if (!forest_join(forest, id, &found)) {
        return forest_remembers(forest, id) ? REFUSED_FORGOTTEN : REFUSED_NOT_FOUND;
    }
    if (!forest_task(forest, found.is_outside ? id : &found.parent, &parent) ||
        (!may_read(forest, session, &parent) && !is_held(session, &parent))) {
        return REFUSED_NOT_FOUND;
    }
    *view = found;
    return REFUSED_NOT;
}

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
        if (above.session == session->seat->index && task_state_is_open(above.state)) {
            return true;
        }
    }
    return false;
}

enum refusal reading_judge(const struct forest *forest, const struct session *session,
                           const struct id *id, struct task_view *view)
{
    struct task_view found;

    if (!forest_task(forest, id, &found)) {
        return forest_remembers(forest, id) ? REFUSED_FORGOTTEN : REFUSED_NOT_FOUND;
    }
    if ((session->roles & ROLE_OPERATOR) == 0 && !is_own_root(forest, session, &found) &&
        !is_below_an_attempt(forest, session, &found)) {
        return REFUSED_NOT_FOUND;
    }
    *view = found;
    return REFUSED_NOT;
}

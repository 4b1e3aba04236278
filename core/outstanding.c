/* SPDX-License-Identifier: MPL-2.0
 * A pass over the attempts that sessions hold. */
#include "core/outstanding.h"

#include "core/roster.h"

static void owe(const struct work *work, enum outstanding which, struct effects *effects)
{
    struct effect effect = {.kind = EFFECT_ASSIGN,
                            .session = work->session->index,
                            .task = work->task->id,
                            .attempt = work->task->attempts};

    const bool is_resumed = work->resumed || work->place == PLACE_RESUMABLE;
    const bool is_known = which == OUTSTANDING_UNSEEN && work->seen && !is_resumed;

    const bool is_parked = work->place == PLACE_WAITING || work->place == PLACE_BARRED;

    if (!work->stopping && (is_parked || is_known)) {
        return;
    }
    if (work->stopping) {
        effect.kind = EFFECT_STOP;
    } else if (is_resumed) {
        effect.kind = EFFECT_RESUME;
    }
    effects_add(effects, &effect);
}

void outstanding_session(struct session *session, enum outstanding which, struct effects *effects)
{
    static const enum place line[] = {PLACE_SLOT,    PLACE_CHILDREN,  PLACE_ROOTS, PLACE_LARGE,
                                      PLACE_WAITING, PLACE_RESUMABLE, PLACE_BARRED};
    struct work *work = NULL;

    for (size_t i = 0; i < sizeof(line) / sizeof(line[0]); i++) {
        TAILQ_FOREACH(work, &session->places[line[i]], held) {
            owe(work, which, effects);
            if (which == OUTSTANDING_UNSEEN) {
                work->seen = false;
            }
        }
    }
}

void forest_outstanding(const struct forest *forest, uint64_t session, struct effects *effects)
{
    struct session *at =
        session ? roster_session(forest, session) : roster_session_after(forest, 0);

    for (; at; at = session ? NULL : roster_session_after(forest, at->index)) {
        outstanding_session(at, OUTSTANDING_ALL, effects);
    }
    if (session == 0 && forest->limited > 0) {
        effects_add(effects, &(struct effect){.kind = EFFECT_RECALL});
    }
}

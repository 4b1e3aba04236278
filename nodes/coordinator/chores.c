/* SPDX-License-Identifier: MPL-2.0
 * The leader's own commands. */
#include "nodes/coordinator/chores.h"

static void propose(struct chores *chores, bool is_due, bool *pending, enum command_kind kind)
{
    const struct command command = {.kind = kind};

    if (is_due && !*pending) {
        proposals_add_own(chores->proposals, &command);
        *pending = true;
    }
}

void chores_propose(struct chores *chores)
{
    const struct forest *forest = chores->egress->forest;
    const uint64_t stamp_ms = chores->egress->stamp_ms;

    propose(chores, forest_has_more(forest), &chores->sweep_pending, COMMAND_SWEEP);
    propose(chores, forest_due_ms(forest) <= stamp_ms, &chores->expire_pending, COMMAND_EXPIRE);
    propose(chores, forest_has_forgettable(forest, stamp_ms), &chores->forget_pending,
            COMMAND_FORGET);
}

static void abandon(struct chores *chores, const struct id *root)
{
    const struct command command = {
        .kind = COMMAND_CANCEL,
        .cancel = {.task = *root, .code = CODE_ABANDONED},
    };

    proposals_add_own(chores->proposals, &command);
    chores->abandon_pending = true;
}

void chores_tick(struct chores *chores)
{
    const struct egress *egress = chores->egress;
    struct id root;
    struct key signer;

    presence_forget(&egress->sessions->presence, egress->now_ms, chores->abandon_ms);
    if (chores->abandon_pending) {
        return;
    }
    if (!forest_outside_join(egress->forest, &chores->outside, &root, &signer)) {
        chores->outside = (struct id){{0}};
        return;
    }
    chores->outside = root;
    if (presence_absent_ms(&egress->sessions->presence, &signer, egress->now_ms) >=
        chores->abandon_ms) {
        abandon(chores, &root);
    }
}

void chores_land(struct chores *chores)
{
    chores->expire_pending = false;
    chores->forget_pending = false;
    chores->sweep_pending = false;
    chores->abandon_pending = false;
}

/* SPDX-License-Identifier: MPL-2.0
 * Reading joins, for egress and for people. */
#include "core/forest.h"
#include "core/join.h"
#include "core/tree.h"

bool forest_join(const struct forest *forest, const struct id *id, struct join_view *view)
{
    const struct join *join = join_find(forest, id);

    if (!join) {
        return false;
    }
    *view = (struct join_view){
        .id = join->id,
        .parent = join->parent->id,
        .is_outside = (join->parent->flags & TASK_JOIN) != 0,
        .kind = (enum join_kind)join->kind,
        .state = (enum join_state)join->state,
        .limit = join->limit,
        .stop = join->stop,
        .closed = join->closed,
        .accepted = join->count,
        .room = join_room(join),
        .succeeded = join->succeeded,
        .failed = join->failed,
        .running = join->held,
        .winners = join->winners,
        .winner_count = join->winner_count,
    };
    return true;
}

static bool has_ended(const struct join *join, uint32_t position)
{
    return position < join->count && !task_state_is_open(join_at(join, position)->task->state);
}

bool forest_join_has_ended(const struct forest *forest, const struct id *id, uint32_t position)
{
    const struct join *join = join_find(forest, id);

    return join && has_ended(join, position);
}

size_t forest_join_page(const struct forest *forest, const struct id *id, uint32_t offset,
                        struct id *ids, size_t most)
{
    const struct join *join = join_find(forest, id);
    size_t count = 0;

    for (; join && count < most && has_ended(join, offset); offset++) {
        ids[count++] = join_at(join, offset)->task->id;
    }
    return count;
}

bool forest_outside_join(const struct forest *forest, const struct id *after, struct id *root,
                         struct key *signer)
{
    const struct join *join = TAILQ_FIRST(&forest->outside);

    if (!id_is_zero(after)) {
        join = join_find(forest, after);
        join = join && join->state == JOIN_OPEN && (join->parent->flags & TASK_JOIN)
                   ? TAILQ_NEXT(join, outside)
                   : NULL;
    }
    if (!join) {
        return false;
    }
    *root = join->parent->id;
    *signer = join->parent->record->seal.signer;
    return true;
}

bool forest_cancelled(const struct forest *forest, const struct id *id, struct cancelled *counts)
{
    const struct task *task = tree_find(forest, id);

    if (!task || !task->work || !task->work->sweep || task->work->sweep->is_under_way) {
        return false;
    }
    *counts = task->work->sweep->counts;
    return true;
}

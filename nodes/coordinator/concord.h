/* SPDX-License-Identifier: MPL-2.0
 * Whether the coordinators agree: each sums up what its forest made of the ledger, stretch by
 * stretch, and tells the others. One whose sum is not that of most voters has another state than
 * they, and stops.
 *
 *   machine.apply ─▶ concord_enter, concord_add ─▶ sum of a stretch ─▶ the other coordinators
 *   the others' sums ─▶ concord_hear ─▶ concord_dissents
 *
 * A stretch is all entries whose index divided by its length is the same. Its sum is of all effects
 * of each command, but those for whoever proposed it, and of what the forest counts at its end; so
 * a state that differs shows in every stretch from then on, as long as that is counted. It starts
 * at nothing: who has restored a snapshot begins with the next. */
#ifndef GROVE_COORDINATOR_CONCORD_H
#define GROVE_COORDINATOR_CONCORD_H

#include "core/effect.h"
#include "core/forest.h"
#include "nodes/coordinator/members.h"
#include "nodes/coordinator/replica/peer_sum.h"

#define CONCORD_ENTRIES 1024u /* of the ledger, a stretch */
#define CONCORD_KEPT 32u /* stretches; one that lags further is compared when it has caught up */

/* What one coordinator made of the last stretches; `entries` is 0 where that is not known. */
struct voice {
    uint64_t id;
    struct peer_sum said[CONCORD_KEPT];
};

struct concord {
    uint64_t entries;
    uint64_t stretch; /* being summed up */
    uint64_t sum;     /* so far */
    bool is_whole;    /* ... from its first entry on */
    bool is_cut;      /* the state was replaced: it goes on somewhere */
    struct peer_sum own[CONCORD_KEPT];
    struct peer_sum newest; /* of our own */
    bool is_news;           /* ... and nobody was told */
    struct voice others[MEMBERS_MOST];
};

void concord_init(struct concord *concord);

/* An entry is about to be applied: a stretch may have ended before it. */
void concord_enter(struct concord *concord, uint64_t index, const struct forest *forest);

/* What a command of it has done. */
void concord_add(struct concord *concord, const struct effect *effects, size_t count);

/* The state is replaced by a snapshot's. */
void concord_cut(struct concord *concord);

/* Another coordinator's sum. */
void concord_hear(struct concord *concord, uint64_t id, const struct peer_sum *sum);

/* Whether more than half of the voters agree on another sum than ours of some stretch.
 *
 *   stretch   which */
bool concord_dissents(const struct concord *concord, const struct members *members,
                      uint64_t *stretch);

#endif

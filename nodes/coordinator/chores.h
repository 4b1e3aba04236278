/* SPDX-License-Identifier: MPL-2.0
 * What a leader proposes by itself: that time passes, that settled trees are forgotten, that what a
 * command left over goes on, and that joins which nobody feeds any more end. One of each at a time,
 * for each moves but so much. */
#ifndef GROVE_COORDINATOR_CHORES_H
#define GROVE_COORDINATOR_CHORES_H

#include "nodes/coordinator/egress.h"
#include "nodes/coordinator/proposals.h"

struct chores {
    /* borrowed; set before the first use */
    const struct egress *egress; /* for the forest, its time, and who is here */
    struct proposals *proposals;
    uint64_t abandon_ms; /* without its signer a join from outside ends after so long */

    struct id outside;   /* the join looked at last; zero: begin anew */
    bool expire_pending; /* proposed, and not applied yet */
    bool forget_pending;
    bool sweep_pending;
    bool abandon_pending;
};

/* Proposes what is due; at the end of each turn. */
void chores_propose(struct chores *chores);

/* Looks at one open join from outside, each time at the next. */
void chores_tick(struct chores *chores);

/* What was proposed has been applied. */
void chores_land(struct chores *chores);

#endif

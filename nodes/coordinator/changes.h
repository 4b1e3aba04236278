/* SPDX-License-Identifier: MPL-2.0
 * Changes of who takes part, one at a time, as an operator asks for them; answered when they are in
 * force. A new coordinator is added, catches up, and then votes. */
#ifndef GROVE_COORDINATOR_CHANGES_H
#define GROVE_COORDINATOR_CHANGES_H

#include "nodes/coordinator/egress.h"

struct members;
struct replica;

enum change_step { CHANGE_IDLE, CHANGE_ADDING, CHANGE_PROMOTING, CHANGE_REMOVING, CHANGE_HANDING };

struct changes {
    /* borrowed; set before the first use */
    struct replica *replica;
    struct egress *egress;
    struct members *members;

    enum change_step step;
    uint64_t id;             /* of whom it is about */
    struct session *session; /* who asked; held */
    struct envelope envelope;
    uint64_t correlation;
    uint64_t begun_ms;
};

/* Begins what was asked for; answers when that is in force, or at once why not.
 *
 *   session   open */
void changes_begin(struct changes *changes, struct session *session,
                   const struct envelope *envelope, uint64_t correlation,
                   const struct change *change);

/* Goes on, when the step before is in force. */
void changes_tick(struct changes *changes);

/* Leadership went: what was asked for is done if that was it, and else not known. */
void changes_lost(struct changes *changes);

#endif

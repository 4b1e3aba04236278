/* SPDX-License-Identifier: MPL-2.0
 * The forest behind the ledger: groups are applied to it one command after the other, and it is
 * what snapshots hold. */
#ifndef GROVE_COORDINATOR_MACHINE_H
#define GROVE_COORDINATOR_MACHINE_H

#include <pthread.h>

#include "core/forest.h"
#include "nodes/coordinator/concord.h"
#include "nodes/coordinator/replica/replica.h"

struct machine {
    struct forest_options options;
    struct forest *forest;  /* another one after adopt */
    struct forest *read;    /* aside, for adopt; or NULL */
    pthread_t remover;      /* of the large one that was replaced last ... */
    bool is_removing;       /* ... if there was one */
    struct effects effects; /* of the groups applied since they were last taken */
    uint64_t index;         /* of the last one */
    struct concord concord; /* what all of them have done */
    uint64_t malformed; /* commands passed over; none, unless the ledger is of another version */

    /* Who proposed the commands of the group in flight here, one each; none of the past or of
     * another's. Borrowed until it is applied. */
    const uint64_t *tokens;
    size_t token_count;
    bool lost; /* that group went with the leadership: whether it is in the ledger is not known */
};

void machine_init(struct machine *machine, const struct forest_options *options);
void machine_clear(struct machine *machine);

/* What replica_open drives; borrows the machine. */
struct replica_machine machine_face(struct machine *machine);

#endif

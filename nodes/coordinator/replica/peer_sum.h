/* SPDX-License-Identifier: MPL-2.0
 * What a coordinator tells the others of what it made of the ledger (concord.h). */
#ifndef GROVE_COORDINATOR_REPLICA_PEER_SUM_H
#define GROVE_COORDINATOR_REPLICA_PEER_SUM_H

#include <stdint.h>

struct peer_sum {
    uint64_t entries; /* of a stretch of the ledger; not 0 */
    uint64_t stretch; /* which: the first begins with entry 0 */
    uint64_t sum;     /* of all that its entries have done */
};

#endif

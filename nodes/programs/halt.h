/* SPDX-License-Identifier: MPL-2.0
 * When `grove map` has had enough: --halt, as GNU parallel says it. */
#ifndef GROVE_NODES_PROGRAMS_HALT_H
#define GROVE_NODES_PROGRAMS_HALT_H

#include "nodes/programs/program.h"

#define HALT_LEAST 3u /* of a percentage: so many have ended in that way */

enum halt_when { HALT_NEVER, HALT_SOON, HALT_NOW }; /* what runs is finished, or cancelled */
enum halt_what { HALT_FAIL, HALT_SUCCESS, HALT_DONE };

struct halt {
    enum halt_when when;
    enum halt_what what;
    uint64_t count;   /* of those that ended so; 0: `percent` */
    uint32_t percent; /* ... of all that have ended */
};

/* "never", "now,fail=1", "soon,fail=10%", "now,success=1", "soon,done=100"; NULL is never. Says
 * what is wrong and returns false. */
bool halt_parse(const char *text, struct halt *halt);

bool halt_is_reached(const struct halt *halt, uint64_t succeeded, uint64_t failed);

#endif

/* SPDX-License-Identifier: MPL-2.0
 * Ledger time. */
#include "nodes/coordinator/stamp.h"

void stamp_begin(struct stamp *stamp, uint64_t previous_ms, uint64_t wall_ms, uint64_t monotonic_ms)
{
    stamp->last_ms = previous_ms;
    stamp->wall_ms = wall_ms > previous_ms ? wall_ms : previous_ms;
    stamp->monotonic_ms = monotonic_ms;
}

uint64_t stamp_now(struct stamp *stamp, uint64_t wall_ms, uint64_t monotonic_ms)
{
    const uint64_t passed_ms = monotonic_ms - stamp->monotonic_ms;
    const uint64_t most_ms = passed_ms / STAMP_SLEW;
    uint64_t now_ms = stamp->wall_ms + passed_ms;

    /* The base moves only when there is a whole millisecond to slew, or the slew would be lost. */
    if (most_ms > 0) {
        if (wall_ms > now_ms) {
            now_ms += wall_ms - now_ms < most_ms ? wall_ms - now_ms : most_ms;
        } else {
            now_ms -= now_ms - wall_ms < most_ms ? now_ms - wall_ms : most_ms;
        }
        stamp->wall_ms = now_ms;
        stamp->monotonic_ms = monotonic_ms;
    }
    if (now_ms > stamp->last_ms) {
        stamp->last_ms = now_ms;
    }
    return stamp->last_ms;
}

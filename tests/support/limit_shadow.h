/* SPDX-License-Identifier: MPL-2.0
 * Limits by function, watched from outside: from what a forest says of its functions and from what
 * it assigns. What is assigned ahead begins when it has a slot; of a limited function that is one
 * at a time. */
#ifndef GROVE_TESTS_SUPPORT_LIMIT_SHADOW_H
#define GROVE_TESTS_SUPPORT_LIMIT_SHADOW_H

#include "core/effect.h"
#include "core/forest.h"

#define SHADOW_FUNCTIONS 16
#define SHADOW_RECENT 256

struct limit_shadow {
    struct shadowed {
        char function[LIMIT_FUNCTION_LENGTH + 1];
        uint32_t running, rate;
        bool paused;
        uint64_t allowed; /* that may run, as the limit may have come later */
        int64_t level;    /* of the rate, in millionths of an attempt */
        uint64_t level_ms;
        bool has_ahead; /* assigned ahead under this or an earlier limit: ... */
        struct id ahead;
        uint32_t ahead_attempt;
        uint64_t assigned, begun; /* scratch: with the last command */
    } functions[SHADOW_FUNCTIONS];
    size_t count;
    struct {
        struct id task;
        uint32_t attempt;
    } recent[SHADOW_RECENT]; /* begun, in a ring: an Assign may be sent again */
    size_t recent_next;
    uint64_t ahead, barred, full, short_of_time; /* how often each was seen */
};

/* After each command.
 *
 *   returns   NULL, or a sentence naming the limit that was not kept */
const char *limit_shadow_watch(struct limit_shadow *shadow, const struct forest *forest,
                               const struct effects *effects);

#endif

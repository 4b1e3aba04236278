/* SPDX-License-Identifier: MPL-2.0
 * Log-linear buckets: the octave of a length, and a quarter of it. */
#include "core/durations.h"

#define EXACT 8u  /* lengths that have a bucket each */
#define OCTAVE 3u /* of the first length that shares one */
#define PARTS 4u  /* of an octave */

static unsigned octave_of(uint64_t ms)
{
    return 63u - (unsigned)__builtin_clzll(ms);
}

static unsigned bucket_of(uint64_t ms)
{
    if (ms < EXACT) {
        return (unsigned)ms;
    }
    const unsigned octave = octave_of(ms);
    const unsigned part = (unsigned)(ms >> (octave - 2)) & (PARTS - 1);
    const unsigned bucket = EXACT + (octave - OCTAVE) * PARTS + part;

    return bucket < DURATIONS_BUCKETS ? bucket : DURATIONS_BUCKETS - 1;
}

void durations_add(struct durations *durations, uint64_t ms)
{
    durations->count[bucket_of(ms)]++;
    durations->total++;
    durations->sum_ms += ms;
}

uint64_t durations_limit_ms(unsigned bucket)
{
    if (bucket < EXACT) {
        return bucket;
    }
    if (bucket >= DURATIONS_BUCKETS - 1) {
        return UINT64_MAX;
    }
    const unsigned octave = (bucket - EXACT) / PARTS + OCTAVE;
    const uint64_t part = (bucket - EXACT) % PARTS;

    return ((PARTS + part + 1) << (octave - 2)) - 1;
}

uint64_t durations_quantile_ms(const struct durations *durations, unsigned per_mille)
{
    const uint64_t wanted = (durations->total * per_mille + 999) / 1000;
    uint64_t seen = 0;

    for (unsigned i = 0; i < DURATIONS_BUCKETS; i++) {
        seen += durations->count[i];
        if (seen > 0 && seen >= wanted) {
            return durations_limit_ms(i);
        }
    }
    return 0;
}

uint64_t durations_up_to(const struct durations *durations, uint64_t ms)
{
    const unsigned last = bucket_of(ms);
    uint64_t count = 0;

    for (unsigned i = 0; i <= last; i++) {
        count += durations->count[i];
    }
    return count;
}

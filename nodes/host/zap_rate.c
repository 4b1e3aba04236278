/* SPDX-License-Identifier: MPL-2.0
 * Token buckets. */
#include "nodes/host/zap_rate.h"

#include <stdio.h>
#include <string.h>

#define TOKEN 1000u /* thousandths; so a rate a second is thousandths a millisecond */

static bool take(struct zap_bucket *bucket, unsigned rate, unsigned burst, uint64_t now_ms)
{
    const uint64_t full = (uint64_t)burst * TOKEN;
    const uint64_t passed_ms = now_ms - bucket->at_ms;

    bucket->thousandths = passed_ms >= full / rate ? full : bucket->thousandths + passed_ms * rate;
    bucket->thousandths = bucket->thousandths < full ? bucket->thousandths : full;
    bucket->at_ms = now_ms;
    if (bucket->thousandths < TOKEN) {
        return false;
    }
    bucket->thousandths -= TOKEN;
    return true;
}

/* FNV-1a: whoever can choose addresses gains nothing by choosing places. */
static unsigned place(const char *address)
{
    uint32_t hash = UINT32_C(2166136261);

    for (; *address != '\0'; address++) {
        hash = (hash ^ (uint8_t)*address) * UINT32_C(16777619);
    }
    return hash % ZAP_RATE_SOURCES;
}

bool zap_rate_take(struct zap_rate *rate, const char *address, uint64_t now_ms)
{
    struct zap_bucket *source = &rate->source[place(address)];

    if (strcmp(source->address, address) != 0) {
        *source = (struct zap_bucket){0};
        snprintf(source->address, sizeof(source->address), "%s", address);
    }
    return take(source, ZAP_RATE_SOURCE, ZAP_RATE_BURST, now_ms) &&
           take(&rate->all, ZAP_RATE_ALL, ZAP_RATE_ALL, now_ms);
}

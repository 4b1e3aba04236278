/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/patience.h"

#define HASTY_MOST (PATIENCE_FREE + PATIENCE_DOUBLINGS)

/* However many terms lie between: others may have stood for election where nobody heard them. */
static void begin_term(struct patience *patience, uint64_t term)
{
    const bool is_hasty = patience->term != 0 && !patience->stayed;

    if (is_hasty && patience->hasty < HASTY_MOST) {
        patience->hasty++;
    }
    patience->term = term;
    patience->leads = false;
    patience->stayed = false;
}

static void forgive(struct patience *patience)
{
    patience->hasty -= patience->hasty > 0;
}

static void follow(struct patience *patience, uint64_t now_ms)
{
    if (!patience->leads) {
        patience->leads = true;
        patience->since_ms = now_ms;
    }
    if (!patience->stayed && now_ms - patience->since_ms >= PATIENCE_STAYS_MS) {
        patience->stayed = true;
        forgive(patience);
    }
    if (now_ms - patience->since_ms >= PATIENCE_FORGIVE_MS) {
        patience->since_ms = now_ms;
        forgive(patience);
    }
}

unsigned patience_look(struct patience *patience, uint64_t term, bool leads, uint64_t now_ms)
{
    if (term != patience->term) {
        begin_term(patience, term);
    }
    if (leads) {
        follow(patience, now_ms);
    } else {
        patience->leads = false;
    }
    return patience->hasty > PATIENCE_FREE ? 1u << (patience->hasty - PATIENCE_FREE) : 1;
}

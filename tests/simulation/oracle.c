/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/oracle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/simulation/dice.h"

void oracle_init(struct oracle *oracle, const struct schedule *schedule, uint64_t seed)
{
    *oracle = (struct oracle){.schedule = schedule, .seed = seed};
}

void oracle_clear(struct oracle *oracle)
{
    free(oracle->chain);
    free(oracle->leader);
}

void oracle_fail(const struct oracle *oracle, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "seed %" PRIu64 ": after %.6f s: ", oracle->seed,
            (double)oracle->schedule->now_us / 1e6);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    _Exit(1);
}

void oracle_trace(struct oracle *oracle, uint64_t what, uint64_t value)
{
    oracle->trace = dice_mix(oracle->trace ^ dice_mix(oracle->schedule->now_us + what)) ^ value;
}

/* Makes `list` so long that it has a number `at`; what is new is zero. */
static uint64_t *lengthen(uint64_t *list, uint64_t *room, uint64_t at)
{
    uint64_t before = *room;

    if (at < before) {
        return list;
    }
    *room = 2 * at + 64;
    list = realloc(list, *room * sizeof(*list));
    if (list == NULL) {
        abort();
    }
    memset(list + before, 0, (*room - before) * sizeof(*list));
    return list;
}

static uint64_t hash_of(uint64_t chain, struct bytes group)
{
    uint64_t word = 0;

    for (size_t at = 0; at < group.size; at += sizeof(word)) {
        size_t step = group.size - at < sizeof(word) ? group.size - at : sizeof(word);
        memcpy(&word, group.data + at, step);
        chain = dice_mix(chain + word + group.size);
    }
    return chain;
}

void oracle_applied(struct oracle *oracle, uint64_t node, struct history *history,
                    struct bytes group)
{
    history->chain = hash_of(history->chain, group);
    oracle->chain = lengthen(oracle->chain, &oracle->room, history->count);
    if (history->count == oracle->count) {
        oracle->chain[oracle->count++] = history->chain;
    } else if (history->count > oracle->count) {
        oracle_fail(oracle, "replica %" PRIu64 " applied group %" PRIu64 " of %" PRIu64, node,
                    history->count, oracle->count);
    } else if (oracle->chain[history->count] != history->chain) {
        oracle_fail(oracle, "replica %" PRIu64 " applied another group %" PRIu64, node,
                    history->count);
    }
    history->count++;
    oracle_trace(oracle, node, history->chain);
}

void oracle_leads(struct oracle *oracle, uint64_t node, uint64_t term)
{
    oracle->leader = lengthen(oracle->leader, &oracle->term_room, term);
    if (oracle->leader[term] != 0 && oracle->leader[term] != node) {
        oracle_fail(oracle, "term %" PRIu64 " has two leaders: %" PRIu64 " and %" PRIu64, term,
                    oracle->leader[term], node);
    }
    oracle->leader[term] = node;
}

/* SPDX-License-Identifier: MPL-2.0
 * All chance of a simulated run: the same seed throws the same dice. */
#ifndef GROVE_TESTS_SIMULATION_DICE_H
#define GROVE_TESTS_SIMULATION_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

/* Mixes 64 bits so that each of them depends on all (splitmix64; Steele, Lea, Flood 2014). */
static inline uint64_t dice_mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static inline uint64_t dice_throw(struct dice *dice)
{
    return dice_mix(dice->state += UINT64_C(0x9e3779b97f4a7c15));
}

/* Below `below`, which is not 0. */
static inline uint64_t dice_below(struct dice *dice, uint64_t below)
{
    return dice_throw(dice) % below;
}

static inline uint64_t dice_between(struct dice *dice, uint64_t least, uint64_t most)
{
    return least + dice_below(dice, most - least + 1);
}

static inline bool dice_chance(struct dice *dice, unsigned permille)
{
    return dice_below(dice, 1000) < permille;
}

#endif

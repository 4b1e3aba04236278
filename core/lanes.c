/* SPDX-License-Identifier: MPL-2.0
 * Only AVX-512 has registers wide enough, and rotates in one instruction; with AVX2 this is no
 * faster than what libsodium does. */
#include "core/lanes.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

/* The square roots of the first eight primes, as in SHA-512. */
static const uint64_t start[8] = {UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b),
                                  UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1),
                                  UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
                                  UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179)};

void lanes_begin(struct lanes *lanes)
{
    /* 64 bytes of digest, no key, neither fan nor depth. */
    const uint64_t parameters = UINT64_C(0x01010040);

    for (size_t word = 0; word < 8; word++) {
        for (size_t lane = 0; lane < LANES; lane++) {
            lanes->chain[word][lane] = start[word] ^ (word == 0 ? parameters : 0);
        }
    }
}

#if defined(__x86_64__)

#define ROUNDS 12

/* In each round, the words of the block in the order in which they are mixed in. */
static const uint8_t schedule[ROUNDS][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
};

/* One word of every lane. */
typedef uint64_t wide __attribute__((vector_size(8 * LANES)));

/* Each function here is compiled for AVX-512 whatever the rest is compiled for. */
#define WIDE __attribute__((target("avx512f")))
#define WIDE_INLINE WIDE __attribute__((always_inline)) static inline

WIDE_INLINE wide turn_right(wide word, int bits)
{
    return word >> bits | word << (64 - bits);
}

/* Where a mix works in the state: in a column, or down a diagonal. */
struct quad {
    uint8_t a, b, c, d;
};

WIDE_INLINE void mix(wide *state, struct quad at, const wide *first, const wide *second)
{
    wide a = state[at.a], b = state[at.b], c = state[at.c], d = state[at.d];

    a += b + *first;
    d = turn_right(d ^ a, 32);
    c += d;
    b = turn_right(b ^ c, 24);
    a += b + *second;
    d = turn_right(d ^ a, 16);
    c += d;
    b = turn_right(b ^ c, 63);
    state[at.a] = a;
    state[at.b] = b;
    state[at.c] = c;
    state[at.d] = d;
}

WIDE_INLINE void mix_all(wide *state, const wide *words, const uint8_t *order)
{
    mix(state, (struct quad){0, 4, 8, 12}, &words[order[0]], &words[order[1]]);
    mix(state, (struct quad){1, 5, 9, 13}, &words[order[2]], &words[order[3]]);
    mix(state, (struct quad){2, 6, 10, 14}, &words[order[4]], &words[order[5]]);
    mix(state, (struct quad){3, 7, 11, 15}, &words[order[6]], &words[order[7]]);
    mix(state, (struct quad){0, 5, 10, 15}, &words[order[8]], &words[order[9]]);
    mix(state, (struct quad){1, 6, 11, 12}, &words[order[10]], &words[order[11]]);
    mix(state, (struct quad){2, 7, 8, 13}, &words[order[12]], &words[order[13]]);
    mix(state, (struct quad){3, 4, 9, 14}, &words[order[14]], &words[order[15]]);
}

/* Eight words of eight texts, from text by text to word by word: pairs change places, then pairs of
 * pairs, then halves. */
WIDE_INLINE void turn(const wide *text, wide *word)
{
    wide pair[8];
    wide four[8];

    for (int i = 0; i < 8; i += 2) {
        pair[i] = __builtin_shufflevector(text[i], text[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        pair[i + 1] = __builtin_shufflevector(text[i], text[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (int i = 0; i < 4; i++) {
        const int at = i < 2 ? i : i + 2;
        four[at] = __builtin_shufflevector(pair[at], pair[at + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        four[at + 2] = __builtin_shufflevector(pair[at], pair[at + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    for (int i = 0; i < 4; i++) {
        word[i] = __builtin_shufflevector(four[i], four[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        word[i + 4] = __builtin_shufflevector(four[i], four[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

WIDE_INLINE wide load(const void *words)
{
    wide word;

    memcpy(&word, words, sizeof(word));
    return word;
}

/* Eight words of each block. */
WIDE_INLINE void load_words(const struct lanes *lanes, size_t at, wide *word)
{
    wide text[LANES];

    for (size_t lane = 0; lane < LANES; lane++) {
        text[lane] = load(lanes->block[lane] + at);
    }
    turn(text, word);
}

WIDE void lanes_step(struct lanes *lanes)
{
    wide words[16];
    wide state[16];

    load_words(lanes, 0, words);
    load_words(lanes, LANES_BLOCK / 2, words + 8);
    for (int i = 0; i < 8; i++) {
        state[i] = load(lanes->chain[i]);
        state[8 + i] = (wide){0} + start[i];
    }
    state[12] ^= load(lanes->counted);
    state[14] ^= load(lanes->last);
    for (int round = 0; round < ROUNDS; round++) {
        mix_all(state, words, schedule[round]);
    }
    for (int i = 0; i < 8; i++) {
        const wide chain = load(lanes->chain[i]) ^ state[i] ^ state[8 + i];
        memcpy(lanes->chain[i], &chain, sizeof(chain));
    }
}

bool lanes_are_there(void)
{
    return sodium_runtime_has_avx512f() != 0;
}

#else

void lanes_step(struct lanes *lanes)
{
    (void)lanes;
    assert(!"there are no lanes");
}

bool lanes_are_there(void)
{
    return false;
}

#endif

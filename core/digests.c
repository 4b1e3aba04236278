/* SPDX-License-Identifier: MPL-2.0
 * Eight texts of about one size go side by side; what does not fill the lanes goes alone. */
#include "core/digests.h"

#include <sodium.h>

#include "core/lanes.h"

/* A step of all lanes costs as much as libsodium takes for this many blocks, or less. */
#define STEP_BLOCKS 3u

static struct digest digest_alone(struct bytes prefix, struct bytes text)
{
    uint8_t whole[crypto_generichash_BYTES_MAX];
    crypto_generichash_state hash;
    struct digest digest;

    crypto_generichash_init(&hash, NULL, 0, sizeof(whole));
    crypto_generichash_update(&hash, prefix.data, prefix.size);
    crypto_generichash_update(&hash, text.data, text.size);
    crypto_generichash_final(&hash, whole, sizeof(whole));
    memcpy(digest.byte, whole, sizeof(digest.byte));
    return digest;
}

/* Copies what lies in a window of a block at `at` of prefix and text; zeros after the end. */
static void fill(uint8_t *block, struct bytes prefix, struct bytes text, size_t at)
{
    size_t filled = 0;

    memset(block, 0, LANES_BLOCK);
    if (at < prefix.size) {
        filled = prefix.size - at < LANES_BLOCK ? prefix.size - at : LANES_BLOCK;
        memcpy(block, prefix.data + at, filled);
    }
    if (at + filled - prefix.size < text.size) {
        const size_t from = at + filled - prefix.size;
        const size_t left = text.size - from;
        memcpy(block + filled, text.data + from,
               left < LANES_BLOCK - filled ? left : LANES_BLOCK - filled);
    }
}

/* The empty text has a block, too. */
static size_t block_count(struct bytes prefix, struct bytes text)
{
    const size_t size = prefix.size + text.size;

    return size == 0 ? 1 : (size - 1) / LANES_BLOCK + 1;
}

/* Sets one lane up for its block number `step`. */
static void feed(struct lanes *lanes, size_t lane, struct bytes prefix, struct bytes text,
                 size_t step)
{
    const size_t size = prefix.size + text.size;
    const size_t end = (step + 1) * LANES_BLOCK;

    fill(lanes->block[lane], prefix, text, step * LANES_BLOCK);
    lanes->counted[lane] = end < size ? end : size;
    lanes->last[lane] = end < size ? 0 : UINT64_MAX;
}

/* A digest is the first half of a lane's chain, once its text has ended. */
static void take(const struct lanes *lanes, size_t lane, struct digest *digest)
{
    for (size_t word = 0; word < sizeof(*digest) / sizeof(uint64_t); word++) {
        memcpy(digest->byte + word * sizeof(uint64_t), &lanes->chain[word][lane], sizeof(uint64_t));
    }
}

/* At most as many texts as there are lanes; those to spare repeat the first one. */
static void hash_beside(struct bytes prefix, const struct bytes *texts, size_t count,
                        struct digest *digests)
{
    struct lanes lanes;
    size_t left = count;

    lanes_begin(&lanes);
    for (size_t step = 0; left > 0; step++) {
        for (size_t lane = 0; lane < LANES; lane++) {
            feed(&lanes, lane, prefix, texts[lane < count ? lane : 0], step);
        }
        lanes_step(&lanes);
        for (size_t lane = 0; lane < count; lane++) {
            if (step + 1 == block_count(prefix, texts[lane])) {
                take(&lanes, lane, &digests[lane]);
                left--;
            }
        }
    }
}

/* One long text would keep the lanes of short ones busy with nothing. */
static bool is_worth_it(struct bytes prefix, const struct bytes *texts, size_t count)
{
    size_t sum = 0;
    size_t steps = 0;

    for (size_t i = 0; i < count; i++) {
        const size_t blocks = block_count(prefix, texts[i]);
        sum += blocks;
        steps = blocks > steps ? blocks : steps;
    }
    return sum >= steps * STEP_BLOCKS && lanes_are_there();
}

void digests_of(struct bytes prefix, const struct bytes *texts, size_t count,
                struct digest *digests)
{
    for (size_t at = 0; at < count; at += LANES) {
        const size_t some = count - at < LANES ? count - at : LANES;

        if (is_worth_it(prefix, texts + at, some)) {
            hash_beside(prefix, texts + at, some, digests + at);
            continue;
        }
        for (size_t i = at; i < at + some; i++) {
            digests[i] = digest_alone(prefix, texts[i]);
        }
    }
}

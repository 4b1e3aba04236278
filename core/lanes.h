/* SPDX-License-Identifier: MPL-2.0
 * BLAKE2b of eight texts at once, a text in each lane of the widest registers there are: three to
 * five times the speed of one after another. What it computes is what libsodium computes. */
#ifndef GROVE_CORE_LANES_H
#define GROVE_CORE_LANES_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANES ((size_t)8)
#define LANES_BLOCK ((size_t)128) /* bytes that one step takes of each text */

struct lanes {
    alignas(64) uint64_t chain[8][LANES];          /* word by word: of every lane */
    alignas(64) uint64_t counted[LANES];           /* bytes of the texts, with those in `block` */
    alignas(64) uint64_t last[LANES];              /* all bits set: `block` ends the text; else 0 */
    alignas(64) uint8_t block[LANES][LANES_BLOCK]; /* zeros after the end */
};

/* Whether this processor has such registers; if not, nothing else here may be called. */
bool lanes_are_there(void);

/* Begins eight hashes of 64 bytes, without a key. */
void lanes_begin(struct lanes *lanes);

/* Takes one block of each. After its last block a lane's digest is its column of `chain`,
 * little-endian as the processor is, until the next step.
 *
 *   source    RFC 7693, section 3.2 */
void lanes_step(struct lanes *lanes);

#endif

/* SPDX-License-Identifier: MPL-2.0
 * Many digests at once, where the processor can. */
#ifndef GROVE_CORE_DIGESTS_H
#define GROVE_CORE_DIGESTS_H

#include <sodium.h>

#include "core/bytes.h"

/* H of `prefix` and each text: what digest_of makes of the two side by side.
 *
 *   prefix    may be empty
 *   digests   count of them; no text lies in them */
void digests_of(struct bytes prefix, const struct bytes *texts, size_t count,
                struct digest *digests);

/* ---- one long text, in pieces that are hashed side by side */

#define DIGEST_PIECE ((size_t)1024) /* bytes; the last one may be shorter */

/* H over the digests of the pieces of a text, one after another. Whoever uses it knows the text's
 * size from elsewhere: a text may look like the digests of another. */
struct pieces {
    crypto_generichash_state hash;
};

void pieces_begin(struct pieces *pieces);

/* Adds a whole number of pieces; only the last part of a text may end with a shorter one. */
void pieces_add(struct pieces *pieces, struct bytes part);

struct digest pieces_end(struct pieces *pieces);

/* ... of a text that is there as a whole. */
struct digest digest_of_pieces(struct bytes text);

#endif

/* SPDX-License-Identifier: MPL-2.0
 * The digests of many texts. */
#ifndef GROVE_CORE_DIGESTS_H
#define GROVE_CORE_DIGESTS_H

#include "core/bytes.h"

/* H of `prefix` and each text: what digest_of makes of the two side by side.
 *
 *   prefix    may be empty
 *   digests   count of them; no text lies in them */
void digests_of(struct bytes prefix, const struct bytes *texts, size_t count,
                struct digest *digests);

#endif

/* SPDX-License-Identifier: MPL-2.0
 * What a string may be. */
#ifndef GROVE_CORE_TEXT_H
#define GROVE_CORE_TEXT_H

#include "core/bytes.h"

/* True for UTF-8 without U+0000, so that a copy can be a C string.
 *
 *   source    RFC 3629, section 4 */
bool text_is_valid(struct bytes text);

#endif

/* SPDX-License-Identifier: MPL-2.0
 * All that travels. Decoding walks a frame in place: slices borrow from it, lists are walked one
 * element at a time, and nothing is allocated. Every decoder first walks its message strictly: an
 * unknown field, a repeated singular one, a wrong wire type, a missing id or key, bad UTF-8 or a
 * size over its limit is GROVE_MALFORMED or GROVE_TOO_LARGE, and the out-parameter is untouched.
 *
 * Encoders append to a buffer and cannot fail; it is a bug to encode what a decoder would refuse.
 */
#ifndef GROVE_CORE_WIRE_H
#define GROVE_CORE_WIRE_H

#include "core/certificate.h"
#include "core/frame.h"
#include "core/item.h"
#include "core/message.h"

#endif

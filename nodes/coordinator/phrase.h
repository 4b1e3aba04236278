/* SPDX-License-Identifier: MPL-2.0
 * Text that is written as it goes, where there is too much of it to build it up first. */
#ifndef GROVE_COORDINATOR_PHRASE_H
#define GROVE_COORDINATOR_PHRASE_H

#include "core/buffer.h"

/* Appends what printf would print, at most 511 bytes of it. */
void phrase(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends a JSON string, or null.
 *
 *   text   UTF-8, as the wire takes it; NULL data: null */
void phrase_json(struct buffer *out, struct bytes text);

#endif

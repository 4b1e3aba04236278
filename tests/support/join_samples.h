/* SPDX-License-Identifier: MPL-2.0
 * Messages about joins, cancelling and limits, for tests of the wire. */
#ifndef GROVE_TESTS_JOIN_SAMPLES_H
#define GROVE_TESTS_JOIN_SAMPLES_H

#include "core/message.h"

extern const struct join_terms sample_terms;

/* The fields of an open frame of one of these types; of others none. */
void sample_put_join(struct wire_writer *writer, enum message_type type);

/* The joins of Expand and Waits. */
void sample_put_append(struct wire_writer *writer);
void sample_put_awaited(struct buffer *out);

/* Decodes a body and all that it holds; GROVE_INVALID: of no such type. */
enum grove_status sample_decode_join(enum message_type type, struct bytes body);

/* Decodes appends, or the joins of all waits, of an Expand. */
enum grove_status sample_decode_appends(struct wire_list appends);
enum grove_status sample_decode_awaited(struct wire_list waits);

#endif

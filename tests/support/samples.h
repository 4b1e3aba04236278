/* SPDX-License-Identifier: MPL-2.0
 * One of everything that travels, with every field set and always the same bytes. */
#ifndef GROVE_TESTS_SUPPORT_SAMPLES_H
#define GROVE_TESTS_SUPPORT_SAMPLES_H

#include "core/wire.h"

/* Key pairs by number: of 1 the seed is 32 bytes of 1, and so on. */
struct signer sample_signer(uint8_t number);

/* Items of a batch, told apart by `i`. */
struct task_item sample_root(uint8_t i);
struct task_item sample_child(uint8_t i);
struct result_item sample_result(uint8_t i);
struct verdict_item sample_verdict(uint8_t i);
struct certificate sample_certificate(void);

/* Fills in a whole batch of tasks, results or verdicts by signer 2 for the mesh of signer 1. The
 * items are encoded into `items`, which must outlive it; `leaves` may be NULL. */
void sample_batch(enum seal_kind kind, unsigned count, struct buffer *items, struct sealed *sealed,
                  struct digest *leaves);

/* Cuts an excerpt of a whole batch; `hashes` has room for LIMIT_BATCH_ITEMS and must outlive it. */
void sample_excerpt(const struct sealed *whole, const struct digest *leaves, const uint8_t *indices,
                    unsigned index_count, struct digest *hashes, struct sealed *excerpt);

/* Every type of message, 0 at the end. */
extern const enum message_type sample_types[];

/* Appends a whole frame of this type, with every field. */
void sample_frame(enum message_type type, struct buffer *out);

/* An excerpt of a batch, and a certificate, as fields of an open message. */
void sample_put_excerpt(struct wire_writer *writer, uint32_t field, enum seal_kind kind);
void sample_put_certificate(struct wire_writer *writer, uint32_t field);

/* Decodes a body of any type, and every element of its lists. */
enum grove_status sample_decode(enum message_type type, struct bytes body);

#endif

/* SPDX-License-Identifier: MPL-2.0
 * How ids are derived. The inputs of each hash are in the table of schema/PROTOCOL.md. */
#ifndef GROVE_CORE_ID_H
#define GROVE_CORE_ID_H

#include "core/bytes.h"
#include "core/status.h"

#define ID_TEXT_SIZE 33 /* 32 hexadecimal digits and a NUL */

struct sealed;    /* core/seal.h */
struct task_item; /* core/wire.h */

/* H over any bytes: BLAKE2b-512 truncated to 32 bytes (RFC 7693). */
struct digest digest_of(struct bytes bytes);

/* The id of a task from its signed item: a root's from signer and nonce or key, a child's from
 * parent, generation and request. Nobody can choose another's.
 *
 *   payload   digest of item->payload, computed once by the caller
 *   source    DESIGN section 4, Ids */
struct id id_of_task(const struct task_item *item, const struct key *signer,
                     const struct digest *payload);

/* ... of `count` tasks of one signer, several at a time. */
void ids_of_tasks(const struct key *signer, const struct task_item *items,
                  const struct digest *payloads, size_t count, struct id *ids);

/* Of each task item in a sealed message: the digest of its payload, and its id.
 *
 *   errors    of the first item that wire_task_decode refuses */
enum grove_status ids_of_batch(const struct sealed *sealed, struct digest *payloads, struct id *ids)
    GROVE_CHECKED;

struct join_terms; /* core/join_message.h */

/* The id of a join of a task, which stays the same when the task's attempt runs again.
 *
 *   tag       out: the occurrence that its inputs carry, in every generation the same
 *   source    DESIGN section 4, fine print 3 */
struct id id_of_join(const struct id *parent, uint32_t generation, const struct join_terms *terms,
                     uint32_t *tag);

/* What makes joins of other inputs other joins: H over the functions and the digests of the
 * payloads of the first inputs, 256 of them or all. */
struct digest id_of_inputs(const struct bytes *functions, const struct digest *payloads,
                           size_t count);

void id_format(const struct id *id, char text[ID_TEXT_SIZE]);

/* False when `text` is not 32 hexadecimal digits; `id` is then untouched. */
bool id_parse(const char *text, struct id *id);

#endif

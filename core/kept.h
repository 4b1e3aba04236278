/* SPDX-License-Identifier: MPL-2.0
 * What is kept of what came in: bytes, the seals that vouch for them, names. */
#ifndef GROVE_CORE_KEPT_H
#define GROVE_CORE_KEPT_H

#include "core/forest_state.h"

/* Memory, zeroed; out of memory aborts. Released with free. */
void *kept_allocate(size_t size);

/* A copy, to be released with free. NULL for no bytes. */
struct blob *blob_make(struct bytes bytes);

/* Replaces a blob by a copy of `bytes`. */
void blob_set(struct blob **blob, struct bytes bytes);

struct bytes blob_bytes(const struct blob *blob); /* NULL: empty */
size_t blob_size(const struct blob *blob);        /* bytes of memory */

/* The record of a batch, with one use more: that of the item at this position.
 *
 *   record   in and out: NULL before the first item of the batch is kept */
struct record *record_use(struct forest *forest, struct record **record, const struct batch *batch,
                          uint16_t position);

/* Ends the command that brought the batch: what is not kept now never will be. Accepts NULL. */
void record_close(struct forest *forest, struct record *record);

/* A record of its own, with no use yet and room for the hashes that `kept` needs. */
struct record *record_make(struct forest *forest, const struct seal *seal,
                           const struct seal_set *kept);

/* Gives back the use of one item, which is pruned off. Accepts a NULL in `record`; leaves one. */
void record_release(struct forest *forest, struct record **record, uint8_t index);

/* Gives one use back and prunes nothing: for a forest that ends. Accepts NULL. */
void record_drop(struct forest *forest, struct record *record);

size_t record_size(const struct record *record); /* bytes that it needs, whatever its memory */

/* The function of this name, with one use more.
 *
 *   name   [a-z0-9._-]{1,63} */
struct function *function_use(struct forest *forest, struct bytes name);

/* The function of this name, or NULL when nothing refers to it. */
struct function *function_find(const struct forest *forest, struct bytes name);

/* The first in byte order that is greater than `name`; NULL at the end. */
struct function *function_after(const struct forest *forest, const char *name);

/* Gives one use back; the last one forgets what it counted. */
void function_drop(struct forest *forest, struct function *function);

struct bytes function_name(const struct function *function);

#endif

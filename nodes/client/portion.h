/* SPDX-License-Identifier: MPL-2.0
 * Some inputs of a join: sealed and on their way, and then what is kept of them until their
 * outcomes have come: enough to tell whether those are what was asked for. */
#ifndef GROVE_NODES_CLIENT_PORTION_H
#define GROVE_NODES_CLIENT_PORTION_H

#include <sys/queue.h>

#include "core/buffer.h"
#include "core/id.h"
#include "core/item.h"
#include "core/limits.h"
#include "core/seal.h"

struct input {
    struct id id; /* as derived; once taken, as answered */
    struct digest payload_digest;
    uint16_t function_at; /* in the portion's functions */
    uint8_t function_size;
};

enum portion_state { PORTION_NEW, PORTION_SENT, PORTION_TAKEN };

struct portion {
    TAILQ_ENTRY(portion) link;
    enum portion_state state;
    uint32_t offset, count; /* positions in the join */
    uint32_t left;          /* of them, whose outcomes have not come */
    bool close;             /* no more follow */
    bool is_adopted;        /* children that were submitted before, known by their ids alone */
    struct buffer body;     /* until taken: a Sealed, or ids */
    struct seal seal;       /* of the Sealed (of adopted ones, zeroed), and ... */
    struct digest root;     /* ... what it seals */
    struct buffer functions;
    struct input input[]; /* LIMIT_BATCH_ITEMS */
};

TAILQ_HEAD(portion_list, portion);

/* One that is being made: at most LIMIT_BATCH_ITEMS inputs and LIMIT_BATCH_SIZE bytes, but at least
 * one input. Zeroed is empty and valid. */
struct portion_maker {
    struct portion *portion; /* NULL: none is begun */
    struct buffer items;
    size_t item_at[LIMIT_BATCH_ITEMS + 1];
};

void portion_begin(struct portion_maker *maker, uint32_t offset);

/* Adds an input.
 *
 *   item      with its lineage; of the first portion, from whose inputs the name of the join
 *             follows, with PORTION_UNTAGGED for its occurrence
 *   returns   false: it does not fit beside the others, and is the first of the next portion */
bool portion_add(struct portion_maker *maker, const struct task_item *item);
#define PORTION_UNTAGGED UINT32_MAX /* as long as any tag */

/* Adds a child that was submitted before; all of one portion are. */
void portion_adopt(struct portion_maker *maker, const struct id *id);

/* The digest of the inputs so far, by which equal joins are equal. */
struct digest portion_digest(struct portion_maker *maker);

/* Gives all inputs the root, the parent and the tag of this lineage. */
void portion_place(struct portion_maker *maker, const struct lineage *lineage);

/* Names and seals what was added; the portion is the caller's. */
struct portion *portion_end(struct portion_maker *maker, const struct signer *signer,
                            const struct key *mesh);

void portion_maker_clear(struct portion_maker *maker);
void portion_destroy(struct portion *portion);

/* The function of its i-th input. */
struct bytes portion_function(const struct portion *portion, uint32_t i);

#endif

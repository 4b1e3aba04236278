/* SPDX-License-Identifier: MPL-2.0
 * Ends that no worker made, sealed by the coordinator that sends them: all of a turn under one seal
 * for each 256. Their content is the forest's and the same whoever seals it. */
#ifndef GROVE_COORDINATOR_VERDICTS_H
#define GROVE_COORDINATOR_VERDICTS_H

#include "core/forest.h"
#include "core/table.h"
#include "nodes/coordinator/excerpts.h"

/* Zeroed but for hash_key is empty and valid. */
struct verdicts {
    struct buffer list;   /* struct verdict */
    struct buffer items;  /* encoded, one after the other */
    struct buffer leaves; /* struct digest, one each */
    struct buffer seals;  /* struct verdict_seal, one for each LIMIT_BATCH_ITEMS */
    struct table by_task; /* once sealed */
    uint8_t hash_key[16];
    bool is_sealed;
    uint64_t signatures; /* ever made */
};

void verdicts_init(struct verdicts *verdicts, const uint8_t hash_key[16]);
void verdicts_clear(struct verdicts *verdicts);

/* Begins a turn. */
void verdicts_reset(struct verdicts *verdicts);

/* Adds the verdict of a task that ended with one, before it is sealed. */
void verdicts_add(struct verdicts *verdicts, const struct task_view *view);

void verdicts_seal(struct verdicts *verdicts, const struct signer *signer, const struct key *mesh);

/* The sealed verdict of a task; false when it was not added. After verdicts_seal.
 *
 *   piece     borrowed until verdicts_reset */
bool verdicts_find(const struct verdicts *verdicts, const struct id *task, struct piece *piece);

#endif

/* SPDX-License-Identifier: MPL-2.0
 * A mesh of keys: who takes part in a test, and what they seal. */
#ifndef GROVE_TESTS_SUPPORT_PARTY_H
#define GROVE_TESTS_SUPPORT_PARTY_H

#include "core/wire.h"
#include "nodes/host/credential.h"

struct party {
    struct signer mesh;
    struct credential coordinator;
    struct credential client;
    struct credential worker;
    struct credential operator; /* operator and observer */
};

void party_make(struct party *party);
void party_clear(struct party *party);

/* A credential of this mesh that may submit and run everything, good for an hour. */
void party_credential(const struct party *party, const char *name, uint32_t roles,
                      struct credential *credential);

/* A root task as a client would submit it, told apart by `i`; borrows its texts. */
struct task_item party_root(uint8_t i, const char *function, const char *payload, uint64_t now_ms);

/* Appends a whole batch of tasks as a Sealed message.
 *
 *   ids   out: `count`; may be NULL */
void party_seal_tasks(const struct credential *signer, const struct task_item *items,
                      unsigned count, struct id *ids, struct buffer *out);

void party_seal_results(const struct credential *signer, const struct result_item *items,
                        unsigned count, struct buffer *out);

#endif

/* SPDX-License-Identifier: MPL-2.0
 * What may be asked of a forest. A command is the only way in and carries all that is not in the
 * forest: ids, digests, leaves (the leader's pool computed them), anything random. */
#ifndef GROVE_CORE_COMMAND_H
#define GROVE_CORE_COMMAND_H

#include "core/bytes.h"
#include "core/seal.h"
#include "core/wire.h"

enum command_kind { /* the field numbers of grove.ledger.v1.Command */
                    COMMAND_SUBMIT = 1,
                    COMMAND_EXPAND = 2,
                    COMMAND_REPORT = 3,
                    COMMAND_RETURN = 4,
                    COMMAND_CHECKPOINT = 5,
                    COMMAND_ENLIST = 6,
                    COMMAND_RETIRE = 7,
                    COMMAND_EXPIRE = 8,
                    COMMAND_TRUST = 9,
                    COMMAND_FORGET = 10,
                    COMMAND_CANCEL = 11,
                    COMMAND_SWEEP = 12,
                    COMMAND_LIMIT = 13,
};

/* A whole sealed batch with what the pool computed from it; count = sealed.item_count =
 * sealed.seal.count. */
struct batch {
    struct sealed sealed;
    struct bytes bytes;          /* the Sealed message as received; what a ledger entry carries */
    const struct digest *leaves; /* count */
    const struct id *ids; /* count; of tasks: their derived ids; of results: the task they name */
    const struct digest *digests; /* count, of the payloads; NULL for results */
};

enum retire_reason { RETIRE_SILENT = 1, RETIRE_GOODBYE = 2, RETIRE_REPLACED = 3 };

/* Everything borrows from the entry it was decoded from. */
struct command {
    enum command_kind kind;
    uint64_t at_ms; /* the entry's stamp */
    uint64_t token; /* whoever proposed it here and awaits its answers; 0 on every other replica;
                       not in the ledger */
    union {
        struct {
            struct batch batch;
        } submit;
        struct {
            uint64_t session;    /* 0: from outside */
            struct key identity; /* from outside: who signed the root of the join */
            bool has_batch;
            struct batch batch;
            struct wire_list waits;    /* struct waits */
            struct wire_list progress; /* struct progress_item */
            struct wire_list appends;  /* struct append */
            const struct id *joins;    /* appends.count: the ids of their joins */
        } expand;
        struct {
            uint64_t session;
            struct batch batch;
            struct wire_list progress;
        } report;
        struct {
            uint64_t session;
            struct wire_list returned; /* struct returned */
        } return_;
        struct {
            uint64_t session;
            struct bytes encoded; /* grove.v1.Checkpoint as received */
            struct checkpoint checkpoint;
        } checkpoint;
        struct {
            struct key identity;
            struct id boot;
            struct bytes encoded; /* grove.v1.Enlist as received */
            struct enlist enlist;
        } enlist;
        struct {
            uint64_t session;
            enum retire_reason reason;
        } retire;
        struct {
            struct bytes certificate; /* signed form */
        } trust;
        struct {
            struct key identity; /* who asks; zero: the coordinator itself */
            uint64_t session;    /* of the worker that asks; 0: none */
            struct id task;
            struct id by; /* zero, or an ancestor whose attempt asks */
            uint32_t attempt;
            enum outcome_code code; /* CODE_CANCELLED or CODE_ABANDONED */
        } cancel;
        struct {
            struct key identity;
            struct bytes encoded; /* grove.v1.Limit as received */
            struct limit limit;
        } limit;
    };
};

#endif

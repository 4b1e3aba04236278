/* SPDX-License-Identifier: MPL-2.0
 * What a forest tells those who watch: a ring of the last that happened, each with a number. A
 * notice says who and what; names and trees are looked up by whoever reads it, as nobody mostly
 * does.
 *
 * A number is made of the ledger's index and a position in that entry, so that it is the same in
 * every replica, and after a restart. Beside what the ledger says, a replica may note what only it
 * knows; then the number is between those of two others'. */
#ifndef GROVE_CORE_NOTICE_H
#define GROVE_CORE_NOTICE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/bytes.h"
#include "core/limits.h"

enum notice_kind {
    NOTICE_SUBMITTED, /* id */
    NOTICE_ASSIGNED,  /* id, attempt, session */
    NOTICE_WAITS,     /* id, attempt, session: it has given its slot back */
    NOTICE_RESUMED,   /* id, attempt, session: ... and got one */
    NOTICE_RETRIED,   /* id, attempt: it has failed, and will be tried again */
    NOTICE_RETURNED,  /* id, attempt, session: handed back */
    NOTICE_LOST,      /* id, attempt, session: its worker is gone */
    NOTICE_ENDED,     /* id, attempt, code */
    NOTICE_JOINED,    /* id of a join, code: enum join_state */
    NOTICE_ENLISTED,  /* session, name of its instance */
    NOTICE_RETIRED,   /* session, name of its instance */
    NOTICE_LIMIT,     /* name of a function */
    NOTICE_TRUST,     /* certificates came or went */
    NOTICE_LEADER,    /* name, or none: whom this replica follows from now on */
    NOTICE_ROOM,      /* code: how much room the disk of this replica has */
    NOTICE_KINDS
};

struct notice {
    uint64_t number;
    uint64_t at_ms; /* ledger time */
    struct id id;
    uint64_t session;
    uint32_t attempt;
    uint16_t name; /* which of the names, modulo 2^16; of kinds that have one */
    uint8_t kind;  /* enum notice_kind */
    uint8_t code;
};

#define NOTICE_NAMES 1024u /* kept; older ones are not known any more */
#define NOTICE_NAME_SIZE (LIMIT_NAME_LENGTH + 1)

struct notices {
    struct notice *ring;
    size_t capacity;     /* a power of two */
    uint64_t count;      /* ever */
    uint64_t next;       /* number of the next */
    uint64_t gone;       /* up to this number none is held, though there may have been some */
    bool is_cut;         /* what comes next does not follow what was last */
    uint64_t name_count; /* ever */
    char names[NOTICE_NAMES][NOTICE_NAME_SIZE];
};

/* An empty ring.
 *
 *   capacity   a power of two */
void notices_init(struct notices *notices, size_t capacity);
void notices_clear(struct notices *notices);

/* What follows is of the ledger's entry of this index. */
void notices_begin(struct notices *notices, uint64_t index);

/* The state was replaced by another: what led to it is not known. */
void notices_cut(struct notices *notices);

/* Makes a notice with its number, and the rest zero. */
struct notice *notices_add(struct notices *notices, enum notice_kind kind, uint64_t at_ms);

/* Gives a notice a name, cut if it is longer than one may be. */
void notices_set_name(struct notices *notices, struct notice *notice, struct bytes name);

/* Whether nothing that came after this number is gone. */
bool notices_has_all_after(const struct notices *notices, uint64_t number);

/* The first that is held after this number, or NULL; borrowed until the next is added. */
const struct notice *notices_after(const struct notices *notices, uint64_t number);

/* The number of the last that there was, 0 at first. */
uint64_t notices_last(const struct notices *notices);

/* Its name, or NULL when that is not known any more. */
const char *notices_name(const struct notices *notices, const struct notice *notice);

const char *notice_kind_name(enum notice_kind kind); /* "task-ended" */

#endif

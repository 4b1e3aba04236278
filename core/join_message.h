/* SPDX-License-Identifier: MPL-2.0
 * What is said of joins, of cancelling and of limits: struct, decode, encode. */
#ifndef GROVE_CORE_JOIN_MESSAGE_H
#define GROVE_CORE_JOIN_MESSAGE_H

#include "core/frame.h"
#include "core/item.h"

/* What a join does with its inputs, and what tells it from others of its parent. */
struct join_terms {
    uint32_t kind;         /* enum join_kind */
    struct bytes function; /* map: of every input */
    uint32_t limit;        /* map: inputs that run or wait at a time */
    uint32_t stop;         /* gather, map: failures that stop it, 0: none; race: winners, 0 is 1 */
    bool first_settled;    /* race: whoever ends first wins, however it ended */
    struct digest first;   /* of the first inputs */
    uint32_t occurrence;   /* among equal joins of this parent and generation */
    uint32_t revision;     /* times that its handler has taken another path */
    struct bytes key;      /* names it instead of all the above */
};

struct append {
    struct id parent;
    uint32_t attempt;
    struct bytes terms; /* a Join; empty from outside */
    uint32_t offset;
    uint32_t first; /* of the batch beside */
    uint32_t count;
    struct bytes adopted; /* 16 bytes each */
    bool close;
    uint32_t generation; /* of the parent */
};

struct awaited_join {
    struct id join;
    uint32_t until; /* also when the input at until - 1 has ended; 0: not asked */
    uint32_t room;  /* also when so many more inputs are taken; 0: not asked */
};

struct page {
    struct id join;
    uint32_t offset;
    uint32_t most; /* outcomes; 0: the state alone */
    uint32_t room;
};

/* The state of a join as it travels. */
enum join_state { JOIN_OPEN = 0, JOIN_COMPLETE, JOIN_WON, JOIN_FAILED, JOIN_CANCELLED };

struct paged {
    struct id join;
    uint32_t state; /* enum join_state */
    uint32_t accepted, room;
    bool closed;
    uint32_t succeeded, failed, running;
    struct bytes winners; /* positions, 4 bytes each, little-endian */
    uint32_t offset;
    struct bytes ids;              /* 16 bytes each */
    struct wire_list outcomes;     /* Sealed */
    struct wire_list certificates; /* signed form */
};

struct cancel {
    struct id task;
    bool has_by;
    struct id by; /* an ancestor of the task, whose attempt asks */
    uint32_t attempt;
};

struct cancelled {
    uint64_t never_started, stopped, already_done;
};

enum limit_change { LIMIT_CHANGE_RUNNING = 1, LIMIT_CHANGE_RATE = 2, LIMIT_CHANGE_PAUSED = 4 };

struct limit {
    struct bytes function;
    uint32_t change;  /* set of enum limit_change */
    uint32_t running; /* 0: any number */
    uint32_t rate;    /* attempts begun in 1,000 s; 0: any number */
    bool paused;
};

/* Terms are judged too: a kind that there is, a limit for a map, names that are right.
 *
 *   errors    GROVE_MALFORMED, GROVE_TOO_LARGE; the out-parameter is untouched */
enum grove_status wire_terms_decode(struct bytes bytes, struct join_terms *terms) GROVE_CHECKED;
void wire_terms_encode(struct buffer *out, const struct join_terms *terms);

enum grove_status wire_append_decode(struct bytes element, struct append *append) GROVE_CHECKED;
void wire_put_append(struct wire_writer *writer, uint32_t field, const struct append *append);

enum grove_status wire_awaited_join_decode(struct bytes element, struct awaited_join *awaited)
    GROVE_CHECKED;
void wire_put_awaited_join(struct buffer *out, const struct awaited_join *awaited);

enum grove_status wire_page_decode(struct bytes body, struct page *page) GROVE_CHECKED;
enum grove_status wire_paged_decode(struct bytes body, struct paged *paged) GROVE_CHECKED;
enum grove_status wire_cancel_decode(struct bytes body, struct cancel *cancel) GROVE_CHECKED;
enum grove_status wire_cancelled_decode(struct bytes body, struct cancelled *counts) GROVE_CHECKED;
enum grove_status wire_limit_decode(struct bytes body, struct limit *limit) GROVE_CHECKED;
/* Of an operator's Drain: whose workers are to leave. */
enum grove_status wire_drain_decode(struct bytes body, struct bytes *name) GROVE_CHECKED;
void wire_drain_encode(struct buffer *out, uint64_t correlation, struct bytes name);

enum grove_status wire_recall_decode(struct bytes body, struct bytes *function) GROVE_CHECKED;

void wire_page_encode(struct buffer *out, uint64_t correlation, const struct page *page);
/* All but outcomes and certificates, into an open message. */
void wire_put_paged(struct wire_writer *writer, const struct paged *paged);
void wire_cancel_encode(struct buffer *out, uint64_t correlation, const struct cancel *cancel);
void wire_cancelled_encode(struct buffer *out, uint64_t correlation,
                           const struct cancelled *counts);
void wire_limit_encode(struct buffer *out, uint64_t correlation, const struct limit *limit);
void wire_recall_encode(struct buffer *out, struct bytes function);

/* For lists of the elements above that are built as they come. */
#define PAGED_OUTCOMES 12u
#define PAGED_CERTIFICATES 13u

/* Shapes that other messages hold as elements. */
struct shape;
extern const struct shape append_shape;
extern const struct shape awaited_join_shape;

#endif

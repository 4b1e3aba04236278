/* SPDX-License-Identifier: MPL-2.0
 * The stats socket: one frame of text in, one frame of JSON out. Names, ids, counts and times,
 * never payloads. Counters are kept as things happen; nothing here walks the forest, but for the
 * page of a tree that was asked for. */
#ifndef GROVE_COORDINATOR_STATS_H
#define GROVE_COORDINATOR_STATS_H

#include <jansson.h>

#include "nodes/coordinator/ingress.h"
#include "nodes/coordinator/machine.h"
#include "nodes/host/zap.h"

/* Borrowed; set before the first use. */
struct stats {
    const struct ingress *ingress;
    const struct egress *egress;
    const struct proposals *proposals;
    const struct machine *machine;
    struct replica *replica;
    const struct zap *zap;           /* NULL: not counted */
    const struct members *members;   /* NULL: one coordinator, which has no peers */
    const uint64_t *leader_heard_ms; /* monotonic; NULL with `members` */
    uint64_t requests;
    uint32_t subscribers; /* to events, now */
    uint64_t published;   /* messages with events */
};

#define STATS_REQUEST_SIZE 256u /* bytes */
#define STATS_READERS 16u       /* connections that may ask, at a time */

/* Appends the answer to a request such as "tree 0011...", JSON with a schema and without a newline;
 * an unknown or wrong request is answered with {"error": ...}.
 *
 *   request   hostile
 *   out       at most LIMIT_STATS_PAGE bytes are appended */
void stats_answer(struct stats *stats, struct bytes request, struct buffer *out);

/* Whether this identity may ask, judged anew each time: a connection outlives a revocation. */
enum refusal stats_judge(const struct stats *stats, const struct key *identity);

/* Appends the answer to one who may not: nothing but why. */
void stats_refuse(enum refusal refusal, struct buffer *out);

/* ---- each verb; the answer, or NULL with `error` set to a sentence (static storage) */

json_t *stats_counts(struct stats *stats, const char **error);
json_t *stats_health(struct stats *stats, const char **error);
json_t *stats_cluster(struct stats *stats, const char **error);
json_t *stats_workers(struct stats *stats, const char *cursor, const char **error);
json_t *stats_tree(struct stats *stats, const char *id, const char *cursor, const char **error);
json_t *stats_task(struct stats *stats, const char *id, const char **error);
json_t *stats_explain(struct stats *stats, const char *id, const char **error);
json_t *stats_functions(struct stats *stats, const char *cursor, const char **error);
json_t *stats_roots(struct stats *stats, const char *cursor, const char **error);
json_t *stats_root(struct stats *stats, const char *id, const char **error);
json_t *stats_failures(struct stats *stats, const char *cursor, const char **error);

/* Writes its answer itself, or returns false with `error` set. */
bool stats_events(struct stats *stats, const char *since, struct buffer *out, const char **error);

/* Appends all of it as text. */
void stats_put_metrics(struct stats *stats, struct buffer *out);

/* Appends a whole answer with the events after a number, `most` at most; returns the number of the
 * last one, or else `since`. */
uint64_t stats_put_events(const struct stats *stats, uint64_t since, unsigned most,
                          struct buffer *out);

/* Appends the beginning of an answer: its schema, and who leads, how far we are, and how old that
 * may be. */
void stats_put_head(const struct stats *stats, const char *schema, struct buffer *out);

/* The task that a request names; false with `error` set when there is none. */
bool stats_find(const struct stats *stats, const char *text, struct task_view *view,
                const char **error);

/* A task as it stands in lists. */
json_t *stats_listed(const struct stats *stats, const struct task_view *view);

/* Counts of one function, and of tasks by state. */
json_t *stats_function(const struct function_view *view);
json_t *stats_states(const uint64_t state[TASK_STATE_COUNT]);

/* A string of bytes from outside; null when they are not UTF-8. */
json_t *stats_text(struct bytes bytes);
json_t *stats_id(const struct id *id);

/* Bytes that `value` takes in a page, at most. */
size_t stats_size(json_t *value);

/* A page holds no more tasks than this, so that none takes a turn of the loop for long. */
#define STATS_PAGE_TASKS 128u

/* Bytes of a page that its elements may take, beside its head. */
#define STATS_ELEMENTS_SIZE (LIMIT_STATS_PAGE - 4096u)

#endif

/* SPDX-License-Identifier: MPL-2.0
 * A connection to a coordinator's stats socket: one request, one JSON answer at a time. */
#ifndef GROVE_NODES_PROGRAMS_OBSERVER_H
#define GROVE_NODES_PROGRAMS_OBSERVER_H

#include "core/bytes.h"
#include <jansson.h>

#include "nodes/programs/connect.h"

struct observer;

/* Loads the credential at `path`; nothing is sent yet. Says on stderr what is wrong.
 *
 *   code      out: what to exit with when it returns NULL */
struct observer *observer_open(const char *path, enum exit_code *code);
/* The same, of the credential that this command line uses. */
struct observer *observer_choose(const struct arguments *arguments, enum exit_code *code);
/* As observer_open; NULL, and not a word, when it is no observer's. */
struct observer *observer_open_quietly(const char *path);
void observer_close(struct observer *observer); /* NULL is fine */

/* From then on it says nothing on stderr, and gives up on a coordinator that does not answer within
 * a second. */
void observer_set_quiet(struct observer *observer, bool is_quiet);

/* Asks, and asks again until somebody answers. What is no JSON, as metrics are, is a string.
 *
 *   answer    out, of EXIT_DONE: the caller's
 *   returns   EXIT_NO_LEADER after CONNECT_PATIENCE_MS; EXIT_REFUSED: we are not let in;
 *             EXIT_NOT_FOUND, EXIT_USAGE: the answer was an error. The reason is on stderr */
enum exit_code observer_ask(struct observer *observer, const char *request, json_t **answer);

/* Asks once, and not for long: NULL, and not a word, when nobody answers, or only with an error. */
json_t *observer_try(struct observer *observer, const char *request);

/* Asks one coordinator alone, and does not wait long; NULL when it does not answer. From then on
 * the observer asks that one.
 *
 *   tasks     tcp://HOST:PORT of its task socket
 *   returns   the caller's */
json_t *observer_ask_at(struct observer *observer, const char *tasks, const struct key *server,
                        const char *request);

/* The tree that task `id` is in, all its pages in one. */
enum exit_code observer_tree(struct observer *observer, const char *id, json_t **tree);

/* Why `id` does not run, when no worker offers its function; else NULL. The caller frees it. NULL
 * also when it cannot be known: this credential may be no observer's. */
char *observer_unoffered(const char *path, const char *id);

/* What is known of a function; NULL: nobody has asked for it yet, or offers it.
 *
 *   entry     out, of EXIT_DONE: the caller's */
enum exit_code observer_function(struct observer *observer, const char *function, json_t **entry);

/* Why a task or a join does not go on, and what would help, in a line that is the caller's. NULL:
 * it runs, or waits for its own inputs; also when it cannot be known. */
char *observer_waiting(const char *path, const char *id);

#endif

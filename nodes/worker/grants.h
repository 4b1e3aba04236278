/* SPDX-License-Identifier: MPL-2.0
 * What the command of an attempt may ask of its node: a unix socket each, which is there while the
 * attempt runs. Whoever connects is a process of our own user and speaks for that attempt: it makes
 * and awaits children of it, and holds no key. errands.c does what is asked.
 *
 *   command ──connect──▶ listening socket of its attempt
 *                          │ one thread accepts for all attempts, and sees who hangs up
 *                          ▼
 *                        a thread for each connection, which makes the calls */
#ifndef GROVE_NODES_WORKER_GRANTS_H
#define GROVE_NODES_WORKER_GRANTS_H

#include "nodes/worker/attempt.h"

#define GRANT_CONNECTIONS 64u    /* of one attempt that are served at a time; others wait */
#define GRANTS_CONNECTIONS 1024u /* of all attempts of a worker */

struct grants;
struct grant;

struct grants *grants_create(void);

/* Once every grant is closed; NULL is fine. */
void grants_destroy(struct grants *grants);

/* Listens at `path`, which must not be there yet, in a directory that is private to the attempt.
 * The calling thread, which only awaits the command, releases the attempt (grove_context_release):
 * from now on the attempt has no slot while any of its command's calls waits for children.
 *
 *   returns   NULL with errno: nothing has changed */
struct grant *grant_open(struct grants *grants, struct grove_attempt *attempt, const char *path);

/* Ends every call that is under way and hangs up; then nobody speaks for the attempt any more. */
void grant_close(struct grant *grant);

#endif

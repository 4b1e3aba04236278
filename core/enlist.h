/* SPDX-License-Identifier: MPL-2.0
 * Sessions come and go. */
#ifndef GROVE_CORE_ENLIST_H
#define GROVE_CORE_ENLIST_H

#include "core/forest_state.h"

/* Opens a session, or resumes the live one of the same process (fine print 6). */
void enlist(struct forest *forest, const struct key *identity, const struct id *boot,
            const struct enlist *request);

/* Ends a session: it is not found any more and gets nothing; what it held is taken from it by
 * enlist_drain. */
void enlist_retire(struct forest *forest, struct session *session, enum retire_reason reason);

/* Takes attempts from retired sessions, at most forest->moves of them. */
void enlist_drain(struct forest *forest);

#endif

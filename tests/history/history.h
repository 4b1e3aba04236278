/* SPDX-License-Identifier: MPL-2.0
 * The history checker: reads what clients asked and heard, what the ledger says and what workers
 * ran, one event a line, and names the first thing that may not be. It shares no code with core.
 *
 * Order in a history is the order of its lines. Ids, keys and digests are any words. What happened
 * on one machine is written as it happens; what was read from a ledger afterwards comes first.
 *
 *   start NODE index=I            a node (re)starts and has applied up to I
 *   log NODE index=I term=T hash=H     it applies an entry
 *   digest NODE index=I hash=H    its state after that entry
 *   lead NODE term=T              it leads
 *   voters count=N, ack NODE index=I   it has synced up to I
 *   mesh key=KEY                  whose seals and certificates count; without it none is looked at
 *   signed BYTES                  what the next command holds as it was signed, in hexadecimal: a
 *                                 batch, a certificate or a revocation
 *   do KIND ms=STAMP ...          a command of the entry that was applied last, and what it holds:
 *     item at=P id= digest= function= by= most= [once] [deadline=] [delay=] [expires=]
 *          [parent= root= attempt= generation=] [kind= limit= stop= [first]]
 *     append at=P join= parent= [kind= limit= stop= [first]] offset= from= count= [adopted=]
 *          [close]
 *     wait task= attempt=, held task= attempt=, returned task= attempt= reason=
 *     result at=P task= attempt= session= code= digest= by= root= parent= function= payload=
 *     certificate of= roles= submit= run= from= until= serial=, revoke of= or serial=
 *   -> KIND ...                   an effect of it (core/effect.h)
 *   inv|ok|fail|info PROCESS submit|read|join ...    a client
 *   exec WORKER start|end task= attempt=             a worker's handler
 *   count NAME=N ...              what a coordinator has counted
 *   fault WHAT on|off             for readers
 *   quiet                         all faults have stopped long ago
 *
 * Passes (SECURITY, section 7): replicas 1, submits 2, model 3, rights 3 (I20), executions 4,
 * seals 5, reads 6, counters 7, drain 8.
 *
 * The second model is some 900 lines of code, where 300 had been set for it. In 300 it could say
 * what is accepted, what ends, and that once. What it finds lies in the rest, which judges each
 * assignment, window, winner, verdict and right: a map over its limit, an observer that opens a
 * join. It shares no line and no header with core, and speaks of words, not of structs. */
#ifndef GROVE_TESTS_HISTORY_HISTORY_H
#define GROVE_TESTS_HISTORY_HISTORY_H

struct history;

struct history *history_create(void);
void history_destroy(struct history *history);

/* Reads the next line, cutting it in place. */
void history_read(struct history *history, char *text);

/* How many signatures were good. */
unsigned long history_seals(const struct history *history);

/* Nothing more comes.
 *
 *   returns   NULL, or what is wrong: "PASS: line N: a sentence" */
const char *history_end(struct history *history);

#endif

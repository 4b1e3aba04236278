/* SPDX-License-Identifier: MPL-2.0
 * What an operator's commands ask of a running mesh. */
#ifndef GROVE_NODES_PROGRAMS_OPERATOR_H
#define GROVE_NODES_PROGRAMS_OPERATOR_H

#include "nodes/host/credential.h"
#include "nodes/programs/program.h"

/* Loads the credential this command line uses; says what is wrong on stderr.
 *
 *   path      out, PATH_MAX bytes: the file that was chosen
 *   code      out: what to exit with when it returns false */
bool operator_credential(const struct arguments *arguments, struct credential *credential,
                         char *path, enum exit_code *code);

/* Admits signed certificates to the running mesh; idempotent. Says on stderr why not.
 *
 *   path      of the credential, for the reason */
enum exit_code operator_admit(const struct credential *credential, const char *path,
                              const struct bytes *certificates, size_t count);

/* Has the coordinator write a snapshot; `index` is the ledger index it covers. */
enum exit_code operator_snapshot(const struct credential *credential, const char *path,
                                 uint64_t *index);

/* Changes who takes part in the ledger; returns when that is in force. */
struct change;
enum exit_code operator_change(const struct credential *credential, const char *path,
                               const struct change *change);

/* Sets what a limit names of a function's limits, in the whole mesh. */
struct limit;
enum exit_code operator_limit(const struct credential *credential, const char *path,
                              const struct limit *limit);

/* Tells all workers of that instance, or that name in their certificate, to leave.
 *
 *   returns   EXIT_NOT_FOUND, and says nothing: there is none (any more) */
enum exit_code operator_drain(const struct credential *credential, const char *path,
                              const char *name);

#endif

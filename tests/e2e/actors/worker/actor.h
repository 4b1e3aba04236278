/* SPDX-License-Identifier: MPL-2.0
 * What the files of the worker for the end-to-end tests share. */
#ifndef GROVE_TESTS_E2E_ACTOR_H
#define GROVE_TESTS_E2E_ACTOR_H

#include "nodes/grove.h"

#define TEXT_SIZE 512

const char *payload(const struct grove_attempt *attempt);

/* Appends a line to the log of executions. */
void note(const struct grove_attempt *attempt);

enum grove_status return_text(struct grove_attempt *attempt, const char *text);

/* True when the file is there; makes it otherwise. */
bool mark(const char *path);

/* The handlers, as worker.c describes them. */
enum grove_status run_stubborn(struct grove_attempt *attempt, void *context);
enum grove_status run_tree(struct grove_attempt *attempt, void *context);
enum grove_status run_gatherer(struct grove_attempt *attempt, void *context);
enum grove_status run_mapper(struct grove_attempt *attempt, void *context);
enum grove_status run_racer(struct grove_attempt *attempt, void *context);

#endif

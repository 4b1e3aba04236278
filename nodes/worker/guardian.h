/* SPDX-License-Identifier: MPL-2.0
 * Who looks after commands: small processes of ours, the parents of every command. However the
 * worker ends, kill -9 included, its guardian kills the commands and all that they have started,
 * and removes the directory that they worked in.
 *
 *   worker ──control: a command, its pipes, its leash──▶ guardian
 *                                                          │ fork, one a command
 *                                                          ▼
 *   worker ◀─leash: how it ended───────────────────────── keeper ──fork, exec──▶ sh -c ...
 *   worker ──leash: a signal for its group──────────────▶ keeper
 *
 * A command is ended with all that it has started, wherever that has moved to: what loses its
 * parent becomes its keeper's child. */
#ifndef GROVE_NODES_WORKER_GUARDIAN_H
#define GROVE_NODES_WORKER_GUARDIAN_H

#include <stdbool.h>
#include <stddef.h>

struct guardian;

/* Forks it. Out of memory or processes aborts.
 *
 *   directory   removed with all in it once its commands are gone; NULL: none; shorter than
 *               PATH_MAX */
struct guardian *guardian_start(const char *directory);

const char *guardian_directory(const struct guardian *guardian); /* or "" */

/* Kills what still runs, and waits for that. NULL is fine. */
void guardian_stop(struct guardian *guardian);

/* A command and what it begins with. */
struct guardian_errand {
    const char *command;              /* for sh -c */
    const char *directory;            /* where it begins */
    const char *const *environment;   /* NAME=VALUE, ended by NULL */
    int input, output, errors, aside; /* its ends of its pipes: descriptors 0 to 3 */
};

/* Has a command run in a group of its own; any thread. Closing the leash kills the group.
 *
 *   leash     out: take the end from it when it is readable
 *   returns   0, or why not: an errno */
int guardian_run(struct guardian *guardian, const struct guardian_errand *errand, int *leash);

enum guardian_end { GUARDIAN_EXITED, GUARDIAN_SIGNALED, GUARDIAN_NOT_STARTED };

struct guardian_news {
    enum guardian_end end;
    int number; /* exit status, signal or errno */
};

/* Takes how the command ended: its own process has, and all that it started is gone. Does not
 * block; false when there is nothing yet. A guardian that was killed took its commands with it. */
bool guardian_ended(int leash, struct guardian_news *news);

/* Sends a signal to the command's group, if it is still there. */
void guardian_signal(int leash, int signal);

#endif

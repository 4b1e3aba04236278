/* SPDX-License-Identifier: MPL-2.0
 * One connection of a command with its node: the errand that is under way, its inputs as they come,
 * what is told. While this waits for the command's side, other calls of the same command may have
 * its attempt wait. */
#ifndef GROVE_NODES_WORKER_TALK_H
#define GROVE_NODES_WORKER_TALK_H

#include "core/errand.h"
#include "nodes/client/result.h"
#include "nodes/host/channel.h"
#include "nodes/worker/attempt.h"

/* Of a task, each ended by a NUL. */
struct input_texts {
    char function[LIMIT_FUNCTION_LENGTH + 1];
    char content_type[LIMIT_CONTENT_TYPE_LENGTH + 1];
    char key[LIMIT_KEY_LENGTH + 1];
};

struct talk {
    struct channel *channel;
    struct grove_attempt *attempt;
    struct errand errand;
    struct buffer kept; /* what the errand borrows from */
    char key[LIMIT_KEY_LENGTH + 1];
    unsigned logged;          /* lines */
    bool is_over;             /* nothing more is to be read or said */
    bool is_at_end;           /* of the errand's inputs */
    enum grove_status fault;  /* of the command's: the errand ends with it */
    struct failing failing;   /* ... and why */
    struct input_texts texts; /* of the last input of a stream */
};

/* Notes what makes no sense; what comes behind it could not be understood. Returns its status. */
enum grove_status talk_blame(struct talk *talk, struct failing failing);

/* The next part.
 *
 *   timeout_ms  -1: none
 *   errors      GROVE_BUSY: none within the time; GROVE_CLOSED: none any more, or a fault */
enum grove_status talk_receive(struct talk *talk, int timeout_ms, struct errand_ask *ask)
    GROVE_CHECKED;

/* The next input; borrowed until the next part.
 *
 *   errors    GROVE_BUSY: likewise; GROVE_CLOSED: that was the last; others stop the errand */
enum grove_status talk_next_input(struct talk *talk, int timeout_ms, struct bytes *item)
    GROVE_CHECKED;

/* Reads a task, which the mesh has yet to judge. That it is a child of this attempt is for the node
 * to say: one that says itself whose child it is, is a fault. `task` borrows from both. */
enum grove_status talk_read_input(struct talk *talk, struct bytes item, struct input_texts *texts,
                                  struct grove_task *task) GROVE_CHECKED;

/* Copies a text, whose size was checked, and ends it by a NUL. */
void talk_copy_text(char *to, struct bytes text);

/* Says what came of an input: `failure` if it is not empty, else `result`. */
void talk_put_outcome(struct talk *talk, const struct grove_result *result,
                      const struct grove_failure *failure);

/* Sends what was put. */
void talk_flush(struct talk *talk);

/* Ends the errand. A fault goes before what is given.
 *
 *   result    of the task that was asked for, or NULL
 *   failure   why not all is well; empty: all is */
void talk_conclude(struct talk *talk, struct errand_conclusion *conclusion,
                   const struct grove_result *result, const struct grove_failure *failure);
void talk_conclude_status(struct talk *talk, enum grove_status status);

#endif

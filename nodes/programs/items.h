/* SPDX-License-Identifier: MPL-2.0
 * The outcomes of a join on stdout, a line each and in order: a result, or, where an input failed,
 * nothing, with its name and reason on stderr, so that the lines still stand for the inputs. */
#ifndef GROVE_NODES_PROGRAMS_ITEMS_H
#define GROVE_NODES_PROGRAMS_ITEMS_H

#include "nodes/programs/outcome.h"
#include "nodes/programs/progress.h"

struct items {
    const char *schema; /* of a line of JSON */
    bool json;
    struct progress *progress; /* to be hidden meanwhile */
    size_t blanks;             /* lines of cancelled inputs, if others follow */
    size_t failed, cancelled;
};

/* What an input is called, for people: bytes that are cut where they get long. */
struct item_name {
    size_t index; /* from 0 */
    struct grove_bytes text;
};

void items_print(struct items *items, const struct item_name *name,
                 const struct grove_result *result, const struct grove_failure *failure);

/* Says how it went as a whole, unless all went well; returns the exit code for it. */
enum exit_code items_end(const struct items *items, enum grove_status status,
                         const struct grove_joined *joined);

#endif

/* SPDX-License-Identifier: MPL-2.0
 * What the values of options are, by the names that help gives them: an option with the value ROLE
 * takes a role, wherever it stands. An option whose value's name ends in "..." may be repeated. */
#ifndef GROVE_NODES_PROGRAMS_VALUES_H
#define GROVE_NODES_PROGRAMS_VALUES_H

#include "nodes/programs/program.h"

/* How a shell completes it. */
enum completion {
    COMPLETE_NOTHING,
    COMPLETE_CHOICES,
    COMPLETE_FILE,
    COMPLETE_DIRECTORY,
    COMPLETE_COMMAND, /* of grove's */
    COMPLETE_LIVE,    /* the mesh is asked: grove completions values NAME */
};

struct value_kind {
    const char *name; /* "ROLE" */
    enum completion completion;
    const char *const *choices;     /* all that it may be, ended by NULL; else NULL */
    bool (*fits)(const char *text); /* NULL: anything, or a choice */
    const char *form;               /* what fits, in words */
};

/* All of them; the last has no name. */
extern const struct value_kind value_kinds[];

/* NULL: a name under which anything may stand. Heeds no "..." behind it. */
const struct value_kind *value_kind(const char *name);

bool value_is_repeatable(const char *name);

#define VALUE_WHY_SIZE 256

/* Whether `text` may stand where `name` is asked for.
 *
 *   why      out, of false: "is text or json, not 'jsn'; did you mean json?" */
bool value_fits(const char *name, const char *text, char why[VALUE_WHY_SIZE]);

/* Forms that have no choices. */
bool value_number(const char *text, int64_t *number);
bool value_duration(const char *text, uint64_t *ms);

/* "yes" and its like; false when it is neither that nor "no". */
bool value_switch(const char *text, bool *is_on);

#endif

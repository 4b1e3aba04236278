/* SPDX-License-Identifier: MPL-2.0
 * What the values of options are, by the names that help gives them: an option with the value ROLE
 * takes a role, wherever it stands. */
#ifndef GROVE_NODES_PROGRAMS_VALUES_H
#define GROVE_NODES_PROGRAMS_VALUES_H

#include "nodes/programs/program.h"

struct value_kind {
    const char *name;           /* "ROLE" */
    const char *const *choices; /* all that it may be, ended by NULL */
};

/* NULL: a name under which anything may stand. */
const struct value_kind *value_kind(const char *name);

/* Whether `text` can stand where `name` is asked for; else says so, with the nearest choice.
 *
 *   what   it is the value of, "run: --output" */
bool value_check(const char *what, const char *name, const char *text);

#endif

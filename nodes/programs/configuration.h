/* SPDX-License-Identifier: MPL-2.0
 * What options are when the command line does not say: what the environment says, else a file.
 *
 * Its names are those of the table of commands. [client] has the options that every command takes,
 * a command's own section (of those with has_section) all of its options, and [exec "NAME"] those
 * of exec_options. In the environment they are GROVE_OPTION and GROVE_COMMAND_OPTION. */
#ifndef GROVE_NODES_PROGRAMS_CONFIGURATION_H
#define GROVE_NODES_PROGRAMS_CONFIGURATION_H

#include <limits.h>

#include <jansson.h>

#include "nodes/host/config.h"
#include "nodes/programs/program.h"

#define CONFIGURATION_FILES 2u

struct configuration {
    struct config config;
    char *path[CONFIGURATION_FILES]; /* of the files read, the one that decides last */
    unsigned path_count;
    json_t *wrong; /* complaints of what was read, as strings with file and line */
};

/* Reads the file given; without one that of GROVE_CONFIG (none, when that is empty); without it
 * /etc/grove/grove.conf and then the user's grove.conf, as far as they are there. What is wrong in
 * them is in `wrong`. */
void configuration_load(const char *given, struct configuration *configuration);
void configuration_clear(struct configuration *configuration);

/* One value that an option has, and by what. */
struct setting {
    const char *value;                /* of a flag "yes" */
    char origin[PATH_MAX + 16];       /* "--slots", "GROVE_WORKER_SLOTS" or "FILE:LINE" */
    const struct config_entry *entry; /* NULL: it is from no file */
};

/* The i-th value of an option in a section, or false. */
bool configuration_find(const struct configuration *configuration, const char *section,
                        const struct option *option, size_t i, struct setting *setting);

/* Likewise for a command: of its section, else, of what every command takes, of [client]. */
bool configuration_of_command(const struct configuration *configuration,
                              const struct subcommand *command, const struct option *option,
                              size_t i, struct setting *setting);

/* Gives to a command line what the environment and the files say of the options that it has not.
 * Says what is wrong there and returns false. `arguments` borrows from `configuration`. */
bool configuration_apply(const struct configuration *configuration,
                         const struct subcommand *command, struct arguments *arguments);

/* The name of the i-th [exec "NAME"] (name: LIMIT_FUNCTION_LENGTH + 1 bytes), or false; and the
 * value of an option of it, or NULL. */
bool configuration_exec(const struct configuration *configuration, size_t i, char *name);
const char *configuration_exec_value(const struct configuration *configuration, const char *name,
                                     const char *option);

#endif

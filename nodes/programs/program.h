/* SPDX-License-Identifier: MPL-2.0
 * What the subcommands of `grove` share: their table, their options, their exit codes. Results go
 * to stdout, reasons to stderr. */
#ifndef GROVE_NODES_PROGRAMS_PROGRAM_H
#define GROVE_NODES_PROGRAMS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/status.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_TASK_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_FOUND = 3,
    EXIT_REFUSED = 4,
    EXIT_NO_LEADER = 5,
    EXIT_DEADLINE = 6,
    EXIT_CANCELLED = 7,
    EXIT_CONFLICT = 8,
    EXIT_SYSTEM = 74,       /* a disk or a system call failed */
    EXIT_REFUSED_DATA = 78, /* a data directory or configuration that must not be used */
};

struct option {
    const char *name;  /* without the dashes */
    char letter;       /* 0: none */
    const char *value; /* what the value is called in help, by a name of values.h; NULL: a flag.
                        * "FILE...": may be repeated */
    const char *help;
};

#define OPTION_END                                                                                 \
    {                                                                                              \
        NULL, 0, NULL, NULL                                                                        \
    }

#define ARGUMENT_LIMIT 256 /* options of one command line */

struct configuration; /* configuration.h */

/* The words of one command line, taken apart; they borrow from argv and the configuration. */
struct arguments {
    const struct configuration *configuration; /* NULL for a command that has none */
    struct {
        const struct option *option;
        const char *value;
        char *origin; /* where it stands; NULL: on the command line */
    } given[ARGUMENT_LIMIT];
    size_t given_count;
    char **word; /* what is no option */
    size_t word_count;
    char **rest; /* after "--"; NULL when there was none */
    char **list; /* after ":::" or "::::", taken as they are; NULL when there was neither */
    size_t list_count;
    bool names_file; /* it was "::::" */
};

/* A word that says which of its things a command is to do: "init" in `grove keys init`. */
struct verb {
    const char *name;
    const char *usage; /* what follows it */
    const char *operand;
    const char *help;
    enum exit_code (*run)(const struct arguments *arguments); /* the verb is arguments->word[0] */
};

#define VERB_END                                                                                   \
    {                                                                                              \
        NULL, NULL, NULL, NULL, NULL                                                               \
    }

struct subcommand {
    const char *name;
    const char *summary;          /* one line, for the list */
    const char *usage;            /* after "grove name " */
    const char *description;      /* a paragraph or two; may be NULL */
    const struct option *options; /* its own, ended by OPTION_END */
    bool takes_list;              /* after ":::" or "::::" */
    const struct verb *verbs;     /* one of which comes first, ended by VERB_END; or NULL */
    const char *operand;          /* what its words are, by a name of values.h; or NULL */
    bool has_section;             /* in the configuration, for its options */
    bool ignores_configuration;   /* works without one, also without a good one */
    enum exit_code (*run)(const struct arguments *arguments);
};

/* In the order of `grove help`; ended by NULL. */
extern const struct subcommand *const subcommands[];

/* Those of every command, ended by OPTION_END. */
extern const struct option common_options[];

/* One file each. */
extern const struct subcommand cancel_subcommand, check_subcommand, checkpoint_subcommand,
    cluster_subcommand, completions_subcommand, config_subcommand, coordinator_subcommand,
    dev_subcommand, doctor_subcommand, events_subcommand, explain_subcommand, fail_subcommand,
    failures_subcommand, functions_subcommand, gather_subcommand, help_subcommand, keys_subcommand,
    limit_subcommand, log_subcommand, map_subcommand, progress_subcommand, race_subcommand,
    result_subcommand, retry_subcommand, roots_subcommand, run_subcommand, stats_subcommand,
    submit_subcommand, task_subcommand, top_subcommand, tree_subcommand, version_subcommand,
    wait_subcommand, worker_subcommand, workers_subcommand;

const struct subcommand *subcommand_find(const char *name);
void complain_unknown_command(const char *word); /* with the nearest name */

/* The word of `words` that was probably meant, or NULL. */
const char *nearest_word(const char *word, const char *const *words, size_t count);

/* The whole help of one subcommand, on stdout. */
void print_help(const struct subcommand *command);

/* Takes `argv` apart, and gathers its words at its front. On a mistake says so on stderr, with the
 * nearest option's name, and returns false. */
bool arguments_parse(const struct subcommand *command, int argc, char **argv,
                     struct arguments *arguments);

/* Adds an option that the command line does not have. `origin` is copied. */
bool arguments_add(const struct subcommand *command, struct arguments *arguments,
                   const struct option *option, const char *value, const char *origin);
void arguments_clear(struct arguments *arguments);

/* Runs the verb that the first word names. Without one, or another, says so; with the nearest. */
enum exit_code run_verb(const struct subcommand *command, const struct arguments *arguments);

/* The last value given for an option, or NULL. */
const char *argument_value(const struct arguments *arguments, const char *name);
bool argument_given(const struct arguments *arguments, const char *name);

/* The i-th value of an option that may be repeated, or NULL. */
const char *argument_value_at(const struct arguments *arguments, const char *name, size_t i);

/* A whole number within bounds; `absent` when the option is not given. Says what is wrong and
 * returns false. */
bool argument_number(const struct arguments *arguments, const char *name, int64_t least,
                     int64_t most, int64_t absent, int64_t *number);

/* A duration such as 250ms, 30s, 5m, 2h, 1d; a bare number is seconds. In milliseconds. */
bool argument_duration(const struct arguments *arguments, const char *name, uint64_t absent_ms,
                       uint64_t *ms);

/* Whether -o json was asked for. */
bool argument_json(const struct arguments *arguments);

/* "grove: ..." on stderr, as print_text writes it. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "grove: WHAT: TEXT" on stderr; the text is from outside. */
void complain_of(const char *what, const char *text);

/* Writes UTF-8 from outside with every character that a terminal might obey as \\u{...}. */
void print_text(FILE *out, const char *text);

/* Likewise any bytes; what is no UTF-8 as \\x{...}. */
void print_bytes(FILE *out, const void *data, size_t size);

/* Writes text from outside as print_text does, and blanks up to `width` columns. */
void print_column(FILE *out, const char *text, int width);

/* Writes a result to stdout, exactly; but a terminal gets lines and tabs, and the rest as
 * print_bytes writes it. */
void print_result(const void *data, size_t size);

/* The exit code that stands for a status. */
enum exit_code exit_of_status(enum grove_status status);

/* ... when a coordinator could not be opened: data of another mesh, ledger or version must not be
 * used, nor what cannot be read. */
enum exit_code exit_of_opening(enum grove_status status);

#endif

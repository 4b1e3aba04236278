/* SPDX-License-Identifier: MPL-2.0
 * Command lines: long and short options before, between and after the words; "--" ends them. */
#include "nodes/programs/values.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct option common_options[] = {
    {"credential", 0, "FILE",
     "the mesh and who you are in it (else GROVE_CREDENTIAL, else the last grove dev)"},
    {"config", 0, "FILE", "read this configuration alone (else GROVE_CONFIG, else those found)"},
    {"output", 'o', "FORMAT", "text (default) or json"},
    {"color", 0, "WHEN", "auto (default: on a terminal, without NO_COLOR), always or never"},
    {"ascii", 0, NULL, "draw lines in ASCII"},
    {"help", 'h', NULL, "show this help"},
    OPTION_END,
};

void complain(const char *format, ...)
{
    char *text = NULL;
    va_list list;

    va_start(list, format);
    if (vasprintf(&text, format, list) < 0) {
        abort();
    }
    va_end(list);
    fputs("grove: ", stderr);
    print_text(stderr, text);
    fputc('\n', stderr);
    free(text);
}

void complain_of(const char *what, const char *text)
{
    fprintf(stderr, "grove: %s: ", what);
    print_text(stderr, text);
    fputc('\n', stderr);
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Levenshtein distance of two short words; long ones are far apart. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64];
    const size_t width = strlen(b);

    if (width >= sizeof(row) / sizeof(row[0]) || strlen(a) >= sizeof(row) / sizeof(row[0])) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= width; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            const size_t above = row[j];

            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
            diagonal = above;
        }
    }
    return row[width];
}

const char *nearest_word(const char *word, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t least = 3; /* further off, a guess helps nobody */

    for (size_t i = 0; i < count; i++) {
        const size_t away = distance(word, words[i]);

        if (away < least) {
            least = away;
            nearest = words[i];
        }
    }
    return nearest;
}

static const struct option *find_in(const struct option *options, const char *name, size_t length,
                                    char letter)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (letter != 0
                ? options->letter == letter
                : strlen(options->name) == length && strncmp(options->name, name, length) == 0) {
            return options;
        }
    }
    return NULL;
}

static const struct option *find_option(const struct subcommand *command, const char *name,
                                        size_t length, char letter)
{
    const struct option *option = find_in(command->options, name, length, letter);

    return option != NULL ? option : find_in(common_options, name, length, letter);
}

static void complain_unknown(const struct subcommand *command, const char *word)
{
    const char *names[64];
    size_t count = 0;
    const struct option *lists[] = {command->options, common_options};

    for (size_t i = 0; i < 2; i++) {
        for (const struct option *o = lists[i]; o != NULL && o->name != NULL && count < 64; o++) {
            names[count++] = o->name;
        }
    }
    const char *nearest = word[1] == '-' ? nearest_word(word + 2, names, count) : NULL;

    if (nearest != NULL) {
        complain("%s: unknown option %s; did you mean --%s?", command->name, word, nearest);
    } else {
        complain("%s: unknown option %s; see 'grove help %s'", command->name, word, command->name);
    }
}

bool arguments_add(const struct subcommand *command, struct arguments *arguments,
                   const struct option *option, const char *value, const char *origin)
{
    if (arguments->given_count == ARGUMENT_LIMIT) {
        complain("%s: more than %d options", command->name, ARGUMENT_LIMIT);
        return false;
    }
    arguments->given[arguments->given_count].option = option;
    arguments->given[arguments->given_count].value = value;
    arguments->given[arguments->given_count].origin = origin != NULL ? strdup(origin) : NULL;
    arguments->given_count++;
    return true;
}

void arguments_clear(struct arguments *arguments)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        free(arguments->given[i].origin);
    }
}

/* Takes the option at argv[*i], and its value; moves *i over both. */
static bool take_option(const struct subcommand *command, int argc, char **argv, int *i,
                        struct arguments *arguments)
{
    const char *word = argv[*i];
    const bool is_long = word[1] == '-';
    const char *equals = is_long ? strchr(word, '=') : NULL;
    const char *name = word + 2;
    const size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const char letter = word[is_long ? strlen(word) : 1]; /* none of a long one */
    const struct option *option = find_option(command, name, length, letter);
    const char *value = equals != NULL ? equals + 1 : NULL;

    if (option == NULL) {
        complain_unknown(command, word);
        return false;
    }
    if (!is_long && word[2] != '\0') {
        value = word + 2; /* -tNAME */
    }
    if (option->value == NULL && value != NULL) {
        complain("%s: --%s takes no value", command->name, option->name);
        return false;
    }
    if (option->value != NULL && value == NULL) {
        if (*i + 1 >= argc) {
            complain("%s: --%s wants %s", command->name, option->name, option->value);
            return false;
        }
        value = argv[++*i];
    }
    return arguments_add(command, arguments, option, value, NULL);
}

/* As far as the table knows them; bounds are the commands'. */
static bool check_values(const struct subcommand *command, const struct arguments *arguments)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        const struct option *option = arguments->given[i].option;
        char why[VALUE_WHY_SIZE];

        if (option->value != NULL && !value_fits(option->value, arguments->given[i].value, why)) {
            complain("%s: --%s %s", command->name, option->name, why);
            return false;
        }
    }
    return true;
}

bool arguments_parse(const struct subcommand *command, int argc, char **argv,
                     struct arguments *arguments)
{
    memset(arguments, 0, sizeof(*arguments));
    arguments->word = argv;
    for (int i = 0; i < argc; i++) {
        char *word = argv[i];

        if (strcmp(word, "--") == 0) {
            arguments->rest = &argv[i + 1];
            break;
        }
        if (command->takes_list && (strcmp(word, ":::") == 0 || strcmp(word, "::::") == 0)) {
            arguments->list = &argv[i + 1];
            arguments->list_count = (size_t)(argc - i - 1);
            arguments->names_file = word[3] == ':';
            break;
        }
        if (word[0] == '-' && word[1] != '\0') {
            if (!take_option(command, argc, argv, &i, arguments)) {
                return false;
            }
        } else {
            arguments->word[arguments->word_count++] = word; /* no further on than it was */
        }
    }
    return check_values(command, arguments);
}

const char *argument_value_at(const struct arguments *arguments, const char *name, size_t i)
{
    for (size_t k = 0; k < arguments->given_count; k++) {
        if (strcmp(arguments->given[k].option->name, name) == 0 && i-- == 0) {
            return arguments->given[k].value;
        }
    }
    return NULL;
}

const char *argument_value(const struct arguments *arguments, const char *name)
{
    for (size_t k = arguments->given_count; k > 0; k--) {
        if (strcmp(arguments->given[k - 1].option->name, name) == 0) {
            return arguments->given[k - 1].value;
        }
    }
    return NULL;
}

bool argument_given(const struct arguments *arguments, const char *name)
{
    for (size_t k = 0; k < arguments->given_count; k++) {
        if (strcmp(arguments->given[k].option->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* "--slots wants ...", or "FILE:LINE: slots wants ...". */
static void complain_value(const struct arguments *arguments, const char *name, const char *wanted)
{
    const char *origin = NULL;

    for (size_t k = 0; k < arguments->given_count; k++) {
        if (strcmp(arguments->given[k].option->name, name) == 0) {
            origin = arguments->given[k].origin;
        }
    }
    complain("%s%s%s wants %s, not '%s'", origin != NULL ? origin : "",
             origin != NULL ? ": " : "--", name, wanted, argument_value(arguments, name));
}

bool argument_number(const struct arguments *arguments, const char *name, int64_t least,
                     int64_t most, int64_t absent, int64_t *number)
{
    const char *text = argument_value(arguments, name);
    char wanted[96];
    int64_t value = absent;

    if (text != NULL && (!value_number(text, &value) || value < least || value > most)) {
        snprintf(wanted, sizeof(wanted), "a whole number from %" PRId64 " to %" PRId64, least,
                 most);
        complain_value(arguments, name, wanted);
        return false;
    }
    *number = value;
    return true;
}

bool argument_duration(const struct arguments *arguments, const char *name, uint64_t absent_ms,
                       uint64_t *ms)
{
    const char *text = argument_value(arguments, name);

    if (text == NULL) {
        *ms = absent_ms;
    } else if (!value_duration(text, ms)) {
        complain_value(arguments, name, "a duration such as 250ms, 30s, 5m or 2h");
        return false;
    }
    return true;
}

bool argument_json(const struct arguments *arguments)
{
    const char *format = argument_value(arguments, "output");

    return format != NULL && strcmp(format, "json") == 0;
}

enum exit_code run_verb(const struct subcommand *command, const struct arguments *arguments)
{
    const char *word = arguments->word_count > 0 ? arguments->word[0] : NULL;
    const char *names[16];
    char list[160] = "";
    size_t count = 0, used = 0;

    for (const struct verb *verb = command->verbs; verb->name != NULL && count < 16; verb++) {
        if (word != NULL && strcmp(verb->name, word) == 0) {
            return verb->run(arguments);
        }
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
                                 count == 0             ? ""
                                 : verb[1].name != NULL ? ", "
                                                        : " or ",
                                 verb->name);
        names[count++] = verb->name;
    }
    const char *nearest = word != NULL ? nearest_word(word, names, count) : NULL;

    if (nearest != NULL) {
        complain("%s: not '%s'; did you mean %s?", command->name, word, nearest);
    } else {
        complain("%s: %s? See 'grove help %s'", command->name, list, command->name);
    }
    return EXIT_USAGE;
}

static void print_verbs(const struct verb *verbs)
{
    for (; verbs != NULL && verbs->name != NULL; verbs++) {
        printf("\n  %s %s\n      %s\n", verbs->name, verbs->usage, verbs->help);
    }
}

static void print_options(const char *title, const struct option *options)
{
    if (options == NULL || options->name == NULL) {
        return;
    }
    printf("\n%s:\n", title);
    for (; options->name != NULL; options++) {
        char left[64];

        snprintf(left, sizeof(left), "%s%c%s--%s%s%s", options->letter != 0 ? "-" : "  ",
                 options->letter != 0 ? options->letter : ' ', options->letter != 0 ? ", " : " ",
                 options->name, options->value != NULL ? " " : "",
                 options->value != NULL ? options->value : "");
        printf("  %-26s %s\n", left, options->help);
    }
}

void print_help(const struct subcommand *command)
{
    printf("usage: grove %s %s\n\n%s.\n", command->name, command->usage, command->summary);
    if (command->description != NULL) {
        printf("\n%s\n", command->description);
    }
    print_verbs(command->verbs);
    print_options("options", command->options);
    print_options("every command", common_options);
}

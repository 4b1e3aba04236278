/* SPDX-License-Identifier: MPL-2.0
 * grove completions bash|zsh: what a shell completes, from the table of commands; and the values
 * that it asks a mesh for meanwhile.
 *
 * A list is an array of NAME:KIND:HELP, or of words. The rest of a script is completion.bash or
 * completion.zsh. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nodes/host/credential.h"
#include "nodes/programs/completion.h"
#include "nodes/programs/observer.h"
#include "nodes/programs/values.h"

/* ---- scripts */

/* In single quotes; colons part the fields of a row. */
static void print_quoted(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", stdout);
        } else {
            putchar(*text);
        }
    }
}

static void print_row(const char *dashes, const char *name, const char *kind, const char *help)
{
    const size_t length =
        kind == NULL ? 0 : strlen(kind) - (value_is_repeatable(kind) ? strlen("...") : 0);

    printf(" '%s", dashes);
    print_quoted(name);
    printf(":%.*s:", (int)length, kind != NULL ? kind : "");
    print_quoted(help);
    putchar('\'');
}

static void print_options(const struct option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        const char letter[] = {options->letter, '\0'};

        print_row("--", options->name, options->value, options->help);
        if (options->letter != 0) {
            print_row("-", letter, options->value, options->help);
        }
    }
}

static void print_commands(void)
{
    puts("_grove_commands() {\n    _grove_list=(");
    for (size_t i = 0; subcommands[i] != NULL; i++) {
        fputs("       ", stdout);
        print_row("", subcommands[i]->name, NULL, subcommands[i]->summary);
        putchar('\n');
    }
    puts("    )\n}");
}

static void print_command_options(void)
{
    puts("\n_grove_options() {\n    _grove_list=()\n    case $1 in");
    for (size_t i = 0; subcommands[i] != NULL; i++) {
        if (subcommands[i]->options != NULL) {
            printf("    %s) _grove_list=(", subcommands[i]->name);
            print_options(subcommands[i]->options);
            puts(" ) ;;");
        }
    }
    fputs("    esac\n    _grove_list+=(", stdout);
    print_options(common_options);
    puts(" )\n}");
}

static void print_verbs(void)
{
    puts("\n_grove_verbs() {\n    _grove_list=()\n    case $1 in");
    for (size_t i = 0; subcommands[i] != NULL; i++) {
        const struct verb *verb = subcommands[i]->verbs;

        if (verb != NULL) {
            printf("    %s) _grove_list=(", subcommands[i]->name);
            for (; verb->name != NULL; verb++) {
                print_row("", verb->name, verb->operand, verb->help);
            }
            puts(" ) ;;");
        }
    }
    puts("    esac\n}\n\n_grove_operand() {\n    kind=''\n    case $1 in");
    for (size_t i = 0; subcommands[i] != NULL; i++) {
        if (subcommands[i]->operand != NULL) {
            printf("    %s) kind=%s ;;\n", subcommands[i]->name, subcommands[i]->operand);
        }
    }
    puts("    esac\n}");
}

static void print_choices(void)
{
    static const char *const completions[] = {
        [COMPLETE_NOTHING] = "nothing",  [COMPLETE_CHOICES] = "choices",
        [COMPLETE_FILE] = "files",       [COMPLETE_DIRECTORY] = "directories",
        [COMPLETE_COMMAND] = "commands", [COMPLETE_LIVE] = "live",
    };

    puts("\n_grove_choices() {\n    _grove_list=()\n    _grove_completion=nothing\n    case $1 in");
    for (const struct value_kind *kind = value_kinds; kind->name != NULL; kind++) {
        if (kind->completion == COMPLETE_NOTHING) {
            continue;
        }
        printf("    %s) _grove_completion=%s _grove_list=(", kind->name,
               completions[kind->completion]);
        for (size_t i = 0; kind->choices != NULL && kind->choices[i] != NULL; i++) {
            printf(" %s", kind->choices[i]);
        }
        puts(" ) ;;");
    }
    puts("    esac\n}\n");
}

static enum exit_code print_script(const char *first, const unsigned char *script)
{
    puts(first);
    print_commands();
    print_command_options();
    print_verbs();
    print_choices();
    fputs((const char *)script, stdout);
    return EXIT_DONE;
}

static enum exit_code bash(const struct arguments *arguments)
{
    (void)arguments;
    return print_script("# source <(grove completions bash)", completion_bash);
}

static enum exit_code zsh(const struct arguments *arguments)
{
    (void)arguments;
    return print_script("#compdef grove\n# source <(grove completions zsh)", completion_zsh);
}

/* ---- values */

static const struct {
    const char *kind, *request;
    const char *list, *member; /* where they stand in the answer */
} live[] = {
    {"FUNCTION", "functions", "functions", "function"},
    {"WORKER", "workers", "workers", "instance"},
    {"ID", "roots", "roots", "id"},
    {"REQUEST", "help", "verbs", "verb"},
};

/* A shell takes it for one word, whatever it does with it. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if (!isalnum((unsigned char)*text) && strchr("._-@/:", *text) == NULL) {
            return false;
        }
    }
    return true;
}

static void print_values(const json_t *answer, size_t k)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(answer, live[k].list), i, one)
    {
        const char *text = json_string_value(json_object_get(one, live[k].member));

        if (text != NULL && is_plain(text)) {
            puts(text);
        }
    }
}

static void ask(const char *path, size_t k)
{
    enum exit_code code;
    struct observer *observer = observer_open(path, &code);
    json_t *answer = observer != NULL ? observer_try(observer, live[k].request) : NULL;

    print_values(answer, k);
    json_decref(answer);
    observer_close(observer);
}

/* Whoever is typing must not wait, nor read why there is nothing to offer. */
static enum exit_code values(const struct arguments *arguments)
{
    const char *kind = arguments->word_count > 1 ? arguments->word[1] : "";
    char path[PATH_MAX];

    if (freopen("/dev/null", "w", stderr) == NULL ||
        credential_find(argument_value(arguments, "credential"), path) != GROVE_OK ||
        access(path, R_OK) != 0) {
        return EXIT_DONE;
    }
    for (size_t k = 0; k < sizeof(live) / sizeof(live[0]); k++) {
        if (strcmp(live[k].kind, kind) == 0) {
            ask(path, k);
        }
    }
    return EXIT_DONE;
}

static enum exit_code run(const struct arguments *arguments)
{
    return run_verb(&completions_subcommand, arguments);
}

static const struct verb verbs[] = {
    {"bash", "", NULL, "print the script for bash", bash},
    {"zsh", "", NULL, "print the script for zsh", zsh},
    {"values", "KIND", NULL,
     "print what the mesh knows of FUNCTION, WORKER, ID (of roots) or REQUEST (of statistics), "
     "which is "
     "what the scripts ask; nothing when nobody answers at once",
     values},
    VERB_END,
};

const struct subcommand completions_subcommand = {
    .name = "completions",
    .summary = "Print what bash or zsh completes command lines by",
    .usage = "bash | zsh | values KIND",
    .description =
        "In ~/.bashrc: source <(grove completions bash); in ~/.zshrc, behind compinit: source "
        "<(grove completions\nzsh). An installed grove has both where the shells look for them.",
    .verbs = verbs,
    .run = run,
};

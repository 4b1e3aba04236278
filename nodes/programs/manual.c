/* SPDX-License-Identifier: MPL-2.0
 * The part of the manual that the table of commands says, in scdoc(5). */
#include "nodes/programs/manual.h"

#include <stdio.h>
#include <string.h>

#include "nodes/programs/worker_options.h"

/* Nothing of it is markup. */
static void print_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("\\*_#+-|[]", *text) != NULL) {
            putchar('\\');
        }
        putchar(*text);
    }
}

static void print_option(const struct option *option, const char *dashes)
{
    if (option->letter != 0 && dashes[0] != '\0') {
        printf("*-%c*, ", option->letter);
    }
    printf("*%s", dashes);
    print_plain(option->name);
    putchar('*');
    if (option->value != NULL) {
        fputs(dashes[0] != '\0' ? " _" : " = _", stdout);
        print_plain(option->value);
        putchar('_');
    }
    fputs("\n\t", stdout);
    print_plain(option->help);
    fputs("\n\n", stdout);
}

static void print_options(const struct option *options, const char *dashes)
{
    for (; options != NULL && options->name != NULL; options++) {
        print_option(options, dashes);
    }
}

static void print_verb(const struct verb *verb)
{
    fputc('*', stdout);
    print_plain(verb->name);
    fputs("* ", stdout);
    print_plain(verb->usage);
    fputs("\n\t", stdout);
    print_plain(verb->help);
    fputs("\n\n", stdout);
}

static void print_command(const struct subcommand *command)
{
    fputs("## grove ", stdout);
    print_plain(command->name);
    fputs("\n\n*grove ", stdout);
    print_plain(command->name);
    fputs("* ", stdout);
    print_plain(command->usage);
    fputs("\n\n", stdout);
    print_plain(command->summary);
    fputs(".\n", stdout);
    if (command->description != NULL) {
        print_plain(command->description);
        putchar('\n');
    }
    putchar('\n');
    for (const struct verb *verb = command->verbs; verb != NULL && verb->name != NULL; verb++) {
        print_verb(verb);
    }
    print_options(command->options, "--");
}

void manual_print_commands(void)
{
    for (size_t i = 0; subcommands[i] != NULL; i++) {
        print_command(subcommands[i]);
    }
    puts("## Every command\n");
    print_options(common_options, "--");
}

/* Of a flag, what it may be. */
static void print_keys(const struct option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        struct option key = *options;

        if (key.value == NULL) {
            key.value = "yes|no";
        }
        if (strcmp(key.name, "help") != 0 && strcmp(key.name, "config") != 0) {
            print_option(&key, "");
        }
    }
}

void manual_print_settings(void)
{
    puts("## [client]\n");
    print_keys(common_options);
    for (size_t i = 0; subcommands[i] != NULL; i++) {
        if (subcommands[i]->has_section) {
            printf("## [%s]\n\n", subcommands[i]->name);
            print_keys(subcommands[i]->options);
        }
    }
    puts("## [exec \"NAME\"]\n");
    print_keys(exec_options);
}

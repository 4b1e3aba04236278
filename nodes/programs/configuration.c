/* SPDX-License-Identifier: MPL-2.0
 * What options are when the command line does not say. */
#include "nodes/programs/configuration.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/item.h"
#include "core/limits.h"
#include "nodes/programs/values.h"
#include "nodes/programs/worker_options.h"

#define SYSTEM_FILE "/etc/grove/grove.conf"
#define NAME_SIZE 64 /* of a variable */

/* ---- names */

static bool is_settable(const struct option *option)
{
    return strcmp(option->name, "help") != 0 && strcmp(option->name, "config") != 0;
}

static bool is_common(const struct option *option)
{
    for (const struct option *o = common_options; o->name != NULL; o++) {
        if (o == option) {
            return true;
        }
    }
    return false;
}

static const struct subcommand *section_command(const char *section)
{
    const struct subcommand *command = subcommand_find(section);

    return command != NULL && command->has_section ? command : NULL;
}

/* The name in [exec "NAME"]: `name` has room for it; false for another section. */
static bool exec_name(const char *section, char name[LIMIT_FUNCTION_LENGTH + 1])
{
    const size_t before = strlen("exec \""), size = strlen(section);

    if (size <= before + 1 || size > before + LIMIT_FUNCTION_LENGTH + 1 ||
        strncmp(section, "exec \"", before) != 0 || section[size - 1] != '"') {
        return false;
    }
    memcpy(name, section + before, size - before - 1);
    name[size - before - 1] = '\0';
    return wire_function_is_valid(bytes_of_text(name));
}

/* The options that a section may set: its own, then those of every command; ended by NULL. */
static void section_options(const char *section, const struct option *lists[3])
{
    char name[LIMIT_FUNCTION_LENGTH + 1];
    const struct subcommand *command = section_command(section);
    size_t count = 0;

    if (exec_name(section, name)) {
        lists[count++] = exec_options;
    } else if (command != NULL && command->options != NULL) {
        lists[count++] = command->options;
    }
    if (command != NULL || strcmp(section, "client") == 0) {
        lists[count++] = common_options;
    }
    lists[count] = NULL;
}

static const struct option *find_key(const char *section, const char *key)
{
    const struct option *lists[3];

    section_options(section, lists);
    for (size_t i = 0; lists[i] != NULL; i++) {
        for (const struct option *option = lists[i]; option->name != NULL; option++) {
            if (strcmp(option->name, key) == 0 && is_settable(option)) {
                return option;
            }
        }
    }
    return NULL;
}

/* ---- what is wrong in a file */

static void blame(struct configuration *configuration, const struct config_entry *entry,
                  const char *format, ...) __attribute__((format(printf, 3, 4)));

static void blame(struct configuration *configuration, const struct config_entry *entry,
                  const char *format, ...)
{
    char text[CONFIG_ERROR_SIZE];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    json_array_append_new(configuration->wrong, json_sprintf("%s: %s", entry->origin, text));
}

static void blame_section(struct configuration *configuration, const struct config_entry *entry)
{
    const char *names[64] = {"client", "exec \"NAME\""};
    size_t count = 2;

    for (size_t i = 0; subcommands[i] != NULL && count < 64; i++) {
        if (subcommands[i]->has_section) {
            names[count++] = subcommands[i]->name;
        }
    }
    const char *nearest = strncmp(entry->section, "exec", 4) == 0
                              ? names[1]
                              : nearest_word(entry->section, names, count);

    blame(configuration, entry, "unknown section [%.80s]%s%s%s", entry->section,
          nearest != NULL ? "; did you mean [" : "", nearest != NULL ? nearest : "",
          nearest != NULL ? "]?" : "");
}

static void blame_key(struct configuration *configuration, const struct config_entry *entry)
{
    const struct option *lists[3];
    const char *names[64];
    size_t count = 0;

    section_options(entry->section, lists);
    for (size_t i = 0; lists[i] != NULL; i++) {
        for (const struct option *o = lists[i]; o->name != NULL && count < 64; o++) {
            names[count++] = o->name;
        }
    }
    const char *nearest = nearest_word(entry->key, names, count);

    blame(configuration, entry, "unknown key '%.60s' in [%s]%s%s%s", entry->key, entry->section,
          nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
          nearest != NULL ? "?" : "");
}

static bool is_same(const struct config_entry *a, const struct config_entry *b)
{
    return a->file == b->file && strcmp(a->section, b->section) == 0 && strcmp(a->key, b->key) == 0;
}

static bool was_given(const struct config *config, const struct config_entry *entry)
{
    for (const struct config_entry *before = config->entry; before < entry; before++) {
        if (is_same(before, entry)) {
            return true;
        }
    }
    return false;
}

static void check_entry(struct configuration *configuration, const struct config_entry *entry)
{
    const struct option *lists[3], *option = find_key(entry->section, entry->key);
    char why[VALUE_WHY_SIZE];
    bool is_on;

    section_options(entry->section, lists);
    if (lists[0] == NULL && entry->key[0] == '\0') {
        blame_section(configuration, entry);
    }
    if (lists[0] == NULL || entry->key[0] == '\0') {
        return;
    }
    if (option == NULL) {
        blame_key(configuration, entry);
    } else if (option->value == NULL && !value_switch(entry->value, &is_on)) {
        blame(configuration, entry, "%s is yes or no, not '%.60s'", entry->key, entry->value);
    } else if (option->value != NULL && !value_fits(option->value, entry->value, why)) {
        blame(configuration, entry, "%s %s", entry->key, why);
    } else if ((option->value == NULL || !value_is_repeatable(option->value)) &&
               was_given(&configuration->config, entry)) {
        blame(configuration, entry, "%s is given twice", entry->key);
    }
}

/* ---- files */

static void read_file(struct configuration *configuration, const char *path, bool must_exist)
{
    const size_t before = configuration->config.count;
    char error[CONFIG_ERROR_SIZE];
    const enum grove_status status = config_read(path, &configuration->config, error);

    if (status == GROVE_NOT_FOUND && !must_exist) {
        return;
    }
    if (status != GROVE_OK) {
        json_array_append_new(configuration->wrong, json_sprintf("%s", error));
        return;
    }
    configuration->path[configuration->path_count] = strdup(path);
    if (configuration->path[configuration->path_count++] == NULL) {
        abort();
    }
    for (size_t i = before; i < configuration->config.count; i++) {
        check_entry(configuration, &configuration->config.entry[i]);
    }
}

static void read_user_file(struct configuration *configuration)
{
    const char *directory = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char path[PATH_MAX];
    int size = 0;

    if (directory != NULL && directory[0] == '/') {
        size = snprintf(path, sizeof(path), "%s/grove/grove.conf", directory);
    } else if (home != NULL && home[0] == '/') {
        size = snprintf(path, sizeof(path), "%s/.config/grove/grove.conf", home);
    }
    if (size > 0 && size < (int)sizeof(path)) {
        read_file(configuration, path, false);
    }
}

void configuration_load(const char *given, struct configuration *configuration)
{
    const char *named = given != NULL ? given : getenv("GROVE_CONFIG");

    *configuration = (struct configuration){.wrong = json_array()};
    if (named == NULL) {
        read_file(configuration, SYSTEM_FILE, false);
        read_user_file(configuration);
    } else if (named[0] != '\0') {
        read_file(configuration, named, true);
    }
}

void configuration_clear(struct configuration *configuration)
{
    config_clear(&configuration->config);
    for (unsigned i = 0; i < configuration->path_count; i++) {
        free(configuration->path[i]);
    }
    json_decref(configuration->wrong);
}

/* ---- values */

/* GROVE_SLOTS or GROVE_WORKER_SLOTS, by whose option it is; "" for one that has no variable. */
static void variable_name(const char *section, const struct option *option, char name[NAME_SIZE])
{
    const bool is_own = !is_common(option);

    snprintf(name, NAME_SIZE, "GROVE_%s%s%s", is_own ? section : "", is_own ? "_" : "",
             option->name);
    for (char *at = name; *at != '\0'; at++) {
        *at = (char)(*at == '-' ? '_' : toupper((unsigned char)*at));
    }
}

static bool find_variable(const char *section, const struct option *option, struct setting *setting)
{
    if (option->value != NULL && value_is_repeatable(option->value)) {
        return false;
    }
    variable_name(section, option, setting->origin);
    setting->value = getenv(setting->origin);
    setting->entry = NULL;
    return setting->value != NULL && setting->value[0] != '\0';
}

/* The i-th of the last file that has any. */
static const struct config_entry *find_entry(const struct config *config, const char *section,
                                             const char *key, size_t i)
{
    for (unsigned file = config->file_count; file > 0; file--) {
        size_t seen = 0;

        for (size_t k = 0; k < config->count; k++) {
            const struct config_entry *entry = &config->entry[k];

            if (entry->file == file - 1 && strcmp(entry->section, section) == 0 &&
                strcmp(entry->key, key) == 0 && seen++ == i) {
                return entry;
            }
        }
        if (seen > 0) {
            return NULL;
        }
    }
    return NULL;
}

bool configuration_find(const struct configuration *configuration, const char *section,
                        const struct option *option, size_t i, struct setting *setting)
{
    if (!is_settable(option)) {
        return false;
    }
    if (find_variable(section, option, setting)) {
        return i == 0;
    }
    setting->entry = find_entry(&configuration->config, section, option->name, i);
    if (setting->entry == NULL) {
        return false;
    }
    setting->value = setting->entry->value;
    snprintf(setting->origin, sizeof(setting->origin), "%s", setting->entry->origin);
    return true;
}

/* Of a command's own section, else of [client] what every command takes. */
bool configuration_of_command(const struct configuration *configuration,
                              const struct subcommand *command, const struct option *option,
                              size_t i, struct setting *setting)
{
    const bool is_everyones = is_common(option);

    if (command->has_section &&
        (configuration_find(configuration, command->name, option, 0, setting) || !is_everyones)) {
        return configuration_find(configuration, command->name, option, i, setting);
    }
    return is_everyones && configuration_find(configuration, "client", option, i, setting);
}

/* A file's value was checked when it was read. */
static bool check_variable(const struct option *option, const struct setting *setting)
{
    char why[VALUE_WHY_SIZE];
    bool is_on;

    if (setting->entry != NULL) {
        return true;
    }
    if (option->value == NULL && !value_switch(setting->value, &is_on)) {
        complain("%s is yes or no, not '%s'", setting->origin, setting->value);
        return false;
    }
    if (option->value != NULL && !value_fits(option->value, setting->value, why)) {
        complain("%s %s", setting->origin, why);
        return false;
    }
    return true;
}

static bool apply_option(const struct configuration *configuration,
                         const struct subcommand *command, const struct option *option,
                         struct arguments *arguments)
{
    struct setting setting;

    if (argument_given(arguments, option->name)) {
        return true;
    }
    for (size_t i = 0; configuration_of_command(configuration, command, option, i, &setting); i++) {
        bool is_on = true;

        if (!check_variable(option, &setting)) {
            return false;
        }
        if (option->value == NULL && value_switch(setting.value, &is_on) && !is_on) {
            return true;
        }
        if (!arguments_add(command, arguments, option, setting.value, setting.origin)) {
            return false;
        }
    }
    return true;
}

bool configuration_apply(const struct configuration *configuration,
                         const struct subcommand *command, struct arguments *arguments)
{
    const struct option *const lists[] = {command->options, common_options};

    for (size_t i = 0; i < 2; i++) {
        for (const struct option *o = lists[i]; o != NULL && o->name != NULL; o++) {
            if (!apply_option(configuration, command, o, arguments)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- [exec "NAME"] */

bool configuration_exec(const struct configuration *configuration, size_t i, char *name)
{
    const struct config *config = &configuration->config;

    for (size_t k = 0; k < config->count; k++) {
        bool is_first = exec_name(config->entry[k].section, name);

        for (size_t before = 0; is_first && before < k; before++) {
            is_first = strcmp(config->entry[before].section, config->entry[k].section) != 0;
        }
        if (is_first && i-- == 0) {
            return true;
        }
    }
    return false;
}

const char *configuration_exec_value(const struct configuration *configuration, const char *name,
                                     const char *option)
{
    char section[LIMIT_FUNCTION_LENGTH + 16];

    snprintf(section, sizeof(section), "exec \"%s\"", name);
    const struct config_entry *entry = find_entry(&configuration->config, section, option, 0);

    return entry != NULL ? entry->value : NULL;
}

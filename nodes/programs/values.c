/* SPDX-License-Identifier: MPL-2.0
 * What the values of options are, by the names that help gives them. */
#include "nodes/programs/values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- forms */

bool value_number(const char *text, int64_t *number)
{
    char *end;

    errno = 0;
    const long long value = strtoll(text, &end, 10);

    if (errno != 0 || end == text || *end != '\0') {
        return false;
    }
    *number = value;
    return true;
}

/* Milliseconds in one unit of a duration; 0 for an unknown unit. */
static uint64_t unit_ms(const char *unit)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(unit, units[i].name) == 0) {
            return units[i].ms;
        }
    }
    return 0;
}

bool value_duration(const char *text, uint64_t *ms)
{
    char *end;

    errno = 0;
    const double value = strtod(text, &end);
    const uint64_t unit = unit_ms(end);

    if (errno != 0 || end == text || unit == 0 || !(value >= 0) || value * (double)unit > 4e10) {
        return false;
    }
    *ms = (uint64_t)(value * (double)unit);
    return true;
}

bool value_switch(const char *text, bool *is_on)
{
    static const char *const on[] = {"yes", "true", "on", "1"};
    static const char *const off[] = {"no", "false", "off", "0"};

    for (size_t i = 0; i < sizeof(on) / sizeof(on[0]); i++) {
        if (strcmp(text, on[i]) == 0 || strcmp(text, off[i]) == 0) {
            *is_on = strcmp(text, on[i]) == 0;
            return true;
        }
    }
    return false;
}

static bool is_number(const char *text)
{
    int64_t number;

    return value_number(text, &number);
}

static bool is_duration(const char *text)
{
    uint64_t ms;

    return value_duration(text, &ms);
}

/* ---- the table */

static const char *const formats[] = {"text", "json", NULL};
static const char *const whens[] = {"auto", "always", "never", NULL};
static const char *const parts[] = {"commands", "settings", NULL};
static const char *const roles[] = {"worker",   "client",      "observer",
                                    "operator", "coordinator", NULL};

static const char *const states[] = {"open",    "delayed",   "held",   "ready",     "running",
                                     "waiting", "succeeded", "failed", "cancelled", NULL};

#define NUMBER "a whole number"
#define DURATION "a duration such as 250ms, 30s, 5m or 2h"

const struct value_kind value_kinds[] = {
    {"FORMAT", COMPLETE_CHOICES, formats, NULL, NULL},
    {"WHEN", COMPLETE_CHOICES, whens, NULL, NULL},
    {"ROLE", COMPLETE_CHOICES, roles, NULL, NULL},
    {"STATE", COMPLETE_CHOICES, states, NULL, NULL},
    {"PART", COMPLETE_CHOICES, parts, NULL, NULL},
    {"FILE", COMPLETE_FILE, NULL, NULL, NULL},
    {"DIR", COMPLETE_DIRECTORY, NULL, NULL, NULL},
    {"COMMAND", COMPLETE_COMMAND, NULL, NULL, NULL},
    {"FUNCTION", COMPLETE_LIVE, NULL, NULL, NULL},
    {"WORKER", COMPLETE_LIVE, NULL, NULL, NULL},
    {"REQUEST", COMPLETE_LIVE, NULL, NULL, NULL},
    {"ID", COMPLETE_LIVE, NULL, NULL, NULL},
    {"N", COMPLETE_NOTHING, NULL, is_number, NUMBER},
    {"K", COMPLETE_NOTHING, NULL, is_number, NUMBER},
    {"LIMIT", COMPLETE_NOTHING, NULL, is_number, NUMBER},
    {"DURATION", COMPLETE_NOTHING, NULL, is_duration, DURATION},
    {NULL, COMPLETE_NOTHING, NULL, NULL, NULL},
};

/* How much of a value's name is before "...". */
static size_t name_length(const char *name)
{
    const size_t length = strlen(name);

    return value_is_repeatable(name) ? length - 3 : length;
}

bool value_is_repeatable(const char *name)
{
    const size_t length = strlen(name);

    return length > 3 && strcmp(name + length - 3, "...") == 0;
}

const struct value_kind *value_kind(const char *name)
{
    const size_t length = name_length(name);

    for (const struct value_kind *kind = value_kinds; kind->name != NULL; kind++) {
        if (strlen(kind->name) == length && strncmp(kind->name, name, length) == 0) {
            return kind;
        }
    }
    return NULL;
}

/* "a, b or c". */
static void list_choices(const char *const *choices, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; choices[i] != NULL && used < size; i++) {
        const char *between = i == 0 ? "" : choices[i + 1] == NULL ? " or " : ", ";

        used += (size_t)snprintf(text + used, size - used, "%s%s", between, choices[i]);
    }
}

static bool is_choice(const struct value_kind *kind, const char *text, char why[VALUE_WHY_SIZE])
{
    char list[128];
    size_t count = 0;

    for (; kind->choices[count] != NULL; count++) {
        if (strcmp(kind->choices[count], text) == 0) {
            return true;
        }
    }
    const char *nearest = nearest_word(text, kind->choices, count);

    list_choices(kind->choices, list, sizeof(list));
    snprintf(why, VALUE_WHY_SIZE, "is %s, not '%.60s'%s%s%s", list, text,
             nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
             nearest != NULL ? "?" : "");
    return false;
}

bool value_fits(const char *name, const char *text, char why[VALUE_WHY_SIZE])
{
    const struct value_kind *kind = value_kind(name);

    if (kind != NULL && kind->choices != NULL) {
        return is_choice(kind, text, why);
    }
    if (kind == NULL || kind->fits == NULL || kind->fits(text)) {
        return true;
    }
    snprintf(why, VALUE_WHY_SIZE, "is %s, not '%.60s'", kind->form, text);
    return false;
}
